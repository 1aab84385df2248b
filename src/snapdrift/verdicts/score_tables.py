"""Results as arrays: each metric's scores by variant, case and repeat, with what was planned and what is missing."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from snapdrift.model import Gate, MetricSpec, Outcome, Reason, Results, Score, ScoreKind
from snapdrift.verdicts.call_columns import OUTCOMES, CallColumns, call_columns

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.intp]
CodeArray = NDArray[np.int8]

REASONS = tuple(Reason)
NO_CODE = -1
"""Outcomes and reasons are kept as their places in these tuples; this is the code where there is none."""
_OUTCOME_CODES = {outcome: code for code, outcome in enumerate(OUTCOMES)}
_REASON_CODES = {reason: code for code, reason in enumerate(REASONS)}
_AT_ONCE = 512
"""Scores of a metric that are put in their places together."""
_NOT_EXTRACTED = [code for code, reason in enumerate(REASONS) if reason.not_extracted]


class Imputation(StrEnum):
    """How unmeasured calls are filled in to see whether they could change the decision."""

    AGAINST_CANDIDATE = "against_candidate"
    FOR_CANDIDATE = "for_candidate"


@dataclass(frozen=True, slots=True)
class MetricScores:
    """One metric's scores. Arrays are indexed [variant, case, repeat].

    `compared` is what comparisons are made of (`passed` as 0 or 1, or `value`), `passed` whether the answer passed;
    both are NaN where there is no score. `reasons` has the code of each score's reason, grader errors among them, and
    `NO_CODE` where there is no score. `planned` marks the calls that were to be scored: the metric applies, the call
    was planned, and it was not spared by early stopping. `binary` says that `compared` holds 0 and 1 only.

    Of a pairwise metric only candidates have scores, means over their baselines; `against` has those against each one,
    [case, repeat], by the places of baseline and candidate. What a comparison makes of them goes from `lowest` to 1.
    """

    spec: MetricSpec
    binary: bool
    compared: FloatArray
    passed: FloatArray
    planned: BoolArray
    unextracted: NDArray[np.int64]
    grader_errors: NDArray[np.int64]
    reasons: CodeArray
    against: Mapping[tuple[int, int], FloatArray] = field(default_factory=dict)
    lowest: float = 0.0

    @property
    def unmeasured(self) -> BoolArray:
        """Planned calls without a score: they failed, are missing, or could not be graded."""
        return self.planned & np.isnan(self.compared)

    def case_means(self, variant: int, fill: float | None = None) -> FloatArray:
        """The mean over the scored repeats of each case, NaN without any; `fill` stands in for unmeasured calls."""
        return mean_of_repeats(self.of(variant, fill))

    def of(self, variant: int, fill: float | None = None) -> FloatArray:
        """A variant's scores as [case, repeat], NaN without any; `fill` stands in for unmeasured calls."""
        values = self.compared[variant]
        return values if fill is None else np.where(self.unmeasured[variant], fill, values)

    def hiding(self, hidden: BoolArray) -> MetricScores:
        """The scores without those of some calls; a preference goes with either side's."""
        return replace(
            self,
            compared=np.where(hidden, np.nan, self.compared),
            passed=np.where(hidden, np.nan, self.passed),
            against={
                (baseline, candidate): np.where(hidden[baseline] | hidden[candidate], np.nan, values)
                for (baseline, candidate), values in self.against.items()
            },
        )

    def between(self, baseline: int, candidate: int) -> MetricScores:
        """The scores as a comparison of two variants takes them: as they are, or of a pairwise metric a preference.

        The candidate's side then has its preference over this baseline, from -1 (lost) to 1 (won), and the baseline's
        has 0 wherever it was planned, as it ties with itself: so the difference of the two is the preference, and what
        is unmeasured of it is so on the candidate's side.
        """
        if not self.spec.pairwise:
            return self
        shape = self.planned.shape
        compared, passed, planned = np.full(shape, np.nan), np.full(shape, np.nan), np.zeros(shape, dtype=np.bool_)
        found = self.against.get((baseline, candidate))
        if found is not None:
            planned[[baseline, candidate]] = self.planned[candidate]
            compared[baseline], passed[baseline] = 0.0, 1.0
            compared[candidate] = np.where(planned[candidate], 2 * found - 1, np.nan)
            passed[candidate] = np.where(np.isnan(compared[candidate]), np.nan, compared[candidate] >= 0)
        return replace(self, compared=compared, passed=passed, planned=planned, lowest=-1.0)

    def filled(self, imputation: Imputation, *, candidate: bool) -> float:
        """The value that unmeasured calls of one side take: the worst or the best score there is."""
        best, worst = (1.0, self.lowest) if self.spec.higher_is_better else (self.lowest, 1.0)
        return best if candidate is (imputation is Imputation.FOR_CANDIDATE) else worst


