"""`snapdrift run`: the whole flow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from snapdrift.cli import options as o
from snapdrift.errors import LeftRunning
from snapdrift.exit_codes import ExitCode, combine_exit_codes

if TYPE_CHECKING:
    from snapdrift.cli.annotating import Annotator
    from snapdrift.cli.printing import Printer
    from snapdrift.pipeline import RunOutcome


def run(
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
    variant: o.Variants = None,
    case: o.Cases = None,
    tag: o.Tags = None,
    failed: o.Failed = None,
    sample: o.SampleSize = None,
    repeats: o.Repeats = None,
    max_usd: o.MaxUsd = None,
    deadline: o.Deadline = None,
    concurrency: o.Concurrency = None,
    engine: o.EngineName = None,
    ray_address: o.RayAddress = None,
    shard: o.ShardText = None,
    early_stop: o.EarlyStop = False,
    baseline_ref: o.BaselineRef = None,
    changed: o.Changed = None,
    batch: o.Batch = False,
    no_wait: o.NoWait = False,
    retry_missing: o.RetryMissing = False,
    fresh: o.Fresh = False,
    no_cache: o.NoCache = False,
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
    """Run suites: ask, grade, compare, decide, report.

    Examples:
      snapdrift run evals/ticket-triage.yaml --standin
      snapdrift run evals/*.yaml --max-usd 5 --junit junit.xml
      snapdrift run evals/word-problems.yaml --case wp-017 --variant mini
      snapdrift run evals/word-problems.yaml --failed latest --standin
      snapdrift run evals/ticket-triage.yaml --batch --no-wait --max-usd 5
      snapdrift run evals/word-problems.yaml --standin --early-stop
      snapdrift run evals/ticket-triage.yaml --standin --shard 1/2
      snapdrift run evals/*.yaml --changed main --baseline-ref merge-base --max-usd 5
    """
    from snapdrift import pipeline
    from snapdrift.cli.annotating import annotating
    from snapdrift.cli.printing import Printer
    from snapdrift.standin.ahead import started_ahead

    # Long as the list of options is: each goes to its place in `RunOptions`, and nothing is decided here.
    env = o.environment()
    with (
        started_ahead(wanted=standin),
        annotating(annotations, env, suites) as annotator,
        Printer(quiet=quiet, json=json) as printer,
    ):
        options = pipeline.RunOptions(
            env=env,
            gate=gate,
            selection=pipeline.Selection(
                tuple(case or ()), tuple(tag or ()), tuple(variant or ()), sample, repeats, tuple(failed or ())
            ),
            target=o.target(standin, recordings, behaviour, host, base_url, key_env, faults, standin_log),
            limits=pipeline.Limits(max_usd, o.seconds(deadline), concurrency),
            output=pipeline.Output(out, junit, summary, report_url=report_url, split_mb=split, verdict=verdict),
            batch=pipeline.BatchOptions(
                batch, not no_wait, retry_missing, progress=printer.batches, notice=printer.notice
            ),
            fresh=fresh,
            early_stop=early_stop,
            baseline_ref=baseline_ref,
            changed=changed,
            code=not no_code,
            cache=not no_cache,
            engine=o.engine(engine, ray_address),
            shard=o.shard(shard),
            command=o.command_line(),
            progress=printer.told,
            notice=printer.notice,
            settled=printer.settled,
        )
        try:
            outcomes = pipeline.run_suites(suites, options)
        except LeftRunning as left:
            if left.finished:
                _tell(left.finished, printer, annotator)
            codes = [*printer.unasked_codes, *(outcome.exit_code for outcome in left.finished)]
            raise typer.Exit(combine_exit_codes([*codes, ExitCode.INCOMPLETE])) from None
        _tell(outcomes, printer, annotator)
    raise typer.Exit(combine_exit_codes([*printer.unasked_codes, *(outcome.exit_code for outcome in outcomes)]))


def _tell(outcomes: Sequence[RunOutcome], printer: Printer, annotator: Annotator) -> None:
    printer.outcomes(outcomes)
    annotator.views([outcome.view for outcome in outcomes])
