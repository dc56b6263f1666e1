"""`pwlact study`: the same run with each kind of activation, over several seeds."""

from pathlib import Path
from typing import Annotated, Any

import typer

from pwlact_cli import options


def study(
    arch: Annotated[str, typer.Option(help="Architectures, with commas.")] = "resnet10,vgg11",
    kinds: Annotated[
        str,
        typer.Option(
            help="relu, silu, gelu, derived, backprop, local, local-channel, local-half-rate, local-twice-rate; "
            "local-moving, and -moving-half-rate, -moving-twice-rate, -moving-smoother and -moving-channel: the "
            "activations move to the last step."
        ),
    ] = "relu,silu,gelu,derived,backprop,local,local-channel",
    seeds: Annotated[int, typer.Option(help="Number of seeds, from 0 on.")] = 3,
    width: Annotated[float, typer.Option(help="Factor on every layer's channels.")] = 0.25,
    epochs: Annotated[int, typer.Option(help="Passes over the training images.")] = 20,
    batch_size: Annotated[int, typer.Option(help="Images a step.")] = 256,
    limit: Annotated[int | None, typer.Option(help="Most training images.", show_default="all")] = None,
    val_size: Annotated[int, typer.Option(help="Last training images, kept for validation.")] = 5000,
    data: Annotated[
        Path | None,
        typer.Option(help="Folder with CIFAR-10; else $PWLACT_DATA, else ./.data.", show_default=False),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cuda, mps or cpu.")] = "auto",
    precision: Annotated[str, typer.Option(help="bf16 (autocast) or fp32.")] = "bf16",
    results: Annotated[
        Path | None, typer.Option(help="Folder for what each finished run came to.", show_default=False)
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the run folders.")] = Path("runs/study"),
    as_json: options.Json = False,
) -> None:
    """Train every kind of activation on CIFAR-10, all with one seed before any with the next.

    Stopped or killed, the same command goes on where it was; finished runs are left as they are.
    """
    from pwlact.experiments.cifar import CifarConfig
    from pwlact.experiments.study import StudyConfig, run_study
    from pwlact_cli.console import emit, say
    from pwlact_cli.images import load_images
    from pwlact_cli.progress import ProgressBar

    base = CifarConfig(
        width=width, epochs=epochs, batch_size=batch_size, limit=limit, val_size=val_size, device=device,
        precision=precision,
    )  # fmt: skip
    config = StudyConfig(_names(arch), _names(kinds), seeds, base)
    images = load_images(data)

    def begin(name: str) -> ProgressBar:
        say(f"{name} ({list(config.runs()).index(name) + 1} of {len(config.runs())})")
        return ProgressBar()

    record = run_study(config, images, out, results, begin)
    _describe(record)
    if as_json:
        emit(record)
    if record["failed"]:
        names = ", ".join(run["name"] for run in record["failed"])
        raise RuntimeError(f"not finished, the loss was no longer finite: {names}")


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _describe(record: dict[str, Any]) -> None:
    from pwlact_cli.console import table

    rows = [
        (
            run["name"],
            f"{100 * run['val']['accuracy']:.2f}",
            f"{100 * run['test']['accuracy']:.2f}",
            f"{run['history'][-1]['train_loss']:.3f}",
            f"{run['images_per_second']:,.0f}",
        )
        for run in record["runs"]
    ]
    if rows:
        n = record["runs"][0]["val"]["n"], record["runs"][0]["test"]["n"]
        columns = ("run", f"val %, n = {n[0]:,}", f"test %, n = {n[1]:,}", "train loss", "images/s")
        table("Study of networks", columns, rows)