@dataclass(frozen=True, slots=True)
class ScoreTables:
    """All metrics of a run, and the positions of its variants, cases and repeats in their arrays.

    `planned` and `measured` are the calls themselves, [variant, case, repeat], and `outcomes` the code of how each of
    the planned ones ended; `clusters` has a label for each case (its own id where the dataset names none), `repeats`
    the place of each repeat's number.
    """

    metrics: dict[str, MetricScores]
    variants: dict[str, int]
    case_ids: tuple[str, ...]
    clusters: NDArray[np.int64]
    planned: BoolArray
    measured: BoolArray
    outcomes: CodeArray
    repeats: dict[int, int] = field(default_factory=dict)

    def between(self, metric: str, baseline: str, candidate: str) -> MetricScores:
        """A metric's scores as a comparison of two variants takes them."""
        return self.metrics[metric].between(self.variants[baseline], self.variants[candidate])

    def coverage(self, variant: str) -> float:
        """The measured share of the planned calls of a variant; 0 when none was planned."""
        index = self.variants[variant]
        planned = int(self.planned[index].sum())
        return float(self.measured[index].sum()) / planned if planned else 0.0


def mean_of_repeats(values: FloatArray) -> FloatArray:
    """Means over the last axis without NaN; NaN where there is nothing."""
    present = ~np.isnan(values)
    counts = present.sum(axis=-1)
    sums = np.where(present, values, 0.0).sum(axis=-1)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


@dataclass(frozen=True, slots=True)
class _Positions:
    """Where variants, cases and repeats stand in the arrays, by name and number."""

    variants: dict[str, int]
    cases: dict[str, int]
    repeats: dict[int, int]

    def of(self, records: Sequence[Score]) -> tuple[IntArray, IntArray, IntArray]:
        """The places of scores as indices; the last is -1 for a repeat that no call has."""
        return (
            np.array([self.variants[record.variant] for record in records], dtype=np.intp),
            np.array([self.cases[record.case_id] for record in records], dtype=np.intp),
            np.array([self.repeats.get(record.repeat, -1) for record in records], dtype=np.intp),
        )


def build_score_tables(results: Results, gate: Gate, calls: Mapping[str, CallColumns] | None = None) -> ScoreTables:
    """Arranges a run's calls and scores. Scores of calls that were not measured are left out.

    `calls` are those of the results where they are columns already. The scores are gone through once.
    """
    calls = call_columns(results) if calls is None else calls
    variants = {variant.name: index for index, variant in enumerate(results.variants)}
    cases = {case.id: index for index, case in enumerate(results.cases)}
    # Whether repeats are counted from 0 or from 1 is the planner's business.
    repeats = {number: index for index, number in enumerate(_repeats_of(calls))}
    positions = _Positions(variants, cases, repeats)
    outcomes = np.full((len(variants), len(cases), len(repeats)), NO_CODE, dtype=np.int8)
    numbers = np.array(list(repeats), dtype=np.int64)
    for name, columns in calls.items():
        outcomes[variants[name], columns.cases, np.searchsorted(numbers, columns.repeats)] = columns.outcomes
    outcomes[outcomes == _OUTCOME_CODES[Outcome.NOT_NEEDED]] = NO_CODE
    planned = outcomes != NO_CODE
    measured = planned & np.array([outcome.measured for outcome in OUTCOMES])[outcomes]
    metrics = _empty_metrics(results, gate, positions, planned)
    for name, given in _by_metric(results.scores, metrics):
        _fill(metrics[name], given, positions, measured)
        _fill_preferences(metrics[name], given, positions, measured)
    for scores in metrics.values():
        _count_failures(scores)
    labels = _cluster_labels(results)
    return ScoreTables(metrics, variants, tuple(cases), labels, planned, measured, outcomes, repeats)


def _repeats_of(calls: Mapping[str, CallColumns]) -> list[int]:
    found = {number for columns in calls.values() for number in np.unique(columns.repeats).tolist()}
    return sorted(found or {0})


def _by_metric(scores: Iterable[Score], metrics: Mapping[str, MetricScores]) -> Iterator[tuple[str, list[Score]]]:
    """The scores of each metric in their order, some at a time: they are let go of before more are read."""
    waiting: dict[str, list[Score]] = {name: [] for name in metrics}
    for score in scores:
        of_metric = waiting.get(score.metric)
        if of_metric is None:
            continue
        of_metric.append(score)
        if len(of_metric) == _AT_ONCE:
            yield score.metric, of_metric
            waiting[score.metric] = []
    yield from waiting.items()


