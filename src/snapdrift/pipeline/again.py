"""`grade`, `compare` and `report`: the steps that can be repeated from the store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from snapdrift.conclusions import Evaluation
from snapdrift.errors import StoreError, UsageError
from snapdrift.model import Gate, Variant, sha256
from snapdrift.model import Target as ClaimTarget
from snapdrift.pipeline.accepting import require_bounded, with_acceptances
from snapdrift.pipeline.allowance import Allowance, Spender, require_budget, require_honest_judges
from snapdrift.pipeline.carrying_out import Work, ask, begin_attempt, finish
from snapdrift.pipeline.concluding import (
    STOPPED,
    earlier_models,
    evaluate_stored,
    load_stored_suite,
    require_finished,
    stored_data,
    write_ci_files,
    write_run_reports,
)
from snapdrift.pipeline.frozen_again import stored_pairing, with_stored_baseline
from snapdrift.pipeline.going_on import Stopped, way_on
from snapdrift.pipeline.grader_code import open_code
from snapdrift.pipeline.grading import pending_questions
from snapdrift.pipeline.indexing import refresh_index
from snapdrift.pipeline.options import Compared, RunOptions, RunOutcome
from snapdrift.pipeline.own_code import refusal, require_code_allowed, require_templates_allowed
from snapdrift.pipeline.prepare import (
    applicable_cases,
    narrowed,
    require_enough,
    with_shutdowns_last,
    with_warnings,
    workspace_catalog,
)
from snapdrift.pipeline.references import with_kept_reference
from snapdrift.pipeline.run_files import assumptions_of, locate_run, with_stored_target
from snapdrift.pipeline.sequences import looks_of, rest_cases
from snapdrift.pipeline.sharding import with_own_budget
from snapdrift.pipeline.sight import sight
from snapdrift.pipeline.strange_runs import taken_from
from snapdrift.pipeline.suite_graders import graders_of, judge_variants
from snapdrift.pipeline.targets import Target, open_target
from snapdrift.store import RunState, RunWriter, StoredRun, open_run

if TYPE_CHECKING:
    from snapdrift.suites.resolved import Suite
    from snapdrift.suites.workspace import Workspace


def report_runs(texts: Sequence[str], options: RunOptions, cwd: Path) -> tuple[RunOutcome, ...]:
    """Writes the reports of stored runs again, as they were concluded. Raises `StoreError`.

    Of several runs, each gets a folder named by its id in `--out`: they may be runs of one suite.
    """
    outcomes = tuple(_report(text, options, cwd, several=len(texts) > 1) for text in texts)
    write_ci_files([outcome.view for outcome in outcomes], options.output)
    index = refresh_index(locate_run(texts[0], options, cwd)[0], options)
    return tuple(replace(outcome, index=index) for outcome in outcomes)


def _report(text: str, options: RunOptions, cwd: Path, *, several: bool) -> RunOutcome:
    workspace, path = locate_run(text, options, cwd)
    with taken_from(path), open_run(path) as stored:
        require_finished(stored)
        evaluation = stored.evaluation
        if evaluation is None:
            raise StoreError(f"run {path.stem} is finished and has no conclusions: the file is damaged")
        require_templates_allowed(workspace, allowed=options.code)
        suite, catalog = load_stored_suite(stored, workspace, code=options.code)
        header = stored.header
        part = header.run_id if several else None
        view, reports = write_run_reports(stored, suite, catalog, workspace, options.output, part)
        return RunOutcome(header.run_id, header.suite, path, header.attempt, evaluation, view, reports)


def compare_run(text: str, options: RunOptions, cwd: Path) -> Compared:
    """Compares and decides again from the stored scores; writes nothing. Raises `StoreError`."""
    from snapdrift.reports import build_view

    workspace, path = locate_run(text, options, cwd)
    with taken_from(path), open_run(path) as stored:
        require_finished(stored)
        suite, catalog = load_stored_suite(stored, workspace, code=options.code)
        evaluation = _compared_again(stored, suite, path)
        return Compared(build_view(stored_data(stored, suite, catalog, evaluation)), evaluation)


def _compared_again(stored: StoredRun, suite: Suite, path: Path) -> Evaluation:
    """What the stored scores come to; of an exported run what was concluded, for its answers are not there."""
    kept = stored.evaluation
    if kept is not None and stored.header.redacted:
        return kept
    evaluation = evaluate_stored(stored, suite, earlier_models(stored, path.parent))
    if kept is None:
        return evaluation
    # Which verdicts came before is a fact of its time, and nothing new is decided here.
    return replace(evaluation, draws=kept.draws, earlier=kept.earlier)


def regrade_run(text: str, options: RunOptions, cwd: Path) -> RunOutcome:
    """Grades the stored answers again with the graders, gates and expected values that the workspace has now.

    No answer is generated anew. A judge whose question changed is asked, within the budget. Until everything that
    asking needs is there, the run stays as it was. Raises `SnapdriftError`.
    """
    workspace, path = locate_run(text, options, cwd)
    with RunWriter.open(path) as writer, open_run(path) as stored:
        require_finished(stored)
        suite = with_stored_baseline(_suite_now(stored, workspace, options), stored)
        require_code_allowed(replace(suite, variants={}), (), workspace, allowed=options.code)  # nobody is asked
        gate = _gate_now(stored, suite)
        options = with_stored_target(stored, options)
        _, catalog = load_stored_suite(stored, workspace, code=options.code)
        now = {case.id: case for case in suite.cases}
        judges = judge_variants(suite) if any(True for _ in pending_questions(stored, suite, cases=now)) else ()
        allowance = Allowance.of(options.limits)
        with _target_for(judges, options, workspace, suite) as target:
            own = with_own_budget(suite, stored)  # what is kept is the whole's, what is spent a shard's
            work = Work(own, catalog, workspace, target, options, allowance)
            spender = Spender(own, gate.name, (), judges)
            require_budget([spender], catalog, target, allowance)
            require_honest_judges(spender, target, measured=_measured_a_model(stored))
            _adopt(writer, stored, suite, gate)
            begin_attempt(writer)
            stopped = ask(writer, stored, work, answers=False) if judges else Stopped()
            outcome = finish(writer, stored, work, stopped.why or stored.meta(STOPPED) or "")
            write_ci_files([outcome.view], options.output)
            go_on = way_on(stored.header, own, stopped)
            return replace(outcome, index=refresh_index(workspace, options), go_on=go_on)


@contextmanager
def _target_for(
    judges: tuple[Variant, ...], options: RunOptions, workspace: Workspace, suite: Suite
) -> Iterator[Target]:
    """Where judges are asked; no host is opened, and no key is needed, where there is nothing to ask."""
    if judges:
        with open_target(
            options.target, workspace, options.env, judges, graders=graders_of(suite), code=options.code
        ) as target:
            yield target
        return
    with open_code(workspace, graders_of(suite)) as code:
        yield Target({}, code=code)


def _measured_a_model(stored: StoredRun) -> bool:
    return any(response.outcome.measured and not response.source.made_up for response in stored.responses())


def _gate_now(stored: StoredRun, suite: Suite) -> Gate:
    """The run's gate as the suite has it now; it must be one that this run's answers can tell by.

    Raises `UsageError` when it compares variants that were not asked, `InsufficientError` when it could never tell.
    """
    header = stored.header
    if header.gate not in suite.gates:
        raise UsageError(f"the suite no longer has the gate {header.gate!r} under which the run was made")
    gate = suite.gates[header.gate]
    if header.partial:
        return gate
    before = stored.suite["gates"][header.gate]["pairs"]
    known = {variant.name for variant in header.variants} | {name for pair in before for name in pair[:2]}
    new = {name for pair in gate.pairs for name in (pair.baseline, pair.candidate)} - known
    if new:
        raise UsageError(f"the gate now compares {', '.join(sorted(new))}, which the run did not ask; run the suite")
    kept, looks = narrowed(gate, header.variants), looks_of(stored, gate)
    if kept.pairs and kept.target is ClaimTarget.THESE_CASES and (looks is not None or header.planned_repeats < 2):
        how = "was looked at while it grew" if looks is not None else "asked each case once"
        raise UsageError(
            f"the gate now claims something of these_cases, and run {header.run_id} {how}: its answers cannot tell; "
            "run the suite"
        )
    drawable = {case.id: case for case in (*rest_cases(stored).values(), *suite.cases)}
    cases, rule = tuple(drawable.values()), None if looks is None else looks.rule
    found = sight(suite, kept, cases, header.planned_repeats, rule, stored_pairing(stored))
    require_enough(suite, kept, found)
    return gate


def _suite_now(stored: StoredRun, workspace: Workspace, options: RunOptions) -> Suite:
    """The suite as its file is now, cut to the cases of the run; it must still ask what the run asked."""
    from snapdrift.graders.registry import Registry
    from snapdrift.suites.loader import load_suite

    path = workspace.root / str(stored.suite["path"])
    if not path.is_file():
        raise UsageError(
            f"the run's suite {stored.suite['path']} is not in this workspace; grade it where the suite is"
        )
    registry = Registry(refusal=refusal(workspace, allowed=options.code))
    catalog = workspace_catalog(workspace)
    suite = with_acceptances(load_suite(path, workspace, registry, catalog), workspace)
    if suite.accepted and stored.header.gate in suite.gates:
        require_bounded(suite, suite.gates[stored.header.gate], applicable_cases(suite, suite.cases))
    now = {case.id: case for case in suite.cases}
    for shown, digest in stored.suite.get("media", {}).items():
        if suite.media.get(shown, digest) != digest:
            raise UsageError(f"{shown} is another image or file now than the run asked about; run the suite instead")
    kept = []
    for case in stored.cases():
        if case.id not in now:
            raise UsageError(f"case {case.id} is no longer in the dataset; run the suite instead of grading it again")
        then, asks = case.tool_results, now[case.id].tool_results
        if dict(now[case.id].variables) != dict(case.variables) or then != asks:
            raise UsageError(f"case {case.id} asks something else now than the run asked; run the suite instead")
        kept.append(now[case.id])
    # Whether it was stopped early was decided when it was asked, perhaps on the command line.
    early_stop = bool(stored.suite.get("early_stop", False))
    variants = {v.name: v for v in stored.header.variants}
    suite = with_kept_reference(suite, stored)
    suite = replace(suite, cases=tuple(kept), variants=variants, early_stop=early_stop)
    return with_shutdowns_last(with_warnings(suite, catalog), catalog)


def _adopt(writer: RunWriter, stored: StoredRun, suite: Suite, gate: Gate) -> None:
    """From now on the run is one of the suite as it is now: unfinished until it is graded, and another than before."""
    header = stored.header
    writer.set_state(RunState.RUNNING)
    writer.add_cases(suite.cases)
    changed = suite.hash != header.suite_hash
    writer.replace_header(
        replace(
            header,
            suite_stored=suite.to_stored(),
            suite_hash=suite.hash,
            dataset_hash=suite.dataset_hash,
            identity=sha256([header.identity, suite.hash]) if changed else header.identity,
            assumptions=assumptions_of(gate),
        )
    )
