"""Which labels of a closed set are taken for which: the confusion of each variant's answers under each such metric."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from snapdrift.gradings import Confusion, LabelScores
from snapdrift.model import MetricSpec, Outcome, Reason, Results, Score

_UNANSWERED = (Reason.NOT_ACCEPTED, Reason.UNEXTRACTED, Reason.INVALID_JSON)


def find_confusions(results: Results) -> tuple[Confusion, ...]:
    """One for each metric with labels and each variant, in their order; none where nothing of a variant is scored."""
    chosen = [metric for metric in results.metrics if metric.labels]
    if not chosen:
        return ()
    scores: dict[tuple[str, str], list[Score]] = {
        (metric.name, variant.name): [] for metric in chosen for variant in results.variants
    }
    for score in results.scores:
        if (score.metric, score.variant) in scores and "expected" in score.facts:
            scores[score.metric, score.variant].append(score)
    found = []
    for metric in chosen:
        planned = _planned(results, metric)
        for variant in results.variants:
            graded = [s for s in scores[metric.name, variant.name] if s.value is not None]
            if graded:
                ungraded = max(0, planned.get(variant.name, 0) - len(graded))
                found.append(confusion_of(metric, variant.name, graded, ungraded))
    return tuple(found)


def _planned(results: Results, metric: MetricSpec) -> dict[str, int]:
    """By variant, how many answers were to be sorted; what early stopping spared was not."""
    applicable = results.applicable.get(metric.name, frozenset())
    counts: dict[str, int] = {}
    for key, call in results.calls.items():
        if key.case_id in applicable and call.outcome is not Outcome.NOT_NEEDED:
            counts[key.variant] = counts.get(key.variant, 0) + 1
    return counts


def confusion_of(metric: MetricSpec, variant: str, scores: Iterable[Score], ungraded: int = 0) -> Confusion:
    """The confusion of these scores, each of which has the fact `expected`, and `found` where it named a label."""
    places = {label: place for place, label in enumerate(metric.labels)}
    size = len(places)
    counts = [[0] * size for _ in range(size)]
    outside, unanswered = [0] * size, [0] * size
    for score in scores:
        row = places[score.facts["expected"]]
        found = score.facts.get("found")
        if score.reason in _UNANSWERED:
            unanswered[row] += 1
        elif found is None:
            outside[row] += 1
        else:
            counts[row][places[found]] += 1
    missed = [a + b for a, b in zip(outside, unanswered, strict=True)]
    by_label = tuple(_label_scores(label, place, counts, missed[place]) for label, place in places.items())
    f1s = [one.f1 for one in by_label if one.expected and one.f1 is not None]
    return Confusion(
        metric=metric.name,
        variant=variant,
        labels=metric.labels,
        counts=tuple(map(tuple, counts)),
        outside=tuple(outside),
        unanswered=tuple(unanswered),
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
