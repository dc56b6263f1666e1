"""`pwlact bench`: times, side by side, in one process."""

from typing import Annotated

import typer

from pwlact_cli import options

app = typer.Typer(no_args_is_help=True, help="Time ours side by side, in one process.")


@app.callback()
def bench() -> None:
    """Time ours side by side, in one process."""


@app.command()
def unit(
    classes: Annotated[int, typer.Option(help="Number of classes.")] = 20,
    sigma: Annotated[float, typer.Option(help="Noise, in standard deviations of the class means.")] = 1.0,
    repeats: Annotated[int, typer.Option(min=1, help="Runs of each solver; the median counts.")] = 5,
    as_json: options.Json = False,
) -> None:
    """Time the solvers of `pwlact unit`, alternating, and compare what they reach."""
    import torch

    from pwlact.experiments.bench_unit import compare
    from pwlact_cli.console import emit, progress_bar, table

    torch.set_num_threads(1)  # as `pwlact unit` does
    with progress_bar("solving", "runs") as progress:
        rows = compare(classes, sigma, repeats, progress)
    table(
        f"{classes} classes, sigma {sigma:g}: medians of {repeats} runs",
        ("solver", "ms", "x eigen", "reward", "beta", "x0", "R^2"),
        [
            (
                row["name"],
                f"{row['total_ms']:.1f}",
                f"{row['vs_eigen']:.0f}",
                f"{row['reward']:.6f}",
                f"{row['beta']:.3f}",
                f"{row['x0']:.3f}",
                f"{row['r2']:.4f}",
            )
            for row in rows
        ],
    )
    if as_json:
        emit({"classes": classes, "sigma": sigma, "repeats": repeats, "rows": rows})
