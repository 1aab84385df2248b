"""`run` and `resume`: the steps in order, from a prepared suite to its reports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from snapdrift.errors import Interrupted, LeftRunning
from snapdrift.model import Variant
from snapdrift.pipeline.allowance import (
    Allowance,
    Spender,
    ceiling,
    require_affordable,
    require_budget,
    require_honest_judges,
    require_prices,
)
from snapdrift.pipeline.applications import fakes_of, require_unchanged_media
from snapdrift.pipeline.batching import (
    ALL,
    BATCHED,
    require_batch_hosts,
    require_batches,
    require_no_looks,
    sent_by_batch,
)
from snapdrift.pipeline.carrying_out import Work, carry_out
from snapdrift.pipeline.concluding import load_stored_suite, write_ci_files
from snapdrift.pipeline.cut_off import go_on_from_cut_off
from snapdrift.pipeline.fallbacks import BaselineGone, require_baselines
from snapdrift.pipeline.fleet import open_fleet, require_no_batches
from snapdrift.pipeline.going_on import with_budgets_of_now
from snapdrift.pipeline.indexing import refresh_index
from snapdrift.pipeline.options import RunOptions, RunOutcome
from snapdrift.pipeline.own_code import require_code_allowed
from snapdrift.pipeline.planning import SuitePlan, plan_suite
from snapdrift.pipeline.prepare import Prepared, require_sufficient, to_be_run
from snapdrift.pipeline.references import reference_lines
from snapdrift.pipeline.reruns import REACHED
from snapdrift.pipeline.run_files import (
    earlier_run,
    header_of,
    locate_run,
    open_writer,
    require_same_target,
    runs_dir,
    takes_up,
    tell_faults,
    with_stored_target,
)
from snapdrift.pipeline.said import Said
from snapdrift.pipeline.sequences import require_extendable, rest_cases
from snapdrift.pipeline.shard_notes import leave_notes
from snapdrift.pipeline.sharding import part_of, require_shardable, with_own_budget
from snapdrift.pipeline.sharing import JUDGES, finishing_seconds, judge_share
from snapdrift.pipeline.shutdowns import shutdowns_of
from snapdrift.pipeline.suite_graders import graders_of, judge_variants
from snapdrift.pipeline.targets import Target, open_target
from snapdrift.pipeline.unanswered import unanswered_warning
from snapdrift.store import RunWriter, open_run
from snapdrift.suites.wording import listed

if TYPE_CHECKING:
    from snapdrift.graders.base import Grader
    from snapdrift.suites.tool_results import PythonFunction
    from snapdrift.suites.workspace import Workspace


@dataclass(frozen=True, slots=True)
class _Command:
    """The suites of one command: as `prepared`, of each the part that this shard runs, and who spends money for it."""

    prepared: tuple[Prepared, ...]
    parts: tuple[Prepared, ...]
    spenders: tuple[Spender, ...]
    allowance: Allowance
    options: RunOptions

    @classmethod
    def of(cls, prepared: tuple[Prepared, ...], options: RunOptions, allowance: Allowance) -> _Command:
        """The command, checked as far as that goes before anything is opened. Raises `SnapdriftError`."""
        if options.batch.all:
            require_no_looks(prepared)
            prepared = tuple(map(sent_by_batch, prepared))
        require_batches(prepared, options.batch, own_standin=options.target.standin)
        require_shardable(prepared, options.shard)
        require_no_batches([v for one in prepared for v in one.variants], options)
        parts = tuple(part_of(one, options.shard) for one in prepared)
        for one in prepared:
            require_sufficient(one)
        spenders = tuple(
            Spender(one.suite, one.gate.name, one.variants, judge_variants(one.suite, batched=options.batch.all))
            for one in parts
        )
        if not options.target.standin:
            for spender in spenders:
                limit = allowance.ceiling(spender.suite.budget_for(spender.gate)).usd
                a_day = spender.suite.budget_per_day_for(spender.gate)
                require_prices(spender, prepared[0].catalog, a_day if limit is None else limit)
        return cls(prepared, parts, spenders, allowance, options)

    @property
    def workspace(self) -> Workspace:
        """That of all its suites."""
        return self.prepared[0].workspace

    @property
    def asked(self) -> list[Variant]:
        """Everything that is asked, judges too."""
        return [variant for spender in self.spenders for variant in spender.asked]


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
    from snapdrift.suites.workspace import find_workspace

    allowance = Allowance.of(options.limits)  # the deadline counts from here
    work_list = to_be_run(paths, options)
    if options.shard is not None and work_list.settled:
        leave_notes(work_list.settled, find_workspace(paths[0]), options)
    if not work_list.prepared:
        write_ci_files([], options.output, work_list.settled)
        return ()
    command = _Command.of(work_list.prepared, options, allowance)
    fakes = {fake: sha256 for one in command.prepared for fake, sha256 in fakes_of(one.suite, one.askable).items()}
    graders = [grader for one in command.prepared for grader in graders_of(one.suite)]
    with _opened_target(options, command.workspace, command.asked, fakes, graders) as target:
        _require_ready(command, target)
        outcomes, left = _carry_out_each(command, target)
        index = refresh_index(command.workspace, options)
        outcomes = [replace(outcome, index=index) for outcome in outcomes]
        if outcomes:
            write_ci_files([outcome.view for outcome in outcomes], options.output, work_list.settled)
        if left:
            raise LeftRunning("\n".join(left), outcomes)
        return tuple(outcomes)


def _require_ready(command: _Command, target: Target) -> None:
    """Says what is to be known, and raises `SnapdriftError` for what is wrong, once it is known who is asked."""
    prepared, catalog = command.prepared, command.prepared[0].catalog
    require_batch_hosts(command.asked, target)
    require_baselines(prepared, target)
    _tell_warnings(prepared, command.options)
    require_budget(command.spenders, catalog, target, command.allowance)
    for spender, one in zip(command.spenders, prepared, strict=True):
        require_honest_judges(spender, target, measured=True if one.judges_real_answers_of_then else None)


def _carry_out_each(command: _Command, target: Target) -> tuple[list[RunOutcome], list[str]]:
    """The outcomes of the suites one after another, and a sentence for each whose batches are not waited for."""
    plans = _affordable_plans(command, target)
    several = len(command.prepared) > 1
    later = _finishing_later(command)
    outcomes, left = [], []
    for one, part, later_s in zip(command.prepared, command.parts, later, strict=True):
        work = Work(
            part.suite,
            one.catalog,
            one.workspace,
            target,
            command.options,
            command.allowance,
            several=several,
            later_s=later_s,
            last=one is command.prepared[-1],
        )
        with open_writer(one, target, command.options) as writer:
            _keep_judge_share(writer, part, plans, work)
            try:
                outcomes.append(carry_out(writer, work))
            except LeftRunning as running:
                left.append(str(running))
                command.options.notice(left[-1])
            except Interrupted as cut:
                raise Interrupted(f"{cut}{_not_started(command, one)}") from None
    return outcomes, left


def _not_started(command: _Command, cut: Prepared) -> str:
    """A line on the suites that were to come after the one that was cut off; empty where it was the last."""
    later = command.prepared[command.prepared.index(cut) + 1 :]
    if not later:
        return ""
    names = listed([one.suite.name for one in later])
    if all(takes_up(one, command.options) for one in command.prepared):
        return f"\nnot started: {names}; the same command goes on with {cut.suite.name} and then asks them"
    return f"\nnot started: {names}; then run them too: {listed([one.suite.path for one in later])}"


@contextmanager
def _opened_target(
    options: RunOptions,
    workspace: Workspace,
    asked: Sequence[Variant],
    fakes: Mapping[PythonFunction, str | None],
    graders: Sequence[Grader],
) -> Iterator[Target]:
    """Where the command's requests go, from workers where it has some."""
    with (
        open_target(options.target, workspace, options.env, asked, fakes, graders, code=options.code) as own,
        open_fleet(own, options, workspace, asked, graders) as target,
    ):
        yield target


