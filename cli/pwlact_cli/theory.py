"""`pwlact theory`: what the optimum is made of, measured."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from pwlact_cli import options

app = typer.Typer(no_args_is_help=True, help="Measure tails, regimes, and inputs beyond equal Gaussian classes.")


@app.callback()
def theory() -> None:
    """Measure tails, regimes, and inputs beyond equal Gaussian classes."""


@app.command()
def tails(as_json: options.Json = False) -> None:
    """Decay and wave number of rho's tail against their prediction, the ramp, and "f = integral of rho"."""
    from pwlact.experiments.tails import run

    record = run()
    columns = (
        "classes",
        "sigma",
        "half_width",
        "b",
        "b_predicted",
        "a",
        "a_predicted",
        "tail_r2",
        "exponential_r2",
        "ramp_r2",
    )
    _show("tails for dense classes: decay b and wave number a, fitted and predicted", columns, record["rows"])
    _show("R^2 of f = integral of rho, default experiment", ("classes", "sigma", "r2"), record["integral"])
    _emit(record, as_json)


@app.command()
def regimes(
    classes: Annotated[int, typer.Option(help="Number of classes.")] = 20,
    low: Annotated[float, typer.Option(help="Smallest sigma.")] = 0.1,
    high: Annotated[float, typer.Option(help="Largest sigma.")] = 10.0,
    count: Annotated[int, typer.Option(help="Number of sigmas.")] = 13,
    as_json: options.Json = False,
) -> None:
    """From spike over ramp to bowl as sigma grows."""
    from pwlact.experiments.regimes import run

    record = run(classes, low, high, count)
    columns = ("sigma", "regime", "reward", "top_share", "ramp_r2", "left_end", "swish_r2", "beta", "x0")
    _show(f"regimes of {classes} classes", columns, record["rows"])
    _emit(record, as_json)


@app.command()
def knots(
    classes: Annotated[int, typer.Option(help="Number of classes.")] = 20,
    sigma: Annotated[float, typer.Option(help="Noise; the class means are evenly spaced on [-3, 3].")] = 1.0,
    low: Annotated[float, typer.Option(help="Position of the first knot.")] = -3.0,
    high: Annotated[float, typer.Option(help="Position of the last knot.")] = 3.0,
    as_json: options.Json = False,
) -> None:
    """Reward of 5 to 129 knots over that of the best of all functions."""
    from pwlact.experiments.knots_study import KnotsConfig, run

    record = run(KnotsConfig(classes=classes, sigma=sigma, low=low, high=high))
    _show(f"R(f*) = {record['optimum']:.6f}", ("knots", "reward", "ratio"), record["rows"])
    _emit(record, as_json)


@app.command()
def beyond(
    classes: Annotated[int, typer.Option(help="Number of classes.")] = 20,
    sigma: Annotated[float, typer.Option(help="Standard deviation within classes.")] = 1.0,
    draws: Annotated[int, typer.Option(help="Random draws of each family.")] = 10,
    seed: options.Seed = 0,
    as_json: options.Json = False,
) -> None:
    """Is the optimum Swish-like for unequal, heavy-tailed, skewed or bimodal classes?"""
    from pwlact.experiments.beyond import run
    from pwlact_cli.console import progress_bar

    with progress_bar("function-space optima", "optima") as progress:
        record = run(classes, sigma, draws, seed, progress)
    columns = ("family", "n", "r2_mean", "r2_sd", "r2_min", "beta_median", "reward_mean")
    _show(f"R^2 of the Swish fit, {classes} classes, sigma {sigma:g}", columns, record["rows"])
    _emit(record, as_json)


@app.command()
def network(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a finished `pwlact cifar` run.")],
    data: Annotated[
        Path | None,
        typer.Option(help="Folder with CIFAR-10; else $PWLACT_DATA, else ./.data.", show_default=False),
    ] = None,
    images: Annotated[int, typer.Option(help="Validation images to read pre-activations from.")] = 2000,
    smoothness: Annotated[float, typer.Option(help="Weight of the squared second differences.")] = 1e-3,
    as_json: options.Json = False,
) -> None:
    """Derive the optimum for the real pre-activations of every channel of a trained network."""
    from pwlact.experiments.network_units import run
    from pwlact_cli.images import load_images

    record = run(run_folder, load_images(data), images, smoothness)
    columns = (
        "name",
        "channels",
        "r2_median",
        "r2_q10",
        "r2_q90",
        "share_above_099",
        "reward_median",
        "beta_median",
    )
    _show(
        f"Swish fit of the optimum for each channel's pre-activations, n = {record['n']:,} images",
        columns,
        record["layers"],
    )
    _emit(record, as_json)


def _show(title: str, columns: Sequence[str], rows: list[dict[str, Any]]) -> None:
    from pwlact_cli.console import table

    table(title, [column.replace("_", " ") for column in columns], [[_text(row[c]) for c in columns] for row in rows])


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.5g}"
    return "-" if value is None else str(value)


def _emit(record: dict[str, Any], as_json: bool) -> None:
    from pwlact_cli.console import emit

    if as_json:
        emit(record)
