"""`pwlact paper`: numbers and tables of the paper's text."""

from pathlib import Path
from typing import Annotated

import typer

from pwlact_cli import options

_FAILED = 1


def paper(
    folder: Annotated[Path, typer.Option(help="The paper's folder.")] = Path("paper"),
    results: Annotated[
        Path | None,
        typer.Option(help="Folder with results of long runs; else the checkout's.", show_default=False),
    ] = None,
    cache: Annotated[Path, typer.Option(help="Folder that keeps what was computed.")] = Path("figures/out/.computed"),
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 where a file is out of date.")] = False,
    as_json: options.Json = False,
) -> int:
    """Write the paper's numbers.tex and tables from figures, results and the claims ledger.

    `make paper` draws the figures, calls this and builds the PDF.
    """
    import torch

    from pwlact.checks import InputError
    from pwlact_cli.console import emit, say
    from pwlact_figures.manuscript import Sources, contents, outdated, write
    from pwlact_figures.paper import MissingResultError, Results

    if not (folder / "main.tex").is_file():
        raise InputError(f"folder must hold the paper's main.tex, got {folder}; run in the checkout, or give --folder")
    torch.set_num_threads(1)  # as `pwlact figure` does
    sources = Sources(Results() if results is None else Results(results), cache)
    try:
        old = outdated(contents(sources), folder)
    except MissingResultError as error:
        raise RuntimeError(str(error)) from error
    if not check:
        write(sources, folder)
    for name in old:
        say(f"{folder / name} is out of date: run `pwlact paper`" if check else f"wrote {folder / name}")
    if not old:
        say(f"numbers and tables in {folder} are up to date")
    if as_json:
        emit({"outdated": old, "files": [str(folder / name) for name in contents(sources)]})
    return _FAILED if check and old else 0
