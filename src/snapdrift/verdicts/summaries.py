"""What happened on each side by itself: calls and levels of metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

import numpy as np

from snapdrift.conclusions import MetricSummary, ReusedAnswers, VariantSummary
from snapdrift.model import CallKey, CallResult, Outcome, Results, Usage, Variant
from snapdrift.verdicts.endings import endings_of
from snapdrift.verdicts.evidence import mean_interval
from snapdrift.verdicts.score_tables import ScoreTables
from snapdrift.verdicts.speed import tokens_per_second

_UNASKED = (Outcome.MISSING, Outcome.NOT_NEEDED)
CallsOfVariant = Mapping[tuple[str, int], CallResult]


def calls_by_variant(results: Results) -> dict[str, CallsOfVariant]:
    """The planned answer calls of each variant by case and repeat."""
    calls: dict[str, dict[tuple[str, int], CallResult]] = {variant.name: {} for variant in results.variants}
    for key, result in results.calls.items():
        if _is_answer(key):
            calls[key.variant][key.case_id, key.repeat] = result
    return dict(calls)


def summarise_variant(variant: Variant, calls: CallsOfVariant, results: Results, tables: ScoreTables) -> VariantSummary:
    """Counts, tokens, money and latency of a variant. Outcomes add up to `planned`; spared calls are not coverage.

    `usd` is None when the price of an answered call is not known; what a call cost that went missing half way is in it.
    Tokens per second are output tokens after the first (without those of reasoning, which come before it) over the time
    after it; a call of several requests has no rate.
    """
    asked = [call for call in calls.values() if call.outcome not in _UNASKED]
    measured = [call for call in asked if call.outcome.measured]
    latencies = [call.latency_ms for call in measured if call.latency_ms is not None]
    waits = [call.first_token_ms for call in measured if call.first_token_ms is not None]
    streamed = [call for call in measured if call.requests <= 1 and call.first_token_ms is not None]
    rates = [rate for call in streamed if (rate := _rate_of(call)) is not None]
    unpriced = any(call.usd is None for call in measured)
    return VariantSummary(
        name=variant.name,
        model=variant.model,
        endpoint=variant.endpoint,
        resolved_models=Counter([call.returned_model for call in measured if call.returned_model is not None]),
        planned=len(calls),
        requests=sum(call.requests for call in asked),
        sources=_counted([call.source for call in measured]),
        outcomes=_counted([call.outcome for call in calls.values()]),
        coverage=tables.coverage(variant.name),
        usage=_total_usage(asked),
        usd=None if unpriced else sum(call.usd or 0.0 for call in calls.values()),
        judge_usd=results.judge_usd.get(variant.name, 0.0),
        latency_p50=_percentile(latencies, 50),
        latency_p95=_percentile(latencies, 95),
        stream=variant.stream,
        batch=variant.batch,
        host=variant.host,
        first_token_p50=_percentile(waits, 50),
        first_token_p95=_percentile(waits, 95),
        tokens_per_second_p50=_percentile(rates, 50),
        batch_usd=sum((call.usd or 0.0 for call in asked if call.batched), 0.0),
        judge_batch_usd=results.judge_batch_usd.get(variant.name, 0.0),
        reused=_reused_of(measured),
        judge_reused=results.judge_reused.get(variant.name, 0),
    )


def _reused_of(calls: Iterable[CallResult]) -> ReusedAnswers | None:
    """What of these calls earlier runs received; None where nothing is."""
    reused = [call.reused for call in calls if call.reused is not None]
    if not reused:
        return None
    times, usd = [one.received_at for one in reused], [one.usd for one in reused if one.usd is not None]
    return ReusedAnswers(
        calls=len(reused),
        requests=sum(one.requests for one in reused),
        oldest=min(times),
        newest=max(times),
        usd=sum(usd) if len(usd) == len(reused) else None,
        runs=tuple(sorted({one.run for one in reused})),
    )


def _counted(words: Iterable[StrEnum]) -> Counter[str]:
    """How often each word occurs. Counted before it is spelled out: looking up a member's value takes time."""
    return Counter({word.value: number for word, number in Counter(words).items()})


def _rate_of(call: CallResult) -> float | None:
    return tokens_per_second(call.usage, call.latency_ms, call.first_token_ms)


def _percentile(values: Sequence[float], share: float) -> float | None:
    return float(np.percentile(values, share)) if values else None


def summarise_metrics(tables: ScoreTables, confidence: float) -> tuple[MetricSummary, ...]:
    """Each metric of each variant: the mean of case means, its interval, what could not be scored, and the endings.

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
                    endings=endings_of(scores, tables, index),
                )
            )
    return tuple(summaries)


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
