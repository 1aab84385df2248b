"""`run` and `resume`: the steps in order, from a prepared suite to its reports."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from snapdrift.errors import Interrupted, LeftRunning
from snapdrift.execution.batch_records import BatchSettings
from snapdrift.execution.daily import day_share
from snapdrift.execution.engine import StopReason
from snapdrift.pipeline.allowance import (
    Allowance,
    Spender,
    ceiling,
    never,
    per_day,
    require_affordable,
    require_budget,
    require_honest_judges,
    require_prices,
    worst_cost,
)
from snapdrift.pipeline.applications import fakes_of, require_unchanged_media
from snapdrift.pipeline.asking import AskSettings, ask_all
from snapdrift.pipeline.batching import (
    ALL,
    BATCHED,
    batch_settings,
    require_batch_hosts,
    require_batches,
    require_no_looks,
    sent_by_batch,
)
from snapdrift.pipeline.concluding import (
    conclude,
    load_stored_suite,
    write_ci_files,
    write_run_reports,
)
from snapdrift.pipeline.fallbacks import BaselineGone, require_baselines
from snapdrift.pipeline.fleet import open_fleet, require_no_batches
from snapdrift.pipeline.grading_workers import store_scores
from snapdrift.pipeline.indexing import refresh_index
from snapdrift.pipeline.judge_records import known_records, records_dir
from snapdrift.pipeline.labelling import store_records
from snapdrift.pipeline.options import DEFAULT_CONCURRENCY, RunOptions, RunOutcome
from snapdrift.pipeline.own_code import require_code_allowed
from snapdrift.pipeline.pacing import Account, known_limits
from snapdrift.pipeline.planning import SuitePlan, plan_suite
from snapdrift.pipeline.prepare import Prepared, require_sufficient, to_be_run
from snapdrift.pipeline.references import reference_lines
from snapdrift.pipeline.reruns import REACHED
from snapdrift.pipeline.reusing import open_reusing, taken_sentence
from snapdrift.pipeline.run_files import (
    earlier_run,
    header_of,
    locate_run,
    open_writer,
    require_same_target,
    runs_dir,
    with_stored_target,
)
from snapdrift.pipeline.said import Said
from snapdrift.pipeline.seeding import seed_baseline
from snapdrift.pipeline.sequences import require_extendable, rest_cases
from snapdrift.pipeline.sharding import ending_of, part_of, require_shardable, with_own_budget
from snapdrift.pipeline.sharing import (
    FINISHING,
    JUDGES,
    JudgeShare,
    Schedule,
    finishing_record,
    finishing_seconds,
    judge_share,
    schedule,
)
from snapdrift.pipeline.spending import keep_notes, nothing_in_flight_after, unseen_usd
from snapdrift.pipeline.suite_graders import graders_of, judge_variants
from snapdrift.pipeline.targets import Target, open_target
from snapdrift.pipeline.unanswered import unanswered_warning
from snapdrift.store import RunState, RunWriter, StoredRun, open_run
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


def run_suites(paths: Sequence[Path], options: RunOptions) -> tuple[RunOutcome, ...]:
    """Runs suites one after another: load, plan, execute, grade, compare, decide, render.

    All are checked before anything of any is sent. Those that need not be asked (`options.changed`, a baseline that is
    what it was) are told to `options.settled` and make no run: there may be no outcome at all. A baseline whose model
    is gone is compared with by its fallback. Raises `SnapdriftError`; `Interrupted` leaves a run to resume, and so
    does `LeftRunning`, where batches are not waited for.
    """
    said = Said()
    try:
        return _run_suites(paths, said.kept(options))
    except BaselineGone as gone:
        return _run_suites(paths, said.once(replace(options, fallbacks={**options.fallbacks, **gone.because})))


def _run_suites(paths: Sequence[Path], options: RunOptions) -> tuple[RunOutcome, ...]:
    allowance = Allowance.of(options.limits)
    work_list = to_be_run(paths, options)
    prepared, settled = work_list.prepared, work_list.settled
    if not prepared:
        write_ci_files([], options.output, settled)
        return ()
    if options.batch.all:
        require_no_looks(prepared)
        prepared = tuple(map(sent_by_batch, prepared))
    require_batches(prepared, options.batch, own_standin=options.target.standin)
    require_shardable(prepared, options.shard)
    require_no_batches([v for one in prepared for v in one.variants], options)
    parts = [part_of(one, options.shard) for one in prepared]
    for one in prepared:
        require_sufficient(one)
    spenders = [
        Spender(one.suite, one.gate.name, one.variants, judge_variants(one.suite, batched=options.batch.all))
        for one in parts
    ]
    asked = [variant for spender in spenders for variant in spender.asked]
    if not options.target.standin:
        for spender in spenders:
            limit = allowance.budget(spender.suite.budget_for(spender.gate))
            a_day = spender.suite.budget_per_day_for(spender.gate)
            require_prices(spender, prepared[0].catalog, a_day if limit is None else limit)
    fakes = {fake: sha256 for one in prepared for fake, sha256 in fakes_of(one.suite, one.askable).items()}
    graders = [grader for one in prepared for grader in graders_of(one.suite)]
    workspace, code = prepared[0].workspace, options.code
    with (
        open_target(options.target, workspace, options.env, asked, fakes, graders, code=code) as own,
        open_fleet(own, options, workspace, asked, graders) as target,
    ):
        require_batch_hosts(asked, target)
        require_baselines(prepared, target)
        _tell_warnings(prepared, options)
        require_budget(spenders, prepared[0].catalog, target, allowance)
        for spender, one in zip(spenders, prepared, strict=True):
            require_honest_judges(spender, target, measured=True if one.judges_real_answers_of_then else None)
        plans = _affordable_plans(prepared, parts, target, allowance, options)
        several = len(prepared) > 1
        later = _finishing_later(parts, allowance, options)
        outcomes, left = [], []
        for one, part, later_s in zip(prepared, parts, later, strict=True):
            last = one is prepared[-1]
            work = Work(part.suite, one.catalog, one.workspace, target, options, allowance, several, later_s, last)
            with open_writer(one, target, options) as writer:
                _keep_judge_share(writer, part, plans, work)
                try:
                    outcomes.append(_carry_out(writer, work))
                except LeftRunning as running:
                    left.append(str(running))
                    options.notice(left[-1])
        index = refresh_index(prepared[0].workspace, options)
        outcomes = [replace(outcome, index=index) for outcome in outcomes]
        if outcomes:
            write_ci_files([outcome.view for outcome in outcomes], options.output, settled)
        if left:
            raise LeftRunning("\n".join(left), outcomes)
        return tuple(outcomes)


def resume_run(text: str, options: RunOptions, cwd: Path) -> RunOutcome:
    """Goes on with an interrupted run: nothing that was answered is asked again. Raises `SnapdriftError`.

    Without target options it asks where the run asked before. `options.extend` goes on topping up a finished run, which
    only one that was declared for it may be.
    """
    workspace, path = locate_run(text, options, cwd)
    with RunWriter.open(path) as writer:
        with open_run(path) as stored:
            suite, catalog = load_stored_suite(stored, workspace, code=options.code)
            suite = with_own_budget(suite, stored.header)
            judges = judge_variants(suite, batched=stored.meta(BATCHED) == ALL)
            spender = Spender(suite, stored.header.gate, stored.header.variants, judges)
            options = with_stored_target(stored, options)
            before = stored.meta(REACHED)
            if options.extend:
                require_extendable(stored)
            rest = rest_cases(stored).values()
            askable = (*suite.cases, *rest) if rest else suite.cases
        allowance = Allowance.of(options.limits)
        require_code_allowed(suite, askable, workspace, allowed=options.code)
        require_unchanged_media(workspace, suite)
        fakes = fakes_of(suite, askable)
        graders = graders_of(suite)
        require_no_batches(spender.asked, options)
        with (
            open_target(
                options.target, workspace, options.env, spender.asked, fakes, graders, code=options.code
            ) as own,
            open_fleet(own, options, workspace, spender.asked, graders) as target,
        ):
            require_batch_hosts(spender.asked, target)
            require_budget([spender], catalog, target, allowance)
            require_honest_judges(spender, target)
            require_same_target(path, target.reached(spender.variants), before)
            work = Work(suite, catalog, workspace, target, options, allowance, last=True)
            outcome = _carry_out(writer, work)
            write_ci_files([outcome.view], options.output)
            return replace(outcome, index=refresh_index(workspace, options))


def _tell_warnings(prepared: Sequence[Prepared], options: RunOptions) -> None:
    """Says what is to be known of the suites, once it is known what they are compared with."""
    for one in prepared:
        warnings = (f"warning: {warning}" for warning in one.suite.warnings)
        for text in (*warnings, *_of_standin(one, options), *one.calibration, *reference_lines(one.suite)):
            options.notice(f"{one.suite.path}: {text}")


def _of_standin(one: Prepared, options: RunOptions) -> list[str]:
    text = unanswered_warning(one.suite, one.variants, one.workspace, options.target)
    return [] if text is None else [f"warning: {text}"]


def _affordable_plans(
    prepared: Sequence[Prepared], parts: Sequence[Prepared], target: Target, allowance: Allowance, options: RunOptions
) -> dict[str, SuitePlan]:
    """What the suites that are begun anew would take, by path; none where no real model is asked.

    Raises `UsageError` where that is expected to cost more than it may.
    """
    if not any(target.is_live(variant) for one in prepared for variant in (*one.variants, *judge_variants(one.suite))):
        return {}
    begun = [
        part
        for one, part in zip(prepared, parts, strict=True)
        if earlier_run(one, header_of(one, target, options), options) is None
    ]
    plans = {part.suite.path: plan_suite(part, options) for part in begun}
    require_affordable(tuple(plans.values()), target, allowance)
    return plans


def _keep_judge_share(writer: RunWriter, one: Prepared, plans: Mapping[str, SuitePlan], work: Work) -> None:
    """Puts into the run file which part of a limited run is the judges'; nothing where nothing limits it."""
    limit = ceiling(one.suite, one.gate.name, work.target, work.allowance)
    if judge_variants(one.suite) and (limit is not None or work.allowance.ends_at is not None):
        plan = plans.get(one.suite.path) or plan_suite(one, work.options)
        writer.set_meta(JUDGES, judge_share(plan).to_json())


