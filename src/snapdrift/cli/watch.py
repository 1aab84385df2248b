"""`snapdrift watch`: whether the alias has moved or changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from snapdrift.cli import options as o
from snapdrift.errors import StoreError, UsageError
from snapdrift.exit_codes import ExitCode, combine_exit_codes

if TYPE_CHECKING:
    from snapdrift.cli.annotating import Annotator
    from snapdrift.pipeline import Night, RunOptions


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
    overdue: Annotated[
        str | None,
        typer.Option(
            "--overdue",
            help="Ask nothing: say when nights last reported, and end with 3 if that is longer ago than `3d`, `36h`.",
            metavar="TIME",
        ),
    ] = None,
    max_usd: o.MaxUsd = None,
    deadline: o.Deadline = None,
    concurrency: o.Concurrency = None,
    no_code: o.NoCode = False,
    out: o.OutDir = None,
    junit: o.Junit = None,
    summary: o.Summary = None,
    verdict: o.Verdict = None,
    annotations: o.Annotations = "auto",
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
      snapdrift watch evals/sentiment.yaml --overdue 3d
    """
    from snapdrift import pipeline
    from snapdrift.cli.annotating import annotating
    from snapdrift.cli.printing import Printer
    from snapdrift.cli.watched import watched, watched_json, watched_markdown

    if false_alarm is not None and not 0 < false_alarm < 1:
        raise UsageError(f"--false-alarm: found {false_alarm:g}; expected a chance between 0 and 1, such as 0.01")
    env = o.environment()
    with annotating(annotations, env, suites) as annotator, Printer(quiet=quiet) as printer:
        options = pipeline.RunOptions(
            env=env,
            gate=gate,
            target=o.target(standin, recordings, behaviour, host, base_url, key_env, faults, standin_log),
            limits=pipeline.Limits(max_usd, o.seconds(deadline), concurrency),
            output=pipeline.Output(out, junit, report_url=report_url),
            code=not no_code,
            command=o.command_line(),
            progress=printer.told,
            notice=printer.notice,
        )
        if overdue is not None:
            raise typer.Exit(_overdue(suites, options, overdue, summary, annotator))
        nights: list[Night] = []
        for night in pipeline.watch_suites(suites, options, pipeline.WatchOptions(cases, false_alarm)):
            nights.append(night)
            if json:
                continue
            printer.text(watched(night))
            if night.outcome is not None:
                printer.outcomes([night.outcome])
        if json:
            printer.text(watched_json(nights).rstrip("\n"))
        _write(summary, watched_markdown, nights)
        _write(verdict, watched_json, nights)
        _annotate(annotator, nights)
    raise typer.Exit(combine_exit_codes([night.exit_code for night in nights]))


def _overdue(
    suites: Sequence[Path], options: RunOptions, text: str, summary: Path | None, annotator: Annotator
) -> ExitCode:
    """Says when nights last reported; 3 where one is overdue."""
    from snapdrift import pipeline
    from snapdrift.cli.watched import reported, reported_markdown
    from snapdrift.suites.gates import age_in_seconds

    within = age_in_seconds(text)
    if within is None:
        raise UsageError(f"--overdue: found {text!r}; expected a time such as 36h, 3d or 1w")
    reports = pipeline.last_reports(suites, options, within)
    for report in reports:
        typer.echo(reported(report))
    _write(summary, reported_markdown, reports)
    late = [reported(report) for report in reports if report.overdue]
    annotator.errors(late)
    return ExitCode.INCOMPLETE if late else ExitCode.PASSED


def _write(path: Path | None, render: Callable[[Sequence[Any]], str], what: Sequence[Any]) -> None:
    """Writes what an option asks for, whole."""
    if path is None:
        return
    from snapdrift.reports.files import whole_file

    try:
        with whole_file(path) as draft:
            draft.write_text(render(what), encoding="utf-8")
    except OSError as error:
        raise StoreError(f"{path}: cannot be written ({error.strerror}); the night is over, and kept") from error


def _annotate(annotator: Annotator, nights: Sequence[Night]) -> None:
    """An alarm is a warning: whether it makes the night red is the suite's to say."""
    for night in nights:
        failed = [f"the night counts for nothing: {night.failed}"] if night.failed else []
        annotator.notes(f"Snapdrift watch: {night.suite}", [*night.tripped, *failed])
    annotator.views([night.outcome.view for night in nights if night.outcome is not None])
