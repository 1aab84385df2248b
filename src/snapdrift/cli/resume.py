"""`snapdrift resume`: goes on with an interrupted run."""

from __future__ import annotations

from pathlib import Path

import typer

from snapdrift.cli import options as o


def resume(
    run: o.RunName,
    standin: o.Standin = False,
    recordings: o.Recordings = None,
    behaviour: o.Behaviour = None,
    faults: o.Faults = None,
    host: o.HostName = None,
    base_url: o.BaseUrl = None,
    key_env: o.KeyEnv = None,
    max_usd: o.MaxUsd = None,
    deadline: o.Deadline = None,
    concurrency: o.Concurrency = None,
    engine: o.EngineName = None,
    ray_address: o.RayAddress = None,
    extend: o.Extend = False,
    no_cache: o.NoCache = False,
    no_code: o.NoCode = False,
    no_wait: o.NoWait = False,
    retry_missing: o.RetryMissing = False,
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
    """Go on with an interrupted run, or collect its batches: nothing that was answered or submitted is asked again.

    Without options it asks where the run asked before. A budget that was raised in the suite's file since counts, where
    nothing else in it changed.

    Examples:
      snapdrift resume latest
      snapdrift resume 20261122-140305-8f3a --max-usd 2
      snapdrift resume latest --no-wait
      snapdrift resume latest --faults none
      snapdrift resume latest --extend --max-usd 2
    """
    from snapdrift import pipeline
    from snapdrift.cli.annotating import annotating
    from snapdrift.cli.printing import Printer

    env = o.environment()
    with annotating(annotations, env) as annotator, Printer(quiet=quiet, json=json) as printer:
        options = pipeline.RunOptions(
            env=env,
            target=o.target(standin, recordings, behaviour, host, base_url, key_env, faults),
            limits=pipeline.Limits(max_usd, o.seconds(deadline), concurrency),
            output=pipeline.Output(out, junit, summary, report_url=report_url, split_mb=split, verdict=verdict),
            batch=pipeline.BatchOptions(
                wait=not no_wait, retry_missing=retry_missing, progress=printer.batches, notice=printer.notice
            ),
            extend=extend,
            code=not no_code,
            cache=not no_cache,
            engine=o.engine(engine, ray_address),
            progress=printer.told,
            notice=printer.notice,
        )
        outcome = pipeline.resume_run(run, options, Path.cwd())
        printer.outcomes([outcome])
        annotator.views([outcome.view])
    raise typer.Exit(outcome.exit_code)
