"""`snapdrift report`: writes the pages of stored runs again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from snapdrift.cli import completion as c
from snapdrift.cli import options as o
from snapdrift.errors import UsageError


def report(
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            help="Runs: ids (or their beginnings), files, or `latest`.", metavar="RUN...", autocompletion=c.runs
        ),
    ] = None,
    index: Annotated[
        bool, typer.Option("--index", help="Write only the list of all runs, `reports/index.html`.")
    ] = False,
    no_code: o.NoCode = False,
    out: o.OutDir = None,
    junit: o.Junit = None,
    summary: o.Summary = None,
    report_url: o.ReportUrl = None,
    split: o.Split = None,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> None:
    """Write the reports of stored runs again, as they were concluded. Ends with 0 whatever was concluded.

    Examples:
      snapdrift report latest
      snapdrift report artefact/20261122-140305-8f3a.db --out report/
      snapdrift report --index
      snapdrift report latest --split 8
    """
    from snapdrift import pipeline
    from snapdrift.cli.printing import Printer

    if index:
        if runs or out or junit or summary or json:
            raise UsageError("--index: found with a run or another option; expected it alone: it writes only the list")
        typer.echo(f"all runs: {pipeline.index_runs(pipeline.RunOptions(code=not no_code), Path.cwd())}")
        return
    if not runs:
        raise UsageError("found no RUN; expected at least one, or --index for the list of all runs alone")
    with Printer(quiet=quiet, json=json) as printer:
        output = pipeline.Output(out, junit, summary, report_url=report_url, split_mb=split)
        options = pipeline.RunOptions(output=output, code=not no_code, notice=printer.notice)
        outcomes = pipeline.report_runs(runs, options, Path.cwd())
        printer.outcomes(outcomes)
