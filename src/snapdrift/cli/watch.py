"""`snapdrift watch`: whether the alias has moved or changed."""

from __future__ import annotations

from typing import Annotated

import typer

from snapdrift.cli import options as o
from snapdrift.errors import UsageError
from snapdrift.exit_codes import combine_exit_codes


def watch(
    suites: o.SuitePaths,
    gate: o.GateName = None,
    standin: o.Standin = False,
    recordings: o.Recordings = None,
    behaviour: o.Behaviour = None,
    faults: o.Faults = None,
    standin_log: o.StandinLog = None,
    host: o.HostName = None,
    base_url: o.BaseUrl = None,
    key_env: o.KeyEnv = None,
    cases: Annotated[
        int, typer.Option("--cases", min=1, help="Cases that the canary asks of each side a night.", metavar="N")
    ] = 20,
    false_alarm: Annotated[
        float | None,
        typer.Option(
            "--false-alarm", help="Chance of any false alarm, ever (default: 1 - the gate's confidence).", metavar="P"
        ),
    ] = None,
    max_usd: o.MaxUsd = None,
    deadline: o.Deadline = None,
    concurrency: o.Concurrency = None,
    no_code: o.NoCode = False,
    out: o.OutDir = None,
    junit: o.Junit = None,
    summary: o.Summary = None,
    report_url: o.ReportUrl = None,
    json: Annotated[bool, typer.Option("--json", help="Print it as JSON (format `snapdrift.watch/1`).")] = False,
    quiet: o.Quiet = False,
) -> None:
    """Watch an alias night by night: a probe, a few cases against the pinned snapshot, and the suite if they trip.

    Ends with 0 where all is quiet, with 3 on a night that counts for nothing, and with the suite's code where it ran.
    What is known is carried from night to night in `.snapdrift/watch/`.

    Examples:
      snapdrift watch evals/sentiment.yaml --max-usd 2
      snapdrift watch evals/sentiment.yaml --standin --cases 40 --false-alarm 0.01
    """
    from snapdrift import pipeline
    from snapdrift.cli.printing import Printer
    from snapdrift.cli.watched import watched, watched_json

    if false_alarm is not None and not 0 < false_alarm < 1:
        raise UsageError(f"--false-alarm: found {false_alarm:g}; expected a chance between 0 and 1, such as 0.01")
    with Printer(quiet=quiet) as printer:
        options = pipeline.RunOptions(
            env=o.environment(),
            gate=gate,
            target=o.target(standin, recordings, behaviour, host, base_url, key_env, faults, standin_log),
            limits=pipeline.Limits(max_usd, o.seconds(deadline), concurrency),
            output=pipeline.Output(out, junit, summary, report_url=report_url),
            code=not no_code,
            command=o.command_line(),
            progress=printer.progress,
            notice=printer.notice,
        )
        nights = []
        for night in pipeline.watch_suites(suites, options, pipeline.WatchOptions(cases, false_alarm)):
            nights.append(night)
            if json:
                continue
            printer.text(watched(night))
            if night.outcome is not None:
                printer.outcomes([night.outcome])
        if json:
            printer.text(watched_json(nights).rstrip("\n"))
    raise typer.Exit(combine_exit_codes([night.exit_code for night in nights]))
