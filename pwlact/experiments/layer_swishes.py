"""The Swish of each layer over the seeds of one kind of run: what `pwlact compare --layers` prints."""

import math
from collections.abc import Sequence
from typing import Any

from pwlact.experiments.spread import spread


def layer_swishes(results: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Beta, x0 and R^2 of every layer's fit, with their spread over runs.

    A fit with a parameter at a bound of the search tells no beta and no x0: the curve is no Swish, or a whole family
    fits it. It counts in R^2 alone.

    Args:
        results: records of `pwlact cifar` that differ in the seed, one a run.

    Returns:
        JSON-able: [{name, beta (1 / units of the layer's input, which batch norm standardises), x0 (those units),
        r2}], each a record of `pwlact.experiments.spread.spread` with one value a run; empty where nothing is learnt.
    """
    fits: dict[str, list[dict[str, Any]]] = {}
    for result in results:
        layers = result.get("layers")
        for place, fit in enumerate(layers if isinstance(layers, list) else []):
            if isinstance(fit, dict):
                fits.setdefault(str(fit.get("name", place)), []).append(fit)
    return [
        {
            "name": name,
            **{key: spread([_number(fit, key) if not fit.get("at_bound") else math.nan for fit in of_layer])
               for key in ("beta", "x0")},
            "r2": spread([_number(fit, "r2") for fit in of_layer]),
        }
        for name, of_layer in fits.items()
    ]  # fmt: skip


def _number(fit: dict[str, Any], key: str) -> float:
    value = fit.get(key)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
