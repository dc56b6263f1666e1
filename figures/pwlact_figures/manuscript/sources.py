"""What the text is made of: data of the figures, results of long runs, and the claims ledger, each computed once."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pwlact.theory.claims import DRAFTS, all_claims, evaluate, results_in, select
from pwlact_figures.paper import Results, choose
from pwlact_figures.paper.cache import recall

_DRAFT = "correlation"


@dataclass
class Sources:
    """Everything that a number may be taken from.

    Attributes:
        results: results of long runs.
        cache: folder where what was computed is kept.
    """

    results: Results
    cache: Path
    _known: dict[str, dict[str, Any]] = field(default_factory=dict)

    def figure(self, slug: str) -> dict[str, Any]:
        """The data of the figure of that name.

        Raises:
            MissingResultError: a result that it reads is not there.
            InputError: a result is damaged.
        """
        if slug not in self._known:
            (figure,) = choose([slug])
            self._known[slug] = recall(figure.stem, figure.compute, self.results, self.cache)
        return self._known[slug]

    def claims(self) -> list[dict[str, str]]:
        """Every claim of the paper's draft as the ledger measures it: id, stated, measured, verdict, command."""
        return recall("claims", _measure, self.results, self.cache)["claims"]


def _measure(results: Results) -> dict[str, Any]:
    with results_in(results.folder):
        rows = evaluate(select(all_claims(), DRAFTS, None, _DRAFT))
    # without what differs from run to run: the same for the same code and results
    steady = [{**row.to_dict(), "measured": "" if row.measurement is None else row.measurement.steady} for row in rows]
    return {"claims": steady}
