"""`run` and `resume`: the steps in order, from a prepared suite to its reports."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from snapdrift.errors import Interrupted, LeftRunning, NoWorkspaceError, UsageError
from snapdrift.execution.batch_records import BatchSettings
from snapdrift.execution.engine import StopReason
from snapdrift.model import Endpoint, Gate
from snapdrift.pipeline.allowance import (
    Allowance,
    Spender,
    ceiling,
    require_affordable,
    require_budget,
    require_honest_judges,
    require_prices,
    worst_cost,
)
from snapdrift.pipeline.applications import fakes_of, require_unchanged_media
from snapdrift.pipeline.asking import DEFAULT_CONCURRENCY, AskSettings, ask_all
from snapdrift.pipeline.batching import ALL, BATCHED, batch_settings, require_batches, sent_by_batch
from snapdrift.pipeline.concluding import (
    REACHED,
    conclude,
    load_stored_suite,
    write_ci_files,
    write_run_reports,
)
from snapdrift.pipeline.grading import grade_answers, judge_variants
from snapdrift.pipeline.options import RunOptions, RunOutcome, TargetOptions
from snapdrift.pipeline.planning import plan_suite
from snapdrift.pipeline.prepare import Prepared, prepare_all, require_sufficient
from snapdrift.pipeline.provenance import git_facts, run_identity, versions
from snapdrift.pipeline.targets import Target, open_target
from snapdrift.pipeline.workloads import shared_prefixes
from snapdrift.store import (
    RunHeader,
    RunState,
    RunWriter,
    StoredRun,
    find_run,
    list_runs,
    new_run_id,
    open_run,
    run_path,
)
from snapdrift.suites.media import Media

if TYPE_CHECKING:
    from snapdrift.openai_api.catalog import Catalog
    from snapdrift.suites.resolved import Suite
    from snapdrift.suites.workspace import Workspace

TARGET = "target"
"""Under this name a run file keeps where its requests went, so that `resume` needs no options."""


@dataclass(frozen=True, slots=True)
class Work:
    """A suite to be carried out, and everything that this takes besides its run file."""

    suite: Suite
    catalog: Catalog
    workspace: Workspace
    target: Target
    options: RunOptions
    allowance: Allowance
    several: bool = False


def run_suites(paths: Sequence[Path], options: RunOptions) -> tuple[RunOutcome, ...]:
    """Runs suites one after another: load, plan, execute, grade, compare, decide, render.

    All are checked before anything of any is sent. Raises `SnapdriftError`; `Interrupted` leaves a run to resume, and
    so does `LeftRunning`, where batches are not waited for.
    """
    prepared = prepare_all(paths, options)
    if options.batch.all:
        prepared = tuple(map(sent_by_batch, prepared))
    require_batches(prepared, options.batch, own_standin=options.target.standin)
    for one in prepared:
        require_sufficient(one)
        for warning in one.suite.warnings:
            options.notice(f"{one.suite.path}: warning: {warning}")
    allowance = Allowance.of(options.limits)
    spenders = [
        Spender(one.suite, one.gate.name, one.variants, judge_variants(one.suite, batched=options.batch.all))
        for one in prepared
    ]
    asked = [variant for spender in spenders for variant in spender.asked]
    if not options.target.standin:
        for spender in spenders:
            require_prices(spender, prepared[0].catalog, allowance.budget(spender.suite.budget_for(spender.gate)))
    fakes = {fake: sha256 for one in prepared for fake, sha256 in fakes_of(one.suite, one.cases).items()}
    with open_target(options.target, prepared[0].workspace, options.env, asked, fakes) as target:
        require_budget(spenders, prepared[0].catalog, target, allowance)
        for spender in spenders:
            require_honest_judges(spender, target)
        if any(map(target.is_live, asked)):
            begun = [one for one in prepared if _earlier_run(one, _header(one, target, options), options) is None]
            require_affordable([plan_suite(one, options) for one in begun], target, allowance)
        several = len(prepared) > 1
        outcomes, left = [], []
        for one in prepared:
            work = Work(one.suite, one.catalog, one.workspace, target, options, allowance, several)
            with _open_writer(one, target, options) as writer:
                try:
                    outcomes.append(_carry_out(writer, work))
                except LeftRunning as running:
                    left.append(str(running))
                    options.notice(left[-1])
        if outcomes:
            write_ci_files([outcome.view for outcome in outcomes], options.output)
        if left:
            raise LeftRunning("\n".join(left), outcomes)
        return tuple(outcomes)


def resume_run(text: str, options: RunOptions, cwd: Path) -> RunOutcome:
    """Goes on with an interrupted run: nothing that was answered is asked again. Raises `SnapdriftError`.

    Without target options it asks where the run asked before.
    """
    workspace, path = locate_run(text, options, cwd)
    with RunWriter.open(path) as writer:
        with open_run(path) as stored:
            suite, catalog = load_stored_suite(stored, workspace)
            judges = judge_variants(suite, batched=stored.meta(BATCHED) == ALL)
            spender = Spender(suite, stored.header.gate, stored.header.variants, judges)
            options = with_stored_target(stored, options)
            before = stored.meta(REACHED)
        allowance = Allowance.of(options.limits)
        require_unchanged_media(workspace, suite)
        fakes = fakes_of(suite, suite.cases)
        with open_target(options.target, workspace, options.env, spender.asked, fakes) as target:
            require_budget([spender], catalog, target, allowance)
            require_honest_judges(spender, target)
            _require_same_target(path, target.reached(spender.variants), before)
            outcome = _carry_out(writer, Work(suite, catalog, workspace, target, options, allowance))
            write_ci_files([outcome.view], options.output)
            return outcome


def locate_run(text: str, options: RunOptions, cwd: Path) -> tuple[Workspace, Path]:
    """The run that `text` names and the workspace it is worked on in; a run file needs no workspace of its own."""
    from snapdrift.suites.config import Config
    from snapdrift.suites.workspace import Workspace, find_workspace

    try:
        workspace = find_workspace(cwd)
    except NoWorkspaceError:
        if not Path(text).is_file():
            raise
        workspace = Workspace(cwd.resolve(), Config())
    return workspace, find_run(text, runs_dir(workspace, options))


def runs_dir(workspace: Workspace, options: RunOptions) -> Path:
    """Where run files are kept."""
    return (options.output.state_dir or workspace.state_dir) / "runs"


def ask(writer: RunWriter, stored: StoredRun, work: Work, *, answers: bool = True) -> str:
    """Asks what is left to ask (with `answers` False, judges only) and takes its cost from the allowance.

    Returns why asking ended early, empty when it did not. Raises `Interrupted` when the user ended it.
    """
    limits, allowance = work.options.limits, work.allowance
    spent = stored.spent_usd(worst_cost(work.catalog))
    writer.set_state(RunState.RUNNING)
    settings = AskSettings(
        concurrency=limits.concurrency or work.workspace.config.concurrency or DEFAULT_CONCURRENCY,
        budget_usd=ceiling(work.suite, stored.header.gate, work.target, allowance, spent),
        spent_usd=spent,
        ends_at=allowance.ends_at,
        progress=work.options.progress,
        answers=answers,
        batch=work.options.batch,
        batches=_batch_settings(stored, work),
        judges_by_batch=answers and stored.meta(BATCHED) == ALL,
    )
    media = Media(work.workspace, work.suite.media)
    report = asyncio.run(ask_all(writer, stored, work.suite, work.catalog, work.target, settings, media))
    allowance.spend(report.charged_usd)
    if report.stopped is StopReason.CANCELLED:
        writer.set_state(RunState.INTERRUPTED)
        go_on = report.left or f"go on with `snapdrift resume {stored.header.run_id}`"
        raise Interrupted(f"interrupted: {_stored_calls(stored)}; {go_on}")
    if report.stopped is StopReason.LEFT:
        writer.set_state(RunState.INTERRUPTED)
        raise LeftRunning(f"{stored.header.suite}: {_stored_calls(stored)}; {report.detail}")
    return report.detail if report.stopped else ""


def _stored_calls(stored: StoredRun) -> str:
    return f"{len(stored.answered_keys())} of {len(stored.calls())} calls are stored"


def _batch_settings(stored: StoredRun, work: Work) -> BatchSettings:
    models = {variant.model for variant in (*stored.header.variants, *judge_variants(work.suite))}
    config, ends_at = work.workspace.config.batch, work.allowance.ends_at
    return batch_settings(work.options.batch, config, work.catalog, models, ends_at)


def finish(writer: RunWriter, stored: StoredRun, work: Work, stopped: str) -> RunOutcome:
    """Grade, compare, decide, render what is stored. `stopped` says why asking ended early, empty when it did not."""
    writer.replace_scores(grade_answers(stored, work.suite))
    evaluation = conclude(writer, stored, work.suite, stopped)
    writer.finish(datetime.now(UTC).isoformat(timespec="seconds"))
    header = stored.header
    part = header.suite if work.several else None
    view, reports = write_run_reports(stored, work.suite, work.catalog, work.workspace, work.options.output, part)
    return RunOutcome(header.run_id, header.suite, stored.path, header.attempt, evaluation, view, reports)


def _carry_out(writer: RunWriter, work: Work) -> RunOutcome:
    with open_run(writer.path) as stored:
        return finish(writer, stored, work, ask(writer, stored, work))


def _open_writer(prepared: Prepared, target: Target, options: RunOptions) -> RunWriter:
    """The run file to write to: that of the same run made earlier, or a new one with its plan in it."""
    from snapdrift.execution.plan import plan_calls

    header = _header(prepared, target, options)
    directory = runs_dir(prepared.workspace, options)
    earlier = _earlier_run(prepared, header, options)
    if earlier is not None:
        return _take_up(earlier, options)
    prefix_of = shared_prefixes(prepared)
    calls = plan_calls(prepared.cases, prepared.variants, prepared.repeats, prepared.suite.seed, prefix_of)
    writer = RunWriter.create(run_path(header.run_id, directory), header, prepared.cases, calls)
    writer.set_meta(TARGET, options.target.to_json())
    if options.batch.all:
        writer.set_meta(BATCHED, ALL)
    writer.set_meta(REACHED, json.dumps(target.reached(prepared.variants)))
    return writer


def _earlier_run(prepared: Prepared, header: RunHeader, options: RunOptions) -> Path | None:
    """The file of the same run made earlier, None where the run starts anew."""
    fresh = options.fresh or prepared.gate.fresh or prepared.workspace.config.cache == "never"
    # What an application answers depends on more than its file, whose hash is known: one that was tried to the end is
    # run anew.
    finished = all(variant.endpoint is not Endpoint.PYTHON for variant in prepared.variants)
    return None if fresh else _same_run(runs_dir(prepared.workspace, options), header.identity, finished=finished)


def _take_up(path: Path, options: RunOptions) -> RunWriter:
    """The same run again: its answers stand, what failed is asked again, and the attempt is counted."""
    writer = RunWriter.open(path)
    with open_run(path) as stored:
        header = replace(stored.header, attempt=stored.header.attempt + (stored.evaluation is not None))
    writer.replace_header(header)
    options.notice(
        f"{header.suite}: takes up run {header.run_id} of the same commit, suite and gate, attempt {header.attempt}; "
        "its answers stand (--fresh starts anew)"
    )
    return writer


def _same_run(directory: Path, identity: str, *, finished: bool) -> Path | None:
    if not directory.is_dir():
        return None
    same = (run for run in list_runs(directory) if run.identity == identity)
    return next((run.path for run in same if finished or run.state is not RunState.FINISHED), None)


def _header(prepared: Prepared, target: Target, options: RunOptions) -> RunHeader:
    suite, gate = prepared.suite, prepared.gate
    git = git_facts(prepared.workspace.root)
    cases, variants = [case.id for case in prepared.cases], [variant.name for variant in prepared.variants]
    judges = judge_variants(suite)
    now = datetime.now(UTC)
    models = {variant.model for variant in (*prepared.variants, *judges)}
    return RunHeader(
        run_id=new_run_id(now, random.SystemRandom()),
        suite=suite.name,
        gate=gate.name,
        started_at=now.isoformat(timespec="seconds"),
        seed=suite.seed,
        attempt=1,
        identity=run_identity(
            commit=git.commit,
            suite_hash=suite.hash,
            gate=gate.name,
            selection=[cases, variants, prepared.repeats, prepared.partial, *([ALL] if options.batch.all else [])],
            target=target.identity((*prepared.variants, *judges)),
        ),
        suite_stored=suite.to_stored(),
        suite_hash=suite.hash,
        dataset_hash=suite.dataset_hash,
        versions=dict(versions()),
        git_commit=git.commit,
        git_dirty=git.dirty,
        catalog=prepared.catalog.to_stored(models),
        assumptions=assumptions_of(gate),
        planned_repeats=prepared.repeats,
        partial=prepared.partial,
        command=options.command,
        variants=prepared.variants,
    )


def assumptions_of(gate: Gate) -> dict[str, float]:
    """What a decision under the gate takes for granted."""
    return {"discordance": gate.discordance, "confidence": gate.confidence, "max_blind": gate.max_blind}


def with_stored_target(stored: StoredRun, options: RunOptions) -> RunOptions:
    """The options with the run's own target where they name none.

    A run file may be somebody else's: it cannot make this machine send the value of a variable that it names, nor
    write where it says. Raises `UsageError` when the target has to be said again.
    """
    if options.target != TargetOptions():
        return options
    target = TargetOptions.from_json(stored.meta(TARGET) or "{}")
    if target.key_env:
        raise UsageError(
            f"run {stored.header.run_id} asked {target.base_url} with the key in {target.key_env}; "
            f"say so again: --base-url {target.base_url} --key-env {target.key_env}"
        )
    return replace(options, target=replace(target, standin_log=None))


def _require_same_target(path: Path, now: tuple[str, ...], before: str | None) -> None:
    """A run half of which a stand-in answered, or another host, would be neither; raises `UsageError`."""
    if before is not None and list(now) != json.loads(before):
        then = ", ".join(json.loads(before))
        raise UsageError(f"run {path.stem} asked {then}; found {', '.join(now)} to go on with; name the same target")
