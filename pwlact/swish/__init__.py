"""The Swish family and its least-squares fit, of one curve or of many at once."""

from pwlact.swish.batched import BatchedSwishFit, fit_swish_batched
from pwlact.swish.fit import PARAMETERS, SwishFit, fit_swish, swish

__all__ = ["PARAMETERS", "BatchedSwishFit", "SwishFit", "fit_swish", "fit_swish_batched", "swish"]
