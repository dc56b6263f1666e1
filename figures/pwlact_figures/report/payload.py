"""The data that the page's script draws: films thinned, rounded and packed."""

from typing import Any

import numpy as np

from pwlact.swish import PARAMETERS, swish
from pwlact_figures.report.packing import pack_curves, pack_heights, shorten
from pwlact_figures.report.reading import Run, finite

CURVES = ("train_loss", "val_loss", "train_accuracy", "val_accuracy")
# of longer runs an even choice: a slider has no more useful places, and the page stays small
_MOST_EPOCHS = 61
_MOST_CHANNELS, _CHANNEL_VALUES = 32, 150_000
_FIT_POINTS = 65
# beyond it the length of a range would overflow
_HUGE = 1e300


def payload(run: Run) -> dict[str, Any]:
    """JSON-able: epochs (those of the slider), history, test, classes, fixed, view, knots, bins, layers.

    Lists by epoch follow `epochs`; a film that ends earlier is shorter. See `report/data.js` for how packed numbers
    are read.
    """
    epochs = spread(run.last_epoch + 1, _MOST_EPOCHS)
    low, high = _view(run)
    return {
        "epochs": epochs,
        "history": _history(run),
        "test": {part: finite(run.score("test").get(part)) for part in ("loss", "accuracy")},
        "classes": _classes(run),
        "fixed": run.fixed,
        "view": [low, high],
        "knots": shorten(run.activations.knots) if run.activations else [],
        "bins": shorten(run.inputs.edges[_seen_edges(run, low, high)]) if run.inputs else [],
        "layers": [
            {"name": name, **_learnt(run, name, epochs), **_received(run, name, epochs), "fit": _fit(run, name)}
            for name in run.layers
        ],
    }


def spread(count: int, most: int) -> list[int]:
    """At most `most` of the numbers 0 to count - 1, evenly spread, both ends included."""
    return sorted({round(number) for number in np.linspace(0, count - 1, min(count, most))})


def _history(run: Run) -> dict[str, list[float | None]]:
    """A list a curve; what is missing or not finite is None."""
    columns = {key: [finite(record.get(key)) for record in run.history] for key in CURVES}
    short = {key: shorten(np.nan if value is None else value for value in column) for key, column in columns.items()}
    return {"epoch": list(range(1, len(run.history) + 1)), **short}


def _classes(run: Run) -> list[str]:
    """A name for each class that the histograms have."""
    if run.inputs is None:
        return run.classes
    count = max(len(np.atleast_2d(film[0])) for film in run.inputs.layers.values())
    return [*run.classes, *(f"class {k}" for k in range(len(run.classes), count))][:count]


def _view(run: Run) -> tuple[float, float]:
    """Ends of the x axis: the knots' interval, where there is one, or that of the histograms."""
    axis = run.activations.knots if run.activations else run.inputs.edges if run.inputs else np.array([-3.0, 3.0])
    return float(axis[0]), float(axis[-1])


def _learnt(run: Run, name: str, epochs: list[int]) -> dict[str, Any]:
    """Mean over the channels at every epoch, the range of all that is drawn, and some of the channels."""
    film = run.activations.layers.get(name) if run.activations else None
    if run.activations is None or film is None:
        return {"mean": [], "range": [0, 1], "channels": 0, "drawn": 0, "curves": ""}
    knots, frames = len(run.activations.knots), [epoch for epoch in epochs if epoch < len(film)]
    values = np.stack([np.asarray(film[epoch], np.float64).reshape(-1, knots) for epoch in frames])
    channels = values.shape[1]
    most = _CHANNEL_VALUES // (knots * len(frames) * len(run.layers))
    chosen = spread(channels, min(max(most, 1), _MOST_CHANNELS)) if channels > 1 else []
    with np.errstate(all="ignore"):  # what is not finite is left out further on
        mean, some = values.mean(axis=1), values[:, chosen]
    low, high = _range(np.concatenate([mean.ravel(), some.ravel()]))
    return {
        "mean": [shorten(curve) for curve in mean],
        "range": [low, high],
        "channels": channels,
        "drawn": len(chosen),
        "curves": pack_curves(some, low, high),
    }


def _range(values: np.ndarray) -> tuple[float, float]:
    """Lowest and highest finite value with a margin, so that no curve touches the frame."""
    values = values[np.abs(values) < _HUGE]
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    margin = 0.06 * (high - low) or 0.5 * max(1.0, abs(high))
    return low - margin, high + margin


def _received(run: Run, name: str, epochs: list[int]) -> dict[str, Any]:
    """Density of the input by epoch, class and bin, within the view; its highest value is 255."""
    film = run.inputs.layers.get(name) if run.inputs else None
    if run.inputs is None or film is None:
        return {"inputs": ""}
    bins = _seen_edges(run, *_view(run))[:-1]
    counts = np.stack([np.atleast_2d(film[epoch])[:, bins] for epoch in epochs if epoch < len(film)])
    density = counts / np.diff(run.inputs.edges)[bins]
    return {"inputs": pack_heights(density, density.max(initial=0))}


def _seen_edges(run: Run, low: float, high: float) -> np.ndarray:
    """Numbers of the edges of all bins that reach into the view; none where no bin does."""
    edges = run.inputs.edges if run.inputs else np.zeros(0)
    bins = np.flatnonzero((edges[1:] > low) & (edges[:-1] < high))
    return np.append(bins, bins[-1] + 1) if len(bins) else bins


def _fit(run: Run, name: str) -> dict[str, Any] | None:
    """The Swish fit, with its curve over the view; nothing where there is none or it says nothing."""
    fit = run.fits.get(name)
    if fit is None or any(finite(fit.get(key)) is None for key in (*PARAMETERS, "r2")):
        return None
    x = np.linspace(*_view(run), _FIT_POINTS)
    numbers = dict(zip((*PARAMETERS, "r2"), shorten(fit[key] for key in (*PARAMETERS, "r2")), strict=True))
    errors = fit.get("stderr")
    error = finite(errors.get("beta")) if isinstance(errors, dict) else None
    return {
        **numbers,
        "beta_error": shorten([np.nan if error is None else error])[0],
        "caveat": str(fit.get("caveat") or ""),
        "curve": shorten(swish(x, *(fit[key] for key in PARAMETERS))),
    }
