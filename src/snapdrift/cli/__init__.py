"""The command line: one module a command. Each parses, calls one function of `pipeline`, and prints."""

from __future__ import annotations

import importlib
import io
import os
import sys
import traceback
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from snapdrift import __version__
from snapdrift.errors import SnapdriftError
from snapdrift.model import ExitCode


class Commands(TyperGroup):
    """The commands, with two ends that typer would give the code of a regression, or no word."""

    def invoke(self, ctx: Any) -> Any:
        """Runs the command. A reader that went away ends it with 2, Ctrl-C with 130."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(ExitCode.ERROR) from None
        except KeyboardInterrupt:
            typer.echo("interrupted", err=True)
            raise typer.Exit(ExitCode.INTERRUPTED) from None


app = typer.Typer(
    cls=Commands,
    name="snapdrift",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Did this prompt, or this GPT-4o snapshot, get worse? Runs the same cases against several variants, grades "
    "the answers, compares them case by case, writes an HTML report, and exits with a code that CI can act on.",
    epilog="Exit codes: 0 passed, 1 regression, 2 usage or suite error, 3 incomplete, 4 inconclusive, 5 not gated, "
    "130 interrupted.",
)

COMMANDS = (
    "run",
    "plan",
    "check",
    "resume",
    "merge",
    "grade",
    "compare",
    "report",
    "export",
    "history",
    "watch",
    "calibrate",
    "models",
    "standin",
    "schema",
    "demo",
)
for _name in COMMANDS:
    _module = importlib.import_module(f"snapdrift.cli.{_name}")
    app.command(_name)(getattr(_module, _name))


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"snapdrift {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    pass


def _print_whatever_the_terminal_can() -> None:
    """A character that the output's encoding lacks is spelled out, where it would end a run that is over."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def main() -> None:
    """Runs the command line and ends the process with the exit code that the result has.

    A user's mistake prints one message and no traceback. A defect of the program ends with 2 like any other error,
    never with the interpreter's 1, which would read as a regression.
    """
    _print_whatever_the_terminal_can()
    try:
        app()
    except SnapdriftError as error:
        typer.echo(str(error), err=True)
        sys.exit(error.exit_code)
    except Exception:  # noqa: BLE001  the last line of defence: a defect must not look like a regression
        typer.echo(traceback.format_exc(), err=True)
        typer.echo("This is a defect in snapdrift, not in your suite. Please report it with the lines above.", err=True)
        sys.exit(ExitCode.ERROR)
