"""`grade`, `compare` and `report`: the steps that can be repeated from the store."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from snapdrift.errors import StoreError, UsageError
from snapdrift.model import Variant
from snapdrift.pipeline.allowance import Allowance, Spender, require_budget
from snapdrift.pipeline.concluding import (
    STOPPED,
    earlier_models,
    evaluate_stored,
    load_stored_suite,
    model_warnings,
    write_run_reports,
)
from snapdrift.pipeline.grading import judge_variants, pending_questions
from snapdrift.pipeline.options import Compared, RunOptions, RunOutcome, TargetOptions
from snapdrift.pipeline.running import TARGET, Work, ask, finish, locate_run
from snapdrift.pipeline.targets import Target, open_target
from snapdrift.store import RunWriter, StoredRun, open_run

if TYPE_CHECKING:
    from snapdrift.suites.resolved import Suite
    from snapdrift.suites.workspace import Workspace


def report_runs(texts: Sequence[str], options: RunOptions, cwd: Path) -> tuple[RunOutcome, ...]:
    """Writes the reports of stored runs again, as they were concluded. Raises `StoreError`."""
    return tuple(_report(text, options, cwd, several=len(texts) > 1) for text in texts)


def _report(text: str, options: RunOptions, cwd: Path, *, several: bool) -> RunOutcome:
    workspace, path = locate_run(text, options, cwd)
    with open_run(path) as stored:
        evaluation = stored.evaluation
        if evaluation is None:
            raise StoreError(
                f"run {path.stem} was never concluded; go on with it: `snapdrift resume {stored.header.run_id}`"
            )
        suite, catalog = load_stored_suite(stored, workspace)
        view, reports = write_run_reports(stored, suite, catalog, workspace, options.output, several=several)
        header = stored.header
        return RunOutcome(header.run_id, header.suite, path, header.attempt, evaluation, view, reports)


def compare_run(text: str, options: RunOptions, cwd: Path) -> Compared:
    """Compares and decides again from the stored scores; writes nothing. Raises `StoreError`."""
    from snapdrift.reports import build_view
    from snapdrift.reports.source import run_data

    workspace, path = locate_run(text, options, cwd)
    with open_run(path) as stored:
        suite, catalog = load_stored_suite(stored, workspace)
        evaluation = evaluate_stored(stored, suite, earlier_models(stored, path.parent))
        data = run_data(stored, suite.metrics, model_warnings(stored, catalog))
        return Compared(build_view(replace(data, evaluation=evaluation)), evaluation)


def regrade_run(text: str, options: RunOptions, cwd: Path) -> RunOutcome:
    """Grades the stored answers again with the graders, gates and expected values that the workspace has now.

    No answer is generated anew. A judge whose question changed is asked, within the budget. Raises `SnapdriftError`.
    """
    workspace, path = locate_run(text, options, cwd)
    with RunWriter.open(path) as writer, open_run(path) as stored:
        suite = _suite_now(stored, workspace)
        _adopt(writer, stored, suite)
        if options.target == TargetOptions():
            options = replace(options, target=TargetOptions.from_json(stored.meta(TARGET) or "{}"))
        _, catalog = load_stored_suite(stored, workspace)
        judges = judge_variants(suite) if any(True for _ in pending_questions(stored, suite)) else ()
        allowance = Allowance.of(options.limits)
        with _target_for(judges, options, workspace) as target:
            work = Work(suite, catalog, workspace, target, options, allowance)
            if judges:
                require_budget([Spender(suite, stored.header.gate, judges)], catalog, target, allowance)
                ask(writer, stored, work, answers=False)
            return finish(writer, stored, work, stored.meta(STOPPED) or "")


def _target_for(
    judges: tuple[Variant, ...], options: RunOptions, workspace: Workspace
) -> AbstractContextManager[Target]:
    """Where judges are asked; nothing is opened, and no key is needed, where there is nothing to ask."""
    if judges:
        return open_target(options.target, workspace, options.env, judges)
    return nullcontext(Target({}, None, None))


def _suite_now(stored: StoredRun, workspace: Workspace) -> Suite:
    """The suite as its file is now, cut to the cases of the run; it must still ask what the run asked."""
    from snapdrift.graders.registry import Registry
    from snapdrift.openai_api.catalog import load_catalog
    from snapdrift.suites.loader import load_suite

    path = workspace.root / str(stored.suite["path"])
    if not path.is_file():
        raise UsageError(
            f"the run's suite {stored.suite['path']} is not in this workspace; grade it where the suite is"
        )
    suite = load_suite(path, workspace, Registry(), load_catalog(workspace.config.catalog_overrides))
    now = {case.id: case for case in suite.cases}
    kept = []
    for case in stored.cases():
        if case.id not in now:
            raise UsageError(f"case {case.id} is no longer in the dataset; run the suite instead of grading it again")
        if dict(now[case.id].variables) != dict(case.variables):
            raise UsageError(f"case {case.id} asks something else now than the run asked; run the suite instead")
        kept.append(now[case.id])
    if stored.header.gate not in suite.gates:
        raise UsageError(f"the suite no longer has the gate {stored.header.gate!r} under which the run was made")
    return replace(suite, cases=tuple(kept), variants={v.name: v for v in stored.header.variants})


def _adopt(writer: RunWriter, stored: StoredRun, suite: Suite) -> None:
    """From now on the run is one of the suite as it is now."""
    writer.add_cases(suite.cases)
    header = replace(
        stored.header, suite_stored=suite.to_stored(), suite_hash=suite.hash, dataset_hash=suite.dataset_hash
    )
    writer.replace_header(header)
