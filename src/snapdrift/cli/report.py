"""`snapdrift report`: writes the pages of stored runs again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from snapdrift.cli import options as o


def report(
    runs: Annotated[
        list[str], typer.Argument(help="Runs: ids (or their beginnings), files, or `latest`.", metavar="RUN...")
    ],
    out: o.OutDir = None,
    junit: o.Junit = None,
    summary: o.Summary = None,
    split: o.Split = None,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> None:
    """Write the reports of stored runs again, as they were concluded. Ends with 0 whatever was concluded.

    Examples:
      snapdrift report latest
      snapdrift report artefact/20261122-140305-8f3a.db --out report/
      snapdrift report latest --split 8
    """
    from snapdrift import pipeline
    from snapdrift.cli.printing import Printer

    with Printer(quiet=quiet, json=json) as printer:
        output = pipeline.Output(out, junit, summary, split_mb=split)
        outcomes = pipeline.report_runs(runs, pipeline.RunOptions(output=output), Path.cwd())
        printer.outcomes(outcomes)
