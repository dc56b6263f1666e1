"""`pwlact claims`: every claim of the drafts, what is measured, and the verdict."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pwlact_cli import options

if TYPE_CHECKING:
    from rich.table import Table

    from pwlact.theory.claims import Draft, Row

_COLOURS = {"holds": "green", "holds with a correction": "yellow", "fails": "red", "not yet measured": "dim"}
# columns for a log or a pipe, which have no width of their own
_WIDTH = 150


def claims(
    seed_paper: Annotated[
        str | None,
        typer.Option(
            help="Claims of one draft: correlation, competitive, em, homework, matching, or its file name.",
            show_default=False,
        ),
    ] = None,
    verdict: Annotated[
        str | None,
        typer.Option(
            help="Rows with this verdict: holds, holds-with-a-correction, fails, not-yet-measured.",
            show_default=False,
        ),
    ] = None,
    id: Annotated[str | None, typer.Option(help="One claim.", show_default=False)] = None,
    markdown: Annotated[
        Path | None,
        typer.Option(help="Write the page of the documentation to this file: all rows.", show_default=False),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Measure every claim of the drafts, now, and say how it stands.

    What takes training is read from committed results, and is not yet measured where there is none.
    """
    import torch

    from pwlact.checks import InputError
    from pwlact.theory.claims import DRAFTS, all_claims, evaluate, read_verdict, select, totals
    from pwlact_cli.console import emit

    torch.set_num_threads(1)  # as `pwlact unit` does
    wanted = None if verdict is None else read_verdict(verdict)
    if markdown is not None and (seed_paper or verdict or id):
        raise InputError(f"markdown writes every row: leave out the other options, got {markdown}")
    rows = evaluate(select(all_claims(), DRAFTS, id, seed_paper))
    rows = [row for row in rows if wanted is None or row.verdict is wanted]
    _print(rows, DRAFTS)
    if markdown is not None:
        _write(markdown, rows, DRAFTS)
    if as_json:
        emit({"claims": [row.to_dict() for row in rows], "totals": totals(rows)})


def _print(rows: Sequence["Row"], drafts: Sequence["Draft"]) -> None:
    from pwlact.theory.claims import totals
    from pwlact_cli.console import console, say

    screen = console()
    if not screen.is_terminal:
        screen.width = _WIDTH
    for draft in drafts:
        own = [row for row in rows if row.claim.seed == draft.seed]
        if own:
            say(draft.seed)
            screen.print(_table(own))
    counts = ", ".join(f"{count} {verdict}" for verdict, count in totals(rows).items())
    say(f"{len(rows)} claims: {counts}")


def _table(rows: Sequence["Row"]) -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=box.SIMPLE_HEAD, show_lines=True, expand=True)
    for name, ratio in (("claim", 3), ("stated", 4), ("measured", 6), ("verdict", 2)):
        grid.add_column(name, ratio=ratio, overflow="fold")
    for row in rows:
        record = row.to_dict()
        measured = record["measured"] or f"`{row.claim.command}` will measure it"
        cells = (record["id"], record["stated"], measured)
        grid.add_row(*map(Text, cells), Text(record["verdict"], style=_COLOURS[record["verdict"]]))
    return grid


def _write(path: Path, rows: Sequence["Row"], drafts: Sequence["Draft"]) -> None:
    from pwlact.checks import InputError
    from pwlact.files import write_text
    from pwlact.theory.claims import markdown
    from pwlact_cli.console import say

    if not path.parent.is_dir() or path.is_dir():
        raise InputError(f"markdown must name a file in a folder that exists, got {path}")
    write_text(path, markdown(rows, drafts))
    say(f"wrote {path}")
