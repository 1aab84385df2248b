"""`snapdrift demo`: the bundled suites on the stand-in, end to end."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from snapdrift.cli import options as o
from snapdrift.exit_codes import ExitCode


def demo(
    out: Annotated[Path, typer.Option("--out", help="Where reports and run files go.", metavar="DIR")] = Path(
        "reports/demo"
    ),
    quiet: o.Quiet = False,
) -> None:
    """Run the bundled suites on the stand-in and write their reports. Every answer is simulated and labelled so.

    Ends with 0 when each suite gave the verdict that it is built to show.

    Example:
      snapdrift demo
    """
    from snapdrift import pipeline
    from snapdrift.cli import tables
    from snapdrift.cli.printing import Printer

    with Printer(quiet=quiet) as printer:
        options = pipeline.RunOptions(progress=printer.told, command=o.command_line())
        shown = pipeline.run_demo(options, out)
    typer.echo(tables.demonstrated(shown), nl=False)
    if not quiet and shown and shown[0].outcome.index:
        typer.echo(f"all runs: {shown[0].outcome.index}")
    raise typer.Exit(ExitCode.ERROR if any(one.surprises for one in shown) else ExitCode.PASSED)