def resume_run(text: str, options: RunOptions, cwd: Path) -> RunOutcome:
    """Goes on with an interrupted run: nothing that was answered is asked again. Raises `SnapdriftError`.

    Without target options it asks where the run asked before. `options.extend` goes on topping up a finished run, which
    only one that was declared for it may be.
    """
    workspace, path = locate_run(text, options, cwd)
    go_on_from_cut_off(path, options.notice)
    with RunWriter.open(path) as writer:
        with open_run(path) as stored:
            suite, catalog = load_stored_suite(stored, workspace, code=options.code)
            suite = with_budgets_of_now(suite, stored.header, workspace, options.notice)
            suite = with_own_budget(suite, stored)
            judges = judge_variants(suite, batched=stored.meta(BATCHED) == ALL)
            spender = Spender(suite, stored.header.gate, stored.header.variants, judges)
            named, options = options.target, with_stored_target(stored, options)
            tell_faults(named, options)
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
        with _opened_target(options, workspace, spender.asked, fakes, graders) as target:
            require_batch_hosts(spender.asked, target)
            require_budget([spender], catalog, target, allowance)
            require_honest_judges(spender, target)
            require_same_target(path, target.reached(spender.variants), before)
            work = Work(suite, catalog, workspace, target, options, allowance, last=True)
            outcome = carry_out(writer, work)
            write_ci_files([outcome.view], options.output)
            return replace(outcome, index=refresh_index(workspace, options))


