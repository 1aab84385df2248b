"""`plan`: what a run would ask, cost and be able to show. Nothing is sent."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from snapdrift.conclusions import Sufficiency
from snapdrift.model import Variant
from snapdrift.pipeline.allowance import host_obstacle
from snapdrift.pipeline.daily import DayLeft, day_left
from snapdrift.pipeline.estimating import (
    Estimate,
    Pace,
    earlier_answers,
    estimate_judges,
    estimate_variants,
    less_reused,
    total_seconds,
)
from snapdrift.pipeline.options import DEFAULT_CONCURRENCY, RunOptions
from snapdrift.pipeline.pacing import Account
from snapdrift.pipeline.prepare import Prepared, prepare_all

if TYPE_CHECKING:
    from snapdrift.openai_api.facts import UsageTier


@dataclass(frozen=True, slots=True)
class VariantPlan:
    """What a variant is asked; `estimate` is None for one that is no model (an application, a file): it costs nothing.

    Of the `calls`, `reused` would take the answer of an earlier run; the estimate is of the others.
    """

    variant: Variant
    calls: int
    estimate: Estimate | None
    reused: int = 0

    @property
    def usd(self) -> float | None:
        """What it is expected to cost in dollars the way that the suite sends it, None where that is not known."""
        if self.estimate is None:
            return 0.0
        return self.estimate.batch_usd if self.variant.batch else self.estimate.live_usd


@dataclass(frozen=True, slots=True)
class JudgePlan:
    """What a judge is asked about the answers of all variants; `batched` with `run --batch`."""

    grader: str
    variant: Variant
    estimate: Estimate
    batched: bool = False

    @property
    def usd(self) -> float | None:
        """What it is expected to cost in dollars."""
        return self.estimate.batch_usd if self.batched else self.estimate.live_usd


@dataclass(frozen=True, slots=True)
class SuitePlan:
    """What a suite would ask under a gate, what that costs, how long it takes, and what the gate could see.

    `looks` are sentences about a run that is looked at while it grows: what it may spare, or take besides. `day` is
    what is left of the suite's budget of today, None where there is none. `reference` are sentences about the git tree
    that baselines are from; `idle` says why nothing need be asked.
    """

    suite: str
    path: str
    gate: str
    cases: int
    repeats: int
    budget_usd: float | None
    pace: Pace
    seconds: float
    variants: tuple[VariantPlan, ...]
    judges: tuple[JudgePlan, ...]
    sufficiency: tuple[Sufficiency, ...]
    warnings: tuple[str, ...]
    calibration: tuple[str, ...] = ()
    looks: tuple[str, ...] = ()
    day: DayLeft | None = None
    reference: tuple[str, ...] = ()
    idle: str = ""

    def expected_usd(self, counts: Callable[[Variant], bool] = lambda _: True) -> float | None:
        """What answers and judges are expected to cost, of the variants that count; None where a price is not known."""
        asked: list[VariantPlan | JudgePlan] = [*self.variants, *self.judges]
        amounts = [plan.usd for plan in asked if counts(plan.variant)]
        known = [amount for amount in amounts if amount is not None]
        return math.fsum(known) if len(known) == len(amounts) else None

    @property
    def worst_usd(self) -> float | None:
        """The most that the answers can cost in dollars (judges apart), None where that is not known."""
        amounts = [0.0 if plan.estimate is None else plan.estimate.worst_usd for plan in self.variants]
        known = [amount for amount in amounts if amount is not None]
        return math.fsum(known) if len(known) == len(amounts) else None

    @property
    def over_budget(self) -> bool:
        """Whether it is expected to cost more than its budget, or than is left today: `run` then does not start."""
        left = None if self.day is None else self.day.left_usd
        limits = [usd for usd in (self.budget_usd, left) if usd is not None]
        expected = self.expected_usd()
        return expected is not None and bool(limits) and expected > min(limits)


def plan_suites(paths: Sequence[Path], options: RunOptions, tier: UsageTier | None = None) -> tuple[SuitePlan, ...]:
    """What running the suites would take and could show; a gate that could never tell is told, not raised.

    `tier` is the account's usage tier, whose limits bound how fast a run can be; None: as `snapdrift.toml` says.
    """
    return tuple(plan_suite(one, options, tier) for one in prepare_all(paths, options))


def plan_suite(one: Prepared, options: RunOptions, tier: UsageTier | None = None) -> SuitePlan:
    """The plan of one suite."""
    from snapdrift.pipeline.caching import planned_reuse
    from snapdrift.pipeline.references import reference_lines

    if one.idle:
        one = replace(one, variants=())
    concurrency = options.limits.concurrency or one.workspace.config.concurrency or DEFAULT_CONCURRENCY
    account = Account(one.workspace.config, one.catalog, tier)
    pace = Pace(account.usage_tier, concurrency, account)
    runs_dir = (options.output.state_dir or one.workspace.state_dir) / "runs"
    estimates = estimate_variants(one, earlier_answers(runs_dir, one.suite.name, one.variants), pace)
    reused = planned_reuse(one, options)
    for name, number in reused.items():
        estimates[name] = less_reused(estimates[name], number)
    variants = _variant_plans(one, estimates, reused)
    judged = _judge_plans(one, estimates, pace, batched=options.batch.all)
    parts = [(plan.variant, plan.estimate) for plan in variants if plan.estimate is not None]
    seconds = total_seconds(parts, one.catalog, pace)
    return SuitePlan(
        suite=one.suite.name,
        path=one.suite.path,
        gate=one.gate.name,
        cases=len(one.cases),
        repeats=one.repeats,
        budget_usd=one.suite.budget_for(one.gate.name),
        pace=pace,
        seconds=seconds + total_seconds([(plan.variant, plan.estimate) for plan in judged], one.catalog, pace),
        variants=variants,
        judges=judged,
        sufficiency=one.sufficiency,
        warnings=(*one.suite.warnings, *filter(None, [host_obstacle(one)])),
        calibration=one.calibration,
        looks=tuple(_looks(one, pace, runs_dir)),
        day=day_left(runs_dir.parent, one.suite.name, one.suite.budget_per_day_for(one.gate.name)),
        reference=reference_lines(one.suite),
        idle=one.idle,
    )


def _variant_plans(
    one: Prepared, estimates: Mapping[str, Estimate], reused: Mapping[str, int]
) -> tuple[VariantPlan, ...]:
    calls = len(one.cases) * one.repeats
    kept = {} if one.frozen is None else {one.frozen.variant.name: len(one.frozen.answers)}
    return tuple(
        VariantPlan(v, kept.get(v.name, calls), estimates.get(v.name), reused.get(v.name, 0)) for v in one.variants
    )


def _judge_plans(
    one: Prepared, estimates: Mapping[str, Estimate], pace: Pace, *, batched: bool
) -> tuple[JudgePlan, ...]:
    """What judges are asked, of answers as long as is expected of the variants on average."""
    from snapdrift.pipeline.suite_graders import judges_of

    answers = [part.output_tokens for part in estimates.values()]
    judges = {} if one.idle else estimate_judges(one, sum(answers) / len(answers) if answers else 0.0, pace)
    asked = {judge.name: judge for grader in judges_of(one.suite) for judge in grader.judges}
    return tuple(JudgePlan(name.removeprefix("judge "), asked[name], part, batched) for name, part in judges.items())


def _looks(one: Prepared, pace: Pace, runs_dir: Path) -> Iterator[str]:
    """What is not promised of early stopping, and what topping up costs in power and at most in dollars."""
    from snapdrift.verdicts.sensitivity import topping_up_power

    design = one.design
    if design is None:
        return
    if one.suite.early_stop:
        yield "early stopping: at most all of these calls are made; how many it spares depends on the answers"
    if not design.rest:
        return
    sample, dataset = len(one.cases), len(one.askable)
    yield f"inconclusive: extend: {topping_up_power(one.gate, round(one.gate.alpha, 12), sample, dataset)}"
    earlier = earlier_answers(runs_dir, one.suite.name, one.variants)
    most = estimate_variants(replace(one, cases=one.askable), earlier, pace).values()
    expected, worst = _sum([part.live_usd for part in most]), _sum([part.worst_usd for part in most])
    yield (
        f"inconclusive: extend: asking all {dataset:,} cases is expected to cost {expected} for the answers, "
        f"at most {worst}; the budget is the limit"
    )


def _sum(amounts: Sequence[float | None]) -> str:
    known = [amount for amount in amounts if amount is not None]
    return f"${math.fsum(known):,.2f}" if len(known) == len(amounts) else "an unknown amount"
