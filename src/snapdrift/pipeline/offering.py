"""Labelling in the report: the rows that its page offers, and the draw that their labels begin or enlarge.

The page offers the rows that `calibrate --draw` would write, in the same order, so that labels given there are of a
random sample too. What makes them count is that order: a draw reaches as far as the last pair that is labelled on both
sides, and what was passed over before it is counted as in a sheet.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from snapdrift.calibrations import DrawnPair, HumanLabel, LabelDraw, Labelling, LabelPurpose
from snapdrift.conclusions import Evaluation
from snapdrift.graders.judge import JudgeGrader
from snapdrift.pipeline.draw_order import DrawOrder, judge_models_of, order_of, with_draw
from snapdrift.pipeline.labelling import scale_for_people, stored_labelling
from snapdrift.pipeline.prepare import narrowed
from snapdrift.pipeline.sequences import record_of
from snapdrift.pipeline.sheet_rows import rows_to_label
from snapdrift.reports.blind import BlindRow, BlindSheet
from snapdrift.store import RunState

if TYPE_CHECKING:
    from snapdrift.store import StoredRun
    from snapdrift.suites.resolved import Suite

OFFERED = 100
"""So many pairs of a comparison are offered in the page, or all that were drawn, where that is more."""


def offered_sheets(
    stored: StoredRun, suite: Suite, versions: Iterable[tuple[str, str]], concluded: Evaluation
) -> tuple[BlindSheet, ...]:
    """A sheet for each judged comparison of a run that can be calibrated with; none where nothing is left to label.

    `versions` are those by which metrics were scored, and `concluded` is what was concluded from the run, which knows
    the models that judged. Scores of another version of a judge than the suite's can be shown, and not calibrated.
    """
    if stored.state is not RunState.FINISHED or stored.header.partial or record_of(stored) is not None:
        return ()
    found = set(versions)
    labelling = stored_labelling(stored)
    sheets = [
        _sheet(stored, suite, judge, order, labelling)
        for judge, order in _orders(stored, suite, labelling, concluded)
        if {version for metric, version in found if metric == judge.name} == {judge.version}
    ]
    return tuple(sheet for sheet in sheets if sheet.rows)


def reached_draws(
    stored: StoredRun, suite: Suite, labelling: Labelling, found: Sequence[HumanLabel]
) -> tuple[LabelDraw, ...]:
    """The run's draws with those that the labels of `found` begin or enlarge, within the pairs that a page offers.

    A pair counts as reached when both of its answers are labelled: a label of one answer may stand in the order of
    several comparisons, and says nothing of those whose other answer nobody looked at.
    """
    given = {label.metric for label in found if label.purpose is LabelPurpose.CALIBRATION}
    places = {
        (label.metric, label.case_id, label.variant, label.repeat)
        for label in (*labelling.labels, *found)
        if label.purpose is LabelPurpose.CALIBRATION
    }
    draws = labelling.draws
    for judge, order in _orders(stored, suite, labelling, stored.evaluation):
        if judge.name not in given:
            continue
        offered = _offered(order, labelling)
        whole = [index for index, pair in enumerate(offered.pairs) if _places_of(offered, pair) <= places]
        if whole and whole[-1] + 1 > order.drawn:
            draws = with_draw(draws, order.upto(whole[-1] + 1, labelling.labels))
    return draws


def _orders(
    stored: StoredRun, suite: Suite, labelling: Labelling, concluded: Evaluation | None
) -> Iterator[tuple[JudgeGrader, DrawOrder]]:
    """The order of each comparison that people can label, with its judge."""
    judged_by = {} if concluded is None else {one.metric: one.judge_models for one in concluded.calibrations}
    gate = narrowed(suite.gates[stored.header.gate], stored.header.variants)
    for grader in suite.graders:
        if isinstance(grader, JudgeGrader) and grader.calibratable:
            models = judged_by.get(grader.name)
            models = judge_models_of(stored, grader.name) if models is None else models
            for pair in gate.pairs:
                comparison = (grader.name, pair.baseline, pair.candidate)
                yield grader, order_of(stored, grader, comparison, labelling, models=models)


def _offered(order: DrawOrder, labelling: Labelling) -> LabelDraw:
    return order.upto(min(OFFERED, order.possible), labelling.labels)


def _places_of(draw: LabelDraw, pair: DrawnPair) -> set[tuple[str, str, str, int]]:
    return {
        (draw.metric, pair.case_id, draw.baseline, pair.baseline_repeat),
        (draw.metric, pair.case_id, draw.candidate, pair.candidate_repeat),
    }


def _sheet(stored: StoredRun, suite: Suite, judge: JudgeGrader, order: DrawOrder, labelling: Labelling) -> BlindSheet:
    draw = _offered(order, labelling)
    rows = [
        BlindRow(
            case_id=row.item.case_id,
            answer=row.item.answer,
            places=row.item.places,
            question=row.question,
            text=None if row.whole else row.text,
            criteria=row.criteria,
        )
        for row in rows_to_label(stored, suite, judge, draw, labelling.labels)
    ]
    return BlindSheet(*order.comparison, pairs=len(draw.pairs), choices=_choices(judge), rows=tuple(rows))


def _choices(judge: JudgeGrader) -> tuple[tuple[str, bool | float], ...]:
    """What a person may say, in the rubric's words, with the label that a row which names its answer has for it."""
    low, high = judge.judge.ends
    choices = []
    for word, written in scale_for_people(judge.judge).items():
        if isinstance(written, bool):
            choices.append((word, written is not judge.negate))
        else:
            told = f"{written:g}" if word == f"{written:g}" else f"{word} ({written:g})"
            choices.append((told, low + high - written if judge.negate else written))
    return tuple(choices)


def label_levels(suite: Suite) -> dict[str, tuple[tuple[float, bool], ...]]:
    """By metric of a judge with a scale, its numbers as labels have them, lowest first, and which of them pass."""
    judges = [one for one in suite.graders if isinstance(one, JudgeGrader) and one.calibratable]
    return {judge.name: _levels(judge) for judge in judges if not judge.judge.is_pass_fail}


def _levels(judge: JudgeGrader) -> tuple[tuple[float, bool], ...]:
    total = sum(judge.judge.ends)
    scores = sorted(set(judge.judge.levels.values()))
    own = [(total - s if judge.negate else s, judge.judge.reaches(s) is not judge.negate) for s in scores]
    return tuple(sorted(own))
