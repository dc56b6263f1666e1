"""`pwlact sweep`: derive the activation for every pair of class number and noise."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pwlact_cli import options

if TYPE_CHECKING:
    from pwlact.experiments.sweep import SweepConfig

# rows of the table in the terminal; result.json and --json hold all
SHOWN = 20


def sweep(
    classes: Annotated[str, typer.Option(help="Numbers of classes: a list 2,8,20, a range 3:20, or both.")] = "2,8,20",
    sigma: Annotated[
        str,
        typer.Option(help="Noise: a list 0.5,1,2, or LOW:HIGH:COUNT for COUNT levels in geometric progression."),
    ] = "0.3:10:50",
    objective: Annotated[str, typer.Option(help="signed (sum rho|rho|) or energy (sum rho^2).")] = "signed",
    knots: Annotated[int, typer.Option(help="Number of knots.")] = 33,
    low: Annotated[float, typer.Option(help="Position of the first knot.")] = -3.0,
    high: Annotated[float, typer.Option(help="Position of the last knot.")] = 3.0,
    smoothness: Annotated[float, typer.Option(help="Weight of the squared second differences.")] = 0.0,
    out: options.Out = None,
    force: options.Force = False,
    as_json: options.Json = False,
) -> None:
    """Solve all pairs of class number and noise at once, with a Swish fit of each.

    Prints reward and Swish of the pairs; with --out also sweep.png, the map, and result.json.
    """
    from pwlact.experiments.sweep import SweepConfig, parse_classes, parse_sigmas
    from pwlact_cli import console

    config = SweepConfig(
        parse_classes(classes),
        parse_sigmas(sigma),
        objective,  # pyright: ignore[reportArgumentType]: checked by SweepConfig
        knots,
        low,
        high,
        smoothness,
    )
    record = _compute(config, out, force)
    _describe(record, out)
    if as_json:
        console.emit(record)


def _compute(config: "SweepConfig", out: Path | None, force: bool) -> dict[str, Any]:
    from dataclasses import asdict

    from pwlact.experiments.sweep import run
    from pwlact.training import RunFolder
    from pwlact_cli.console import progress_bar

    folder = None if out is None else RunFolder(out, force=force)
    if folder is not None:
        folder.begin(asdict(config))
    with progress_bar("solving", "problems") as progress:
        record = run(config, progress)
    if folder is not None and out is not None:
        from pwlact_figures.sweep import draw

        draw(record, out / "sweep.png")
        folder.finish(record)
    return record


def _describe(record: dict[str, Any], out: Path | None) -> None:
    from pwlact_cli.console import say, table

    rows = record["rows"]
    # spread over the whole sweep, both ends included
    last, shown = len(rows) - 1, min(SHOWN, len(rows))
    chosen = [rows[round(i * last / max(1, shown - 1))] for i in range(shown)]
    title = f"{len(rows):,} problems, {record['config']['objective']} objective, {record['seconds']:.2f} s"
    table(title, ("classes", "sigma", "reward", "beta", "x0", "R^2", "note"), [_cells(row) for row in chosen])
    if len(rows) > shown:
        where = f"{out / 'result.json'} holds all" if out is not None else "--out DIR or --json gives all"
        say(f"{len(rows) - shown:,} more rows between these: {where}")
    if out is not None:
        say(f"wrote {out / 'result.json'} and {out / 'sweep.png'}")


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    head = (str(row["classes"]), f"{row['sigma']:.4g}", f"{row['reward']:.6f}")
    if row["degenerate"]:
        return (*head, "-", "-", "-", "degenerate")
    note = "at bound: " + ", ".join(row["at_bound"]) if row["at_bound"] else ""
    if not note and not row["identifiable"]:
        note = "beta vague"
    return (*head, f"{row['beta']:.4g}", f"{row['x0']:.4g}", f"{row['r2']:.4f}", note)
