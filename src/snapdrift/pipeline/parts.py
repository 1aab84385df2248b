"""A part of a suite asked as a run of its own, afresh: what `watch` probes and canaries are made of."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from snapdrift.errors import Interrupted
from snapdrift.model import Case, Results, Variant
from snapdrift.pipeline.allowance import Allowance, worst_cost
from snapdrift.pipeline.carrying_out import Work, ask
from snapdrift.pipeline.concluding import conclude
from snapdrift.pipeline.grading_workers import store_scores
from snapdrift.pipeline.options import Limits, RunOptions
from snapdrift.pipeline.prepare import Prepared, applicable_cases, narrowed
from snapdrift.pipeline.run_files import open_writer
from snapdrift.pipeline.targets import Target
from snapdrift.store import open_run

if TYPE_CHECKING:
    from snapdrift.suites.resolved import Suite


@dataclass(slots=True)
class NightBudget:
    """What a night may cost: the command's allowance, and one budget of the suite for all parts and the whole suite.

    `spent_usd` is what the parts of this suite have cost tonight.
    """

    allowance: Allowance
    spent_usd: float = 0.0

    def left_of(self, suite: Suite, gate: str) -> Suite:
        """The suite with what is left of its budget."""
        budget = suite.budget_for(gate)
        if budget is None:
            return suite
        left = replace(suite.gates[gate], budget_usd=max(0.0, budget - self.spent_usd))
        return replace(suite, gates={**suite.gates, gate: left})

    def limits(self, budget_usd: float | None, limits: Limits) -> Limits:
        """The limits of a command that runs the whole suite with what is left of all; its budget is `budget_usd`."""
        ends_at = self.allowance.ends_at
        seconds = None if ends_at is None else max(1.0, ends_at - time.monotonic())
        of_suite = None if budget_usd is None else max(0.0, budget_usd - self.spent_usd)
        limits, left = replace(limits, deadline_s=seconds), self.allowance.left_usd
        if budget_usd is not None and of_suite is not None and (left is None or of_suite < left):
            called = f"the budget of ${budget_usd:g}"
            return replace(limits, max_usd=budget_usd, taken_usd=self.spent_usd, max_usd_called=called)
        whole, taken, called = self.allowance.max_usd, self.allowance.taken_usd, self.allowance.called
        return replace(limits, max_usd=whole, taken_usd=taken, max_usd_called=called)


@dataclass(frozen=True, slots=True)
class AskedPart:
    """Answers and scores of a part, and why asking ended early (empty when it did not)."""

    run_id: str
    results: Results
    stopped: str


def ask_part(
    prepared: Prepared,
    cases: Sequence[Case],
    variants: Sequence[Variant],
    target: Target,
    options: RunOptions,
    money: NightBudget,
    *,
    judged: bool,
) -> AskedPart:
    """Asks some cases of some variants once each, and judges with `judged`; grades and keeps them.

    It is a partial run, so that it feeds neither history nor verdicts. Raises `Interrupted`.
    """
    suite = money.left_of(prepared.suite, prepared.gate.name)
    part = replace(
        prepared,
        suite=suite,
        gate=narrowed(prepared.gate, variants),
        cases=tuple(cases),
        variants=tuple(variants),
        repeats=1,
        partial=True,
        sufficiency=(),
        design=None,
    )
    with open_writer(part, target, options) as writer, open_run(writer.path) as stored:
        asked = suite if judged else replace(suite, graders=())
        work = Work(asked, prepared.catalog, prepared.workspace, target, options, money.allowance)
        try:
            stopped = ask(writer, stored, work).why
        except Interrupted:
            raise Interrupted(f"{suite.name}: interrupted; the night counts for nothing, watch again") from None
        store_scores(writer, stored, suite, target.code, options.notice)
        conclude(writer, stored, suite, stopped)
        writer.finish(datetime.now(UTC).isoformat(timespec="seconds"))
        money.spent_usd += stored.spent_usd(worst_cost(prepared.catalog))
        results = stored.results(suite.metrics, applicable_cases(suite, stored.cases()))
        return AskedPart(stored.header.run_id, results, stopped)
