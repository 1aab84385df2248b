"""`snapdrift grade`: grades stored answers again."""

from __future__ import annotations

from pathlib import Path

import typer

from snapdrift.cli import options as o


def grade(
    run: o.RunName,
    standin: o.Standin = False,
    host: o.HostName = None,
    base_url: o.BaseUrl = None,
    key_env: o.KeyEnv = None,
    max_usd: o.MaxUsd = None,
    no_code: o.NoCode = False,
    out: o.OutDir = None,
    junit: o.Junit = None,
    summary: o.Summary = None,
    report_url: o.ReportUrl = None,
    split: o.Split = None,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> None:
    """Grade a run's stored answers again with the suite's graders as they are now; no new generations.

    Only a judge whose rubric or settings changed is asked again.

    Example:
      snapdrift grade latest
    """
    from snapdrift import pipeline
    from snapdrift.cli.printing import Printer

    with Printer(quiet=quiet, json=json) as printer:
        options = pipeline.RunOptions(
            env=o.environment(),
            target=o.target(standin, None, None, host, base_url, key_env),
            limits=pipeline.Limits(max_usd),
            output=pipeline.Output(out, junit, summary, report_url=report_url, split_mb=split),
            code=not no_code,
            progress=printer.told,
            notice=printer.notice,
        )
        outcome = pipeline.regrade_run(run, options, Path.cwd())
        printer.outcomes([outcome])
    raise typer.Exit(outcome.exit_code)
