"""Cost, latency, first token and output tokens of candidate against baseline, on the calls measured on both sides.

The values and their ratio are what was observed, and limits are on that. The interval and the p-values beside it say
what chance could explain: of the ratio of totals for what adds up (cost, tokens), of the 95th percentiles, and of
typical latencies (geometric means), which no single slow call can move. More is worse.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from snapdrift.conclusions import Operational
from snapdrift.model import Case, Gate, MetricGate, Outcome, Pair, Severity
from snapdrift.stats.operational import RelativeChange, RelativeQuestion, quantile_change, relative_change
from snapdrift.stats.ratio_scores import Quantity
from snapdrift.verdicts.call_columns import CallColumns
from snapdrift.verdicts.measured_entries import operational_entries
from snapdrift.verdicts.planned import graver
from snapdrift.verdicts.score_tables import BoolArray, FloatArray, mean_of_repeats

TYPICAL_LATENCY = "latency_typical"
FIRST_PIECE = "first_token_p95"
MEASURES = ("cost", "latency_p95", TYPICAL_LATENCY, FIRST_PIECE, "output_tokens")
"""What is measured of every pair; the typical latency is for reading only, no gate can name it.

The time to the first token is there where both sides were streamed, and where a gate limits it.
"""
_SHARE = 0.95
_SAME = 1e-9
Clusters = tuple[tuple[str, str], ...] | None


@dataclass(frozen=True, slots=True)
class _Calls:
    """The calls of one variant, [case, repeat]: whether asked, whether measured, and each quantity (NaN: unknown)."""

    asked: BoolArray
    measured: BoolArray
    quantities: Mapping[str, FloatArray]


@dataclass(frozen=True, slots=True)
class _Shared:
    """One quantity of the calls measured on both sides, [case, repeat], NaN elsewhere.

    `whole` says that each such call has it; `asked` counts the cases asked of both sides.
    """

    baseline: FloatArray
    candidate: FloatArray
    whole: bool
    asked: int

    @property
    def measured(self) -> bool:
        """Whether any call has it on both sides."""
        return not bool(np.isnan(self.baseline).all())


def measure_operations(
    pairs: Sequence[Pair],
    gate: Gate,
    metrics: Sequence[str],
    calls: Mapping[str, CallColumns],
    cases: Sequence[Case],
    seed: int,
) -> tuple[Operational, ...]:
    """Cost (total USD), latency_p95, latency_typical, first_token_p95 (milliseconds) and output_tokens (mean a call).

    Measures without a limit are for reading. Values are None where nothing was measured on both sides, and of the cost
    where any call has no price: a part of it would mislead.
    """
    entries = operational_entries(gate, metrics)
    sides = list(dict.fromkeys(side for pair in pairs for side in _sides(pair)))
    repeats = sorted({repeat for side in sides for repeat in np.unique(calls[side].repeats).tolist()})
    asked = {side: _arranged(calls[side], len(cases), repeats) for side in sides}
    clusters = _clusters(cases)
    found: list[Operational] = []
    for pair in pairs:
        one, other = (asked[side] for side in _sides(pair))
        for measure in MEASURES:
            entry = entries.get(measure)
            question = RelativeQuestion(gate.confidence, entry.max_increase if entry else None, seed)
            shared = _shared(measure, one, other)
            if measure == FIRST_PIECE and entry is None and not shared.measured:
                continue
            found.append(_measured(measure, shared, pair, entry, question, clusters))
    return tuple(found)


def _sides(pair: Pair) -> tuple[str, str]:
    return pair.baseline, pair.candidate


def _measured(
    measure: str,
    data: _Shared,
    pair: Pair,
    entry: MetricGate | None,
    question: RelativeQuestion,
    clusters: Clusters,
) -> Operational:
    limit = question.max_increase
    severity = graver(entry.severity, pair.severity) if entry and limit is not None else Severity.WARN
    observed = Operational(
        metric=measure,
        baseline=pair.baseline,
        candidate=pair.candidate,
        baseline_value=None,
        candidate_value=None,
        ratio=None,
        max_increase=limit,
        severity=severity,
        confidence=question.confidence,
        left_out=data.asked,
    )
    if not data.measured or (measure == "cost" and not data.whole):
        return observed
    change = _change(measure, data, question, clusters)
    return _filled(observed, _level(measure, data.baseline), _level(measure, data.candidate), change, data.asked)


def _level(measure: str, of_calls: FloatArray) -> float:
    """The level as the page shows it: interpolated at the percentile, where the test takes a call's own value."""
    values = of_calls[~np.isnan(of_calls)]
    if measure == "cost":
        return float(values.sum())
    if measure in (FIRST_PIECE, "latency_p95"):
        return float(np.percentile(values, 100 * _SHARE))
    if measure == TYPICAL_LATENCY:
        # Of case means, as it is tested; one time of 0 makes it 0.
        return float(np.exp(np.nanmean(np.log(mean_of_repeats(of_calls))))) if values.min() > 0 else 0.0
    return float(values.mean())