def _empty_metrics(results: Results, gate: Gate, positions: _Positions, planned: BoolArray) -> dict[str, MetricScores]:
    variants, cases = positions.variants, positions.cases
    names = [(one.baseline, one.candidate) for one in gate.pairs]
    pairs = [(variants[old], variants[new]) for old, new in names if old in variants and new in variants]
    compared_on = {entry.metric: entry.on for entry in gate.metrics}
    metrics = {}
    for spec in results.metrics:
        # A metric without an entry applies to every case.
        applicable = results.applicable.get(spec.name, cases.keys())
        applies = np.array([case in applicable for case in cases], dtype=np.bool_)
        scored, against = np.ones(len(variants), dtype=np.bool_), dict[tuple[int, int], FloatArray]()
        if spec.pairwise:
            against = {pair: np.full(planned.shape[1:], np.nan) for pair in pairs}
            scored[:] = [place in {candidate for _, candidate in pairs} for place in variants.values()]
        metrics[spec.name] = MetricScores(
            spec=spec,
            binary=_is_binary(spec, compared_on.get(spec.name)),
            compared=np.full(planned.shape, np.nan),
            passed=np.full(planned.shape, np.nan),
            planned=planned & applies[None, :, None] & scored[:, None, None],
            unextracted=np.zeros(planned.shape[0], dtype=np.int64),
            grader_errors=np.zeros(planned.shape[0], dtype=np.int64),
            reasons=np.full(planned.shape, NO_CODE, dtype=np.int8),
            against=against,
        )
    return metrics


def as_compared(metrics: Sequence[MetricSpec], gate: Gate) -> tuple[MetricSpec, ...]:
    """The metrics as the gate compares them: one that is compared by its passes is a share, on no scale of its own."""
    passes = {entry.metric for entry in gate.metrics if entry.on == "passed"}
    return tuple(replace(one, scale=(0.0, 1.0), has_pass_mark=True) if one.name in passes else one for one in metrics)


def _is_binary(spec: MetricSpec, on: str | None) -> bool:
    if on is not None and not spec.pairwise:
        return on == "passed"
    return spec.kind is ScoreKind.PASS_FAIL


def _fill(scores: MetricScores, given: Sequence[Score], positions: _Positions, measured: BoolArray) -> None:
    """Puts a metric's scores in their places. Of two scores of one call the later counts."""
    places = positions.of(given)
    kept = measured[places] & scores.planned[places] & (places[2] >= 0)
    places = (places[0][kept], places[1][kept], places[2][kept])
    # A score without a value, or without a word on passing, is that of a grader that could not grade.
    value = np.array([np.nan if s.value is None or s.passed is None else s.value for s in given], dtype=np.float64)
    passed = np.array([np.nan if s.value is None or s.passed is None else s.passed for s in given], dtype=np.float64)
    scores.reasons[places] = np.array([_REASON_CODES[score.reason] for score in given], dtype=np.int8)[kept]
    scores.passed[places] = passed[kept]
    scores.compared[places] = (passed if scores.binary else value)[kept]


def _count_failures(scores: MetricScores) -> None:
    graded = ~np.isnan(scores.compared)
    scores.grader_errors[:] = ((scores.reasons != NO_CODE) & ~graded).sum(axis=(1, 2))
    scores.unextracted[:] = (np.isin(scores.reasons, _NOT_EXTRACTED) & graded).sum(axis=(1, 2))
    for (_, candidate), values in scores.against.items():
        values[~scores.planned[candidate]] = np.nan


def _fill_preferences(scores: MetricScores, given: Sequence[Score], positions: _Positions, measured: BoolArray) -> None:
    """Puts the preferences of a pairwise metric in their places, as far as both answers were measured."""
    for (baseline, candidate), values in scores.against.items():
        name = next(name for name, place in positions.variants.items() if place == baseline)
        own = [score for score in given if positions.variants[score.variant] == candidate]
        _, cases, repeats = positions.of(own)
        found = np.array([_preference(score, name) for score in own], dtype=np.float64)
        kept = (repeats >= 0) & measured[baseline, cases, repeats] & measured[candidate, cases, repeats]
        values[cases[kept], repeats[kept]] = found[kept]


def _preference(score: Score, baseline: str) -> float:
    found = score.facts.get("against", {}).get(baseline, {}).get("value")
    return np.nan if found is None else float(found)


def _cluster_labels(results: Results) -> NDArray[np.int64]:
    """A number for each case, by the first case of its cluster; a case without a cluster is its own."""
    numbers: dict[str, int] = {}
    found = array("q")
    fresh = 0
    for case in results.cases:
        number = fresh if case.cluster is None else numbers.setdefault(case.cluster, fresh)
        fresh += number == fresh
        found.append(number)
    return np.frombuffer(found, dtype=np.int64)
