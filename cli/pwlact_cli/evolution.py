"""`pwlact evolution`: draw how the activations of a run evolve."""

from pathlib import Path
from typing import Annotated

import typer

from pwlact_cli import options


def evolution(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder, or its activations.npz.")],
    gif: Annotated[bool, typer.Option("--gif", help="Also evolution.gif, a frame an epoch.")] = False,
    fps: Annotated[float, typer.Option(help="Frames a second of the GIF.")] = 4.0,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the pictures; created if it is not there.", show_default="the run's")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Draw every layer's activation over the epochs: evolution.png, with --gif also a film of it.

    Layers with a function a channel show the mean over the channels and one standard deviation about it.
    """
    from pwlact.training import read_activations
    from pwlact_cli.console import emit, say
    from pwlact_figures.evolution import draw_film, draw_picture

    history = read_activations(run)
    folder = _folder(out or (run if run.is_dir() else run.parent))
    title = (run if run.is_dir() else run.parent).resolve().name
    files = [folder / "evolution.png"]
    if gif:
        files.append(folder / "evolution.gif")
        draw_film(history, files[1], title=title, frames_per_second=fps)
    draw_picture(history, files[0], title=title)
    say(f"{len(history.layers)} layers, epochs 0 to {history.epochs}: wrote {' and '.join(map(str, files))}")
    if as_json:
        emit({"files": [str(file) for file in files], "layers": list(history.layers), "epochs": history.epochs})


def _folder(path: Path) -> Path:
    from pwlact.checks import InputError

    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path} cannot be a folder for pictures: {error.strerror}; choose another --out") from error
    return path
