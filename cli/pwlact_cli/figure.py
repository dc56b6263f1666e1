"""`pwlact figure`: draw the figures of the paper."""

from pathlib import Path
from typing import Annotated

import typer

from pwlact_cli import options

_FAILED = 1


def figure(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[all | 1..8 | s1.. | NAME]...", help="Figures to draw.", show_default="all"),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the files; created if it is not there.")] = Path("figures/out"),
    results: Annotated[
        Path | None,
        typer.Option(help="Folder with results of long runs; else the checkout's.", show_default=False),
    ] = None,
    gallery: Annotated[
        Path | None,
        typer.Option(help="Write the page of the documentation, with its images, to this file.", show_default=False),
    ] = None,
    as_json: options.Json = False,
) -> int:
    """Draw figures of the paper, as PDF and PNG.

    What is quick to compute is computed, and kept until code or results change; what takes training is read from
    committed results. A figure whose result is missing is left out, with the command that makes it, and the exit
    status is 1.
    """
    import torch

    from pwlact_cli.console import emit, progress_bar, say
    from pwlact_figures.paper import MissingResultError, Results, choose, draw_figure
    from pwlact_figures.paper.gallery import write_gallery

    torch.set_num_threads(1)  # as `pwlact unit` does: the same digits on any machine
    chosen = choose(names or ["all"])
    found = Results() if results is None else Results(results)
    out.mkdir(parents=True, exist_ok=True)
    files: list[str] = []
    missing: dict[str, str] = {}
    with progress_bar("drawing", "figures") as progress:
        for done, one in enumerate(chosen):
            progress(done, len(chosen))
            try:
                files += map(str, draw_figure(one, out, found))
            except MissingResultError as error:
                missing[one.name] = str(error)
    if gallery is not None and not missing:
        files += map(str, write_gallery(gallery, chosen, found, out))
    for name in files:
        say(f"wrote {name}")
    for name, why in missing.items():
        say(f"figure {name} is missing: {why}")
    if as_json:
        emit({"files": files, "missing": missing})
    return _FAILED if missing else 0
