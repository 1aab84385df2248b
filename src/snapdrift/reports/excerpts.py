"""Excerpts of changed cases for files that leave the house: none unless the suite's privacy allows them there."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

from snapdrift.reports.case_views import AnswerView, CaseGroup, CaseOutline, CaseView, Change
from snapdrift.reports.escaping import shortened
from snapdrift.reports.view import View

TEXT = "text"
"""The value of `View.comment` that lets texts of cases into `summary.md` and `junit.xml`."""

LENGTH = 300
"""Characters of one excerpt: enough to tell a fence from a wrong answer."""

_CHANGES = 6
_NO_ANSWER = "(no answer)"


@dataclass(frozen=True, slots=True)
class Excerpt:
    """The start of a text on one line, and what it is of: `asked`, `expected`, a variant, or a metric on a variant."""

    name: str
    text: str


def with_texts(view: View, outlines: Sequence[CaseOutline]) -> Iterable[tuple[CaseOutline, CaseView | None]]:
    """Some cases of a view with what they say, which is read only where its `comment` allows texts; else None."""
    read = view.cases.pick(one.place for one in outlines) if view.comment == TEXT else repeat(None, len(outlines))
    return zip(outlines, read, strict=True)


def excerpts(case: CaseView | None, changes: Sequence[Change]) -> tuple[Excerpt, ...]:
    """What was asked, expected and answered on both sides, and what the graders say; not escaped, each bounded.

    `changes` are those of the case that are told. Empty where there is no case: its texts are not allowed.
    """
    if case is None or not changes:
        return ()
    told = changes[:_CHANGES]
    found = [Excerpt("asked", _asked(case, told[0].candidate))]
    if case.case.expected is not None:
        found.append(Excerpt("expected", _text(case.case.expected)))
    found += _answers(case, told)
    found += _details(case, told)
    return tuple(Excerpt(one.name, _start(one.text)) for one in found if one.text)


def _asked(case: CaseView, variant: str) -> str:
    """The case's own variables: of a prompt's start a reader would see the same instructions for every case."""
    if case.case.variables:
        return "; ".join(f"{name}: {_text(value)}" for name, value in case.case.variables.items())
    prompt = case.prompts.get(variant)
    return prompt.text if prompt else ""


def _answers(case: CaseView, changes: Sequence[Change]) -> Iterator[Excerpt]:
    sides = {change.baseline: change for change in changes} | {change.candidate: change for change in changes}
    for variant, change in sides.items():
        answer = _answer(case, variant, change.metric, failing=variant == _failing(change))
        said = answer.response.said if answer and answer.response else ""
        yield Excerpt(variant, said or (answer.outcome.value if answer else _NO_ANSWER))


def _details(case: CaseView, changes: Sequence[Change]) -> Iterator[Excerpt]:
    for change in changes:
        variant = _failing(change)
        answer = _answer(case, variant, change.metric, failing=True)
        details = [score.detail for score in answer.scores if score.metric == change.metric] if answer else []
        yield Excerpt(f"{change.metric} on {variant}", "; ".join(filter(None, details)))


def _failing(change: Change) -> str:
    return change.candidate if change.group is CaseGroup.NEWLY_FAILING else change.baseline


def _answer(case: CaseView, variant: str, metric: str, *, failing: bool) -> AnswerView | None:
    """The repeat that shows the change best: the first that fails the metric, or passes it; else the first."""
    answers = [answer for answer in case.answers if answer.variant == variant]
    for answer in answers:
        if any(score.metric == metric and score.passed is (not failing) for score in answer.scores):
            return answer
    return answers[0] if answers else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _start(text: str) -> str:
    """Cut before the white space is folded, so that a huge answer costs nothing."""
    return shortened(" ".join(text[: LENGTH * 4].split()), LENGTH)
