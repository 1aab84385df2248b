"""`snapdrift merge`: puts the shards of a run together and decides."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from snapdrift.cli import completion as c
from snapdrift.cli import options as o
from snapdrift.exit_codes import combine_exit_codes


def merge(
    runs: Annotated[
        list[str],
        typer.Argument(
            help="The runs of all shards: their ids (or beginnings), their files, or a folder with them.",
            metavar="RUN...",
            autocompletion=c.runs,
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

    Of a folder, and of the folders in it, the shards that were made at the commit of this workspace are taken, of each
    suite those of its newest run; what is left out is told. Where no shard had anything to ask (`run --changed`) that
    is said, and there is nothing to decide (0).

    Examples:
      snapdrift merge shards --junit junit.xml
      snapdrift merge first.db second.db
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
            settled=printer.settled,
        )
        outcomes = pipeline.merge_runs(runs, options, Path.cwd())
        printer.outcomes(outcomes)
        annotator.views([outcome.view for outcome in outcomes])
    raise typer.Exit(combine_exit_codes([*printer.unasked_codes, *(outcome.exit_code for outcome in outcomes)]))