def _change(measure: str, data: _Shared, question: RelativeQuestion, clusters: Clusters) -> RelativeChange:
    if measure in (FIRST_PIECE, "latency_p95"):
        return quantile_change(data.baseline, data.candidate, _SHARE, question, clusters=clusters)
    if measure == TYPICAL_LATENCY:
        one, other = data.baseline, data.candidate
        return relative_change(one, other, Quantity.GEOMETRIC_MEAN, question, clusters=clusters)
    return relative_change(_sums(data.baseline), _sums(data.candidate), Quantity.MEAN, question, clusters=clusters)


def _sums(of_calls: FloatArray) -> FloatArray:
    """The sum of each case, NaN without a call: the ratio of their means is exactly that of the totals."""
    sums: FloatArray = np.where(np.isnan(of_calls).all(axis=1), np.nan, np.nansum(of_calls, axis=1))
    return sums


def _filled(empty: Operational, one: float, other: float, change: RelativeChange, asked: int) -> Operational:
    """The record with its levels and tests. Of another ratio than the observed one nothing is said of the limit."""
    ratio = _ratio(one, other)
    alike = change.quantity is not Quantity.BALANCED or _near(change.ratio, ratio)
    low, high = change.interval.low, change.interval.high
    if alike and ratio is not None:
        # A percentile that is interpolated can lie a little outside what is tested; wider is never wrong.
        low, high = min(low, ratio), max(high, ratio)
    return Operational(
        metric=empty.metric,
        baseline=empty.baseline,
        candidate=empty.candidate,
        baseline_value=one,
        candidate_value=other,
        ratio=ratio,
        max_increase=empty.max_increase,
        severity=empty.severity,
        confidence=empty.confidence,
        quantity=change.quantity.value,
        method=change.method,
        interval_method=change.interval_method,
        tested_ratio=change.ratio if 0 < change.ratio < math.inf else None,
        interval=(low if low > 0 else None, high if high < math.inf else None),
        interval_is_of_ratio=alike,
        p_more=change.p_more,
        p_less=change.p_less,
        p_within=change.p_within if alike else None,
        p_over=change.p_over if alike else None,
        n=change.cases,
        units=change.units,
        left_out=asked - change.cases,
    )


def _near(tested: float, ratio: float | None) -> bool:
    return ratio is not None and math.isclose(tested, ratio, rel_tol=_SAME)


def _ratio(baseline: float, candidate: float) -> float | None:
    if baseline == 0:
        return 1.0 if candidate == 0 else None
    return candidate / baseline


def _arranged(calls: CallColumns, cases: int, repeats: Sequence[int]) -> _Calls:
    """The calls that were planned and not spared by early stopping."""
    kept = ~calls.ended(Outcome.NOT_NEEDED)
    shape = (cases, max(1, len(repeats)))
    asked, measured = np.zeros(shape, dtype=np.bool_), np.zeros(shape, dtype=np.bool_)
    quantities = {name: np.full(shape, np.nan) for name in _QUANTITIES}
    at = (calls.cases[kept], np.searchsorted(np.array(repeats, dtype=np.int64), calls.repeats[kept]))
    asked[at] = True
    measured[at] = calls.measured[kept]
    for name, quantity in _QUANTITIES.items():
        quantities[name][at] = quantity(calls)[kept]
    return _Calls(asked, measured, quantities)


def _shared(measure: str, one: _Calls, other: _Calls) -> _Shared:
    """A measure's quantity on both sides where both have it."""
    name = "latency" if measure.startswith("latency") else measure.removesuffix("_p95")
    sides = one.quantities[name], other.quantities[name]
    measured = one.measured & other.measured
    known = measured & ~np.isnan(sides[0]) & ~np.isnan(sides[1])
    asked = (one.asked & other.asked).any(axis=1)
    before, after = (np.where(known, side, np.nan) for side in sides)
    return _Shared(before, after, bool((known == measured).all()), int(asked.sum()))


def _clusters(cases: Sequence[Case]) -> Clusters:
    """A label for each case; None where each is its own."""
    named = [case.cluster for case in cases if case.cluster is not None]
    if len(set(named)) == len(named):
        return None
    return tuple(("case", case.id) if case.cluster is None else ("cluster", case.cluster) for case in cases)


_QUANTITIES: Mapping[str, Callable[[CallColumns], FloatArray]] = {
    "cost": lambda calls: calls.cost_usd,
    "latency": lambda calls: calls.latency_ms,
    "first_token": lambda calls: calls.first_token_ms,
    "output_tokens": lambda calls: calls.output_tokens,
}
