"""What happened on each side by itself: calls and levels of metrics."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum

import numpy as np

from snapdrift.conclusions import MetricSummary, VariantSummary
from snapdrift.model import Outcome, Results, Usage, Variant
from snapdrift.verdicts.call_columns import OUTCOMES, SOURCES, CallColumns, CodeColumn, FloatColumn, Mask
from snapdrift.verdicts.endings import endings_of
from snapdrift.verdicts.evidence import mean_interval
from snapdrift.verdicts.score_tables import ScoreTables
from snapdrift.verdicts.speed import tokens_per_second

_UNASKED = (Outcome.MISSING, Outcome.NOT_NEEDED)


def summarise_variant(variant: Variant, calls: CallColumns, results: Results, tables: ScoreTables) -> VariantSummary:
    """Counts, tokens, money and latency of a variant. Outcomes add up to `planned`; spared calls are not coverage.

    `usd` is None when the price of an answered call is not known; what a call cost that went missing half way is in it.
    Tokens per second are output tokens after the first (without those of reasoning, which come before it) over the time
    after it; a call of several requests has no rate.
    """
    asked, measured = ~calls.ended(*_UNASKED), calls.measured
    latencies, waits = _known(calls.latency_ms[measured]), _known(calls.first_token_ms[measured])
    rates = _rates(calls, measured & (calls.requests <= 1) & ~np.isnan(calls.first_token_ms))
    unpriced = bool(np.isnan(calls.usd[measured]).any())
    models = Counter(calls.models[measured & (calls.models >= 0)].tolist())
    return VariantSummary(
        name=variant.name,
        model=variant.model,
        endpoint=variant.endpoint,
        resolved_models={calls.named[model]: count for model, count in models.items()},
        planned=calls.outcomes.size,
        requests=int(calls.requests[asked].sum()),
        sources=_counted(calls.sources[measured], SOURCES),
        outcomes=_counted(calls.outcomes, OUTCOMES),
        coverage=tables.coverage(variant.name),
        usage=_total_usage(calls, asked),
        usd=None if unpriced else _total(calls.usd),
        judge_usd=results.judge_usd.get(variant.name, 0.0),
        latency_p50=_percentile(latencies, 50),
        latency_p95=_percentile(latencies, 95),
        stream=variant.stream,
        batch=variant.batch,
        host=variant.host,
        first_token_p50=_percentile(waits, 50),
        first_token_p95=_percentile(waits, 95),
        tokens_per_second_p50=_percentile(rates, 50),
        batch_usd=_total(calls.usd[asked & calls.batched]),
        judge_batch_usd=results.judge_batch_usd.get(variant.name, 0.0),
        reused=calls.reused,
        judge_reused=results.judge_reused.get(variant.name, 0),
    )


def _counted(codes: CodeColumn, words: Sequence[StrEnum]) -> dict[str, int]:
    """How often each word occurs, in the order in which they first do."""
    return {words[code].value: number for code, number in Counter(codes.tolist()).items()}


def _rates(calls: CallColumns, streamed: Mask) -> FloatColumn:
    """How fast each of these calls was written, of those where it is known."""
    columns = (calls.output_tokens, calls.reasoning_tokens, calls.latency_ms, calls.first_token_ms)
    chosen = streamed & ~np.isnan(calls.output_tokens) & ~np.isnan(calls.latency_ms)
    rates = array("d")
    for output, reasoning, latency, first in zip(*(column[chosen].tolist() for column in columns), strict=True):
        usage = Usage(output_tokens=int(output), reasoning_tokens=int(reasoning))
        rate = tokens_per_second(usage, latency, first)
        if rate is not None:
            rates.append(rate)
    return np.frombuffer(rates, dtype=np.float64)


def _known(values: FloatColumn) -> FloatColumn:
    return values[~np.isnan(values)]


def _total(usd: FloatColumn) -> float:
    """The sum of what is known, in the order of the calls: it is the same to the last bit as that of the records."""
    return sum(_known(usd).tolist(), 0.0)


def _percentile(values: FloatColumn, share: float) -> float | None:
    return float(np.percentile(values, share)) if values.size else None


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


def _total_usage(calls: CallColumns, asked: Mask) -> Usage:
    known = asked & ~np.isnan(calls.input_tokens)
    return Usage(
        input_tokens=int(calls.input_tokens[known].sum()),
        cached_tokens=int(calls.cached_tokens[known].sum()),
        output_tokens=int(calls.output_tokens[known].sum()),
        reasoning_tokens=int(calls.reasoning_tokens[known].sum()),
    )
