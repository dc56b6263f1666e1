"""What the commands say: tables, notes and progress on standard error, JSON alone on standard output."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pwlact.files import to_json

if TYPE_CHECKING:
    from rich.console import Console


def console() -> "Console":
    """The terminal, on standard error, so that standard output stays clean for JSON."""
    from rich.console import Console

    # a log or a pipe has no width: wide enough there for every table
    return Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else 160)


def say(text: str = "") -> None:
    """Print a line for people."""
    console().print(text, markup=False, soft_wrap=True)


def emit(record: dict[str, Any]) -> None:
    """Print the result as one JSON object on standard output."""
    sys.stdout.write(to_json(record) + "\n")


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table for people: names left, numbers right."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    say(title)
    grid = Table(box=box.SIMPLE_HEAD)
    for i, column in enumerate(columns):
        grid.add_column(column, justify="left" if i == 0 else "right", overflow="fold")
    for row in rows:
        grid.add_row(*map(escape, row))
    console().print(grid)


@contextmanager
def progress_bar(description: str, unit: str) -> Iterator[Callable[[float, float | None], None]]:
    """A bar with rate and time left; call what it gives with (done, total).

    Args:
        description: what is going on.
        unit: what is counted, for the rate: "steps", "bytes".

    Yields:
        the function to report progress with.
    """
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f} of {task.total}"),
        TextColumn("{task.fields[rate]}"),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    screen = console()
    bars = Progress(*columns, console=screen, transient=True)
    task = bars.add_task(description, total=None, rate="")

    def report(done: float, total: float | None) -> None:
        # started here, so that what fails before its first step shows its error and no bar; logs get none
        if screen.is_terminal:
            bars.start()
        speed = bars.tasks[0].speed
        rate = f"{speed:,.0f} {unit}/s" if speed else ""
        bars.update(task, completed=done, total=None if total is None else round(total), rate=rate)

    try:
        yield report
    finally:
        if bars.live.is_started:
            bars.stop()
