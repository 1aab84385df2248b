"""Results as arrays: each metric's scores by variant, case and repeat, with what was planned and what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from snapdrift.model import Gate, MetricSpec, Outcome, Reason, Results, ScoreKind

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


class Imputation(StrEnum):
    """How unmeasured calls are filled in to see whether they could change the decision."""

    AGAINST_CANDIDATE = "against_candidate"
    FOR_CANDIDATE = "for_candidate"


@dataclass(frozen=True, slots=True)
class MetricScores:
    """One metric's scores. Arrays are indexed [variant, case, repeat].

    `compared` is what comparisons are made of (`passed` as 0 or 1, or `value`), `passed` whether the answer passed;
    both are NaN where there is no score. `reasons` has the reason of each score by its place, grader errors among them.
    `planned` marks the calls that were to be scored: the metric applies, the
    call was planned, and it was not spared by early stopping. `binary` says that `compared` holds 0 and 1 only.
    """

    spec: MetricSpec
    binary: bool
    compared: FloatArray
    passed: FloatArray
    planned: BoolArray
    unextracted: NDArray[np.int64]
    grader_errors: NDArray[np.int64]
    reasons: dict[tuple[int, int, int], Reason] = field(default_factory=dict)

    @property
    def unmeasured(self) -> BoolArray:
        """Planned calls without a score: they failed, are missing, or could not be graded."""
        return self.planned & np.isnan(self.compared)

    def case_means(self, variant: int, fill: float | None = None) -> FloatArray:
        """The mean over the scored repeats of each case, NaN without any; `fill` stands in for unmeasured calls."""
        values = self.compared[variant]
        if fill is not None:
            values = np.where(self.unmeasured[variant], fill, values)
        return mean_of_repeats(values)

    def filled(self, imputation: Imputation, *, candidate: bool) -> float:
        """The value that unmeasured calls of one side take: the worst or the best score there is."""
        best, worst = (1.0, 0.0) if self.spec.higher_is_better else (0.0, 1.0)
        return best if candidate is (imputation is Imputation.FOR_CANDIDATE) else worst


@dataclass(frozen=True, slots=True)
class ScoreTables:
    """All metrics of a run, and the positions of its variants, cases and repeats in their arrays.

    `planned` and `measured` are the calls themselves, [variant, case, repeat], and `outcomes` how each of the planned
    ones ended; `clusters` has a label for each case (its own id where the dataset names none), `repeats` the place of
    each repeat's number.
    """

    metrics: dict[str, MetricScores]
    variants: dict[str, int]
    case_ids: tuple[str, ...]
    clusters: NDArray[np.int64]
    planned: BoolArray
    measured: BoolArray
    outcomes: dict[tuple[int, int, int], Outcome]
    repeats: dict[int, int] = field(default_factory=dict)

    def coverage(self, variant: str) -> float:
        """The measured share of the planned calls of a variant; 0 when none was planned."""
        index = self.variants[variant]
        planned = int(self.planned[index].sum())
        return float(self.measured[index].sum()) / planned if planned else 0.0

    def metric_coverage(self, metric: str, variant: str) -> float:
        """The scored share of a variant's planned calls that the metric applies to; 0 when it applies to none."""
        scores, index = self.metrics[metric], self.variants[variant]
        planned = int(scores.planned[index].sum())
        return 1.0 - float(scores.unmeasured[index].sum()) / planned if planned else 0.0


def mean_of_repeats(values: FloatArray) -> FloatArray:
    """Means over the last axis without NaN; NaN where there is nothing."""
    present = ~np.isnan(values)
    counts = present.sum(axis=-1)
    sums = np.where(present, values, 0.0).sum(axis=-1)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def build_score_tables(results: Results, gate: Gate) -> ScoreTables:
    """Arranges a run's calls and scores. Scores of calls that were not measured are left out."""
    variants = {variant.name: index for index, variant in enumerate(results.variants)}
    cases = {case.id: index for index, case in enumerate(results.cases)}
    # Whether repeats are counted from 0 or from 1 is the planner's business.
    repeats = {number: index for index, number in enumerate(sorted({key.repeat for key in results.calls} or {0}))}
    shape = (len(variants), len(cases), len(repeats))
    planned, measured = np.zeros(shape, dtype=np.bool_), np.zeros(shape, dtype=np.bool_)
    outcomes: dict[tuple[int, int, int], Outcome] = {}
    for key, result in results.calls.items():
        if key.grader or result.outcome is Outcome.NOT_NEEDED:
            continue
        place = (variants[key.variant], cases[key.case_id], repeats[key.repeat])
        planned[place] = True
        measured[place] = result.outcome.measured
        outcomes[place] = result.outcome
    metrics = _empty_metrics(results, gate, cases, planned)
    _fill(metrics, results, variants, cases, repeats, measured)
    labels = _cluster_labels(results)
    return ScoreTables(metrics, variants, tuple(cases), labels, planned, measured, outcomes, repeats)


def _empty_metrics(results: Results, gate: Gate, cases: dict[str, int], planned: BoolArray) -> dict[str, MetricScores]:
    compared_on = {entry.metric: entry.on for entry in gate.metrics}
    metrics = {}
    for spec in results.metrics:
        # A metric without an entry applies to every case.
        applicable = results.applicable.get(spec.name, cases.keys())
        applies = np.array([case in applicable for case in cases], dtype=np.bool_)
        metrics[spec.name] = MetricScores(
            spec=spec,
            binary=_is_binary(spec, compared_on.get(spec.name)),
            compared=np.full(planned.shape, np.nan),
            passed=np.full(planned.shape, np.nan),
            planned=planned & applies[None, :, None],
            unextracted=np.zeros(planned.shape[0], dtype=np.int64),
            grader_errors=np.zeros(planned.shape[0], dtype=np.int64),
        )
    return metrics


def _is_binary(spec: MetricSpec, on: str | None) -> bool:
    if on is not None:
        return on == "passed"
    return spec.kind is ScoreKind.PASS_FAIL


def _fill(
    metrics: dict[str, MetricScores],
    results: Results,
    variants: dict[str, int],
    cases: dict[str, int],
    repeats: dict[int, int],
    measured: BoolArray,
) -> None:
    for score in results.scores:
        scores, repeat = metrics.get(score.metric), repeats.get(score.repeat)
        if scores is None or repeat is None:
            continue
        place = (variants[score.variant], cases[score.case_id], repeat)
        if not (measured[place] and scores.planned[place]):
            continue
        scores.reasons[place] = score.reason
        if score.value is None or score.passed is None:
            scores.grader_errors[place[0]] += 1
            continue
        scores.compared[place] = float(score.passed) if scores.binary else score.value
        scores.passed[place] = float(score.passed)
        if score.reason.not_extracted:
            scores.unextracted[place[0]] += 1


def _cluster_labels(results: Results) -> NDArray[np.int64]:
    numbers: dict[tuple[str, str], int] = {}
    labels: Sequence[tuple[str, str]] = [
        ("case", case.id) if case.cluster is None else ("cluster", case.cluster) for case in results.cases
    ]
    return np.array([numbers.setdefault(label, len(numbers)) for label in labels], dtype=np.int64)
