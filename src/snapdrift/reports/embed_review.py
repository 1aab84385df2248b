"""What the page carries for reviewers: how answers can be marked, what people said, and sheets to label blind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from snapdrift.model import ScoreKind
from snapdrift.reports.blind import BlindRow, BlindSheet
from snapdrift.reports.case_views import AnswerView, CaseView
from snapdrift.reports.view import View


def review_index(
    view: View, metrics: Mapping[str, int], variants: Mapping[str, int], labelled: Sequence[Sequence[int]]
) -> dict[str, Any]:
    """What the index holds of it. Cases are places in the view's order, metrics and variants numbers.

    `marking` has for each metric its scale (None: it passes or fails) and the numbers that it has, each with 1 where
    it passes; `accepted` the losses that are accepted already; `labelled` the cases of which people said something,
    with 1 where that is otherwise than the grader.
    """
    covered = {one.case_id for one in view.must_pass}
    return {
        "suite_name": view.run.suite,
        "markable": view.markable,
        "marking": [
            [
                None if metric.kind is ScoreKind.PASS_FAIL else list(metric.scale),
                [[number, int(passes)] for number, passes in view.label_levels.get(metric.name, ())],
            ]
            for metric in view.metrics
        ],
        "must_pass": [one.place for one in view.cases.outlines if one.id in covered],
        "labelled": labelled,
        "accepted": [
            [one.acceptance.case, one.acceptance.metric, one.acceptance.by, one.acceptance.until, one.acceptance.why]
            for one in view.acceptances
        ],
        "sheets": [
            [metrics.get(sheet.metric, -1), variants.get(sheet.baseline, -1), variants.get(sheet.candidate, -1)]
            for sheet in view.sheets
        ],
    }


def said_of(view: AnswerView, metrics: Mapping[str, int]) -> list[list[Any]]:
    """What people said of an answer: `[metric, label, passes, purpose, rater, comment]`."""
    return [
        [metrics.get(one.metric, -1), one.label, one.passed, one.purpose.value, one.rater, one.comment]
        for one in view.labels
    ]


def sheets_to_label(view: View, variants: Mapping[str, int]) -> dict[str, Any]:
    """`texts`, each once, and `sheets` with their choices and rows.

    A row is `[case, answer, places as [variant, repeat], question, text, criteria]`, where cases and variants are
    numbers and texts are places in `texts`; a text of -1 is all of the answer, which the case's details have.
    """
    texts: dict[str, int] = {}
    named = {row.case_id for sheet in view.sheets for row in sheet.rows}
    places = {one.id: one.place for one in view.cases.outlines if one.id in named}

    def number(text: str) -> int:
        return texts.setdefault(text, len(texts))

    def row(one: BlindRow) -> list[Any]:
        given_by = [[variants.get(variant, -1), repeat] for variant, repeat in one.places]
        text = -1 if one.text is None else number(one.text)
        criteria = [number(line) for line in one.criteria]
        return [places[one.case_id], one.answer, given_by, number(one.question), text, criteria]

    def sheet(one: BlindSheet) -> dict[str, Any]:
        return {"choices": [list(choice) for choice in one.choices], "rows": [row(each) for each in one.rows]}

    sheets = [sheet(one) for one in view.sheets]
    return {"texts": list(texts), "sheets": sheets}


def is_doubted(view: CaseView) -> bool:
    """Whether a person says of one of the case's answers otherwise than the grader."""
    return any(
        label.metric == score.metric and score.passed is not None and score.passed is not label.passed
        for answer in view.answers
        for label in answer.labels
        for score in answer.scores
    )
