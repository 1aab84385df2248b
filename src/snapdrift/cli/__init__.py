"""The command line: one module a command. Each parses, calls one function of `pipeline`, and prints."""

from __future__ import annotations

import atexit
import errno
import gc
import importlib
import inspect
import io
import os
import re
import sys
import traceback
from collections.abc import Iterator, MutableMapping
from contextlib import suppress
from typing import Annotated, Any, cast

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
GROUPS = {
    "import": ("group", "Make suites of promptfoo configurations, OpenAI evals and answers obtained elsewhere"),
    "cache": ("cache", "Show, explain and forget the answers that later runs reuse"),
    "state": ("group", "Keep runs, verdicts and spending in a git branch or a folder, so that they survive CI"),
}
"""Commands that have commands of their own: what their module calls them, and the line in the list of commands."""
MODULES = {"import": "importing"}
"""Modules of commands whose own name is a word of Python."""
_EXAMPLES = re.compile(r"^Examples?:$", re.MULTILINE)


def _in_module(name: str) -> Any:
    """The function or group that a command is."""
    called = GROUPS[name][0] if name in GROUPS else name
    return getattr(importlib.import_module(f"snapdrift.cli.{MODULES.get(name, name)}"), called)


def _line_of(name: str) -> str:
    """What the list of commands says of one: the first paragraph of its docstring."""
    if name in GROUPS:
        return GROUPS[name][1]
    return (inspect.getdoc(_in_module(name)) or "").partition("\n\n")[0].replace("\n", " ").rstrip(".")


def _help_of(function: Any) -> str:
    """The docstring, whose examples keep their lines."""
    return _EXAMPLES.sub("\b\n\\g<0>", inspect.getdoc(function) or "")


def _made(name: str) -> Any:
    """A command with its options, or a group with its commands."""
    alone = typer.Typer(rich_markup_mode=None, add_completion=False)
    if name not in GROUPS:
        alone.command(name, help=_help_of(_in_module(name)), short_help=_line_of(name))(_in_module(name))
        return typer.main.get_command(alone)
    for command in _in_module(name).registered_commands:
        command.help = _help_of(command.callback)
    alone.add_typer(_in_module(name), name=name, short_help=_line_of(name))
    return cast("TyperGroup", typer.main.get_command(alone)).commands[name]


class _MadeWhenAsked(MutableMapping[str, Any]):
    """The commands by name. A command line needs one of them, and the options of all take longer than all else here."""

    def __init__(self) -> None:
        self._made = dict.fromkeys((*COMMANDS, *GROUPS))

    def __getitem__(self, name: str) -> Any:
        if self._made[name] is None:
            self._made[name] = _made(name)
        return self._made[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._made[name] = command

    def __delitem__(self, name: str) -> None:
        del self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in self._made

    def __iter__(self) -> Iterator[str]:
        return iter(self._made)

    def __len__(self) -> int:
        return len(self._made)


class Commands(TyperGroup):
    """The commands, with two ends that typer would give the code of a regression, or no word."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.commands = _MadeWhenAsked()

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002  as typer has it
        """The list of commands, which needs none of their options."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, _line_of(name)) for name in self.commands])

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
    # The interpreter searches for cycles once more when it ends, for half a second among all that a run has loaded.
    atexit.register(gc.freeze)
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
