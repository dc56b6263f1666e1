"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output, nothing else there.")]
Out = Annotated[
    Path | None,
    typer.Option(help="Folder for the result and its pictures; created if it is not there.", show_default=False),
]
Force = Annotated[bool, typer.Option("--force", help="Replace a run that --out holds already.")]
Seed = Annotated[int, typer.Option(min=0, help="The same seed repeats a run bit for bit on one machine.")]
