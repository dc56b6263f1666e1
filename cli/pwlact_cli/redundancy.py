"""`pwlact redundancy`: does competition between units make them less redundant?"""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from pwlact_cli import experiment, options

app = typer.Typer()

Names = Annotated[str, typer.Option(help="Activations, with commas; all of them if not given.", show_default=False)]
Seeds = Annotated[int, typer.Option(help="Number of seeds, from 0 on.")]
Rates = Annotated[str, typer.Option(help="Learning rates to choose from, ascending, with commas.")]
Shapes = Annotated[str, typer.Option(help="spirals, rings, blobs, with commas.")]
Steps = Annotated[int, typer.Option(help="Most steps of Adam.")]
Target = Annotated[float, typer.Option(help="Training loss at which a model is done, in nats.")]
Points = Annotated[int, typer.Option(help="Training points of a seed.")]


@app.callback(invoke_without_command=True)
def redundancy(
    context: typer.Context,
    seeds: Seeds = 10,
    out: options.Out = None,
    force: options.Force = False,
    as_json: options.Json = False,
) -> None:
    """Measure redundancy of hidden units under competitive activations; without a command, `toy`."""
    if context.invoked_subcommand is None:
        toy(seeds=seeds, out=out, force=force, as_json=as_json)
    elif as_json or out is not None or force:
        raise typer.BadParameter(f"options go behind the command: redundancy {context.invoked_subcommand} ...")


@app.command()
def toy(
    data: Shapes = "spirals,rings,blobs",
    units: Annotated[str, typer.Option(help="Numbers of hidden units, with commas.")] = "16",
    activations: Names = "",
    seeds: Seeds = 10,
    rates: Rates = "0.01,0.03,0.1,0.3",
    steps: Steps = 500,
    target: Target = 0.1,
    points: Points = 200,
    out: options.Out = None,
    results: experiment.Results = None,
    resume: experiment.Resume = False,
    force: options.Force = False,
    as_json: options.Json = False,
) -> None:
    """One hidden layer on points in the plane: are its lines, and its units, duplicates?"""
    from pwlact.experiments.redundancy.toy import ToyConfig, run
    from pwlact.experiments.redundancy.tuning import Tuning
    from pwlact_figures.redundancy import draw_toy

    config = ToyConfig(
        experiment.names(data), experiment.whole(units, "--units"), experiment.names(activations), points,
        Tuning(seeds, experiment.numbers(rates, "--rates"), steps, target),
    )  # fmt: skip
    record = experiment.compute(
        "toy", asdict(config), lambda folder, progress: run(config, folder, progress), draw_toy,
        out=out, results=results, resume=resume, force=force,
    )  # fmt: skip
    _overall(record, "shapes and numbers of units", out, as_json)


@app.command()
def mlp(
    data: Annotated[str, typer.Option(help="mnist or cifar10.")] = "mnist",
    depths: Annotated[str, typer.Option(help="Numbers of hidden layers, with commas.")] = "1,2,3,4,5",
    units: Annotated[int, typer.Option(help="Hidden units of each layer.")] = 64,
    activations: Names = "",
    train: Annotated[int, typer.Option(help="Training images.")] = 10_000,
    validation: Annotated[int, typer.Option(help="Images that the learning rate is chosen on.")] = 2_000,
    test: Annotated[int, typer.Option(help="Images that everything is measured on.")] = 2_000,
    epochs: Annotated[int, typer.Option(help="Passes over the training images.")] = 4,
    batch_size: Annotated[int, typer.Option(help="Images in a batch.")] = 100,
    seeds: Seeds = 3,
    rates: Rates = "0.001,0.004,0.016",
    data_dir: experiment.DataDir = None,
    out: options.Out = None,
    results: experiment.Results = None,
    resume: experiment.Resume = False,
    force: options.Force = False,
    as_json: options.Json = False,
) -> None:
    """Perceptrons of several depths on MNIST or CIFAR-10."""
    from pwlact.experiments.redundancy.mlp import MlpConfig, run
    from pwlact_figures.redundancy import draw_mlp

    config = MlpConfig(
        data, experiment.whole(depths, "--depths"), units, experiment.names(activations), train, validation, test,
        epochs, batch_size, seeds, experiment.numbers(rates, "--rates"),
    )  # fmt: skip
    record = experiment.compute(
        f"mlp-{data}", asdict(config), lambda folder, progress: run(config, data_dir, folder, progress), draw_mlp,
        out=out, results=results, resume=resume, force=force,
    )  # fmt: skip
    _overall(record, "depths", out, as_json)


