"""A small picture of one layer's activation, for logs that show pictures; no text, no plotting package."""

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw

WIDTH, HEIGHT = 320, 240
FINER = 3
"""Drawn so many times larger, then reduced: smooth lines."""
MOST_CHANNELS = 64
MOST_UNITS = 20
WHITE, GRID, AXIS, CHANNEL, MEAN = (255, 255, 255), (225, 225, 225), (120, 120, 120), (150, 200, 230), (0, 114, 178)


def curve_picture(
    knots: Float[np.ndarray, " knots"], values: Float[np.ndarray, "*channels knots"]
) -> UInt8[np.ndarray, "height width 3"]:
    """Draw f over the knots: the axes dark, a grid line every unit, one function a channel light, the mean blue.

    Args:
        knots: positions t_s, shape (N,), rising.
        values: f(t_s), shape (N,), or (C, N) for one function a channel; at most 64 of them are drawn. What is
            not finite leaves a gap.

    Returns:
        pixels of shape (240, 320, 3), from 0 to 255; the range of f is that of its values, and holds 0.
    """
    rows = np.asarray(values, dtype=np.float64).reshape(-1, len(knots))
    low, high = _range(rows)
    image = Image.new("RGB", (WIDTH * FINER, HEIGHT * FINER), WHITE)
    pen = ImageDraw.Draw(image)
    _grid(pen, knots[0], knots[-1], low, high)
    x = _place(knots, knots[0], knots[-1], WIDTH)
    if len(rows) > 1:
        for row in rows[:: -(-len(rows) // MOST_CHANNELS)]:
            _line(pen, x, HEIGHT * FINER - _place(row, low, high, HEIGHT), CHANNEL, FINER)
    with np.errstate(invalid="ignore"):  # infinities of both signs have no mean, and leave a gap
        mean = rows.mean(axis=0)
    _line(pen, x, HEIGHT * FINER - _place(mean, low, high, HEIGHT), MEAN, 2 * FINER)
    return np.asarray(image.resize((WIDTH, HEIGHT), Image.Resampling.BOX))


def _range(rows: np.ndarray) -> tuple[float, float]:
    finite = rows[np.isfinite(rows)]
    low, high = min(0.0, finite.min(initial=0.0)), max(0.0, finite.max(initial=0.0))
    margin = 0.05 * (high - low) or 1.0
    return low - margin, high + margin


def _place(positions: np.ndarray, low: float, high: float, size: int) -> np.ndarray:
    """Where positions lie on an axis of so many pixels, drawn finer."""
    return (positions - low) / (high - low) * size * FINER


def _grid(pen: ImageDraw.ImageDraw, left: float, right: float, low: float, high: float) -> None:
    for horizontal, start, stop, size in ((False, left, right, WIDTH), (True, low, high, HEIGHT)):
        units = np.arange(np.ceil(start), stop) if stop - start <= MOST_UNITS else np.empty(0)
        for unit, colour in [*((unit, GRID) for unit in units), (0.0, AXIS)]:
            at = float(_place(np.array(unit), start, stop, size))
            if horizontal:
                pen.line([(0, HEIGHT * FINER - at), (WIDTH * FINER, HEIGHT * FINER - at)], colour, FINER)
            else:
                pen.line([(at, 0), (at, HEIGHT * FINER)], colour, FINER)


def _line(pen: ImageDraw.ImageDraw, x: np.ndarray, y: np.ndarray, colour: tuple[int, int, int], width: int) -> None:
    seen = np.isfinite(y)
    # each unbroken run of finite values is one line
    for piece in np.split(np.arange(len(x)), np.flatnonzero(~seen[1:] | ~seen[:-1]) + 1):
        points = [(float(x[i]), float(y[i])) for i in piece if seen[i]]
        if len(points) > 1:
            pen.line(points, colour, width, joint="curve")
