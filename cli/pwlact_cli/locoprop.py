"""`pwlact locoprop`: the deep autoencoder benchmark of LocoProp."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pwlact_cli import options

if TYPE_CHECKING:
    from pwlact.experiments.locoprop.config import LocoPropConfig
    from pwlact.experiments.locoprop.pictures import Pictures


def locoprop(
    data: Annotated[str, typer.Option(help="mnist or dhcd (Devanagari letters).")] = "mnist",
    sizes: Annotated[str, typer.Option(help="Units of the layers down to the narrowest.")] = "1000,500,250,30",
    loss: Annotated[
        str, typer.Option(help="cross-entropy (sigmoid outputs) or squared (linear outputs).")
    ] = "cross-entropy",
    methods: Annotated[
        str,
        typer.Option(
            help="momentum, adam, rmsprop, soap, locoprop-s, locoprop-m, adam-learned, locoprop-m-learned; all if not "
            "given.",
            show_default=False,
        ),
    ] = "",
    batch_size: Annotated[int, typer.Option(help="Images a step.")] = 500,
    steps: Annotated[int, typer.Option(help="Steps of a run.")] = 2000,
    tuning_steps: Annotated[int, typer.Option(help="Steps of a trial.")] = 200,
    rates: Annotated[int, typer.Option(help="Rates that each method tries, with each of three second settings.")] = 5,
    seeds: Annotated[int, typer.Option(help="Number of seeds, from 0 on.")] = 3,
    points: Annotated[int, typer.Option(help="How often losses are measured in a run.")] = 40,
    measured: Annotated[int, typer.Option(help="Most training images that the training loss is measured on.")] = 10_000,
    limit: Annotated[int | None, typer.Option(help="Most training images.", show_default="all")] = None,
    rounds: Annotated[int, typer.Option(help="Rounds of timing; 0 leaves it out.")] = 7,
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Folder with the images; else $PWLACT_DATA, else ./.data.", show_default=False),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cuda, mps or cpu.")] = "auto",
    out: options.Out = None,
    results: Annotated[
        Path | None, typer.Option(help="Folder that also gets the record, as DATA.json.", show_default=False)
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the unfinished run in --out.")] = False,
    force: options.Force = False,
    as_json: options.Json = False,
) -> None:
    """Train a deep autoencoder by LocoProp and by the usual optimisers, all tuned with the same number of trials.

    Prints losses over seeds and time a step; with --out also losses.png and result.json. A killed run goes on with
    --resume.
    """
    from pwlact.experiments.locoprop.config import LocoPropConfig
    from pwlact.experiments.locoprop.pictures import load_pictures
    from pwlact_cli.console import emit

    config = LocoPropConfig(
        data, _sizes(sizes), loss, _names(methods), batch_size, steps, tuning_steps, rates, seeds, points, measured,
        limit, rounds, device,
    )  # fmt: skip
    record = _compute(config, load_pictures(data, data_dir, limit), out, resume=resume, force=force)
    if results is not None:
        _keep(record, results / f"{data}.json")
    _describe(record, out)
    if as_json:
        emit(record)


def _compute(
    config: "LocoPropConfig", pictures: "Pictures", out: Path | None, *, resume: bool, force: bool
) -> dict[str, Any]:
    from dataclasses import asdict

    from pwlact.checks import InputError
    from pwlact.experiments.locoprop.experiment import run
    from pwlact.experiments.locoprop.kept import Kept
    from pwlact.training import RunFolder
    from pwlact_cli.console import progress_bar

    if resume and out is None:
        raise InputError("--resume needs --out, the folder of the run to go on with")
    config.check_fits(pictures)
    folder = None if out is None else RunFolder(out, resume=resume, force=force)
    if folder is not None:
        folder.begin(asdict(config))
        if force:
            Kept(out).forget()
    with progress_bar("autoencoders", "steps") as progress:
        record = run(config, pictures, out, progress)
    if folder is not None and out is not None:
        from pwlact_figures.locoprop import draw

        draw(record, out / "losses.png")
        folder.finish(record)
    return record


def _keep(record: dict[str, Any], path: Path) -> None:
    from pwlact.files import to_json, write_text

    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, to_json(record) + "\n")


def _describe(record: dict[str, Any], out: Path | None) -> None:
    from pwlact_cli.console import say, table

    config, budget, floor = record["config"], record["budget"], record["floor"]
    columns = (
        "method",
        "rate",
        "second setting",
        "training loss",
        "test loss",
        "to Adam's",
        "step / Adam",
    )
    title = (
        f"{config['data']}, {config['steps']:,} steps of {config['batch_size']}, {config['seeds']} seeds: mean "
        f"(standard deviation) of the {config['loss']} loss an image, of which no less than {floor['train']:.1f} and "
        f"{floor['test']:.1f} is possible; {budget['trials']} trials of {budget['steps']} steps each; share of the "
        "steps after which Adam's last training loss is reached; time of a step against Adam's"
    )
    table(title, columns, [_cells(row) for row in record["rows"]])
    for note in record["notes"]:
        say(note)
    if any(row["rate_at_edge"] for row in record["rows"]):
        say("* the best rate is the least or the largest that was tried")
    if out is not None:
        say(f"wrote {out / 'result.json'} and {out / 'losses.png'}")


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    chosen, against = row["chosen"], row["against"]
    if chosen is None:
        return (row["name"], "-", "-", "diverged", "diverged", "-", "-")
    time = (row["time"] or {}).get("relative")
    steps = against["steps"] if against is not None else None
    return (
        row["name"],
        f"{chosen['rate']:.3g}{'*' if row['rate_at_edge'] else ''}",
        f"{row['second_is']} {chosen['second']:g}",
        _spread(row["train"], row["diverged"]),
        _spread(row["test"], row["diverged"]),
        "-" if steps is None else f"{steps:.0%}",
        "-" if time is None else f"{time:.2f}",
    )


def _spread(loss: dict[str, Any], diverged: list[Any]) -> str:
    if loss["mean"] is None:
        return "diverged"
    spread = "" if loss["sd"] is None else f" ({loss['sd']:.2f})"
    return f"{loss['mean']:.2f}{spread}" + (f", {len(diverged)} diverged" if diverged else "")


def _names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def _sizes(text: str) -> tuple[int, ...]:
    from pwlact.checks import InputError

    try:
        return tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise InputError(f"--sizes must be whole numbers, with commas; got {text!r}") from None
