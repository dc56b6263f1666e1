"""Measures of redundant hidden units: pure functions on what the units receive, give and get as gradient."""

from pwlact.redundancy.cka import linear_cka as linear_cka
from pwlact.redundancy.cover import redundant as redundant
from pwlact.redundancy.cuts import cut_disagreement as cut_disagreement
from pwlact.redundancy.cuts import duplicate_cuts as duplicate_cuts
from pwlact.redundancy.cuts import smaller_side as smaller_side
from pwlact.redundancy.duplicates import correlations as correlations
from pwlact.redundancy.duplicates import dead_units as dead_units
from pwlact.redundancy.duplicates import duplicate_units as duplicate_units
from pwlact.redundancy.duplicates import off_diagonal_squares as off_diagonal_squares
from pwlact.redundancy.duplicates import quiet_units as quiet_units
from pwlact.redundancy.regions import count_regions as count_regions
from pwlact.redundancy.regions import most_regions as most_regions
from pwlact.redundancy.shares import gradient_shares as gradient_shares
from pwlact.redundancy.shares import largest_shares as largest_shares
from pwlact.redundancy.spectrum import effective_rank as effective_rank
from pwlact.redundancy.spectrum import participation_ratio as participation_ratio
from pwlact.redundancy.spectrum import singular_values as singular_values
