"""`pwlact inspect`: what a trained network says about the theory."""

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from pwlact_cli import options

_IMAGES, _EPOCHS, _SEED = 2000, 8, 0


def inspect(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN",
            help="Folder of a `pwlact cifar` run, finished or still being trained; or one with an inspect.json.",
        ),
    ],
    part: Annotated[str, typer.Option(help="gaussianity, gradients, optimality, evolution, baking or all.")] = "all",
    images: Annotated[int, typer.Option(help="Validation images for gaussianity, gradients and optimality.")] = _IMAGES,
    epochs: Annotated[int, typer.Option(help="Most epochs for the gradients, spread over those kept.")] = _EPOCHS,
    limit: Annotated[
        int | None, typer.Option(help="Most validation and most test images for baking.", show_default="all")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Folder with CIFAR-10; else $PWLACT_DATA, else ./.data.", show_default=False),
    ] = None,
    seed: options.Seed = _SEED,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the result; created if it is not there.", show_default="RUN/inspect"),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Ask a trained network: normal inputs, agreeing gradients, optimal, how evolved, a Swish?

    Writes inspect.json and inspect.png, in the place of those that were there. Of a folder that is no run but has an
    inspect.json (RUN/inspect, figures/results/networks/*-s0) it shows what was found then, and writes with --out alone.
    """
    from pwlact.checks import InputError
    from pwlact.experiments.inspection import inspect as look
    from pwlact.experiments.inspection import is_inspection
    from pwlact_cli.console import emit, progress_bar, say
    from pwlact_cli.images import load_images

    if is_inspection(run):
        if (images, epochs, limit, seed) != (_IMAGES, _EPOCHS, None, _SEED):
            raise InputError(f"{run} keeps an inspection, no run: --images, --epochs, --limit and --seed need the run")
        record = _show_kept(run, part, out)
    else:
        folder = out or run / "inspect"
        _check_free(folder)
        found = load_images(data)
        with progress_bar("gradients", "epochs") as progress:
            record = look(
                run, found, part=part, images=images, epochs=epochs, limit=limit, seed=seed, progress=progress
            )
        files = _write(record, folder)  # first: whoever reads the text may stop in the middle, as `head` does
        _describe(record)
        say(f"wrote {' and '.join(map(str, files))}")
    if as_json:
        emit(record)


def _show_kept(place: Path, part: str, out: Path | None) -> dict[str, Any]:
    """Show the record in `place`, and write it with its picture to `out`, if that is given."""
    from pwlact.checks import InputError
    from pwlact.experiments.inspection import INSPECTION, read_inspection
    from pwlact_cli.console import say

    if out is not None:
        _check_free(out)
        if out.resolve() == place.resolve():
            raise InputError(f"--out {out} is the inspection itself: choose another folder")
    record = read_inspection(place, part)
    try:
        _describe(record)
        if out is not None:
            say(f"wrote {' and '.join(map(str, _write(record, out)))}")
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        what = f"{type(error).__name__}: {error}".splitlines()[0]
        raise InputError(f"{place / INSPECTION} is damaged ({what}): inspect the run itself again") from error
    return record


def _check_free(folder: Path) -> None:
    """Refuse before the work what cannot become a folder after it, and leave nothing behind."""
    from pwlact.checks import InputError

    nearest = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not nearest.is_dir():
        raise InputError(f"{folder} cannot be a folder: the file {nearest} is in its way; choose another --out")


def _write(record: dict[str, Any], folder: Path) -> list[Path]:
    from pwlact.files import to_json, write_text
    from pwlact_figures.inspection import draw

    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / "inspect.json"]
    write_text(files[0], to_json(record, indent=2) + "\n")
    picture = folder / "inspect.png"
    # a picture of an earlier inspection would not be of this record
    picture.unlink(missing_ok=True)
    return files + ([picture] if draw(record, picture) else [])


def _describe(record: dict[str, Any]) -> None:
    run = record["run"]
    state = "finished" if run["finished"] else "not finished"
    title = f"{run['name']}: {run['arch']} {run['mode']}, after epoch {run['epoch']} of {run['epochs']}, {state}"
    parts = {
        "gaussianity": _gaussianity,
        "gradients": _gradients,
        "optimality": _optimality,
        "evolution": _evolution,
        "baking": _baking,
    }
    for part, describe in parts.items():
        if record[part] is not None:
            describe(title, record[part])
            title = ""


def _gaussianity(title: str, part: dict[str, Any]) -> None:
    sizes = part["samples"]
    rows = [
        (layer["name"], *_normality(layer["within"]), _number(layer["pooled"]["w"]["median"], 3))
        for layer in part["layers"]
    ]
    rows += [(f"({name})", *_normality(known), "") for name, known in part["baselines"].items()]
    _table(
        title,
        f"Inputs within a class, channel by channel: median (10 % to 90 %); n = {part['n']:,} images, "
        f"{sizes['least']} to {sizes['most']} a class; in brackets known densities at that n. Before the batch norm "
        "the figures are the same.",
        ("layer", "skewness", "excess kurtosis", "W", "D", "rejected", "Holm", "W, pooled"),
        rows,
    )


def _normality(summary: dict[str, Any]) -> tuple[str, ...]:
    shares = summary["rejected"]
    return (
        _range(summary["skewness"], 1),
        _range(summary["excess_kurtosis"], 1),
        _range(summary["w"], 3),
        _number(summary["d"]["median"], 3),
        _percent(shares["uncorrected"]),
        _percent(shares["holm"]),
    )


def _range(numbers: dict[str, float], digits: int) -> str:
    median, low, high = (_number(numbers[name], digits) for name in ("median", "q10", "q90"))
    return f"{median} ({low}, {high})"


def _gradients(title: str, part: dict[str, Any]) -> None:
    epochs = part["epochs"]
    last = [_cosines(layer["epochs"][-1]) for layer in part["layers"]]
    all_of_them = [_cosines(row) for layer in part["layers"] for row in layer["epochs"]]
    columns = list(zip(*all_of_them, strict=True))
    rows = [(layer["name"], *cosines) for layer, cosines in zip(part["layers"], last, strict=True)]
    rows += [("(mean)", *map(_mean, columns)), ("(mean size)", *(_mean(column, abs) for column in columns))]
    _table(
        title,
        f"Cosine of the gradients of cross-entropy and correlation objective in the knots after epoch {epochs[-1]}, "
        f"and in brackets over all of them and epochs {', '.join(map(str, epochs))}; n = {part['n']:,} images; "
        f"random directions: {part['random']:.2f}",
        ("layer", "sample", "gaussian", "sample, P", "gaussian, P", "halves, P", "shuffled, P", "seen"),
        [(name, *(_number(cosine, 2) for cosine in cosines)) for name, *cosines in rows],
    )


def _cosines(row: dict[str, Any]) -> list[float | None]:
    plain = [row[name]["cosine"] for name in ("sample", "gaussian")]
    return [*plain, *(row[name]["projected"] for name in ("sample", "gaussian", "ceiling", "chance")), row["seen"]]


def _mean(values: Iterable[float | None], of: Callable[[float], float] = float) -> float | None:
    """Mean of what there is: a gradient of zero has no cosine."""
    there = [of(value) for value in values if value is not None and not math.isnan(value)]
    return sum(there) / len(there) if there else None


def _optimality(title: str, part: dict[str, Any]) -> None:
    rows = [
        (
            layer["name"],
            *(_number(layer[name], 4) for name in ("reward", "relu", "silu", "optimum")),
            _percent(layer["share"]),
            *(_number(layer[name], 3) for name in ("r2", "swish_r2", "optimum_swish_r2")),
        )
        for layer in part["layers"]
    ]
    _table(
        title,
        f"Correlation objective J of each activation, of others in its place and of its optimum; R^2 with the "
        f"optimum where inputs lie, and of Swish fits; n = {part['n']:,} images",
        ("layer", "J", "ReLU", "SiLU", "optimum", "share", "R^2", "Swish R^2", "of the optimum"),
        rows,
    )


def _evolution(title: str, part: dict[str, Any]) -> None:
    last = part["epochs"]
    some = sorted({0, round(last / 4), round(last / 2), round(3 * last / 4), last})
    rows = [
        (layer["name"], *(f"{_number(layer['r2'][e], 3)} ({_number(layer['distance'][e], 3)})" for e in some))
        for layer in part["layers"]
    ]
    _table(
        title,
        "R^2 of a Swish fit after some epochs, and in brackets how far the function is from its last (1 - r^2)",
        ("layer", *(f"epoch {epoch}" for epoch in some)),
        rows,
    )


def _baking(title: str, part: dict[str, Any]) -> None:
    # older records have no Swishes that were fitted to the inputs
    fits = {"knots": part, **({"inputs": part["inputs"]} if "inputs" in part else {})}
    rows = []
    for name in ("validation", "test"):
        for where, fit in fits.items():
            pair = fit[name]
            rows.append(
                (
                    name,
                    f"{pair['n']:,}",
                    where,
                    f"{pair['learnt']['accuracy']:.2%}",
                    f"{pair['swish']['accuracy']:.2%}",
                    f"{pair['difference']:+.2f} ± {pair['standard_error']:.2f}",
                    str(pair["b"]),
                    str(pair["c"]),
                    f"{pair['p']:.2g}",
                    _number(pair["learnt"]["loss"], 3),
                    _number(pair["swish"]["loss"], 3),
                )
            )
    _table(
        title,
        "Every activation replaced by its fitted Swish (difference in points ± one standard error, exact McNemar test)",
        ("images", "n", "fitted to", "learnt", "Swish", "difference", "b", "c", "p", "loss", "loss, Swish"),
        rows,
    )
    places = {"knots": "between the first and the last knot", "inputs": "at the inputs of {:,} training images"}
    for where, fit in fits.items():
        _table(
            "",
            f"How far each layer's Swishes, fitted to the {where}, are from what was learnt, "
            + places[where].format(fit.get("images", 0)),
            ("layer", "largest", "mean", "fit"),
            [
                (layer["name"], _number(layer["worst"], 3), _number(layer["mean"], 3), layer["note"])
                for layer in fit["layers"]
            ],
        )


def _table(run: str, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from pwlact_cli.console import say, table

    if run:
        say(run)
    table(title, columns, rows)


def _number(value: float | None, digits: int) -> str:
    """A number of a record, also of one read from JSON, where null stands for NaN."""
    return "nan" if value is None else f"{value:.{digits}f}"


def _percent(share: float | None) -> str:
    return "nan" if share is None else f"{share:.0%}"
