"""`pwlact report`: a training run as one page of HTML."""

from pathlib import Path
from typing import Annotated

import typer

from pwlact_cli import options


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder; the run may be unfinished.")],
    out: Annotated[
        Path | None,
        typer.Option(help="File to write; its folder is created if it is not there.", show_default="RUN/report.html"),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Write report.html: curves, and every layer's activation, Swish fit and input, epoch by epoch.

    The page is one file, loads nothing from the network and opens in any browser. Its address chooses an epoch:
    report.html#epoch=3.
    """
    from pwlact_cli.console import emit, say
    from pwlact_figures.report import write_report

    file = write_report(run, None if out is None else _place(out))
    say(f"wrote {file} ({file.stat().st_size / 1e3:,.0f} kB)")
    if as_json:
        emit({"files": [str(file)]})


def _place(path: Path) -> Path:
    from pwlact.checks import InputError

    if path.is_dir():
        raise InputError(f"{path} is a folder: --out takes the file to write, as {path / 'report.html'}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path.parent} cannot be a folder: {error.strerror}; choose another --out") from error
    return path
