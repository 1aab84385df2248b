"""Which comparisons a gate makes, and each of them from the score tables to its verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from snapdrift.conclusions import Comparison
from snapdrift.errors import UsageError
from snapdrift.model import Gate, MetricGate, Pair, Results, Severity, Verdict
from snapdrift.stats.multiplicity import holm
from snapdrift.stats.power import cases_to_resolve, detectable_difference
from snapdrift.verdicts.evidence import Evidence, PairedValues, Question, choose_word, weigh
from snapdrift.verdicts.looks import Looks, looks_detectable, weigh_looks
from snapdrift.verdicts.score_tables import (
    BoolArray,
    FloatArray,
    Imputation,
    MetricScores,
    ScoreTables,
    mean_of_repeats,
)

OPERATIONAL = ("cost", "latency_p95", "output_tokens")
"""Measures of calls, not of answers: a gate limits their increase."""
_MAJORITY = 0.5 + 1e-9


@dataclass(frozen=True, slots=True)
class PlannedComparison:
    """One metric of one pair, and what the gate asks of it."""

    pair: Pair
    metric: str
    severity: Severity
    gating: bool
    margin: float | None


@dataclass(frozen=True, slots=True)
class _Weighed:
    planned: PlannedComparison
    values: PairedValues
    case_ids: tuple[str, ...]
    newly_failing: tuple[str, ...]
    newly_passing: tuple[str, ...]
    unmeasured: int
    evidence: Evidence
    question: Question
    detectable: float | None
    resolving_alpha: float


def plan_comparisons(results: Results, gate: Gate, *, partial: bool) -> tuple[PlannedComparison, ...]:
    """Every metric of every pair; those without an entry in the gate are compared for reading only.

    A partial run leaves out pairs whose variants were not asked for. Raises `UsageError` when a gate names a metric or
    (in a full run) a variant that the run does not have.
    """
    known = {variant.name for variant in results.variants}
    entries = metric_entries(gate, [spec.name for spec in results.metrics])
    planned: list[PlannedComparison] = []
    for pair in gate.pairs:
        absent = sorted({pair.baseline, pair.candidate} - known)
        if absent and partial:
            continue
        if absent:
            raise UsageError(
                f"gate {gate.name}: found the variant {absent[0]!r} in a comparison, expected one of the run's: "
                f"{', '.join(sorted(known))}"
            )
        planned.extend(_planned(pair, spec.name, entries.get(spec.name)) for spec in results.metrics)
    return tuple(planned)


def metric_entries(gate: Gate, metrics: Sequence[str]) -> dict[str, MetricGate]:
    """The gate's entries about answers, by metric. Raises `UsageError` for a metric that nothing measures."""
    for entry in gate.metrics:
        if entry.metric not in metrics and entry.metric not in OPERATIONAL:
            raise UsageError(
                f"gate {gate.name}: found the metric {entry.metric!r}, expected one that a grader of the run measures "
                f"({', '.join(metrics) or 'there are none'}) or one of {', '.join(OPERATIONAL)}"
            )
    return {entry.metric: entry for entry in gate.metrics if entry.metric in metrics}


def operational_entries(gate: Gate, metrics: Sequence[str]) -> dict[str, MetricGate]:
    """The gate's entries about calls (cost, latency_p95, output_tokens), by measure."""
    return {
        entry.metric: entry for entry in gate.metrics if entry.metric in OPERATIONAL and entry.metric not in metrics
    }


def graver(*severities: Severity) -> Severity:
    """The severity of a finding that several settings speak about: it fails only if all of them do."""
    return Severity.WARN if Severity.WARN in severities else Severity.FAIL


def compare(
    planned: Sequence[PlannedComparison],
    tables: ScoreTables,
    gate: Gate,
    seed: int,
    imputation: Imputation | None = None,
    looks: Looks | None = None,
) -> tuple[Comparison, ...]:
    """Weighs all comparisons, adjusts the gating ones by Holm's method, and says the word for each.

    With an `imputation`, unmeasured calls are filled in: what the comparisons would have been at worst. With `looks`
    they are those of a run that was looked at while it grew (`looks.walk` gives them for scores that are all there).
    """
    shown = tables if looks is None else looks.shown(tables)
    weighed = [_weigh(one, shown, gate, seed, imputation) for one in planned]
    if looks is not None:
        weighed = [_looked_at(one, tables, gate, looks, imputation) for one in weighed]
    adjusted = [None if one.evidence.p is None else one.evidence.p.worse for one in weighed]
    family = [index for index, one in enumerate(weighed) if one.planned.gating and one.evidence.p is not None]
    raw = [p for index in family if (p := adjusted[index]) is not None]
    for index, p in zip(family, holm(raw), strict=True):
        adjusted[index] = p
    return tuple(_conclude(one, p, gate, looks) for one, p in zip(weighed, adjusted, strict=True))


def observed_discordance(planned: PlannedComparison, tables: ScoreTables) -> float:
    """The mean squared difference of the cases that pair; 0 where none do."""
    means = _case_means(planned, tables, None)
    return _paired(planned, tables, *means).discordance


def _planned(pair: Pair, metric: str, entry: MetricGate | None) -> PlannedComparison:
    if entry is None:
        return PlannedComparison(pair, metric, Severity.WARN, gating=False, margin=None)
    severity = graver(entry.severity, pair.severity)
    gating = entry.gates and severity is Severity.FAIL
    return PlannedComparison(pair, metric, severity, gating, entry.margin)


