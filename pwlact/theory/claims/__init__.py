"""The claims ledger: every statement of the drafts, what is measured, and the verdict that follows."""

from pwlact.theory.claims.catalogue import all_claims
from pwlact.theory.claims.drafts import DRAFTS
from pwlact.theory.claims.ledger import (
    Check,
    Claim,
    Draft,
    Measurement,
    Row,
    Verdict,
    above,
    below,
    evaluate,
    exact,
    near,
    read_verdict,
    select,
    totals,
    weigh,
)
from pwlact.theory.claims.page import markdown
from pwlact.theory.claims.studies import read_study, results_in

__all__ = [
    "DRAFTS",
    "Check",
    "Claim",
    "Draft",
    "Measurement",
    "Row",
    "Verdict",
    "above",
    "all_claims",
    "below",
    "evaluate",
    "exact",
    "markdown",
    "near",
    "read_study",
    "read_verdict",
    "results_in",
    "select",
    "totals",
    "weigh",
]
