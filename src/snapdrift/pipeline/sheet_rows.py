"""What a person who labels an answer is shown of it: question, graded part, criteria, and nothing of by whom."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from snapdrift.calibrations import HumanLabel, LabelDraw, LabelPurpose
from snapdrift.errors import SnapdriftError
from snapdrift.graders.judge import JudgeGrader
from snapdrift.graders.marks import CannotGradeError, NotExtractedError
from snapdrift.graders.values import scrubbed, text_of
from snapdrift.model import CallKey, Case, Response
from snapdrift.pipeline.draw_order import answer_of
from snapdrift.pipeline.labelling import SheetItem, sheet_items
from snapdrift.store import StoredRun

if TYPE_CHECKING:
    from snapdrift.suites.resolved import Suite


@dataclass(frozen=True, slots=True)
class ShownRow:
    """A row of a sheet as a person reads it. `whole` says that `text` is all of the answer, as it is."""

    item: SheetItem
    question: str
    text: str
    criteria: tuple[str, ...]
    whole: bool


def rows_to_label(
    stored: StoredRun, suite: Suite, judge: JudgeGrader, draw: LabelDraw, labels: Sequence[HumanLabel]
) -> Iterator[ShownRow]:
    """The rows of a draw that nobody labelled yet, in the sheet's order, without answers that have changed."""
    cases = {case.id: case for case in suite.cases}
    done = {
        (label.case_id, label.answer)
        for label in labels
        if label.metric == draw.metric and label.purpose is LabelPurpose.CALIBRATION
    }
    for item in sheet_items(draw, stored.header.run_id):
        if (item.case_id, item.answer) in done:
            continue
        case = cases[item.case_id]
        response = answer_of(stored, CallKey(item.case_id, *item.places[0]))
        if response.answer_hash != item.answer:
            continue
        part = _graded_part(judge, response)
        yield ShownRow(
            item=item,
            question=_question(stored, judge, draw, case),
            text=scrubbed(part),
            criteria=tuple(scrubbed(text_of(line)) for line in judge.rendered("judge", case)["criteria"]),
            whole=part == response.said,
        )


def _question(stored: StoredRun, judge: JudgeGrader, draw: LabelDraw, case: Case) -> str:
    """What was asked, in words that are the same for both sides, so that they do not tell them apart.

    What the judge is told, where the rubric says so; else the prompt, where both sides had the same; else the case.
    """
    from snapdrift.reports.asked import read_prompt
    from snapdrift.reports.thumbnails import Album

    told = judge.rendered("judge", case)["question"]
    if told is not None:
        return scrubbed(text_of(told))
    requests = [stored.request(CallKey(case.id, variant, 0)) for variant in (draw.baseline, draw.candidate)]
    prompts = {
        read_prompt(request, {}, Album()).text
        for request in requests
        if request is not None and request.endpoint.over_http
    }
    if len(prompts) == 1 and None not in requests:
        return scrubbed(prompts.pop())
    return scrubbed(text_of(dict(case.variables)))


def _graded_part(judge: JudgeGrader, response: Response) -> str:
    """The part of the answer that the judge was shown; all of it, where nothing could be taken out."""
    try:
        return text_of(judge.value_in(response).value)
    except (NotExtractedError, CannotGradeError, SnapdriftError):
        return response.said
