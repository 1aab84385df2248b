"""What the list of cases needs beyond their states: whose answers are alike, passes of repeats, numbers to sort by."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
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
        if state is CaseGroup.FLAKY
    ]


def _passed(view: CaseView, metric: str, variant: str | None) -> list[int]:
    if variant is None:
        return []
    scores = [s for a in view.answers if a.variant == variant for s in a.scores if s.metric == metric]
    return [sum(s.passed is True for s in scores), sum(s.passed is not None for s in scores)]


def numbers(
    cases: Iterable[CaseView], variants: Mapping[str, int], metrics: Mapping[str, int]
) -> dict[str, list[list[Any]]]:
    """What the list can be sorted by, in columns over the cases, one a variant; None where there is nothing.

    `latency` is the slowest repeat in milliseconds, `usd` the cost of all repeats in millionths of a dollar, `length`
    the longest answer in characters; `values` has one column a variant and metric, the mean score in ten-thousandths,
    at variant times the number of metrics plus metric.
    """
    columns: dict[str, list[list[Any]]] = {key: [[] for _ in variants] for key in ("latency", "usd", "length")}
    columns["values"] = [[] for _ in range(len(variants) * len(metrics))]
    for view in cases:
        by_variant: dict[str, list[AnswerView]] = {name: [] for name in variants}
        for answer in view.answers:
            by_variant.setdefault(answer.variant, []).append(answer)
        for name, place in variants.items():
            responses = [a.response for a in by_variant[name] if a.response is not None]
            usd = [r.usd for r in responses if r.usd is not None]
            latencies = [r.latency_ms for r in responses if r.latency_ms is not None]
            columns["latency"][place].append(round(max(latencies)) if latencies else None)
            columns["usd"][place].append(round(sum(usd) * 1e6) if usd else None)
            columns["length"][place].append(max((len(r.text) for r in responses), default=None))
            for column, mean in zip(
                columns["values"][place * len(metrics) : (place + 1) * len(metrics)],
                _means(by_variant[name], metrics),
                strict=True,
            ):
                column.append(mean)
    return columns


def _means(answers: Iterable[AnswerView], metrics: Iterable[str]) -> list[int | None]:
    values: dict[str, list[float]] = {}
    for answer in answers:
        for score in answer.scores:
            if score.value is not None:
                values.setdefault(score.metric, []).append(score.value)
    return [round(sum(values[metric]) / len(values[metric]) * 1e4) if metric in values else None for metric in metrics]
