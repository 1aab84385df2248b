"""What cases that moved are said to do: newly fail or pass, or, on a scale without `pass_at`, be worse or better.

A judge's scale on which no score was said to pass has no passes: only its highest score would count as one, and an
answer of 4 of 5 as a failure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from snapdrift.conclusions import Comparison
from snapdrift.model import MetricSpec
from snapdrift.reports.case_views import CaseGroup
from snapdrift.reports.figures import count
from snapdrift.reports.words import GROUP_WORDS

_ON_SCALE = {CaseGroup.NEWLY_FAILING: "worse", CaseGroup.NEWLY_PASSING: "better"}


def without_mark(metrics: Iterable[MetricSpec]) -> frozenset[str]:
    """The names of the metrics of which nothing passes or fails."""
    return frozenset(metric.name for metric in metrics if not metric.has_pass_mark)


def group_words(metrics: Sequence[MetricSpec]) -> Mapping[CaseGroup, str]:
    """What groups of cases are called where these are the metrics: `newly failing`, `worse`, or either."""
    names = without_mark(metrics)
    if not names:
        return GROUP_WORDS
    if len(names) == len(metrics):
        return {**GROUP_WORDS, **_ON_SCALE}
    either = {group: f"{GROUP_WORDS[group]} or {word}" for group, word in _ON_SCALE.items()}
    return {**GROUP_WORDS, **either}


def scale_sentence(metric: str, worse: int, better: int) -> str:
    """How many cases moved on a scale: `On polite, 22 cases are worse, 12 better`."""
    if not worse and not better:
        return f"On {metric}, no case is worse or better."
    opening = f"{count(worse) if worse else 'no'} {'case is' if worse < 2 else 'cases are'} worse"
    return f"On {metric}, {opening}, {count(better) if better else 'none'} better."


def moved_counts(comparison: Comparison, metric: MetricSpec) -> str:
    """How many cases a comparison counts as moved: `12 newly fail, 3 newly pass`, or `12 worse, 3 better`."""
    failing, passing = len(comparison.newly_failing), len(comparison.newly_passing)
    if metric.has_pass_mark:
        return f"{failing} newly fail, {passing} newly pass"
    return f"{failing} worse, {passing} better"
