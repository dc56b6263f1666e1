"""`pwlact layerwise`: what does competition by implicit EM make of a layer?"""

from pathlib import Path
from typing import Annotated

import typer

from pwlact_cli import options


def layerwise(
    data: Annotated[str, typer.Option(help="mnist or cifar10.")] = "mnist",
    arms: Annotated[str, typer.Option(help="Ways to train a layer, with commas; all if not given.")] = "",
    units: Annotated[int, typer.Option(help="Units of each layer.")] = 64,
    depth: Annotated[int, typer.Option(help="Layers, each trained on the one below.")] = 1,
    epochs: Annotated[int, typer.Option(help="Passes over the images for each layer.")] = 5,
    batch_size: Annotated[int, typer.Option(help="Most images in a batch.")] = 256,
    lr: Annotated[float, typer.Option(help="Rate of Adam.")] = 3e-3,
    strength: Annotated[float, typer.Option(help="Of each control.")] = 10.0,
    train: Annotated[int, typer.Option(help="Training images.")] = 59_999,
    test: Annotated[int, typer.Option(help="Images that everything is measured on.")] = 10_000,
    seeds: Annotated[int, typer.Option(help="Number of seeds, from 0 on.")] = 5,
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Folder with the images; else $PWLACT_DATA, else ./.data.", show_default=False),
    ] = None,
    out: options.Out = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the unfinished run in --out.")] = False,
    force: options.Force = False,
    as_json: options.Json = False,
) -> None:
    """Train layers by implicit EM, with and without control: dead units, duplicates, rank, a linear probe."""
    from dataclasses import asdict

    from pwlact.checks import InputError
    from pwlact.experiments.layerwise.ablation import run
    from pwlact.experiments.layerwise.config import LayerwiseConfig
    from pwlact.experiments.redundancy.rows import forget
    from pwlact.training import RunFolder
    from pwlact_cli.console import emit, progress_bar

    names = tuple(name.strip() for name in arms.split(",") if name.strip())
    config = LayerwiseConfig(
        data, names, units, depth, epochs, batch_size, lr, strength, train, test, seeds
    )  # fmt: skip
    if resume and out is None:
        raise InputError("--resume needs --out, the folder of the run to go on with")
    folder = None if out is None else RunFolder(out, resume=resume, force=force)
    if folder is not None and out is not None:
        folder.begin(asdict(config))
        if force:
            forget(out)
    with progress_bar("layerwise", "rows") as progress:
        record = run(config, data_dir, out, progress)
    if folder is not None:
        folder.finish(record)
    _show(record)
    if as_json:
        emit(record)


def _show(record: dict) -> None:
    from pwlact.experiments.layerwise.ablation import MEASURES
    from pwlact_cli.console import table

    lines = [
        (line["arm"], str(line["layer"]), *(_spread(line[name], line[f"{name}_sd"]) for name in MEASURES))
        for line in record["summary"]
    ]
    head = ("arm", "layer", *(name.replace("_", " ") for name in MEASURES))
    table("means over seeds, with standard deviations", head, lines)


def _spread(mean: float, deviation: float | None) -> str:
    return f"{mean:.1%}" if deviation is None else f"{mean:.1%} ({deviation:.1%})"
