"""The claims of all drafts."""

from pwlact.theory.claims import competitive_more, correlation, homework, implicit_em, matching
from pwlact.theory.claims.ledger import Claim


def all_claims() -> tuple[Claim, ...]:
    """Every claim of the five drafts, in the drafts' order."""
    modules = (correlation, competitive_more, implicit_em, homework, matching)
    return tuple(claim for module in modules for claim in module.CLAIMS)
