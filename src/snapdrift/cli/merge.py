"""`snapdrift merge`: puts the shards of a run together and decides."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from snapdrift.cli import completion as c
from snapdrift.cli import options as o


def merge(
    runs: Annotated[
        list[str],
        typer.Argument(
            help="The runs of all shards: their ids (or beginnings) or files.", metavar="RUN...", autocompletion=c.runs
        ),
    ],
    no_code: o.NoCode = False,
    out: o.OutDir = None,
    junit: o.Junit = None,
    summary: o.Summary = None,
    verdict: o.Verdict = None,
    annotations: o.Annotations = "auto",
    report_url: o.ReportUrl = None,
    split: o.Split = None,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> None:
    """Put the shards of a run together as one run, then compare, decide and report as `run` does.

    Nothing is asked, and no code of the workspace runs but its report templates. The shards stay as they are.

    Example:
      snapdrift merge shards/*.db --junit junit.xml
    """
    from snapdrift import pipeline
    from snapdrift.cli.annotating import annotating
    from snapdrift.cli.printing import Printer

    env = o.environment()
    with annotating(annotations, env) as annotator, Printer(quiet=quiet, json=json) as printer:
        options = pipeline.RunOptions(
            env=env,
            output=pipeline.Output(out, junit, summary, report_url=report_url, split_mb=split, verdict=verdict),
            command=o.command_line(),
            code=not no_code,
            notice=printer.notice,
        )
        outcomes = pipeline.merge_runs(runs, options, Path.cwd())
        printer.outcomes(outcomes)
        annotator.views([outcome.view for outcome in outcomes])
    raise typer.Exit(pipeline.exit_code_of(outcomes))
