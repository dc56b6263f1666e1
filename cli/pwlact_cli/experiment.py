"""What the commands of experiments share: options, lists with commas, a run that is kept, resumed and drawn."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

Progress = Callable[[float, float], None]
Run = Callable[[Path | None, Progress], dict[str, Any]]

DataDir = Annotated[
    Path | None,
    typer.Option(help="Folder with the images; else $PWLACT_DATA, else ./.data.", show_default=False),
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the unfinished run in --out.")]
Results = Annotated[
    Path | None, typer.Option(help="Folder that also gets the record, under the experiment's name.", show_default=False)
]


def compute(
    name: str,
    config: dict[str, Any],
    run: Run,
    draw: Callable[[dict[str, Any], Path], Sequence[Path]] | None,
    *,
    out: Path | None,
    results: Path | None,
    resume: bool,
    force: bool,
    unit: str = "rows",
) -> dict[str, Any]:
    """Run an experiment under a progress bar; keep its record in `out`, with pictures, and in `results`.

    Args:
        name: of the experiment: the bar's description, and NAME.json in `results`.
        config: its settings, JSON-able.
        run: (folder that keeps rows, progress) -> record.
        draw: draws the record's pictures into a folder.
        out: folder of the run.
        results: folder that also gets the record.
        resume: go on with the unfinished run in `out`.
        force: replace the run in `out`.
        unit: what progress counts.

    Raises:
        InputError: `out` holds another run, or --resume lacks it.
    """
    from pwlact.checks import InputError
    from pwlact.experiments.kept_rows import forget
    from pwlact.files import to_json, write_text
    from pwlact.training import RunFolder
    from pwlact_cli.console import progress_bar

    if resume and out is None:
        raise InputError("--resume needs --out, the folder of the run to go on with")
    folder = None if out is None else RunFolder(out, resume=resume, force=force)
    if folder is not None and out is not None:
        folder.begin(config)
        if force:
            forget(out)
    with progress_bar(name, unit) as progress:
        record = run(out, progress)
    if folder is not None and out is not None:
        if draw is not None:
            draw(record, out)
        folder.finish(record)
    if results is not None:
        results.mkdir(parents=True, exist_ok=True)
        write_text(results / f"{name}.json", to_json(record) + "\n")
    return record


def finish(record: dict[str, Any], out: Path | None, as_json: bool) -> None:
    """Say where the record is, and print it for programs."""
    from pwlact_cli.console import emit, say

    if out is not None:
        say(f"wrote {out / 'result.json'}")
    if as_json:
        emit(record)


def names(text: str) -> tuple[str, ...]:
    """The parts of a list with commas, each once."""
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def whole(text: str, option: str) -> tuple[int, ...]:
    """Whole numbers with commas, each once."""
    from pwlact.checks import InputError

    try:
        return tuple(dict.fromkeys(int(part) for part in names(text)))
    except ValueError:
        raise InputError(f"{option} must be whole numbers, with commas; got {text!r}") from None


def numbers(text: str, option: str) -> tuple[float, ...]:
    """Numbers with commas, each once as it is written."""
    from pwlact.checks import InputError

    try:
        return tuple(float(part) for part in names(text))
    except ValueError:
        raise InputError(f"{option} must be numbers, with commas; got {text!r}") from None