@app.command()
def groups(
    sizes: Annotated[str, typer.Option(help="Units in a group, with commas; each divides --units.")] = "2,4,8,16,32",
    kinds: Annotated[str, typer.Option(help="Activations that compete in groups.")] = "grouped-softmax,lwta",
    data: Shapes = "spirals,rings,blobs",
    units: Annotated[int, typer.Option(help="Number of hidden units.")] = 32,
    seeds: Seeds = 10,
    rates: Rates = "0.01,0.03,0.1,0.3",
    steps: Steps = 800,
    target: Target = 0.1,
    points: Points = 200,
    out: options.Out = None,
    results: experiment.Results = None,
    resume: experiment.Resume = False,
    force: options.Force = False,
    as_json: options.Json = False,
) -> None:
    """Sweep the group size, from pairs to the whole layer."""
    from pwlact.experiments.redundancy.groups import GroupsConfig, run
    from pwlact.experiments.redundancy.tuning import Tuning
    from pwlact_figures.redundancy import draw_groups

    config = GroupsConfig(
        experiment.names(kinds), experiment.whole(sizes, "--sizes"), experiment.names(data), units, points,
        Tuning(seeds, experiment.numbers(rates, "--rates"), steps, target),
    )  # fmt: skip
    record = experiment.compute(
        "groups", asdict(config), lambda folder, progress: run(config, folder, progress), draw_groups,
        out=out, results=results, resume=resume, force=force,
    )  # fmt: skip
    _overall(record, "shapes", out, as_json)


@app.command()
def table(
    activations: Names = "",
    units: Annotated[int, typer.Option(help="Units of the layer that is measured.")] = 16,
    repeats: Annotated[int, typer.Option(help="Rounds of timing; 0 leaves cost out.")] = 9,
    seed: options.Seed = 0,
    out: options.Out = None,
    results: experiment.Results = None,
    force: options.Force = False,
    as_json: options.Json = False,
) -> None:
    """Competition, magnitude, expressiveness and cost of every activation, measured and untrained."""
    from pwlact.experiments.redundancy.table import TableConfig, run

    config = TableConfig(experiment.names(activations), units, repeats=repeats, seed=seed)
    record = experiment.compute(
        "table", asdict(config), lambda _, progress: run(config, progress), None,
        out=out, results=results, resume=False, force=force,
    )  # fmt: skip
    columns = ("activation", "crossing", "largest_share", "growth", "pieces", "rank", "time", "time_low", "time_high")
    bounds = record["bounds"]
    title = f"pieces of 8 random lines: at most {bounds['pieces']} in the plane ({bounds['patterns']} in 8 dimensions)"
    _show(title, columns, record["rows"])
    experiment.finish(record, out, as_json)


def _overall(record: dict[str, Any], over: str, out: Path | None, as_json: bool) -> None:
    from pwlact_cli.console import table

    measures = ("accuracy", "distinct", "duplicate_units", "duplicate_cuts", "dead", "effective_rank", "largest_share")
    lines = [
        (line["activation"], f"{line['reached']:.0%}", *(_spread(line[measure]) for measure in measures))
        for line in record["overall"]
    ]
    head = ("activation", "reached", *(measure.replace("_", " ") for measure in measures))
    table(f"means over {over}, with standard deviation over seeds", head, lines)
    experiment.finish(record, out, as_json)


def _spread(value: dict[str, Any]) -> str:
    if value["mean"] is None:
        return "-"
    return f"{value['mean']:.3f}" if value["sd"] is None else f"{value['mean']:.3f} ({value['sd']:.3f})"


def _show(title: str, columns: Sequence[str], rows: list[dict[str, Any]]) -> None:
    from pwlact_cli.console import table

    table(title, [column.replace("_", " ") for column in columns], [[_text(row[c]) for c in columns] for row in rows])


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    return "-" if value is None else str(value)
