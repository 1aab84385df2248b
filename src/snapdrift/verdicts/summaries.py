"""What happened on each side by itself: calls, levels of metrics, operational measures, models that answered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from snapdrift.model import (
    AliasMove,
    CallKey,
    CallResult,
    Gate,
    MetricSummary,
    Operational,
    Outcome,
    Pair,
    Results,
    Severity,
    Usage,
    Variant,
    VariantSummary,
)
from snapdrift.verdicts.comparing import OPERATIONAL, graver, operational_entries
from snapdrift.verdicts.evidence import mean_interval
from snapdrift.verdicts.score_tables import ScoreTables

_UNASKED = (Outcome.MISSING, Outcome.NOT_NEEDED)
CallsOfVariant = Mapping[tuple[str, int], CallResult]


@dataclass(frozen=True, slots=True)
class _Measured:
    """A number of both sides on the calls measured on both; None where it is not known."""

    baseline: float | None
    candidate: float | None


def calls_by_variant(results: Results) -> dict[str, CallsOfVariant]:
    """The planned answer calls of each variant by case and repeat."""
    calls: dict[str, dict[tuple[str, int], CallResult]] = {variant.name: {} for variant in results.variants}
    for key, result in results.calls.items():
        if _is_answer(key):
            calls[key.variant][key.case_id, key.repeat] = result
    return dict(calls)


def summarise_variant(variant: Variant, calls: CallsOfVariant, judge_usd: float, tables: ScoreTables) -> VariantSummary:
    """Counts, tokens, money and latency of a variant. Outcomes add up to `planned`; spared calls are not coverage.

    `usd` is None when the price of an answered call is not known.
    """
    asked = [call for call in calls.values() if call.outcome not in _UNASKED]
    measured = [call for call in asked if call.outcome.measured]
    latencies = [call.latency_ms for call in measured if call.latency_ms is not None]
    unpriced = any(call.usd is None for call in measured)
    return VariantSummary(
        name=variant.name,
        model=variant.model,
        endpoint=variant.endpoint,
        resolved_models=Counter(call.returned_model for call in measured if call.returned_model is not None),
        planned=len(calls),
        requests=sum(call.requests for call in asked),
        sources=Counter(call.source.value for call in measured),
        outcomes=Counter(call.outcome.value for call in calls.values()),
        coverage=tables.coverage(variant.name),
        usage=_total_usage(asked),
        usd=None if unpriced else sum(call.usd or 0.0 for call in asked),
        judge_usd=judge_usd,
        latency_p50=float(np.percentile(latencies, 50)) if latencies else None,
        latency_p95=float(np.percentile(latencies, 95)) if latencies else None,
    )


def summarise_metrics(tables: ScoreTables, confidence: float) -> tuple[MetricSummary, ...]:
    """Each metric of each variant: the mean of case means, its interval, and what could not be scored.

    `unmeasured` counts planned calls without a score, grader errors among them.
    """
    summaries = []
    for variant, index in tables.variants.items():
        for name, scores in tables.metrics.items():
            means = scores.case_means(index)
            scored = ~np.isnan(means)
            single = scores.binary and scores.compared.shape[-1] == 1
            n = int(scored.sum())
            summaries.append(
                MetricSummary(
                    variant=variant,
                    metric=name,
                    n=n,
                    mean=float(means[scored].mean()) if n else None,
                    ci=mean_interval(means[scored], tables.clusters[scored], confidence, single=single),
                    unextracted=int(scores.unextracted[index]),
                    grader_errors=int(scores.grader_errors[index]),
                    unmeasured=int(scores.unmeasured[index].sum()),
                )
            )
    return tuple(summaries)


def measure_operations(
    pairs: Sequence[Pair], gate: Gate, metrics: Sequence[str], calls: Mapping[str, CallsOfVariant]
) -> tuple[Operational, ...]:
    """Cost (total USD), latency_p95 (milliseconds) and output_tokens (mean a call) on calls measured on both sides.

    `ratio` is candidate over baseline; None when it cannot be had. Measures without a limit are for reading.
    """
    entries = operational_entries(gate, metrics)
    found = []
    for pair in pairs:
        shared = _shared(calls[pair.baseline], calls[pair.candidate])
        for name in OPERATIONAL:
            entry = entries.get(name)
            measured = _measure(name, shared)
            limited = entry is not None and entry.max_increase is not None
            found.append(
                Operational(
                    metric=name,
                    baseline=pair.baseline,
                    candidate=pair.candidate,
                    baseline_value=measured.baseline,
                    candidate_value=measured.candidate,
                    ratio=_ratio(measured),
                    max_increase=entry.max_increase if entry else None,
                    severity=graver(entry.severity, pair.severity) if entry and limited else Severity.WARN,
                )
            )
    return tuple(found)


def find_alias_moves(
    variants: Sequence[Variant], calls: Mapping[str, CallsOfVariant], previous: Mapping[str, tuple[str, ...]]
) -> tuple[AliasMove, ...]:
    """Variants whose answers name another model than last time, or more than one within the run."""
    moves = []
    for variant in variants:
        returned = {call.returned_model for call in calls[variant.name].values() if call.outcome.measured}
        now = tuple(sorted(model for model in returned if model is not None))
        before = tuple(sorted(previous.get(variant.name, ())))
        if len(now) > 1 or (now and before and now != before):
            moves.append(AliasMove(variant.name, variant.model, before, now))
    return tuple(moves)


def _is_answer(key: CallKey) -> bool:
    return not key.grader


def _total_usage(calls: Sequence[CallResult]) -> Usage:
    known = [call.usage for call in calls if call.usage is not None]
    return Usage(
        input_tokens=sum(usage.input_tokens for usage in known),
        cached_tokens=sum(usage.cached_tokens for usage in known),
        output_tokens=sum(usage.output_tokens for usage in known),
        reasoning_tokens=sum(usage.reasoning_tokens for usage in known),
    )


def _shared(baseline: CallsOfVariant, candidate: CallsOfVariant) -> list[tuple[CallResult, CallResult]]:
    return [
        (call, candidate[place])
        for place, call in baseline.items()
        if call.outcome.measured and place in candidate and candidate[place].outcome.measured
    ]


def _measure(name: str, shared: Sequence[tuple[CallResult, CallResult]]) -> _Measured:
    """The measure on both sides. A cost is known only if every call's is: a part of it would mislead."""
    values = [(_quantity(name, one), _quantity(name, other)) for one, other in shared]
    known = [(one, other) for one, other in values if one is not None and other is not None]
    if not known or (name == "cost" and len(known) < len(values)):
        return _Measured(None, None)
    baseline, candidate = np.array(known).T
    if name == "cost":
        return _Measured(float(baseline.sum()), float(candidate.sum()))
    if name == "latency_p95":
        return _Measured(float(np.percentile(baseline, 95)), float(np.percentile(candidate, 95)))
    return _Measured(float(baseline.mean()), float(candidate.mean()))


def _quantity(name: str, call: CallResult) -> float | None:
    if name == "cost":
        return call.usd
    if name == "latency_p95":
        return call.latency_ms
    return None if call.usage is None else float(call.usage.output_tokens)


def _ratio(measured: _Measured) -> float | None:
    if measured.baseline is None or measured.candidate is None:
        return None
    if measured.baseline == 0:
        return 1.0 if measured.candidate == 0 else None
    return measured.candidate / measured.baseline
