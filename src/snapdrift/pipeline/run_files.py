"""Run files as `run` and `resume` open them: which file, what is in it from the first moment, and where it asks."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from snapdrift.errors import NoWorkspaceError, UsageError
from snapdrift.model import Call, Endpoint, Gate
from snapdrift.pipeline.batching import ALL, BATCHED
from snapdrift.pipeline.cut_off import go_on_from_cut_off
from snapdrift.pipeline.options import RunOptions, TargetOptions
from snapdrift.pipeline.prepare import Prepared
from snapdrift.pipeline.provenance import git_facts, run_identity, versions
from snapdrift.pipeline.reruns import REACHED, earlier_decisions
from snapdrift.pipeline.sequences import meta_of
from snapdrift.pipeline.sharding import as_shard, calls_of_shard, meta_of_shard, part_of
from snapdrift.pipeline.suite_graders import judge_variants
from snapdrift.pipeline.targets import Target
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

if TYPE_CHECKING:
    from snapdrift.suites.workspace import Workspace

TARGET = "target"
"""Under this name a run file keeps where its requests went, so that `resume` needs no options."""

_SHOWN = 5


def locate_run(text: str, options: RunOptions, cwd: Path) -> tuple[Workspace, Path]:
    """The run that `text` names and the workspace it is worked on in; a run file needs no workspace of its own."""
    workspace = workspace_for(text, cwd)
    return workspace, find_run(text, runs_dir(workspace, options))


def workspace_for(text: str, cwd: Path) -> Workspace:
    """The workspace in which what `text` names is worked on: where that is there by its path, none is needed."""
    from snapdrift.suites.workspace import bare_workspace, find_workspace

    try:
        return find_workspace(cwd)
    except NoWorkspaceError:
        if not Path(text).exists():
            raise
        return bare_workspace(cwd)


def runs_dir(workspace: Workspace, options: RunOptions) -> Path:
    """Where run files are kept."""
    return (options.output.state_dir or workspace.state_dir) / "runs"


def open_writer(prepared: Prepared, target: Target, options: RunOptions) -> RunWriter:
    """The run file to write to: that of the same run made earlier, or a new one with its plan in it."""
    from snapdrift.execution.plan import each_call, plan_units

    header = header_of(prepared, target, options)
    directory = runs_dir(prepared.workspace, options)
    earlier = earlier_run(prepared, header, options)
    if earlier is not None:
        go_on_from_cut_off(earlier, options.notice)
        return _take_up(earlier, prepared, options)
    _tell_what_is_not_taken_up(directory, header, options)
    seed, design, meta = prepared.suite.seed, prepared.design, meta_of_shard(prepared.cases, options.shard)
    part = part_of(prepared, options.shard)
    if design is None:
        live = replace(prepared, variants=prepared.asked)
        calls: Iterable[Call] = each_call(live.cases, live.variants, live.repeats, seed, shared_prefixes(live))
        if prepared.frozen is not None:
            calls = _after(prepared.frozen.calls(), calls)
        calls = calls if options.shard is None else calls_of_shard(calls, part)
    else:
        calls = plan_units(design.order[: design.sample], prepared.variants, prepared.repeats, seed)
        meta = meta_of(design, header, prepared.suite, prepared.gate)
    if prepared.based is not None:
        from snapdrift.pipeline.frozen import meta_of_baseline

        meta = {**meta, **meta_of_baseline(prepared.based.facts, prepared.frozen)}
    writer = RunWriter.create(run_path(header.run_id, directory), header, part.cases, calls, meta)
    writer.set_meta(TARGET, options.target.to_json())
    if options.batch.all:
        writer.set_meta(BATCHED, ALL)
    writer.set_meta(REACHED, json.dumps(target.reached(prepared.variants)))
    return writer


def _after(first: Sequence[Call], then: Iterable[Call]) -> Iterator[Call]:
    """A plan behind another."""
    yield from first
    yield from (replace(call, position=call.position + len(first)) for call in then)


def earlier_run(prepared: Prepared, header: RunHeader, options: RunOptions) -> Path | None:
    """The file of the same run made earlier, None where the run starts anew."""
    # What an application answers depends on more than its file, whose hash is known: one that was tried to the end is
    # run anew.
    finished = all(variant.endpoint is not Endpoint.PYTHON for variant in prepared.variants)
    if not takes_up(prepared, options):
        return None
    return _same_run(runs_dir(prepared.workspace, options), header.identity, finished=finished)


def takes_up(prepared: Prepared, options: RunOptions) -> bool:
    """Whether the same command again goes on with its earlier run, instead of starting anew."""
    return not (options.fresh or prepared.gate.fresh or prepared.workspace.config.cache == "never")


def _take_up(path: Path, prepared: Prepared, options: RunOptions) -> RunWriter:
    """The same run again: its answers stand, what failed is asked again, and the attempt is counted.

    What its reports show, what is accepted, and which commit of its baseline says the same, is what is so now.
    """
    writer = RunWriter.open(path)
    with open_run(path) as stored:
        attempt = stored.header.attempt + (stored.evaluation is not None)
        now = prepared.suite.to_stored()
        suite = {**stored.suite, "privacy": now["privacy"], "accepted": now["accepted"]}
        if prepared.suite.reference is not None:
            suite["reference"] = prepared.suite.reference.to_stored()
        header = replace(stored.header, attempt=attempt, suite_stored=suite)
        counts, cut_off = stored.counts(), stored.state is not RunState.FINISHED
    writer.replace_header(header)
    where = f", which was cut off with {counts.answered:,} of {counts.planned:,} calls answered" if cut_off else ""
    options.notice(
        f"{header.suite}: takes up run {header.run_id} of the same commit, suite and gate, attempt {header.attempt}"
        f"{where}; its answers stand (--fresh starts anew)"
    )
    return writer


def _tell_what_is_not_taken_up(directory: Path, header: RunHeader, options: RunOptions) -> None:
    """Starting anew is allowed, hiding what was decided before is not."""
    before = () if header.partial else earlier_decisions(directory, header.suite, header.identity)
    if before:
        decided = ", ".join(f"{verdict.run_id} {verdict.decision.value}" for verdict in before[-_SHOWN:])
        runs = "an earlier run" if len(before) == 1 else f"{len(before)} earlier runs"
        more = "the last of them " if len(before) > _SHOWN else ""
        options.notice(
            f"{header.suite}: starts anew beside {runs} of the same commit, suite and gate ({more}{decided}); "
            "`verdict.json` lists them"
        )


def _same_run(directory: Path, identity: str, *, finished: bool) -> Path | None:
    if not directory.is_dir():
        return None
    same = (run for run in list_runs(directory) if run.identity == identity)
    return next((run.path for run in same if finished or run.state is not RunState.FINISHED), None)


def header_of(prepared: Prepared, target: Target, options: RunOptions) -> RunHeader:
    """What is fixed of a run when it starts; the same commit, suite, gate, selection and target have one identity."""
    suite, gate = prepared.suite, prepared.gate
    git = git_facts(prepared.workspace.root)
    cases, variants = [case.id for case in prepared.cases], [variant.name for variant in prepared.variants]
    judges = judge_variants(suite)
    now = datetime.now(UTC)
    models = {variant.model for variant in (*prepared.variants, *judges)}
    whole = RunHeader(
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
    return as_shard(whole, options.shard)


def assumptions_of(gate: Gate) -> dict[str, float]:
    """What a decision under the gate takes for granted."""
    return {"discordance": gate.discordance, "confidence": gate.confidence, "max_blind": gate.max_blind}


def with_stored_target(stored: StoredRun, options: RunOptions) -> RunOptions:
    """The options with the run's own target where they name none; faults are no target, and stand for the run's.

    A run file may be somebody else's: it cannot make this machine send the value of a variable that it names, nor
    write where it says. Raises `UsageError` when the target has to be said again.
    """
    if replace(options.target, faults=None) != TargetOptions():
        return options
    target = TargetOptions.from_json(stored.meta(TARGET) or "{}")
    if target.key_env:
        raise UsageError(
            f"run {stored.header.run_id} asked {target.base_url} with the key in {target.key_env}; "
            f"say so again: --base-url {target.base_url} --key-env {target.key_env}"
        )
    faults = options.target.faults or target.faults
    return replace(options, target=replace(target, standin_log=None, faults=faults))


def tell_faults(named: TargetOptions, options: RunOptions) -> None:
    """Says that the stand-in injects what it did when the run was begun, where this command `named` no faults."""
    if options.target.faults and named == TargetOptions():
        options.notice(f"with the faults of the run: {options.target.faults} (`resume --faults none` leaves them out)")


def require_same_target(path: Path, now: tuple[str, ...], before: str | None) -> None:
    """A run half of which a stand-in answered, or another host, would be neither; raises `UsageError`."""
    if before is not None and list(now) != json.loads(before):
        then = ", ".join(json.loads(before))
        raise UsageError(f"run {path.stem} asked {then}; found {', '.join(now)} to go on with; name the same target")
