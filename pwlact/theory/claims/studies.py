"""Committed results of long runs: what the claims about trained networks are measured from."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from pwlact.checks import InputError
from pwlact.files import read_object
from pwlact.theory.claims.ledger import Measurement

RESULTS = Path(__file__).resolve().parents[3] / "figures" / "results"
_folder: ContextVar[Path] = ContextVar("folder of results", default=RESULTS)

Study = dict[str, Any]


@contextmanager
def results_in(folder: Path) -> Iterator[None]:
    """Within, results are read from `folder` instead of the checkout's figures/results.

    Yields:
        nothing.
    """
    token = _folder.set(folder)
    try:
        yield
    finally:
        _folder.reset(token)


def read_study(name: str) -> Study | None:
    """The result NAME.json of figures/results (see `results_in`), or None where it is not there (yet).

    Raises:
        InputError: the file is damaged.
    """
    path = _folder.get() / f"{name}.json"
    if not path.is_file():
        return None
    study = read_object(path, "run its command again")
    # a run's own record has its outcome at the top, a study of several under "summary"
    return {**study, **study.get("summary", {})}


def from_studies(measure: Callable[..., Measurement], *names: str) -> Callable[[], Measurement | None]:
    """`measure(study, ...)` of the named results; None where one is missing.

    Raises:
        InputError: a result lacks what is measured.
    """

    def measured() -> Measurement | None:
        studies = [study for study in map(read_study, names) if study is not None]
        if len(studies) < len(names):
            return None
        try:
            return measure(*studies)
        except (KeyError, IndexError, TypeError) as error:
            raise InputError(f"figures/results: {' or '.join(names)} lacks {error}; run its command again") from error

    return measured