def _tell_warnings(prepared: Sequence[Prepared], options: RunOptions) -> None:
    """Says what is to be known of the suites, once it is known what they are compared with; of shutdowns once."""
    shutdowns = shutdowns_of([one.suite for one in prepared], prepared[0].catalog) if prepared else ()
    for one in prepared:
        own = shutdowns_of([one.suite], one.catalog)
        warnings = (f"warning: {warning}" for warning in one.suite.warnings if warning not in own)
        for text in (*warnings, *_of_standin(one, options), *one.calibration, *reference_lines(one.suite)):
            options.notice(f"{one.suite.path}: {text}")
    for text in shutdowns:
        options.notice(f"warning: {text}")


def _of_standin(one: Prepared, options: RunOptions) -> list[str]:
    text = unanswered_warning(one.suite, one.variants, one.workspace, options.target)
    return [] if text is None else [f"warning: {text}"]


def _affordable_plans(command: _Command, target: Target) -> dict[str, SuitePlan]:
    """What the suites that are begun anew would take, by path; none where no real model is asked.

    Raises `UsageError` where that is expected to cost more than it may.
    """
    prepared, options = command.prepared, command.options
    if not any(target.is_live(variant) for one in prepared for variant in (*one.variants, *judge_variants(one.suite))):
        return {}
    begun = [
        part
        for one, part in zip(prepared, command.parts, strict=True)
        if earlier_run(one, header_of(one, target, options), options) is None
    ]
    plans = {part.suite.path: plan_suite(part, options) for part in begun}
    require_affordable(tuple(plans.values()), target, command.allowance)
    return plans


def _keep_judge_share(writer: RunWriter, one: Prepared, plans: Mapping[str, SuitePlan], work: Work) -> None:
    """Puts into the run file which part of a limited run is the judges'; nothing where nothing limits it."""
    limit = ceiling(one.suite, one.gate.name, work.target, work.allowance).usd
    if judge_variants(one.suite) and (limit is not None or work.allowance.ends_at is not None):
        plan = plans.get(one.suite.path) or plan_suite(one, work.options)
        writer.set_meta(JUDGES, judge_share(plan).to_json())


def _finishing_later(command: _Command) -> list[float]:
    """For each suite the seconds that finishing those after it will take; none where no deadline comes."""
    if command.allowance.ends_at is None:
        return [0.0] * len(command.parts)
    directory = runs_dir(command.workspace, command.options)
    each = [
        finishing_seconds(directory, one.suite.name, len(one.cases) * len(one.variants) * one.repeats)
        for one in command.parts
    ]
    return [sum(each[position + 1 :]) for position in range(len(each))]
