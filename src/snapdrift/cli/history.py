"""`snapdrift history`: what the stored runs say over time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from snapdrift.cli import completion as c
from snapdrift.cli import options as o
from snapdrift.errors import UsageError


def history(
    suites: Annotated[
        list[str] | None,
        typer.Argument(help="Suites, by name or file; none: all.", metavar="[SUITE]...", autocompletion=c.suite_names),
    ] = None,
    gate: o.GateName = None,
    last: Annotated[
        int | None, typer.Option("--last", min=1, help="Only the newest N runs of each suite and gate.", metavar="N")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print it as JSON (format `snapdrift.history/1`).")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print a row for each run, variant and metric as CSV.")] = False,
) -> None:
    """Show scores over time: levels with intervals, when the alias moved, flaky cases, the noise of A/A runs.

    Read from the finished, whole runs in the workspace's state folder. Nothing is sent and nothing is decided.

    Examples:
      snapdrift history
      snapdrift history evals/sentiment.yaml --gate nightly --last 30
      snapdrift history sentiment --csv > sentiment.csv
    """
    from snapdrift import pipeline
    from snapdrift.reports.history import render_history, render_history_csv, render_history_json

    if json and csv:
        raise UsageError("found --json and --csv; expected one of them")
    found = pipeline.read_history(suites or [], Path.cwd(), gate=gate, last=last)
    render = render_history_json if json else render_history_csv if csv else render_history
    typer.echo(render(found), nl=False)
