"""The `pwlact` command: collects the commands and turns what goes wrong into one line and an exit status."""

import os
import sys
import traceback
from itertools import pairwise
from typing import Annotated, Any, NoReturn

import typer

from pwlact.checks import InputError
from pwlact_cli import (
    bench,
    cifar,
    claims,
    compare,
    data,
    evolution,
    figure,
    info,
    inspect,
    layerwise,
    letters,
    locoprop,
    paper,
    redundancy,
    report,
    study,
    sweep,
    swish,
    theory,
    unit,
)
from pwlact_cli.allocator import keep_freed_memory

DONE, FAILED, BAD_INPUT = 0, 1, 2
# typer carries its own copy of click, whose exceptions it names only in part
_UsageError: type[Exception] = typer.BadParameter.__mro__[1]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("unit")(unit.unit)
app.command("swish")(swish.swish)
app.command("sweep")(sweep.sweep)
app.command("cifar")(cifar.cifar)
app.command("study")(study.study)
app.command("compare")(compare.compare)
app.command("report")(report.report)
app.command("inspect")(inspect.inspect)
app.command("evolution")(evolution.evolution)
app.add_typer(bench.app, name="bench")
app.add_typer(data.app, name="data")
app.add_typer(theory.app, name="theory")
app.command("figure")(figure.figure)
app.command("paper")(paper.paper)
app.add_typer(redundancy.app, name="redundancy")
app.add_typer(layerwise.app, name="layerwise")
app.command("locoprop")(locoprop.locoprop)
app.command("letters")(letters.letters)
app.command("claims")(claims.claims)
app.command("info")(info.info)


@app.callback()
def pwlact(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error (any command).")] = False,
) -> None:
    """Derive, learn and compare activation functions.

    Pictures and results go to --out; --json prints the result for programs. Exit status: 0 done, 1 the run
    failed, 2 bad arguments or input.
    """


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit with its status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in arguments
    if arguments[:1] != ["bench"]:  # benchmarks show what a process of anyone's own costs
        keep_freed_memory()
    sys.exit(_run([argument for argument in arguments if argument != "--debug"], debug))


def _run(arguments: list[str], debug: bool) -> int:
    try:
        status = app(arguments, standalone_mode=False)
    except (InputError, _UsageError) as error:
        return _report(error, BAD_INPUT, debug, arguments)
    except (KeyboardInterrupt, typer.Abort):
        print("stopped; what was written so far is whole (training goes on with --resume)", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # the reader of standard output went away: nothing more to tell it, also not while shutting down
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:
        return _report(error, FAILED, debug, arguments)
    return status if isinstance(status, int) else DONE


def _report(error: Exception, status: int, debug: bool, arguments: list[str]) -> int:
    if debug:
        traceback.print_exception(error)
    text = _usage(error, arguments) if isinstance(error, _UsageError) else str(error)
    text = " ".join(text.split()) or type(error).__name__
    if status == FAILED and not isinstance(error, OSError | RuntimeError):
        text = f"{type(error).__name__}: {text} (--debug shows where)"
    print(f"{_speaker()}error: {text}", file=sys.stderr)
    return status


def _speaker() -> str:
    """Which process speaks, where torchrun started several."""
    count = os.environ.get("WORLD_SIZE", "1")
    return "" if count == "1" else f"process {os.environ.get('RANK', '0')} of {count}: "


def _usage(error: Any, arguments: list[str]) -> str:
    """What is wrong with the arguments, with the value that was given and where to read on."""
    command = error.ctx.command_path if error.ctx is not None else "pwlact"
    names = getattr(getattr(error, "param", None), "opts", ())
    spaced = [argument for option in arguments for argument in option.split("=", 1)]
    given = [value for name, value in pairwise(spaced) if name in names]
    value = f", got {given[-1]!r}" if given else ""
    return f"{error.format_message().rstrip('.')}{value}; see {command} --help"
