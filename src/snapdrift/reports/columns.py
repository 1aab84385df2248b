"""What the list of cases needs beyond their states: whose answers are alike, passes of repeats, numbers to sort by."""

from __future__ import annotations

from array import array
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from snapdrift.reports.case_views import AnswerView, CaseGroup, CaseView, Lens

UNANSWERED = "-"
"""In place of a class: the variant never answered this case, so there is nothing to compare."""


def alike(view: CaseView, variants: Iterable[str]) -> str | list[str]:
    """For each variant the number of its class: variants of one class gave equal answers, over all repeats.

    Text while every class is one digit, else a list; empty where all variants answered alike. Of several repeats it is
    the distinct answers that count. A variant whose calls all failed is `UNANSWERED`.
    """
    said: dict[str, set[Hashable]] = {}
    for answer in view.answers:
        if answer.response is not None and answer.outcome.measured:
            said.setdefault(answer.variant, set()).add(_said(answer))
    classes: dict[Hashable, int] = {}
    places = [
        str(classes.setdefault(frozenset(said[name]), len(classes))) if name in said else UNANSWERED
        for name in variants
    ]
    if set(places) == {"0"}:
        return ""
    return "".join(places) if len(classes) <= 10 else places


def _said(answer: AnswerView) -> tuple[Hashable, ...]:
    """All that an answer says: text, refusal and tool calls of each of its requests."""
    response = answer.response
    assert response is not None  # noqa: S101  asked by the caller
    calls = tuple((call.name, call.arguments) for call in response.tool_calls)
    return (response.text, response.refusal, calls, tuple(step.text for step in response.steps))


def passes(view: CaseView, lenses: Sequence[Lens]) -> list[list[Any]]:
    """`[number of the lens, [passed, graded] of the baseline, and of the candidate]` where repeats disagree."""
    return [
        [number, _passed(view, lens.metric, lens.baseline), _passed(view, lens.metric, lens.candidate)]
        for number, (lens, state) in enumerate(zip(lenses, view.states, strict=True))
        if state is CaseGroup.FLAKY and lens.marked
    ]


def _passed(view: CaseView, metric: str, variant: str | None) -> list[int]:
    if variant is None:
        return []
    scores = [s for a in view.answers if a.variant == variant for s in a.scores if s.metric == metric]
    return [sum(s.passed is True for s in scores), sum(s.passed is not None for s in scores)]


_NOTHING = -(2**63)
_MOST = 2**62


class Numbers:
    """What the list can be sorted by, in columns over the cases, one a variant; null where there is nothing.

    `latency` is the slowest repeat in milliseconds, `usd` the cost of all repeats in millionths of a dollar, `length`
    the longest answer in characters; `values` has one column a variant and metric, the mean score in ten-thousandths,
    at variant times the number of metrics plus metric.
    """

    def __init__(self, variants: Mapping[str, int], metrics: Mapping[str, int]) -> None:
        self._variants = variants
        self._metrics = metrics
        self._columns = {key: [array("q") for _ in variants] for key in ("latency", "usd", "length")}
        self._columns["values"] = [array("q") for _ in range(len(variants) * len(metrics))]
        self._cases = 0

    def __len__(self) -> int:
        """How many cases there are."""
        return self._cases

    def add(self, view: CaseView) -> None:
        """Adds a row."""
        self._cases += 1
        by_variant: dict[str, list[AnswerView]] = {name: [] for name in self._variants}
        for answer in view.answers:
            by_variant.setdefault(answer.variant, []).append(answer)
        latency, cost, length, values = self._columns.values()
        for name, place in self._variants.items():
            responses = [a.response for a in by_variant[name] if a.response is not None]
            usd = [r.usd for r in responses if r.usd is not None]
            latencies = [r.latency_ms for r in responses if r.latency_ms is not None]
            latency[place].append(_whole(round(max(latencies))) if latencies else _NOTHING)
            cost[place].append(_whole(round(sum(usd) * 1e6)) if usd else _NOTHING)
            length[place].append(max((len(r.text) for r in responses), default=_NOTHING))
            means = _means(by_variant[name], self._metrics)
            for number, mean in enumerate(means, place * len(self._metrics)):
                values[number].append(_NOTHING if mean is None else mean)

    @property
    def known(self) -> list[str]:
        """The keys under which there is more than nothing and 0: an order by any other would say nothing."""
        return [key for key, columns in self._columns.items() if any(max(column, default=0) > 0 for column in columns)]

    def json(self, first: int, end: int) -> Iterator[str]:
        """The rows from `first` to `end` as JSON text, in pieces."""
        opening = "{"
        for key, columns in self._columns.items():
            yield f'{opening}"{key}":['
            for place, column in enumerate(columns):
                told = ",".join("null" if value == _NOTHING else str(value) for value in column[first:end])
                yield f"{',' if place else ''}[{told}]"
            opening = "],"
        yield "]}"


def _whole(value: int) -> int:
    """Within the 64 bits that a column has: what is said to be more is somebody's invention."""
    return max(-_MOST, min(value, _MOST))


def _means(answers: Iterable[AnswerView], metrics: Iterable[str]) -> list[int | None]:
    values: dict[str, list[float]] = {}
    for answer in answers:
        for score in answer.scores:
            if score.value is not None:
                values.setdefault(score.metric, []).append(score.value)
    return [round(sum(values[metric]) / len(values[metric]) * 1e4) if metric in values else None for metric in metrics]
