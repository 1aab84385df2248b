"""Which labels of a closed set are taken for which: the confusion of each variant's answers under each such metric."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from snapdrift.gradings import Confusion, LabelScores
from snapdrift.model import MetricSpec, Outcome, Reason, Results, Score
from snapdrift.verdicts.call_columns import CallColumns

_UNANSWERED = (Reason.NOT_ACCEPTED, Reason.UNEXTRACTED, Reason.INVALID_JSON)


def find_confusions(results: Results, calls: Mapping[str, CallColumns]) -> tuple[Confusion, ...]:
    """One for each metric with labels and each variant, in their order; none where nothing of a variant is scored."""
    found = []
    for metric in (metric for metric in results.metrics if metric.labels):
        planned = _planned(results, metric, calls)
        for variant in results.variants:
            tally = _Tally(metric)
            for score in results.scores_of(variant.name, metric.name):
                if score.value is not None and "expected" in score.facts:
                    tally.add(score)
            if tally.graded:
                found.append(tally.confusion(variant.name, max(0, planned.get(variant.name, 0) - tally.graded)))
    return tuple(found)


def _planned(results: Results, metric: MetricSpec, calls: Mapping[str, CallColumns]) -> dict[str, int]:
    """By variant, how many answers were to be sorted; what early stopping spared was not."""
    applicable = results.applicable.get(metric.name, frozenset())
    applies = np.array([case.id in applicable for case in results.cases], dtype=np.bool_)
    return {
        variant: int((applies[columns.cases] & ~columns.ended(Outcome.NOT_NEEDED)).sum())
        for variant, columns in calls.items()
    }


def confusion_of(metric: MetricSpec, variant: str, scores: Iterable[Score], ungraded: int = 0) -> Confusion:
    """The confusion of these scores, each of which has the fact `expected`, and `found` where it named a label."""
    tally = _Tally(metric)
    for score in scores:
        tally.add(score)
    return tally.confusion(variant, ungraded)


class _Tally:
    """Counts the scores of one metric on one variant, one after another."""

    def __init__(self, metric: MetricSpec) -> None:
        self._metric = metric
        self._places = {label: place for place, label in enumerate(metric.labels)}
        size = len(self._places)
        self._counts = [[0] * size for _ in range(size)]
        self._outside, self._unanswered = [0] * size, [0] * size
        self.graded = 0

    def add(self, score: Score) -> None:
        """Takes in a score."""
        self.graded += 1
        row = self._places[score.facts["expected"]]
        found = score.facts.get("found")
        if score.reason in _UNANSWERED:
            self._unanswered[row] += 1
        elif found is None:
            self._outside[row] += 1
        else:
            self._counts[row][self._places[found]] += 1

    def confusion(self, variant: str, ungraded: int) -> Confusion:
        """What they come to."""
        counts, metric = self._counts, self._metric
        missed = [a + b for a, b in zip(self._outside, self._unanswered, strict=True)]
        by_label = tuple(_label_scores(label, place, counts, missed[place]) for label, place in self._places.items())
        f1s = [one.f1 for one in by_label if one.expected and one.f1 is not None]
        return Confusion(
            metric=metric.name,
            variant=variant,
            labels=metric.labels,
            counts=tuple(map(tuple, counts)),
            outside=tuple(self._outside),
            unanswered=tuple(self._unanswered),
            by_label=by_label,
            macro_f1=sum(f1s) / len(f1s) if f1s else None,
            ungraded=ungraded,
        )


def _label_scores(label: str, place: int, counts: Sequence[Sequence[int]], missed: int) -> LabelScores:
    """Precision, recall and their harmonic mean, F1 = 2TP / (2TP + FP + FN) (van Rijsbergen 1979, chapter 7).

    An answer that names no label is a miss of the expected one. A label that is neither expected nor found has no F1.
    """
    right = counts[place][place]
    expected = sum(counts[place]) + missed
    found = sum(row[place] for row in counts)
    return LabelScores(
        label=label,
        expected=expected,
        found=found,
        precision=right / found if found else None,
        recall=right / expected if expected else None,
        f1=2 * right / (expected + found) if expected + found else None,
    )
