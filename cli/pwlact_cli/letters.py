"""`pwlact letters`: from the perceptron to the multilayer perceptron, on handwritten letters."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from pwlact_cli import experiment, options


def letters(
    studies: Annotated[
        str,
        typer.Option(help="Of perceptron, logistic, width, depth, outputs, with commas; all if not given."),
    ] = "",
    seeds: Annotated[int, typer.Option(help="Fresh seeds of each reported figure.")] = 3,
    limit: Annotated[int | None, typer.Option(help="Most training images.", show_default="all")] = None,
    validation: Annotated[
        int | None,
        typer.Option(
            help="Training images that settings are chosen on.", show_default="as many as there are test images"
        ),
    ] = None,
    widths: Annotated[str, typer.Option(help="Hidden units, with commas.")] = "16,32,64,128,256",
    depths: Annotated[str, typer.Option(help="Numbers of hidden layers, with commas.")] = "1,3,5,7,9",
    depth_width: Annotated[int, typer.Option(help="Hidden units of each of those layers.")] = 32,
    variants: Annotated[
        str, typer.Option(help="Of plain, he, normalised, residual, both, with commas; all if not given.")
    ] = "",
    activations: Annotated[
        str, typer.Option(help="Activations of `pwlact redundancy` in the place of ReLU, with commas.")
    ] = "tanh,piecewise-linear,lwta,gated-relu-softmax",
    epochs: Annotated[int, typer.Option(help="Passes over the images: widths, and depths as the draft has them.")] = 30,
    short_epochs: Annotated[int, typer.Option(help="The same where the rate is chosen: depths, output maps.")] = 8,
    linear_epochs: Annotated[int, typer.Option(help="The same for perceptron and logistic regression.")] = 20,
    batch_size: Annotated[int, typer.Option(help="Images in a batch.")] = 64,
    jobs: Annotated[
        int | None, typer.Option(help="Processes that share the work.", show_default="one a processor")
    ] = None,
    data_dir: experiment.DataDir = None,
    out: options.Out = None,
    results: experiment.Results = None,
    resume: experiment.Resume = False,
    force: options.Force = False,
    as_json: options.Json = False,
) -> None:
    """Perceptron, logistic regression, width, depth and output maps on EMNIST Letters or letters in its format.

    Settings are chosen on validation images with one seed; what is reported was trained with others. With --out also
    result.json and pictures; a killed run goes on with --resume.
    """
    from dataclasses import asdict

    from pwlact.checks import at_least
    from pwlact.experiments.letters.config import LettersConfig
    from pwlact.experiments.letters.pool import run
    from pwlact.experiments.letters.study import load_parts, tasks
    from pwlact_cli.console import say
    from pwlact_figures.letters.pictures import draw

    defaults = LettersConfig()
    config = LettersConfig(
        studies=experiment.names(studies), seeds=seeds, limit=limit, validation=validation,
        widths=experiment.whole(widths, "--widths"), depths=experiment.whole(depths, "--depths"),
        depth_width=depth_width, variants=experiment.names(variants) or defaults.variants,
        activations=experiment.names(activations), width_epochs=epochs, depth_epochs=short_epochs,
        output_epochs=short_epochs, linear_epochs=linear_epochs, batch_size=batch_size,
    )  # fmt: skip
    processes = os.cpu_count() or 1 if jobs is None else at_least("jobs", jobs, 1)
    parts = load_parts(config, data_dir)
    minutes = sum(task.work for task in tasks(config, parts).values()) / 60

    def go(folder: Path | None, progress: experiment.Progress) -> dict[str, Any]:
        say(f"{parts.name}: about {minutes:.0f} minutes of one core, {processes} at work")
        return run(config, data_dir, parts, folder, processes, progress)

    record = experiment.compute(
        parts.name.lower().replace(",", "").split()[0], asdict(config), go, draw,
        out=out, results=results, resume=resume, force=force, unit="work",
    )  # fmt: skip
    _show(record)
    experiment.finish(record, out, as_json)


def _show(record: dict[str, Any]) -> None:
    from pwlact_cli.console import say, table
    from pwlact_figures.letters.tables import tables

    data = record["data"]
    for title, columns, lines in tables(record):
        table(title, columns, lines)
    say(
        f"{data['name']}: {data['train']:,} training, {data['validation']:,} validation, {data['test']:,} test images. "
        "What the draft reports was measured on EMNIST Letters: other letters, so compare orders, not accuracies."
        if data["name"] != "EMNIST Letters"
        else f"{data['name']}: {data['train']:,} training, {data['validation']:,} validation, {data['test']:,} test."
    )
