"""How the activations of a run or a model evolve: a picture with all epochs, and a film."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from pwlact import checks
from pwlact.checks import InputError
from pwlact.files import write_atomically
from pwlact.training import ActivationHistory
from pwlact_figures.style import BLACK, BLUE, ORDERED, save, style

_COLUMNS = 5
# epochs drawn, spread over all: more lines or frames show no more and make large files
_MOST_LINES, _MOST_FRAMES = 30, 60
_FILM_DPI, _FILM_COLOURS = 110, 64
_TRAIL = 4


@dataclass(frozen=True)
class Histogram:
    """How often a layer's input falls into each bin, as `numpy.histogram` gives it.

    Attributes:
        counts: a number a bin, shape (B,).
        edges: ends of the bins, ascending, shape (B + 1,), in the units of the activation's input.

    Raises:
        InputError: the shapes do not belong together.
    """

    counts: Float[np.ndarray, " bins"]
    edges: Float[np.ndarray, " edges"]

    def __post_init__(self) -> None:
        if np.ndim(self.counts) != 1 or np.shape(self.edges) != (len(self.counts) + 1,):
            raise InputError(
                f"a histogram of B counts has B + 1 edges, got counts of shape {np.shape(self.counts)} and edges of "
                f"shape {np.shape(self.edges)}"
            )


def draw_picture(
    history: ActivationHistory, path: Path, inputs: Mapping[str, Histogram] | None = None, title: str = ""
) -> None:
    """Draw every layer with all its epochs, dark to light, to `path` (PNG, PDF or SVG).

    Where each channel has a function of its own, lines are means over the channels, and a band of one standard
    deviation about the last epoch's shows how far they differ.

    Args:
        history: the activations; see `pwlact.training.ActivationHistory`.
        path: file to write.
        inputs: layer -> how its input is distributed, drawn behind the curves; layers may be left out.
        title: what the activations are of, put before the number of epochs.

    Raises:
        InputError: the history is empty, or `inputs` names no layer of it.
        OSError: it cannot be written.
    """
    inputs = _check(history, inputs)
    epochs = _spread(history.epochs, _MOST_LINES)
    colours = mpl.colormaps[ORDERED](np.linspace(0, 0.9, len(epochs)))
    with style():
        figure, panels = _grid(history, inputs)
        for axes, layer in zip(panels, history.layers.values(), strict=True):
            _band(axes, history.knots, layer[-1], colours[-1])
            for colour, epoch in zip(colours, epochs, strict=True):
                axes.plot(history.knots, _mean(layer[epoch]), color=colour, linewidth=1)
        figure.suptitle(_title(title, f"epochs 0 to {history.epochs}, dark to light"), fontsize=9)
        save(figure, path)


def draw_film(
    history: ActivationHistory,
    path: Path,
    inputs: Mapping[str, Histogram] | None = None,
    title: str = "",
    frames_per_second: float = 4,
) -> None:
    """Write a GIF with a frame an epoch, at most 60 in all: the start thin, the epochs before it fading.

    The last frame stays for two seconds, then it begins anew. The same history gives the same bytes.

    Args:
        history: as in `draw_picture`.
        path: file to write, ending in .gif.
        inputs: as in `draw_picture`.
        title: as in `draw_picture`.
        frames_per_second: above 0, at most 50, as browsers show faster films slowly.

    Raises:
        InputError: as in `draw_picture`, or frames_per_second is outside its range.
        OSError: it cannot be written.
    """
    inputs = _check(history, inputs)
    if checks.positive("frames_per_second", frames_per_second) > 50:
        raise InputError(f"frames_per_second must be at most 50, got {frames_per_second!r}")
    with style():
        frames = _one_palette(list(_frames(history, inputs, title)))
    durations = [round(1000 / frames_per_second)] * (len(frames) - 1) + [2000]
    buffer = BytesIO()
    # disposal 1: a frame is drawn over the one before, so that only what moves is stored
    frames[0].save(
        buffer, "GIF", save_all=True, append_images=frames[1:], duration=durations, loop=0, disposal=1, optimize=False
    )
    write_atomically(path, lambda file: file.write(buffer.getbuffer()))


def _frames(history: ActivationHistory, inputs: Mapping[str, Histogram], title: str) -> Iterator[Image.Image]:
    figure, panels = _grid(history, inputs)
    canvas = FigureCanvasAgg(figure)
    heading = figure.suptitle(_title(title, f"epoch {history.epochs} of {history.epochs}"), fontsize=9)
    figure.set_dpi(_FILM_DPI)
    # placed once, for all frames: the layout does not depend on the epoch
    canvas.draw()
    figure.set_layout_engine("none")
    for axes in panels:
        axes.set_autoscale_on(False)
    for epoch in _spread(history.epochs, _MOST_FRAMES):
        heading.set_text(_title(title, f"epoch {epoch} of {history.epochs}"))
        drawn = [
            artist
            for axes, layer in zip(panels, history.layers.values(), strict=True)
            for artist in _moment(axes, history.knots, layer[: epoch + 1])
        ]
        canvas.draw()
        yield Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])
        for artist in drawn:
            artist.remove()


def _moment(axes: Axes, knots: np.ndarray, film: list[np.ndarray]) -> list[Any]:
    """The newest of the epochs `film`, over some before it and the start."""
    drawn = axes.plot(knots, _mean(film[0]), color=BLACK, linewidth=0.6, linestyle=":")
    for age, values in enumerate(film[-_TRAIL - 1 : -1][::-1], 1):
        drawn += axes.plot(knots, _mean(values), color=BLUE, linewidth=0.8, alpha=0.5**age)
    drawn += _band(axes, knots, film[-1], BLUE)
    return [*drawn, *axes.plot(knots, _mean(film[-1]), color=BLUE, linewidth=1.6)]


def _one_palette(frames: list[Image.Image]) -> list[Image.Image]:
    """The frames in a few colours that all of them share; the background stays white."""
    some = [frames[i] for i in _spread(len(frames) - 1, 4)]
    width, height = frames[0].size
    sheet = Image.new("RGB", (width, height * len(some)))
    for place, frame in enumerate(some):
        sheet.paste(frame, (0, height * place))
    palette = sheet.quantize(_FILM_COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    chosen = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    colours = np.array(chosen[0].getpalette()).reshape(-1, 3)
    # the corner shows the background, which the choice of few colours makes a shade darker
    colours[np.asarray(chosen[0])[0, 0]] = 255
    for frame in chosen:
        frame.putpalette(colours.ravel().tolist())
    return chosen


def _grid(history: ActivationHistory, inputs: Mapping[str, Histogram]) -> tuple[Figure, list[Axes]]:
    """Figure with a panel a layer, its limits wide enough for all epochs, and its input in the background."""
    count = len(history.layers)
    columns = min(_COLUMNS, count)
    rows = -(-count // columns)
    figure = Figure(figsize=(max(3.0, 1.9 * columns), 1.7 * rows + 0.4))
    panels = list(figure.subplots(rows, columns, squeeze=False, sharex=True).flat)
    for axes in panels[count:]:
        axes.set_visible(False)
    for axes in panels[max(0, count - columns) : count]:
        axes.tick_params(labelbottom=True)
    for axes, (name, layer) in zip(panels, history.layers.items(), strict=False):
        axes.set_title(_name(name, layer), fontsize=7)
        axes.set_xlim(history.knots[0], history.knots[-1])
        axes.set_ylim(*_limits(layer))
        if name in inputs:
            _background(axes, inputs[name])
    figure.supxlabel("input x", fontsize=8)
    figure.supylabel("f(x)", fontsize=8)
    return figure, panels[:count]


def _background(axes: Axes, histogram: Histogram) -> None:
    """The distribution of x in grey on the lower half of the panel, without a scale: only its place matters."""
    density = histogram.counts / np.diff(histogram.edges)
    height = 0.5 * density / max(density.max(), np.finfo(float).tiny)
    place = axes.get_xaxis_transform()
    axes.stairs(height, histogram.edges, fill=True, color="0.9", linewidth=0, transform=place, zorder=0)


def _band(axes: Axes, knots: np.ndarray, values: np.ndarray, colour: Any) -> list[Any]:
    """One standard deviation of the channels about their mean; nothing where all share a function."""
    if values.ndim == 1:
        return []
    mean, deviation = _mean(values), values.std(axis=0)
    return [axes.fill_between(knots, mean - deviation, mean + deviation, color=colour, alpha=0.25, linewidth=0)]


def _mean(values: np.ndarray) -> np.ndarray:
    """Mean over the channels, shape (N,)."""
    return values.reshape(-1, values.shape[-1]).mean(axis=0)


def _limits(layer: list[np.ndarray]) -> tuple[float, float]:
    """Lowest and highest finite value of all that is drawn of a layer in any epoch, with a margin."""
    ends = [
        end
        for values in layer
        for deviation in [values.std(axis=0) if values.ndim == 2 else 0.0]
        for end in (_mean(values) - deviation, _mean(values) + deviation)
    ]
    finite = np.concatenate(ends)
    finite = finite[np.isfinite(finite)]
    low, high = (finite.min(), finite.max()) if len(finite) else (0.0, 1.0)
    margin = 0.06 * (high - low) or 0.5 * max(1.0, abs(high))
    return float(low - margin), float(high + margin)


def _name(name: str, layer: list[np.ndarray]) -> str:
    return f"{name}, mean of {len(layer[0])} channels" if layer[0].ndim == 2 else name


def _spread(last: int, most: int) -> list[int]:
    """Epochs 0 to `last`, both included, at most `most` of them, evenly spread."""
    return sorted({round(epoch) for epoch in np.linspace(0, last, min(last + 1, most))})


def _title(title: str, epochs: str) -> str:
    return f"{title}: {epochs}" if title else f"learnt activations, {epochs}"


def _check(history: ActivationHistory, inputs: Mapping[str, Histogram] | None) -> Mapping[str, Histogram]:
    if history.epochs < 0:
        raise InputError("the history holds no activations: append the values of an epoch first")
    for name in inputs or {}:
        checks.choice("inputs", name, history.layers)
    return inputs or {}
