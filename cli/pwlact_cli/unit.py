"""`pwlact unit`: derive one activation."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from pwlact_cli import options

if TYPE_CHECKING:
    from pwlact.correlation import Objective
    from pwlact.experiments.unit import UnitConfig


def unit(
    classes: Annotated[int, typer.Option(help="Number of evenly spaced classes.")] = 20,
    sigma: Annotated[float, typer.Option(help="Noise, in standard deviations of the class means.")] = 1.0,
    solver: Annotated[
        str,
        typer.Option(
            help="eigen (exact), analytic (Adam, closed form), sample (Adam, fresh samples) or posterior (the "
            "best of all functions)."
        ),
    ] = "eigen",
    objective: Annotated[str, typer.Option(help="signed (sum rho|rho|) or energy (sum rho^2).")] = "signed",
    knots: Annotated[int, typer.Option(help="Number of knots.")] = 33,
    low: Annotated[float, typer.Option(help="Position of the first knot.")] = -3.0,
    high: Annotated[float, typer.Option(help="Position of the last knot.")] = 3.0,
    raw: Annotated[bool, typer.Option("--raw", help="Do not standardise the input.")] = False,
    means: Annotated[
        tuple[float, float] | None,
        typer.Option(help="Lowest and highest class mean, with --raw.", metavar="LOW HIGH", show_default="-3 3"),
    ] = None,
    steps: Annotated[int, typer.Option(help="Adam steps (analytic, sample).")] = 500,
    lr: Annotated[float, typer.Option(help="Adam rate (analytic, sample).")] = 1e-2,
    samples: Annotated[int, typer.Option(help="Samples a step (sample).")] = 10_000,
    smoothness: Annotated[float, typer.Option(help="Weight of the squared second differences.")] = 0.0,
    certify: Annotated[
        bool,
        typer.Option("--certify", help="Prove by enumeration that the optimum is global (2^classes patterns)."),
    ] = False,
    data: Annotated[
        Path | None,
        typer.Option(help="Your own samples instead of a mixture: CSV, NPZ or Parquet.", show_default=False),
    ] = None,
    x: Annotated[str, typer.Option(help="Column of --data with the scalar input.")] = "x",
    y: Annotated[str, typer.Option(help="Column of --data with the class label.")] = "y",
    seed: options.Seed = 0,
    out: options.Out = None,
    force: options.Force = False,
    as_json: options.Json = False,
) -> None:
    """Derive the activation that Gaussian classes, or your own samples, call for.

    Prints reward, correlations and the Swish fit and draws the curve; with --out also unit.png and result.json.
    """
    from pwlact.experiments.unit import UnitConfig
    from pwlact_cli import console

    config = UnitConfig(
        classes=classes, sigma=sigma, solver=solver, objective=cast("Objective", objective), knots=knots, low=low,
        high=high, raw=raw, means=means, steps=steps, lr=lr, samples=samples, smoothness=smoothness, certify=certify,
        seed=seed,
    )  # fmt: skip
    record = _compute(config, data, (x, y), out, force)
    _describe(record, out)
    if as_json:
        console.emit(record)


def _compute(
    config: "UnitConfig", data: Path | None, columns: tuple[str, str], out: Path | None, force: bool
) -> dict[str, Any]:
    from dataclasses import asdict

    import torch

    from pwlact.data import read_samples
    from pwlact.experiments.unit import run, run_on_samples
    from pwlact.training import RunFolder
    from pwlact_cli.console import progress_bar

    # tensors of a few thousand numbers: two threads would spend their time waiting for each other
    torch.set_num_threads(1)
    samples = None if data is None else read_samples(data, *columns)
    folder = None if out is None else RunFolder(out, force=force)
    with progress_bar(f"{config.solver} solver", "steps") as progress:
        record = run(config, progress) if samples is None else run_on_samples(config, *samples, progress)
    if folder is not None and out is not None:
        from pwlact_figures.unit import draw

        folder.begin({**asdict(config), "data": None if data is None else str(data)})
        draw(record, out / "unit.png")
        folder.finish(record)
    return record


def _describe(record: dict[str, Any], out: Path | None) -> None:
    from pwlact_cli.console import say, table
    from pwlact_cli.sketch import sketch

    swish = record["swish"]
    say(
        f"{record['classes']} classes, sigma {record['sigma']:g}, {record['objective']} objective: reward "
        f"{record['reward']:.6g} ({record['solver']}, {record['steps']} steps, {record['seconds'] * 1e3:.1f} ms)"
    )
    if record["degenerate"]:
        say(f"degenerate: {record['note']}")
    sketch(record["knots"], record["values"], _curve(record), "f")
    if record["certificate"] is not None:
        _describe_certificate(record["certificate"])
    error = swish["stderr"]
    rows = [(name, f"{swish[name]:.4g}", f"{error[name]:.2g}") for name in ("beta", "x0", "scale", "offset")]
    table(f"Swish fit over the knots, R^2 = {swish['r2']:.4f}", ("", "value", "standard error"), rows)
    if swish["caveat"]:
        say(f"note: {swish['caveat']}")
    if out is not None:
        say(f"wrote {out / 'result.json'} and {out / 'unit.png'}")


def _describe_certificate(certificate: dict[str, Any]) -> None:
    from pwlact_cli.console import say

    verdict = "the optimum is global" if certificate["certified"] else f"not the optimum, by {certificate['gap']:.2g}"
    say(
        f"certificate: {verdict} (highest reward {certificate['global_reward']:.6g}, {certificate['local_optima']:,} "
        f"local optima among {certificate['patterns']:,} sign patterns, {certificate['seconds']:.1f} s)"
    )


def _curve(record: dict[str, Any]) -> list[float]:
    from pwlact.swish import PARAMETERS
    from pwlact.swish import swish as curve

    return curve(record["knots"], **{name: record["swish"][name] for name in PARAMETERS}).tolist()
