"""Makes the cases of the view model: how each differs through each lens, and its answers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from snapdrift.calibrations import HumanLabel
from snapdrift.model import CallKey, Case, Purpose, Response, Score
from snapdrift.reports.asked import PromptView
from snapdrift.reports.case_views import (
    WON,
    AnswerView,
    CaseGroup,
    CaseView,
    Change,
    Lens,
)
from snapdrift.reports.cases import LOST, AnswerIndex, case_state, overall_group, reason_code
from snapdrift.reports.data import RunData
from snapdrift.reports.judging import replies_by_answer


def case_views(data: RunData, lenses: tuple[Lens, ...]) -> tuple[CaseView, ...]:
    """The cases in the order of their group, then of the dataset, with a state for each of the `lenses`."""
    index, judged = _index(data), replies_by_answer(data)
    labels: dict[CallKey, list[HumanLabel]] = defaultdict(list)
    for label in data.labels:
        labels[CallKey(label.case_id, label.variant, label.repeat)].append(label)
    movers = {
        (c.metric, c.baseline, c.candidate): (frozenset(c.newly_failing), frozenset(c.newly_passing))
        for c in data.evaluation.comparisons
    }
    views = []
    for case in data.cases:
        states = tuple(
            case_state(index, case.id, lens, movers.get((lens.metric, lens.baseline or "", lens.candidate)))
            for lens in lenses
        )
        answers = _answers(data, index, case.id, labels, judged)
        group = overall_group([s for s, lens in zip(states, lenses, strict=True) if lens.compared], answers)
        views.append(CaseView(case, group, states, _changes(index, case.id, lenses, states), answers, {}))
    # Prompts last and in the page's order: there is room for so many thumbnails, and what changed comes first.
    ordered = sorted(views, key=lambda view: view.group.rank)
    return tuple(replace(view, prompts=_prompts(data, view.case)) for view in ordered)


def _index(data: RunData) -> AnswerIndex:
    responses = {r.call: r for r in data.responses if r.call.purpose is Purpose.ANSWER}
    scores: dict[tuple[str, str], dict[str, list[Score]]] = defaultdict(lambda: defaultdict(list))
    for score in data.scores:
        scores[score.case_id, score.variant][score.metric].append(score)
    return AnswerIndex(tuple(v.name for v in data.variants), data.repeats, responses, scores, data.unanswered)


def _answers(
    data: RunData,
    index: AnswerIndex,
    case_id: str,
    labels: Mapping[CallKey, Sequence[HumanLabel]],
    judged: Mapping[CallKey, Sequence[Response]],
) -> tuple[AnswerView, ...]:
    order = {metric.name: place for place, metric in enumerate(data.metrics)}
    answers = []
    for variant in data.variants:
        by_repeat: dict[int, list[Score]] = defaultdict(list)
        for of_metric in index.scores_of(case_id, variant.name).values():
            for score in of_metric:
                by_repeat[score.repeat].append(score)
        for repeat in range(data.repeats):
            key = CallKey(case_id, variant.name, repeat)
            response: Response | None = index.responses.get(key)
            scores = sorted(by_repeat[repeat], key=lambda s: order.get(s.metric, len(order)))
            outcome = response.outcome if response else data.unanswered(case_id)
            price = data.price(response) if data.price is not None and response is not None else None
            said, of_judges = tuple(labels.get(key, ())), tuple(judged.get(key, ()))
            answers.append(
                AnswerView(variant.name, repeat, outcome, response, tuple(scores), said, of_judges, price or "")
            )
    return tuple(answers)


def _changes(
    index: AnswerIndex, case_id: str, lenses: tuple[Lens, ...], states: tuple[CaseGroup | None, ...]
) -> tuple[Change, ...]:
    changes = []
    for lens, state in zip(lenses, states, strict=True):
        if state in (CaseGroup.NEWLY_FAILING, CaseGroup.NEWLY_PASSING) and lens.compared and lens.baseline is not None:
            fails = state is CaseGroup.NEWLY_FAILING
            failing = lens.candidate if fails else lens.baseline
            preferred = (LOST if fails else WON) if lens.pairwise else None
            code = preferred or reason_code(index, case_id, failing, lens.metric)
            changes.append(Change(lens.metric, lens.baseline, lens.candidate, state, code))
    return tuple(changes)


def _prompts(data: RunData, case: Case) -> Mapping[str, PromptView]:
    if data.prompt is None:
        return {}
    rendered = {variant.name: data.prompt(case.id, variant.name) for variant in data.variants}
    return {name: prompt for name, prompt in rendered.items() if prompt is not None}
