"""The text of `plan`: what a suite asks, costs and could show."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from snapdrift.cli import tables

if TYPE_CHECKING:
    from snapdrift.pipeline import SuitePlan
    from snapdrift.pipeline.daily import DayLeft
    from snapdrift.pipeline.estimating import Estimate
    from snapdrift.pipeline.planning import JudgePlan, VariantPlan

_COLUMNS = ("variant", "model", "calls", "tokens in", "cap", "expected", "cached", "batch", "at most", "time")
_RIGHT = {2, 3, 4, 5, 6, 7, 8, 9}
FORMAT = "snapdrift.plan/1"


def planned(plan: SuitePlan) -> str:
    """What a suite would ask and cost, and what it could show."""
    repeats = f" x {plan.repeats} repeats" if plan.repeats > 1 else ""
    head = f"{plan.suite} ({plan.path}, gate {plan.gate}): {plan.cases} cases{repeats}"
    told = [f"  {text}" for text in plan.reference]
    if plan.idle:
        return tables.joined([head, *told, f"  {plan.idle}", ""])
    rows = [_variant_row(v) for v in plan.variants] + [_judge_row(judge) for judge in plan.judges]
    lines = [head, tables.table(_COLUMNS, _RIGHT, rows), _money(plan), _time(plan), *_notes(plan), *told]
    lines += [f"  {text}" for text in plan.looks]
    lines += [f"  warning: {text}" for text in plan.warnings]
    return tables.joined([*lines, *tables.sight(plan.sufficiency), *(f"  {text}" for text in plan.calibration), ""])


def planned_json(plans: Sequence[SuitePlan]) -> str:
    """The plans as one JSON text."""
    document = {"format": FORMAT, "suites": [_suite_json(plan) for plan in plans]}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _variant_row(plan: VariantPlan) -> list[str]:
    variant, part = plan.variant, plan.estimate
    if part is None:
        return [variant.name, variant.model, f"{plan.calls:,}", *["-"] * 7]
    how = [variant.endpoint.value] if variant.endpoint.value != "responses" else []
    how += ["batch"] if variant.batch else []
    figures = _figures(part)
    if plan.reused:
        figures[0] += f" ({plan.reused:,} reused)"
    return [variant.name, " ".join([variant.model, *how]), *figures]


def _judge_row(plan: JudgePlan) -> list[str]:
    return [f"judge {plan.grader}", plan.variant.model, *_figures(plan.estimate)]


def _figures(part: Estimate) -> list[str]:
    steps = f" ({part.requests:,}-{part.most_requests:,} requests)" if part.most_requests > part.requests else ""
    steps = steps or (f" ({part.requests:,} requests)" if part.requests > part.calls else "")
    return [
        f"{part.calls:,}{steps}",
        f"{part.input_tokens:,}" if part.exact else f"~{part.input_tokens:,}",
        "none" if part.output_cap is None else f"{part.output_cap:,}",
        tables.usd(part.live_usd),
        tables.usd(part.cached_usd),
        tables.usd(part.batch_usd),
        tables.usd(part.worst_usd),
        "24 h" if part.seconds is None else duration(part.seconds),
    ]


def _money(plan: SuitePlan) -> str:
    without = "none: a live run needs one" if plan.day is None else "none but the day's"
    budget = without if plan.budget_usd is None else f"${plan.budget_usd:,.2f}"
    expected = f"expected {tables.usd(plan.expected_usd())}" + (", judges included" if plan.judges else "")
    line = f"  {expected}, at most {tables.usd(plan.worst_usd)} for the answers; budget {budget}"
    if plan.day is not None:
        line += f"\n  left of today's budget: {plan.day}"
    if plan.over_budget:
        line += "\n  OVER BUDGET: it is expected to cost more than its budget, so a live `run` will not start"
    elif plan.budget_usd is not None and (plan.worst_usd or 0.0) > plan.budget_usd:
        line += "\n  a live `run` may stop before its end: the most that it can cost is over its budget"
    return line


def _time(plan: SuitePlan) -> str:
    pace = f"{plan.pace.concurrency} requests in flight"
    if plan.pace.names_limits:
        pace += " and the limits in snapdrift.toml"
    if plan.pace.tier is not None:
        pace += f" and the limits of usage tier {plan.pace.tier} where the catalogue has them"
    return f"  about {duration(plan.seconds)} with {pace}"


def _notes(plan: SuitePlan) -> list[str]:
    """What the figures rest on, each said once."""
    parts = [v.estimate for v in plan.variants if v.estimate is not None]
    runs = list(dict.fromkeys(part.expected.run for part in parts if part.expected.run))
    notes = []
    if runs:
        notes.append(f"expected: answers as long as in run {', '.join(runs)}")
    if plan.judges or any(not part.expected.run for part in parts):
        notes.append(
            "expected (assumed where no earlier run tells): answers half as long as their cap "
            f"({assumed_output()} tokens without one), {assumed_latency():g} s a request"
        )
    if not all(part.exact for part in parts) or plan.judges:
        notes.append(
            "~ is an estimate: schemas, tools and `detail: auto` have no exact count, nor text without `tokens`"
        )
    if any(part.most_requests > part.requests for part in parts):
        notes.append(
            "tools may take more requests a call, up to `max_steps`; expected: as in the earlier run, else one round"
        )
    if any(v.reused for v in plan.variants):
        notes.append(
            "reused: an earlier run has the answer, which costs nothing (`snapdrift cache explain` says which); "
            "at most: if all are asked"
        )
    if any(part.cached_usd != part.live_usd for part in parts):
        notes.append(
            "cached: what cases share at the beginning of their prompts is in the provider's cache each time but one"
        )
    return [f"  {note}" for note in notes]


def assumed_output() -> int:
    """Tokens of an answer of which nothing is known."""
    from snapdrift.pipeline.estimating import ASSUMED_OUTPUT

    return ASSUMED_OUTPUT


def assumed_latency() -> float:
    """Seconds of a request of which nothing is known."""
    from snapdrift.pipeline.estimating import ASSUMED_LATENCY_S

    return ASSUMED_LATENCY_S


def duration(seconds: float) -> str:
    """A time that a person plans with: `40 s`, `12 min`, `3.5 h`."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _suite_json(plan: SuitePlan) -> dict[str, Any]:
    return {
        "suite": plan.suite,
        "path": plan.path,
        "gate": plan.gate,
        "cases": plan.cases,
        "repeats": plan.repeats,
        "budget_usd": plan.budget_usd,
        "day": None if plan.day is None else _day_json(plan.day),
        "expected_usd": plan.expected_usd(),
        "worst_usd": plan.worst_usd,
        "over_budget": plan.over_budget,
        "seconds": plan.seconds,
        "concurrency": plan.pace.concurrency,
        "tier": plan.pace.tier,
        "variants": [
            {"variant": v.variant.name, "model": v.variant.model, "endpoint": v.variant.endpoint.value}
            | {
                "batch": v.variant.batch,
                "calls": v.calls,
                "reused": v.reused,
                "usd": v.usd,
                "estimate": _estimate_json(v.estimate),
            }
            for v in plan.variants
        ],
        "judges": [
            {"grader": j.grader, "model": j.variant.model, "usd": j.usd, "estimate": _estimate_json(j.estimate)}
            for j in plan.judges
        ],
        "gates": [
            {"metric": s.metric, "baseline": s.baseline, "candidate": s.candidate, "cases": s.cases}
            | {"detectable": s.detectable, "enough": s.enough, "detail": s.detail}
            for s in plan.sufficiency
        ],
        "looks": list(plan.looks),
        "warnings": list(plan.warnings),
        "calibration": list(plan.calibration),
        "reference": list(plan.reference),
        "idle": plan.idle or None,
    }


def _day_json(day: DayLeft) -> dict[str, Any]:
    return asdict(day) | {"left_usd": round(day.left_usd, 9)}


def _estimate_json(part: Estimate | None) -> dict[str, Any] | None:
    if part is None:
        return None
    return {
        "requests": part.requests,
        "most_requests": part.most_requests,
        "tokens": {"input": part.input_tokens, "exact": part.exact, "output_cap": part.output_cap},
        "expected_answer": {"tokens": part.output_tokens, "from_run": part.expected.run or None},
        "usd": {"live": part.live_usd, "cached": part.cached_usd, "batch": part.batch_usd, "worst": part.worst_usd},
        "seconds": part.seconds,
    }
