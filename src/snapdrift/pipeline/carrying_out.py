"""One run, from what is left to ask of it to its reports: `ask`, grade, compare, decide, render."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from snapdrift.errors import Interrupted, LeftRunning
from snapdrift.execution.batch_records import BatchSettings
from snapdrift.execution.daily import day_share
from snapdrift.execution.engine import StopReason
from snapdrift.pipeline.allowance import Allowance, ceiling, never, per_day, worst_cost
from snapdrift.pipeline.asking import Asked, AskSettings, ask_all
from snapdrift.pipeline.batching import ALL, BATCHED, batch_settings
from snapdrift.pipeline.concluding import conclude, write_run_reports
from snapdrift.pipeline.going_on import Stopped, way_on
from snapdrift.pipeline.grading_workers import store_scores
from snapdrift.pipeline.judge_records import known_records, records_dir
from snapdrift.pipeline.labelling import store_records
from snapdrift.pipeline.options import DEFAULT_CONCURRENCY, RunOptions, RunOutcome
from snapdrift.pipeline.pacing import Account, known_limits
from snapdrift.pipeline.reusing import open_reusing, taken_sentence
from snapdrift.pipeline.run_files import runs_dir
from snapdrift.pipeline.seeding import seed_baseline
from snapdrift.pipeline.sharding import ending_of
from snapdrift.pipeline.sharing import (
    FINISHING,
    JudgeShare,
    Schedule,
    finishing_record,
    finishing_seconds,
    schedule,
)
from snapdrift.pipeline.spending import keep_notes, nothing_in_flight_after, unseen_usd
from snapdrift.pipeline.stepping import PlannedCalls
from snapdrift.pipeline.suite_graders import judge_variants
from snapdrift.pipeline.targets import Target
from snapdrift.store import RunState, RunWriter, StoredRun, open_run
from snapdrift.store.format import ATTEMPT_STARTED
from snapdrift.suites.media import Media

if TYPE_CHECKING:
    from snapdrift.openai_api.catalog import Catalog
    from snapdrift.suites.resolved import Suite
    from snapdrift.suites.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Work:
    """A suite to be carried out, and everything that this takes besides its run file.

    `later_s` are the seconds that finishing the suites after it will take: no deadline leaves them without a report.
    The `last` of a command is the last that asks.
    """

    suite: Suite
    catalog: Catalog
    workspace: Workspace
    target: Target
    options: RunOptions
    allowance: Allowance
    several: bool = False
    later_s: float = 0.0
    last: bool = False


def carry_out(writer: RunWriter, work: Work) -> RunOutcome:
    """Asks what is left to ask of a run, and finishes it. `Interrupted` and `LeftRunning` leave one to resume."""
    begin_attempt(writer)
    with open_run(writer.path) as stored, saying_where_it_stands(stored):
        stopped = ask(writer, stored, work)
        if work.last:
            work.target.asking_is_over()
        return replace(finish(writer, stored, work, stopped.why), go_on=way_on(stored.header, work.suite, stopped))


def begin_attempt(writer: RunWriter) -> None:
    """Notes when this command began to work on the run: what came before it, maybe days ago, is not its time."""
    writer.set_meta(ATTEMPT_STARTED, datetime.now(UTC).isoformat(timespec="seconds"))


@contextmanager
def saying_where_it_stands(stored: StoredRun) -> Iterator[None]:
    """Raises `Interrupted`, with what to do, for a run that is cut off outside the orderly stop of asking."""
    try:
        yield
    except KeyboardInterrupt:
        run = stored.header.run_id
        if stored.state is RunState.FINISHED:
            text = f"interrupted: run {run} is finished; `snapdrift report {run}` writes its pages"
        else:
            text = f"interrupted: {_stored_calls(stored)}; go on with `snapdrift resume {run}`"
        raise Interrupted(text) from None


def ask(writer: RunWriter, stored: StoredRun, work: Work, *, answers: bool = True) -> Stopped:
    """Asks what is left to ask (with `answers` False, judges only) and takes its cost from the allowance.

    Raises `Interrupted` when the user ended it.
    """
    spent = stored.spent_usd(worst_cost(work.catalog, is_roomy=never)) + unseen_usd(writer, stored)
    if answers:
        seed_baseline(writer, stored, work.suite, work.workspace, work.options)
    writer.set_state(RunState.RUNNING)
    settings = _ask_settings(stored, work, spent, answers=answers)
    asked = (*stored.header.variants, *judge_variants(work.suite))
    work.target.pace.know(known_limits(Account(work.workspace.config, work.catalog), work.target, asked))
    work.target.prepare()
    report = _asked(writer, stored, work, settings)
    work.allowance.spend(report.charged_usd)
    work.options.charged(report.charged_usd)
    keep_notes(writer, stored, report.notes)
    _require_ended(writer, stored, report)
    return Stopped(report.detail, report.limit) if report.stopped else Stopped()


def _ask_settings(stored: StoredRun, work: Work, spent_usd: float, *, answers: bool) -> AskSettings:
    """What asking keeps to, but for the answers of earlier runs, which are open for as long as it lasts only."""
    options, share = work.options, JudgeShare.of(stored)
    times = _schedule(stored, work, share.seconds if answers else 1.0)
    limit = ceiling(work.suite, stored.header.gate, work.target, work.allowance, spent_usd)
    return AskSettings(
        concurrency=options.limits.concurrency or work.workspace.config.concurrency or DEFAULT_CONCURRENCY,
        budget_usd=limit.usd,
        command=limit.command,
        spent_usd=spent_usd,
        times=times,
        judge_share=share.usd if answers else 0.0,
        progress=options.progress,
        answers=answers,
        batch=options.batch,
        batches=_batch_settings(stored, work, times),
        judges_by_batch=answers and stored.meta(BATCHED) == ALL,
        extend=options.extend,
        notice=options.notice,
        stop=options.stop,
    )


def _asked(writer: RunWriter, stored: StoredRun, work: Work, settings: AskSettings) -> Asked:
    """Asks within what the suite may spend today, with the answers of earlier runs at hand."""
    from snapdrift.openai_api.text_tokens import load_tokenizer

    header, options = stored.header, work.options
    a_day = per_day(work.suite, header.gate, work.target)
    if settings.budget_usd is not None or a_day is not None:
        load_tokenizer()  # where money is tight, texts are counted while requests are in flight
    media = Media(work.workspace, work.suite.media)
    reusing = open_reusing(
        writer, stored, work.suite, work.catalog, work.workspace, work.target, options, answers=settings.answers
    )
    with (
        day_share(runs_dir(work.workspace, options).parent, header.suite, header.run_id, a_day) as day,
        nothing_in_flight_after(writer),
        reusing as known,
        what_is_loaded_left_alone(),
    ):
        settings = replace(settings, reusing=known)
        calls = PlannedCalls(writer, stored, work.target, media)
        asking = ask_all(writer, stored, work.suite, work.catalog, work.target, settings, calls, calls.requests(), day)
        report = asyncio.run(asking)
        if known is not None and known.taken:
            options.notice(taken_sentence(header.suite, known.taken))
    return report


def _require_ended(writer: RunWriter, stored: StoredRun, report: Asked) -> None:
    """Marks a run that is to be gone on with as interrupted. Raises `Interrupted` or `LeftRunning` for one."""
    if report.stopped is StopReason.CANCELLED:
        writer.set_state(RunState.INTERRUPTED)
        go_on = report.left or f"go on with `snapdrift resume {stored.header.run_id}`"
        raise Interrupted(f"interrupted: {_stored_calls(stored)}; {go_on}")
    if report.stopped is StopReason.LEFT:
        writer.set_state(RunState.INTERRUPTED)
        raise LeftRunning(f"{stored.header.suite}: {_stored_calls(stored)}; {report.detail}")


_FROZEN_BY_PYTHON = 1_000
"""More objects than the interpreter itself freezes as it starts: 375 in Python 3.12, none in 3.11 and 3.13."""


@contextmanager
def what_is_loaded_left_alone() -> Iterator[None]:
    """Has Python's search for cycles pass over all that is loaded: going through it takes a tenth of a second a time.

    While requests are in flight nobody should wait for that. A program of which this is a part, and which has done so
    already, keeps it.
    """
    if gc.get_freeze_count() > _FROZEN_BY_PYTHON:
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _schedule(stored: StoredRun, work: Work, judges: float) -> Schedule:
    """When answers and judges end, so that what came can be reported until the deadline of the command."""
    ends_at, directory = work.allowance.ends_at, runs_dir(work.workspace, work.options)
    if ends_at is None:
        return Schedule()
    finishing = finishing_seconds(directory, stored.header.suite, len(stored.calls()))
    return schedule(ends_at, finishing + work.later_s, judges, time.monotonic())


def _stored_calls(stored: StoredRun) -> str:
    counts = stored.counts()
    return f"{counts.answered} of {counts.planned} calls are stored"


def _batch_settings(stored: StoredRun, work: Work, times: Schedule) -> BatchSettings:
    models = {variant.model for variant in (*stored.header.variants, *judge_variants(work.suite))}
    config, ends_at = work.workspace.config.batch, times.answers.waits_until
    if config.tier is None:
        config = config.model_copy(update={"tier": work.workspace.config.limits.tier})
    return batch_settings(work.options.batch, config, work.catalog, models, ends_at)


def finish(writer: RunWriter, stored: StoredRun, work: Work, stopped: str) -> RunOutcome:
    """Grade, compare, decide, render what is stored. `stopped` says why asking ended early, empty when it did not."""
    began = time.monotonic()
    store_scores(writer, stored, work.suite, work.target.code, work.options.notice, work.options.progress)
    outcome = settle(writer, stored, work, stopped)
    calls = sum(sum(variant.outcomes.values()) for variant in outcome.evaluation.variants)
    writer.set_meta(FINISHING, finishing_record(began, calls))
    return outcome


def settle(writer: RunWriter, stored: StoredRun, work: Work, stopped: str) -> RunOutcome:
    """Compare, decide, render from the scores that are stored; nothing is asked and no code of the workspace runs."""
    known = known_records(work.suite, records_dir(work.workspace, work.options))
    for problem in known.problems:
        work.options.notice(problem)
    store_records(writer, known.records)
    evaluation = conclude(writer, stored, work.suite, stopped)
    writer.finish(datetime.now(UTC).isoformat(timespec="seconds"))
    header = stored.header
    part = header.suite if work.several else None
    view, reports = write_run_reports(stored, work.suite, work.catalog, work.workspace, work.options.output, part)
    return RunOutcome(
        header.run_id,
        header.suite,
        stored.path,
        header.attempt,
        evaluation,
        view,
        reports,
        shard=ending_of(stored, work.suite, stopped),
    )
