"""`pwlact layerwise`: what does competition by implicit EM make of layers, and does training end to end keep it?"""

from dataclasses import asdict
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from pwlact_cli import experiment, options


class _AblationUnlessNamed(TyperGroup):
    """Takes `layerwise --option ...` for `layerwise ablation --option ...`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments, with the command's name put in front where there is none."""
        first = args[0] if args else "-"
        if first.startswith("-") and first not in ctx.help_option_names:
            args = ["ablation", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(cls=_AblationUnlessNamed, help="Layers that compete by implicit EM; without a command, `ablation`.")

Data = Annotated[str, typer.Option(help="mnist or cifar10.")]
Arms = Annotated[str, typer.Option(help="What is compared, with commas.", show_default="the usual ones")]
Units = Annotated[int, typer.Option(help="Units of each layer.")]
BatchSize = Annotated[int, typer.Option(help="Most images in a batch.")]
Strength = Annotated[float, typer.Option(help="Of each control in a layer's own objective.")]
Train = Annotated[int, typer.Option(help="Training images.")]
Test = Annotated[int, typer.Option(help="Images that everything is measured on.")]
Seeds = Annotated[int, typer.Option(help="Number of seeds, from 0 on.")]


@app.command("ablation")
def layerwise(
    data: Data = "mnist",
    arms: Arms = "",
    units: Units = 64,
    depth: Annotated[int, typer.Option(help="Layers, each trained on the one below.")] = 1,
    epochs: Annotated[int, typer.Option(help="Passes over the images for each layer.")] = 5,
    batch_size: BatchSize = 256,
    lr: Annotated[float, typer.Option(help="Rate of Adam.")] = 3e-3,
    strength: Strength = 10.0,
    train: Train = 60_000,
    test: Test = 10_000,
    seeds: Seeds = 5,
    data_dir: experiment.DataDir = None,
    out: options.Out = None,
    results: experiment.Results = None,
    resume: experiment.Resume = False,
    force: options.Force = False,
    as_json: options.Json = False,
) -> None:
    """Layers trained one by one, with and without control: dead units, duplicates, rank, a linear probe."""
    from pwlact.experiments.layerwise.ablation import MEASURES, run
    from pwlact.experiments.layerwise.config import LayerwiseConfig
    from pwlact_figures.layerwise import draw_ablation

    config = LayerwiseConfig(
        data, experiment.names(arms), units, depth, epochs, batch_size, lr, strength, train, test, seeds
    )
    record = experiment.compute(
        f"ablation-{data}", asdict(config), lambda folder, progress: run(config, data_dir, folder, progress),
        draw_ablation, out=out, results=results, resume=resume, force=force,
    )  # fmt: skip
    _show(record, ("layer",), MEASURES)
    experiment.finish(record, out, as_json)


@app.command("end-to-end")
def end_to_end(
    data: Data = "mnist",
    arms: Arms = "",
    units: Units = 64,
    channels: Annotated[int, typer.Option(help="Channels of each layer of a convnet.")] = 16,
    depth: Annotated[int, typer.Option(help="Hidden layers.")] = 2,
    epochs: Annotated[int, typer.Option(help="Passes over the images end to end.")] = 6,
    pretrain_epochs: Annotated[int, typer.Option(help="Passes for each layer before, where it is pretrained.")] = 3,
    batch_size: BatchSize = 256,
    rates: Annotated[
        str, typer.Option(help="Rates of Adam to choose from, by seed 0 on the validation images, with commas.")
    ] = "0.001,0.004,0.016",
    pretrain_rate: Annotated[float, typer.Option(help="Rate of Adam before.")] = 3e-3,
    strength: Strength = 10.0,
    control: Annotated[float, typer.Option(help="Of the layers' own objectives beside the task, if kept.")] = 1.0,
    train: Train = 10_000,
    validation: Annotated[int, typer.Option(help="Images that the rate is chosen on.")] = 2_000,
    test: Test = 5_000,
    seeds: Seeds = 5,
    data_dir: experiment.DataDir = None,
    out: options.Out = None,
    results: experiment.Results = None,
    resume: experiment.Resume = False,
    force: options.Force = False,
    as_json: options.Json = False,
) -> None:
    """Training end to end, from scratch or pretrained, with control or without: is competition kept?"""
    from pwlact.experiments.layerwise.config import EndToEndConfig
    from pwlact.experiments.layerwise.end_to_end import MEASURES, run
    from pwlact_figures.layerwise import draw_end_to_end

    config = EndToEndConfig(
        data, experiment.names(arms), units, channels, depth, epochs, pretrain_epochs, batch_size,
        experiment.numbers(rates, "--rates"), pretrain_rate, strength, control, train, validation, test, seeds,
    )  # fmt: skip
    record = experiment.compute(
        f"end-to-end-{data}", asdict(config), lambda folder, progress: run(config, data_dir, folder, progress),
        draw_end_to_end, out=out, results=results, resume=resume, force=force,
    )  # fmt: skip
    _show(record, ("layer", "epoch"), MEASURES)
    experiment.finish(record, out, as_json)


def _show(record: dict[str, Any], keys: tuple[str, ...], measures: tuple[str, ...]) -> None:
    from pwlact_cli.console import table

    lines = [
        (line["arm"], *(str(line[key]) for key in keys), *(_spread(line[m], line[f"{m}_sd"]) for m in measures))
        for line in record["overall"]
    ]
    head = ("arm", *keys, *(name.replace("_", " ") for name in measures))
    table("means over seeds, with standard deviations", head, lines)


def _spread(mean: float, deviation: float | None) -> str:
    return f"{mean:.1%}" if deviation is None else f"{mean:.1%} ({deviation:.1%})"