def _finishing_later(prepared: Sequence[Prepared], allowance: Allowance, options: RunOptions) -> list[float]:
    """For each suite the seconds that finishing those after it will take; none where no deadline comes."""
    if allowance.ends_at is None:
        return [0.0] * len(prepared)
    directory = runs_dir(prepared[0].workspace, options)
    each = [
        finishing_seconds(directory, one.suite.name, len(one.cases) * len(one.variants) * one.repeats)
        for one in prepared
    ]
    return [sum(each[position + 1 :]) for position in range(len(each))]


def ask(writer: RunWriter, stored: StoredRun, work: Work, *, answers: bool = True) -> str:
    """Asks what is left to ask (with `answers` False, judges only) and takes its cost from the allowance.

    Returns why asking ended early, empty when it did not. Raises `Interrupted` when the user ended it.
    """
    limits, allowance = work.options.limits, work.allowance
    spent = stored.spent_usd(worst_cost(work.catalog, is_roomy=never)) + unseen_usd(writer, stored)
    if answers:
        seed_baseline(writer, stored, work.suite, work.workspace, work.options)
    writer.set_state(RunState.RUNNING)
    reusing = partial(open_reusing, writer, stored, work.suite, work.catalog, work.workspace, work.target, work.options)
    directory, header, share = runs_dir(work.workspace, work.options), stored.header, JudgeShare.of(stored)
    times = _schedule(stored, work, share.seconds if answers else 1.0)
    settings = AskSettings(
        concurrency=limits.concurrency or work.workspace.config.concurrency or DEFAULT_CONCURRENCY,
        budget_usd=ceiling(work.suite, stored.header.gate, work.target, allowance, spent),
        spent_usd=spent,
        times=times,
        judge_share=share.usd if answers else 0.0,
        progress=work.options.progress,
        answers=answers,
        batch=work.options.batch,
        batches=_batch_settings(stored, work, times),
        judges_by_batch=answers and stored.meta(BATCHED) == ALL,
        extend=work.options.extend,
        notice=work.options.notice,
        stop=work.options.stop,
    )
    asked = (*stored.header.variants, *judge_variants(work.suite))
    work.target.pace.know(known_limits(Account(work.workspace.config, work.catalog), work.target, asked))
    from snapdrift.openai_api.text_tokens import load_tokenizer

    media = Media(work.workspace, work.suite.media)
    a_day = per_day(work.suite, header.gate, work.target)
    work.target.prepare()
    if settings.budget_usd is not None or a_day is not None:
        load_tokenizer()  # where money is tight, texts are counted while requests are in flight
    with (
        day_share(directory.parent, header.suite, header.run_id, a_day) as day,
        nothing_in_flight_after(writer),
        reusing(answers=answers) as known,
        what_is_loaded_left_alone(),
    ):
        settings = replace(settings, reusing=known)
        report = asyncio.run(ask_all(writer, stored, work.suite, work.catalog, work.target, settings, media, day))
        if known is not None and known.taken:
            work.options.notice(taken_sentence(stored.header.suite, known.taken))
    allowance.spend(report.charged_usd)
    work.options.charged(report.charged_usd)
    keep_notes(writer, stored, report.notes)
    if report.stopped is StopReason.CANCELLED:
        writer.set_state(RunState.INTERRUPTED)
        go_on = report.left or f"go on with `snapdrift resume {stored.header.run_id}`"
        raise Interrupted(f"interrupted: {_stored_calls(stored)}; {go_on}")
    if report.stopped is StopReason.LEFT:
        writer.set_state(RunState.INTERRUPTED)
        raise LeftRunning(f"{stored.header.suite}: {_stored_calls(stored)}; {report.detail}")
    return report.detail if report.stopped else ""


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
    store_scores(writer, stored, work.suite, work.target.code, work.options.notice)
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


def _carry_out(writer: RunWriter, work: Work) -> RunOutcome:
    with open_run(writer.path) as stored:
        try:
            stopped = ask(writer, stored, work)
            if work.last:
                work.target.asking_is_over()
            return finish(writer, stored, work, stopped)
        except KeyboardInterrupt:
            raise Interrupted(_where_it_stands(stored)) from None


def _where_it_stands(stored: StoredRun) -> str:
    """What to do about a run that was cut off outside the orderly stop of asking: between two of its steps."""
    run = stored.header.run_id
    if stored.state is RunState.FINISHED:
        return f"interrupted: run {run} is finished; `snapdrift report {run}` writes its pages"
    return f"interrupted: {_stored_calls(stored)}; go on with `snapdrift resume {run}`"
