"""The command line: one module a command. Each parses, calls one function of `pipeline`, and prints."""

from __future__ import annotations

import errno
import gc
import importlib
import inspect
import io
import os
import re
import sys
import traceback
from contextlib import suppress
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from snapdrift import __version__
from snapdrift.cli.readable import readable
from snapdrift.errors import SnapdriftError
from snapdrift.exit_codes import ExitCode
from snapdrift.keys import keep_out_of, know_those_of
from snapdrift.signals import ended_as_by_ctrl_c

_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO})
"""What a disk says that takes nothing more: no defect of ours, wherever it is met."""


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
    rich_markup_mode=None,  # what draws boxes takes longer to load than all the rest
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Did this prompt, or this GPT-4o snapshot, get worse? Runs the same cases against several variants, grades "
    "the answers, compares them case by case, writes an HTML report, and exits with a code that CI can act on.",
    epilog="Exit codes: 0 passed, 1 regression, 2 usage or suite error, 3 incomplete, 4 inconclusive, 5 not gated, "
    "130 interrupted.",
)

COMMANDS = (
    "init",
    "run",
    "plan",
    "check",
    "resume",
    "merge",
    "grade",
    "compare",
    "report",
    "export",
    "archive",
    "history",
    "watch",
    "calibrate",
    "migrate",
    "models",
    "doctor",
    "standin",
    "schema",
    "demo",
)


_EXAMPLES = re.compile(r"^Examples?:$", re.MULTILINE)


def _register(name: str) -> None:
    """Adds a command; its help is the docstring, whose examples keep their lines."""
    function = getattr(importlib.import_module(f"snapdrift.cli.{name}"), name)
    first = (inspect.getdoc(function) or "").partition("\n\n")[0].replace("\n", " ").rstrip(".")
    app.command(name, help=_help_of(function), short_help=first)(function)


def _help_of(function: Any) -> str:
    return _EXAMPLES.sub("\b\n\\g<0>", inspect.getdoc(function) or "")


for _name in COMMANDS:
    _register(_name)
GROUPS = {
    "import": ("group", "Make suites of promptfoo configurations, OpenAI evals and answers obtained elsewhere"),
    "cache": ("cache", "Show, explain and forget the answers that later runs reuse"),
    "state": ("group", "Keep runs, verdicts and spending in a git branch or a folder, so that they survive CI"),
}
"""Commands that have commands of their own: what their module calls them, and the line in the list of commands."""
MODULES = {"import": "importing"}
"""Modules of commands whose own name is a word of Python."""
for _name, (_group, _told) in GROUPS.items():
    _commands = getattr(importlib.import_module(f"snapdrift.cli.{MODULES.get(_name, _name)}"), _group)
    for _command in _commands.registered_commands:
        _command.help = _help_of(_command.callback)
    app.add_typer(_commands, name=_name, short_help=_told)


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
    never with the interpreter's 1, which would read as a regression. Whatever is printed has no key in it.
    """
    _print_whatever_the_terminal_can()
    # Our arrays are small: threads for them would cost half a second of processor time before anything is reckoned.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Nearly all that is made here is freed without a search for cycles; one after every 700 objects takes a tenth of
    # the time of loading and of asking.
    gc.set_threshold(20_000, 20, 20)
    know_those_of(os.environ)
    keep_out_of(sys.stdout)
    keep_out_of(sys.stderr)
    try:
        with ended_as_by_ctrl_c():
            app()
    except SnapdriftError as error:
        _tell(readable(str(error)))
        sys.exit(error.exit_code)
    except Exception as error:  # noqa: BLE001  the last line of defence: a defect must not look like a regression
        if isinstance(error, OSError) and error.errno in _DISK:
            _tell(f"{error.filename or 'what was to be printed'}: cannot be written ({error.strerror})")
        else:
            _tell(readable(traceback.format_exc()))
            _tell("This is a defect in snapdrift, not in your suite. Please report it with the lines above.")
        _close_stdout()
        sys.exit(ExitCode.ERROR)


def _tell(text: str) -> None:
    with suppress(OSError):  # nobody reads it any more; the exit code still says it
        typer.echo(text, err=True)


def _close_stdout() -> None:
    """What is left to print has nowhere to go: the interpreter would try once more, and end with a code of its own."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
