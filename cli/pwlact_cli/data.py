"""`pwlact data`: data sets, fetched or checked."""

from pathlib import Path
from typing import Annotated

import typer

from pwlact_cli import options

app = typer.Typer(no_args_is_help=True, help="Fetch a data set, or check the one that is there.")


@app.callback()
def data() -> None:
    """Fetch a data set, or check the one that is there."""


@app.command()
def cifar10(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where CIFAR-10 is, or is to be.")],
    url: Annotated[str | None, typer.Option(help="Another address of the binary archive.", show_default=False)] = None,
    check: Annotated[bool, typer.Option("--check", help="Only check what is there; fetch nothing.")] = False,
    as_json: options.Json = False,
) -> None:
    """Fetch CIFAR-10 with its checksum into DIR; if it is there already, check it and fetch nothing."""
    from pwlact.data import fetch_cifar10, load
    from pwlact.data.cifar10 import files as image_files
    from pwlact.data.fetch import URL
    from pwlact_cli.console import emit, progress_bar, say

    if not check:
        with progress_bar("CIFAR-10", "bytes") as progress:
            fetch_cifar10(directory, url or URL, progress=progress)
    images = load(directory)
    files = image_files(directory)
    say(f"{len(images.train):,} training and {len(images.test):,} test images in {images.source}")
    for file in files:
        say(f"  {file.stat().st_size:>11,}  {file}")
    if as_json:
        emit({"files": [str(file) for file in files], "train": len(images.train), "test": len(images.test)})


@app.command()
def synthetic(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where the files are to be.")],
    train: Annotated[int, typer.Option(min=5, help="Number of training images.")] = 5000,
    test: Annotated[int, typer.Option(min=1, help="Number of test images.")] = 1000,
    seed: options.Seed = 0,
    as_json: options.Json = False,
) -> None:
    """Generate images in CIFAR-10's shape and layout, to try things out; they are no substitute for it."""
    from pwlact.data import write_binary
    from pwlact_cli.console import emit, say

    write_binary(directory, train, test, seed)
    files = sorted(str(path) for path in directory.iterdir())
    say(f"generated {train:,} training and {test:,} test images in {directory}")
    if as_json:
        emit({"files": files, "train": train, "test": test})
