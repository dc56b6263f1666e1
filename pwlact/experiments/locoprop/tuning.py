"""One tuning budget for everyone: the same number of trials over a rate and a second setting, and one way to choose."""

from collections.abc import Mapping
from typing import Any

from pwlact.experiments.locoprop.kept import Record
from pwlact.experiments.locoprop.methods import Method

Settings = tuple[float, float]


def grid(method: Method, rates: int) -> dict[str, Settings]:
    """The trials by name: log-spaced rates, the ends included, with each value of the second setting.

    Args:
        method: with its ranges.
        rates: number of rates; of one, the geometric mean of the ends.
    """
    low, high = method.rates
    places = [i / (rates - 1) for i in range(rates)] if rates > 1 else [0.5]
    # six digits: what is stored, and shown, is what was used
    spaced = [float(f"{low * (high / low) ** place:.6g}") for place in places]
    return {f"{rate:g}-{second:g}": (rate, second) for second in method.seconds for rate in spaced}


def choose(trials: Mapping[str, Record]) -> str | None:
    """Name of the trial with the lowest training loss at its end; None where all diverged.

    Args:
        trials: by name, what `training.train` gave.
    """
    ends = {name: trial["train"][-1] for name, trial in trials.items() if trial["diverged"] is None}
    return min(ends, key=ends.__getitem__) if ends else None


def tuned(method: Method, rates: int, trials: Mapping[str, Record]) -> dict[str, Any]:
    """What tuning came to.

    Args:
        method: with its ranges.
        rates: number of rates.
        trials: by name, what `training.train` gave.

    Returns:
        JSON-able: second_is, chosen {rate, second} or None, rate_at_edge (whether a larger or smaller rate might be
        better still), second_at_edge, tried [{rate, second, train, diverged}] with the training loss at the end.
    """
    settings = grid(method, rates)
    best = choose(trials)
    tried = [
        {
            "rate": rate,
            "second": second,
            "train": trials[name]["train"][-1] if trials[name]["diverged"] is None else None,
            "diverged": trials[name]["diverged"],
        }
        for name, (rate, second) in settings.items()
    ]
    chosen = settings[best] if best is not None else None
    ends = {min(rate for rate, _ in settings.values()), max(rate for rate, _ in settings.values())}
    return {
        "second_is": method.second,
        "chosen": None if chosen is None else {"rate": chosen[0], "second": chosen[1]},
        "rate_at_edge": chosen is not None and rates > 1 and chosen[0] in ends,
        "second_at_edge": chosen is not None and chosen[1] in (method.seconds[0], method.seconds[-1]),
        "tried": tried,
    }
