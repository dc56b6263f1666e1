"""`pwlact compare`: finished runs side by side."""

from pathlib import Path
from typing import Annotated, Any

import typer

from pwlact_cli import options


def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN...", help="Run folders, or folders that hold them; what a network has first is compared with."
        ),
    ],
    layers: Annotated[
        bool, typer.Option("--layers", help="Also the Swish of each layer: beta and x0, over the seeds.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for compare.png and compare.json; created if it is not there.", show_default=False),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Compare finished runs of `pwlact cifar`: accuracies by group, and how far apart their means are.

    Runs equal in every setting but the seed form a group. Its accuracy is the mean over the seeds, ± one standard
    deviation; its distance to the first group of the same architecture and width (of all, if each has one) is over
    the seeds that both have, ± one standard error. "last 5" is the mean of a run's last five epochs on validation: a
    single epoch swings where the rate is constant.
    """
    from pwlact.experiments.comparison import compare as compare_runs
    from pwlact_cli.console import emit

    comparison = compare_runs(runs)
    _describe(comparison)
    if layers:
        _describe_layers(comparison["groups"])
    if out is not None:
        _write(comparison, out)
    if as_json:
        emit(comparison)


def _write(comparison: dict[str, Any], out: Path) -> None:
    from pwlact.checks import InputError
    from pwlact.files import to_json, write_text
    from pwlact_cli.console import say
    from pwlact_figures.compare import draw

    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{out} cannot be a folder for pictures: {error.strerror}; choose another --out") from error
    draw(comparison, out / "compare.png")
    write_text(out / "compare.json", to_json(comparison, indent=2) + "\n")
    say(f"wrote {out / 'compare.png'} and {out / 'compare.json'}")


def _describe(comparison: dict[str, Any]) -> None:
    from pwlact.experiments.comparison import LATE
    from pwlact_cli.console import say, table

    title = f"{_count(comparison['runs'], 'finished run')} in {_count(comparison['groups'], 'group')}, accuracies in %"
    columns = (
        "group",
        "seeds",
        "validation",
        f"last {LATE}",
        "test",
        "validation\n- first",
        f"last {LATE}\n- first",
        "test\n- first",
        "loss",
        "images/s",
        "min R^2",
    )
    table(title, columns, [_cells(group, group["name"]) for group in comparison["groups"]])
    for note in comparison["notes"]:
        say(f"note: {note}")


def _describe_layers(groups: list[dict[str, Any]]) -> None:
    from pwlact_cli.console import table

    rows = [
        (
            group["name"] if place == 0 else "",
            layer["name"],
            *(_spread(layer[key], len(group["seeds"])) for key in ("beta", "x0")),
            "-" if layer["r2"]["mean"] is None else f"{layer['r2']['mean']:.4f}",
        )
        for group in groups
        for place, layer in enumerate(group["layers"])
    ]
    title = "Swish of each layer: mean ± standard deviation over the seeds; [n] where only n fits tell them"
    table(title, ("group", "layer", "beta", "x0", "R^2"), rows)


def _spread(found: dict[str, Any], seeds: int) -> str:
    if found["mean"] is None:
        return "-"
    deviation = "" if found["sd"] is None else f" ± {found['sd']:.2f}"
    return f"{found['mean']:.2f}{deviation}" + (f" [{found['n']}]" if found["n"] < seeds else "")


def _cells(group: dict[str, Any], name: str) -> tuple[str, ...]:
    apart = group["to_first"] or {}
    return (
        name,
        str(len(group["seeds"])),
        _percent(group["val_mean"], group["val_sd"]),
        _percent(group["late_mean"], group["late_sd"]),
        _percent(group["test_mean"], group["test_sd"]),
        _percent(apart.get("val_mean"), apart.get("val_se"), sign="+"),
        _percent(apart.get("late_mean"), apart.get("late_se"), sign="+"),
        _percent(apart.get("test_mean"), apart.get("test_se"), sign="+"),
        "-" if group["train_loss"] is None else f"{group['train_loss']:.3f}",
        "-" if group["images_per_second"] is None else f"{group['images_per_second']:,.0f}",
        "-" if group["r2_min"] is None else f"{group['r2_min']:.3f}",
    )


def _count(things: list[Any], name: str) -> str:
    return f"{len(things)} {name}{'s' if len(things) != 1 else ''}"


def _percent(value: float | None, spread: float | None, sign: str = "") -> str:
    if value is None:
        return "-"
    return f"{100 * value:{sign}.2f}" + ("" if spread is None else f" ± {100 * spread:.2f}")
