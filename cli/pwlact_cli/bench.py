"""`pwlact bench`: times, side by side, in one process."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pwlact_cli import options

if TYPE_CHECKING:
    from pwlact.experiments.bench_activation import BenchConfig

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


@app.command()
def activation(
    shape: Annotated[
        list[str] | None,
        typer.Option(
            help="Shape N,C,H,W of x; may be repeated.", show_default="a ResNet-10's at batch 128, and 256,64,32,32"
        ),
    ] = None,
    dtype: Annotated[str, typer.Option(help="Type of x: fp32, bf16 or fp16.")] = "fp32",
    layout: Annotated[str, typer.Option(help="contiguous or channels_last.")] = "contiguous",
    device: Annotated[str, typer.Option(help="auto, cuda, mps or cpu.")] = "auto",
    threads: Annotated[int | None, typer.Option(help="Threads of the CPU.", show_default="as torch does")] = None,
    repeats: Annotated[int, typer.Option(help="Rounds; a round gives one ratio, and their median counts.")] = 11,
    compiled: Annotated[
        bool, typer.Option("--compile/--no-compile", help="Time torch.compile too, which compiles for each shape.")
    ] = True,
    only: Annotated[
        str | None,
        typer.Option(help="Rows to time, separated by commas; gelu and silu always are.", show_default="all"),
    ] = None,
    seed: options.Seed = 0,
    out: options.Out = None,
    force: options.Force = False,
    as_json: options.Json = False,
) -> None:
    """Time activations forward and backward, in rounds, against GELU and SiLU.

    A ratio is taken within a round, so that what slows the machine slows both. "kept" (saved_bytes in the JSON)
    is what autograd holds for the backward pass beyond x itself. With --out also activation.png and result.json.
    """
    from pwlact.experiments.bench_activation import SHAPES, BenchConfig, parse_shape
    from pwlact_cli.console import emit

    config = BenchConfig(
        shapes=tuple(map(parse_shape, shape)) if shape else SHAPES, dtype=dtype, layout=layout, device=device,
        threads=threads, repeats=repeats, compiled=compiled, seed=seed,
        only=None if only is None else tuple(name.strip() for name in only.split(",")),
    )  # fmt: skip
    record = _time(config, out, force)
    _describe(record, out)
    if as_json:
        emit(record)


@app.command()
def train(
    arch: Annotated[str, typer.Option(help="vgg11, vgg13, vgg16, resnet10 or resnet18.")] = "resnet10",
    width: Annotated[float, typer.Option(help="Factor on every layer's channels.")] = 1.0,
    batch_size: Annotated[int, typer.Option(help="Images a step.")] = 128,
    device: Annotated[str, typer.Option(help="auto, cuda, mps or cpu.")] = "auto",
    precision: Annotated[str, typer.Option(help="bf16 (autocast) or fp32.")] = "bf16",
    repeats: Annotated[int, typer.Option(help="Rounds; a round gives one ratio, and their median counts.")] = 7,
    seed: options.Seed = 0,
    as_json: options.Json = False,
) -> None:
    """Time one step of training with fixed and with learnt activations, in rounds, against SiLU.

    "kept" (saved_bytes in the JSON) is what autograd holds for the backward pass of the whole network.
    """
    from pwlact.experiments.bench_train import TrainBenchConfig, run
    from pwlact_cli.console import emit, progress_bar, table

    config = TrainBenchConfig(arch, width, batch_size, device, precision, repeats, seed)
    with progress_bar("training", "steps") as progress:
        record = run(config, progress)
    place = f"{record['environment']['device']}, {record['environment']['threads']} threads"
    table(
        f"{arch}, width {width:g}, batch {batch_size}, {precision}, {place}: medians of {repeats} rounds",
        ("activations", "forward ms", "rest ms", "x SiLU", "quartiles", "kept MiB", "images/s"),
        [
            (
                row["name"],
                f"{row['forward_ms']:.1f}",
                f"{row['backward_ms']:.1f}",
                f"{row['vs_silu']:.2f}",
                "{:.2f}-{:.2f}".format(*row["spread"]),
                f"{row['saved_bytes'] / 2**20:.0f}",
                f"{row['images_per_second']:.0f}",
            )
            for row in record["rows"]
        ],
    )
    if as_json:
        emit(record)


def _time(config: "BenchConfig", out: Path | None, force: bool) -> dict[str, Any]:
    from dataclasses import asdict

    from pwlact.experiments.bench_activation import run
    from pwlact.training import RunFolder
    from pwlact_cli.console import progress_bar, say

    folder = None if out is None else RunFolder(out, force=force)
    with progress_bar("timing", "turns") as progress:
        record = run(config, progress, say)
    if folder is not None and out is not None:
        from pwlact_figures.bench import draw

        folder.begin(asdict(config))
        draw(record, out / "activation.png")
        folder.finish(record)
    return record


def _describe(record: dict[str, Any], out: Path | None) -> None:
    from pwlact_cli.console import say, table

    shapes = list(dict.fromkeys(tuple(row["shape"]) for row in record["rows"]))
    title = (
        f"{record['dtype']}, {record['layout']}, {record['environment']['device']}, {record['threads']} threads, "
        f"medians of {record['repeats']} rounds"
    )
    table(*(_one_shape if len(shapes) == 1 else _many_shapes)(title, shapes, record["rows"]))
    if out is not None:
        say(f"wrote {out / 'result.json'} and {out / 'activation.png'}")


def _one_shape(
    title: str, shapes: list[tuple[int, ...]], rows: list[dict[str, Any]]
) -> tuple[str, tuple[str, ...], list[tuple[str, ...]]]:
    columns = ("activation", "forward ms", "backward ms", "x GELU", "quartiles", "x SiLU", "kept / x", "note")
    cells = [
        (
            row["name"],
            f"{row['forward_ms']:.2f}",
            f"{row['backward_ms']:.2f}",
            f"{row['vs_gelu']:.2f}",
            "{:.2f}-{:.2f}".format(*row["spread"]),
            f"{row['vs_silu']:.2f}",
            _kept(row),
            row["note"],
        )
        for row in rows
    ]
    return f"{_text(shapes[0])}, {title}", columns, cells


def _many_shapes(
    title: str, shapes: list[tuple[int, ...]], rows: list[dict[str, Any]]
) -> tuple[str, tuple[str, ...], list[tuple[str, ...]]]:
    """Ratios alone, a column a shape; what is kept is the same share of x for each."""
    found = {(row["name"], tuple(row["shape"])): row for row in rows}
    names = list(dict.fromkeys(row["name"] for row in rows))
    cells = []
    for name in names:
        own = [found.get((name, shape)) for shape in shapes]
        ratios = ("-" if row is None else f"{row['vs_gelu']:.2f}" for row in own)
        cells.append((name, *ratios, next(_kept(row) for row in own[::-1] if row is not None)))
    return f"time / GELU's, {title}", ("activation", *map(_text, shapes), "kept / x"), cells


def _kept(row: dict[str, Any]) -> str:
    return f"{row['saved_bytes'] / row['x_bytes']:.2f}"


def _text(shape: tuple[int, ...]) -> str:
    return ",".join(map(str, shape))


@app.command()
def sparse(
    rows: Annotated[int, typer.Option(min=1, help="Rows.")] = 4096,
    units: Annotated[int, typer.Option(min=1, help="Units in a row.")] = 1024,
    scale: Annotated[float, typer.Option(help="Standard deviation of the scores.")] = 1.0,
    threads: Annotated[int | None, typer.Option(help="Threads of the CPU.", show_default="as torch does")] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Rounds.")] = 7,
    slow: Annotated[bool, typer.Option("--slow", help="Also what takes seconds a round.")] = False,
    as_json: options.Json = False,
) -> None:
    """Time sparse maps against torch's softmax and the entmax package."""
    from pwlact.experiments.bench_sparse import SparseBenchConfig, run
    from pwlact_cli.console import emit, progress_bar, table

    config = SparseBenchConfig(rows=rows, units=units, scale=scale, threads=threads, repeats=repeats, slow=slow)
    with progress_bar("timing", "turns") as progress:
        record = run(config, progress)
    table(
        f"({rows}, {units}), scale {scale:g}, {record['threads']} threads",
        ("map", "forward ms", "backward ms", "x softmax", "support"),
        [
            (
                row["name"],
                f"{row['forward_ms']:.1f}",
                f"{row['backward_ms']:.1f}",
                f"{row['vs_softmax']:.2f}",
                f"{row['support']:.0f}",
            )
            for row in record["rows"]
        ],
    )
    if as_json:
        emit(record)
