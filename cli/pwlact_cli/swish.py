"""`pwlact swish`: read the Swish off a stored curve, or off every layer of a run."""

from pathlib import Path
from typing import Annotated, Any

import typer

from pwlact_cli import options


def swish(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="A run's folder or activations.npz, the result.json of `pwlact unit`, or a CSV or NPZ with columns "
            "x and y.",
        ),
    ],
    epoch: Annotated[
        int | None, typer.Option(min=0, help="Epoch of a run; the last unless given.", show_default=False)
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Fit beta, x0, scale and offset, with standard errors and R^2, to each curve in FILE."""
    from pwlact.experiments.swish_readout import read_curves
    from pwlact.swish import fit_swish
    from pwlact_cli.console import emit

    layers: list[dict[str, Any]] = [
        {"name": curve.name, **fit_swish(curve.x, curve.y).to_dict()} for curve in read_curves(path, epoch)
    ]
    _describe(layers)
    if as_json:
        emit({"layers": layers})


def _describe(layers: list[dict[str, Any]]) -> None:
    from pwlact_cli.console import table

    rows = [
        (
            layer["name"],
            f"{layer['beta']:.3g} ± {layer['stderr']['beta']:.2g}",
            f"{layer['x0']:.3g} ± {layer['stderr']['x0']:.2g}",
            f"{layer['r2']:.4f}",
            layer["caveat"] or "-",
        )
        for layer in layers
    ]
    table("Swish fits (± one standard error)", ("curve", "beta", "x0", "R^2", "note"), rows)