def _weigh(
    planned: PlannedComparison, tables: ScoreTables, gate: Gate, seed: int, imputation: Imputation | None
) -> _Weighed:
    scores = tables.metrics[planned.metric]
    baseline, candidate = tables.variants[planned.pair.baseline], tables.variants[planned.pair.candidate]
    means = _case_means(planned, tables, imputation)
    pairs = _measured_on_both(*means)
    values = _paired(planned, tables, *means)
    wanted = scores.planned[baseline].any(axis=-1) & scores.planned[candidate].any(axis=-1)
    question = Question(gate.confidence, planned.margin, seed)
    failing, passing = _movers(scores, baseline, candidate, pairs, tables.case_ids)
    unmeasured = int((wanted & ~pairs).sum())
    evidence, detectable = weigh(values, question), _detectable(values, gate)
    ids, alpha = tables.case_ids, question.alpha
    return _Weighed(planned, values, ids, failing, passing, unmeasured, evidence, question, detectable, alpha)


def _looked_at(one: _Weighed, tables: ScoreTables, gate: Gate, looks: Looks, imputation: Imputation | None) -> _Weighed:
    """The same comparison as its looks allow to speak of it."""
    units, margin = looks.values(one.planned, tables, imputation), one.planned.margin
    detectable = looks_detectable(one.values, gate, looks, units, margin) if one.values.gains.size else None
    evidence = weigh_looks(one.evidence, one.values, one.question, looks, units)
    return replace(one, evidence=evidence, detectable=detectable, resolving_alpha=looks.resolving_alpha)


def _case_means(
    planned: PlannedComparison, tables: ScoreTables, imputation: Imputation | None
) -> tuple[FloatArray, FloatArray]:
    """The value of each case on the baseline and on the candidate, NaN without any."""
    scores = tables.metrics[planned.metric]
    baseline, candidate = tables.variants[planned.pair.baseline], tables.variants[planned.pair.candidate]
    fills: tuple[float | None, float | None] = (None, None)
    if imputation is not None:
        fills = (scores.filled(imputation, candidate=False), scores.filled(imputation, candidate=True))
    return scores.case_means(baseline, fills[0]), scores.case_means(candidate, fills[1])


def _measured_on_both(baseline: FloatArray, candidate: FloatArray) -> BoolArray:
    return ~np.isnan(baseline) & ~np.isnan(candidate)


def _paired(
    planned: PlannedComparison, tables: ScoreTables, baseline: FloatArray, candidate: FloatArray
) -> PairedValues:
    scores, pairs = tables.metrics[planned.metric], _measured_on_both(baseline, candidate)
    return PairedValues(
        baseline=baseline[pairs],
        candidate=candidate[pairs],
        clusters=tables.clusters[pairs],
        single=scores.binary and scores.compared.shape[-1] == 1,
        higher_is_better=scores.spec.higher_is_better,
    )


def _movers(
    scores: MetricScores, baseline: int, candidate: int, pairs: BoolArray, case_ids: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Ids of cases that most repeats of the baseline pass and most of the candidate do not, and the reverse.

    Half is not most. With one repeat these are the discordant cells of the table.
    """

    def passes(variant: int) -> FloatArray:
        return mean_of_repeats(scores.passed[variant])

    before, after = passes(baseline) > _MAJORITY, passes(candidate) > _MAJORITY
    failing, passing = np.flatnonzero(pairs & before & ~after), np.flatnonzero(pairs & ~before & after)
    return tuple(case_ids[index] for index in failing), tuple(case_ids[index] for index in passing)


def _conclude(one: _Weighed, p_adjusted: float | None, gate: Gate, looks: Looks | None) -> Comparison:
    evidence, values, planned = one.evidence, one.values, one.planned
    n = values.gains.size
    difference = float((values.candidate - values.baseline).mean()) if n else None
    verdict = choose_word(evidence, p_adjusted, one.question)
    p, stopped = evidence.p, looks is not None and looks.stopped
    return Comparison(
        metric=planned.metric,
        baseline=planned.pair.baseline,
        candidate=planned.pair.candidate,
        severity=planned.severity,
        gating=planned.gating,
        n=n,
        baseline_mean=float(values.baseline.mean()) if n else None,
        candidate_mean=float(values.candidate.mean()) if n else None,
        difference=difference,
        ci=evidence.ci,
        p_value=p.worse if p else None,
        p_two_sided=p.two_sided if p else None,
        p_mid=evidence.p_mid,
        p_better=p.better if p else None,
        p_adjusted=p_adjusted,
        p_no_worse=evidence.p_no_worse,
        method=evidence.method,
        margin=planned.margin,
        confidence=gate.confidence,
        verdict=verdict,
        table=evidence.table,
        detectable_difference=one.detectable,
        cases_to_resolve=None if stopped else _to_resolve(one, verdict),
        unmeasured=one.unmeasured,
        newly_failing=one.newly_failing,
        newly_passing=one.newly_passing,
        units_fed=looks.fed if looks else None,
        units_planned=looks.planned if looks else None,
        stopped_early=stopped,
    )


def _detectable(values: PairedValues, gate: Gate) -> float | None:
    """What these cases could see at the assumed discordance, or at the observed one where that is larger."""
    if values.gains.size == 0:
        return None
    independent = math.floor(values.independent + 1e-9)
    discordance = max(gate.discordance, round(values.discordance, 12))
    return detectable_difference(independent, discordance, round(gate.alpha, 12))


def _to_resolve(one: _Weighed, verdict: Verdict) -> int | None:
    if verdict is not Verdict.INCONCLUSIVE:
        return None
    gains, moment = one.values.gains, one.evidence.second_moment
    return cases_to_resolve(gains.size, float(gains.mean()), moment, one.planned.margin, one.resolving_alpha)
