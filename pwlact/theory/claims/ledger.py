"""What the drafts claim, what is measured, and the verdict: types and evaluation.

A claim's verdict is never written down. `measure` computes numbers, `weigh` compares each with what was stated.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import SupportsFloat

from pwlact.checks import InputError


class Verdict(StrEnum):
    """How a claim stands.

    HOLDS: every number is as stated. CORRECTED: the finding stands, but a figure, sign, factor or condition in it
    does not; the measurement gives the right one. FAILS: the finding itself does not stand.
    """

    HOLDS = "holds"
    CORRECTED = "holds with a correction"
    FAILS = "fails"
    UNMEASURED = "not yet measured"


# Smaller than this is rounding in float64 here, and differs from machine to machine.
ROUNDING = 1e-9


@dataclass(frozen=True)
class Check:
    """One measured number and the range in which the claim puts it.

    Attributes:
        what: name of the quantity, with its n where it comes from samples.
        measured: its value.
        low: least value that agrees with the claim.
        high: largest value that agrees.
        expected: that range in words.
        core: whether the claim falls with this number; a detail only calls for a correction.
        rough: whether the number differs from run to run (a time).
    """

    what: str
    measured: float
    low: float
    high: float
    expected: str
    core: bool = True
    rough: bool = False

    @property
    def holds(self) -> bool:
        """Whether the number is in the range; NaN never is."""
        return self.low <= self.measured <= self.high

    def text(self, steady: bool = False) -> str:
        """The number in words, with what was expected where it is not met; `steady` leaves out a rough number."""
        what = self.what.rstrip(",:")
        if steady and self.rough:
            return f"{what}: {'' if self.holds else 'not '}{self.expected}"
        rest = "" if self.holds else f" (expected {self.expected})"
        return f"{what}: {_number(self.measured)}{rest}"


def near(what: str, measured: SupportsFloat, stated: float, within: float, *, core: bool = True) -> Check:
    """The number is the stated one, up to `within`."""
    return Check(what, float(measured), stated - within, stated + within, f"{stated:g}", core)


def above(what: str, measured: SupportsFloat, least: float, *, core: bool = True, rough: bool = False) -> Check:
    """The number is `least` or more."""
    return Check(what, float(measured), least, math.inf, f"at least {least:g}", core, rough)


def below(what: str, measured: SupportsFloat, most: float, *, core: bool = True) -> Check:
    """The number is `most` or less."""
    return Check(what, float(measured), -math.inf, most, f"at most {most:g}", core)


def exact(what: str, error: SupportsFloat, tolerance: float = ROUNDING, *, core: bool = True) -> Check:
    """An error that should be rounding alone."""
    return Check(what, float(error), -tolerance, tolerance, "0", core)


@dataclass(frozen=True)
class Measurement:
    """What was measured.

    Attributes:
        text: the numbers, in words.
        verdict: what follows from them.
        steady: the text without numbers that differ from run to run.
    """

    text: str
    verdict: Verdict
    steady: str


def weigh(*checks: Check, note: str = "") -> Measurement:
    """The verdict that the checks amount to; `note` says what the right statement is, where one is wrong."""
    if not all(check.holds for check in checks if check.core):
        verdict = Verdict.FAILS
    else:
        verdict = Verdict.HOLDS if all(check.holds for check in checks) else Verdict.CORRECTED
    end = f"; {note}" if note else ""
    text, steady = ("; ".join(check.text(steady) for check in checks) + end for steady in (False, True))
    return Measurement(text, verdict, steady)


@dataclass(frozen=True)
class Claim:
    """One statement of a draft.

    Attributes:
        id: short and stable; begins with the draft's prefix.
        seed: the draft's file name without .md.
        stated: the statement, in our words.
        command: the command that measures it.
        measure: computes the measurement; None, or a result of None, is not yet measured.
    """

    id: str
    seed: str
    stated: str
    command: str
    measure: Callable[[], Measurement | None] | None = None


@dataclass(frozen=True)
class Draft:
    """A draft, and the prefix that its claims' ids begin with."""

    prefix: str
    seed: str

    def claim(
        self,
        name: str,
        stated: str,
        measure: Callable[[], Measurement | None] | None = None,
        command: str | None = None,
    ) -> Claim:
        """A claim of this draft; unless a command is given, the ledger itself measures it."""
        full = f"{self.prefix}-{name}"
        return Claim(full, self.seed, stated, command or f"pwlact claims --id {full}", measure)


@dataclass(frozen=True)
class Row:
    """A claim with its measurement, None where there is none yet."""

    claim: Claim
    measurement: Measurement | None

    @property
    def verdict(self) -> Verdict:
        """How the claim stands."""
        return Verdict.UNMEASURED if self.measurement is None else self.measurement.verdict

    def to_dict(self) -> dict[str, str]:
        """A JSON-able record; `measured` is empty where nothing is measured yet."""
        claim, measured = self.claim, self.measurement
        return {
            "id": claim.id,
            "seed": claim.seed,
            "stated": claim.stated,
            "measured": "" if measured is None else measured.text,
            "verdict": str(self.verdict),
            "command": claim.command,
        }


def evaluate(claims: Iterable[Claim]) -> list[Row]:
    """Measure every claim, now."""
    return [Row(claim, None if claim.measure is None else claim.measure()) for claim in claims]


def totals(rows: Iterable[Row]) -> dict[str, int]:
    """Number of rows by verdict, every verdict named."""
    verdicts = [row.verdict for row in rows]
    return {str(verdict): verdicts.count(verdict) for verdict in Verdict}


def select(claims: Iterable[Claim], drafts: Iterable[Draft], id: str | None, seed: str | None) -> list[Claim]:
    """The claims with this id, or of this draft (its file name, with or without .md, or its prefix).

    Raises:
        InputError: no claim has that id, or no draft that name.
    """
    names = {name: draft.seed for draft in drafts for name in (draft.seed, f"{draft.seed}.md", draft.prefix)}
    if seed is not None and seed not in names:
        prefixes = ", ".join(draft.prefix for draft in drafts)
        raise InputError(f"seed-paper must be one of {prefixes}, or a draft's file name; got {seed!r}")
    chosen = [claim for claim in claims if seed is None or claim.seed == names[seed]]
    if id is None:
        return chosen
    if not any(claim.id == id for claim in chosen):
        raise InputError(f"id must be that of a claim ({_close(id, chosen)}); got {id!r}")
    return [claim for claim in chosen if claim.id == id]


def read_verdict(text: str) -> Verdict:
    """The verdict of that name, words joined by blanks or hyphens.

    Raises:
        InputError: there is none.
    """
    try:
        return Verdict(text.replace("-", " "))
    except ValueError as error:
        raise InputError(f"verdict must be one of {', '.join(Verdict)}; got {text!r}") from error


def _close(id: str, claims: list[Claim]) -> str:
    import difflib

    near_by = difflib.get_close_matches(id, [claim.id for claim in claims], 3, 0.4)
    return f"did you mean {' or '.join(near_by)}?" if near_by else "`pwlact claims` lists them"


def _number(value: float) -> str:
    # exactly 0 here may be rounding elsewhere: both read the same
    return "below 1e-9" if abs(value) < ROUNDING else f"{value:.4g}"
