"""What a run file keeps of people's labels, how a draw is laid out as a sheet, and what verdicts need to know of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from snapdrift.calibrations import HumanLabel, JudgeCalibration, LabelDraw, Labelling, LabelPurpose
from snapdrift.graders.judge import JudgeGrader
from snapdrift.graders.rubric import PASS_FAIL_SCALE, Rubric
from snapdrift.model import CallKey, sha256
from snapdrift.store import codec

if TYPE_CHECKING:
    from snapdrift.store import RunWriter, StoredRun
    from snapdrift.suites.resolved import Suite
    from snapdrift.verdicts.facts import JudgeScale, JudgingFacts

LABELLING = "labelling"
"""Under this name a run file keeps its draws and labels."""
JUDGE_RECORDS = "judge_records"
"""Under this name it keeps the calibrations of other runs that were known when it was concluded: so the same run file
gives the same verdict, whatever is calibrated later."""
BLOCK = 10
"""Pairs whose rows are shuffled together in a sheet: the two answers of a case do not stand side by side, and whoever
stops early leaves at most so many pairs half labelled."""


@dataclass(frozen=True, slots=True)
class SheetItem:
    """A row of a sheet: an answer to one case, and the variants and repeats that gave exactly it."""

    item: str
    case_id: str
    answer: str
    places: tuple[tuple[str, int], ...]


def stored_labelling(stored: StoredRun) -> Labelling:
    """The draws and labels of a run. Raises `StoreError`."""
    text = stored.meta(LABELLING)
    return Labelling() if text is None else codec.loads(Labelling, text, f"{stored.path}: {LABELLING}")


def store_labelling(writer: RunWriter, labelling: Labelling) -> None:
    """Keeps draws and labels in the run file."""
    writer.set_meta(LABELLING, codec.dumps(labelling))


def stored_records(stored: StoredRun) -> tuple[JudgeCalibration, ...]:
    """The calibrations of other runs that the run was concluded with, the newest first. Raises `StoreError`."""
    text = stored.meta(JUDGE_RECORDS)
    if text is None:
        return ()
    return codec.loads(tuple[JudgeCalibration, ...], text, f"{stored.path}: {JUDGE_RECORDS}")


def store_records(writer: RunWriter, records: tuple[JudgeCalibration, ...]) -> None:
    """Keeps in the run file which calibrations of other runs are known now."""
    writer.set_meta(JUDGE_RECORDS, codec.dumps(records))


def sheet_items(draw: LabelDraw, run_id: str) -> tuple[SheetItem, ...]:
    """The rows of a draw's sheet in their order: pairs as drawn, the rows of each block of pairs shuffled.

    Where both sides of a case gave the same answer there is one row for both: a label is of an answer. Nothing in a row
    tells which variant gave it; that is why its name is a hash.
    """
    items: list[tuple[int, SheetItem]] = []
    for index, pair in enumerate(draw.pairs):
        places: dict[str, list[tuple[str, int]]] = {}
        places.setdefault(pair.baseline_answer, []).append((draw.baseline, pair.baseline_repeat))
        places.setdefault(pair.candidate_answer, []).append((draw.candidate, pair.candidate_repeat))
        for answer, of in places.items():
            name = sha256([run_id, *draw.comparison, draw.seed, draw.version, pair.case_id, answer])[:16]
            items.append((index // BLOCK, SheetItem(name, pair.case_id, answer, tuple(of))))
    return tuple(item for _, item in sorted(items, key=lambda entry: (entry[0], entry[1].item)))


def passed_over(draw: LabelDraw, run_id: str, labels: Iterable[HumanLabel]) -> int:
    """How many rows of the sheet have no label though a later row has one.

    The order of the rows is random, so a sheet that was left half way is as good a sample as a whole one; one with gaps
    is not.
    """
    labelled = {
        (label.case_id, label.variant, label.repeat)
        for label in labels
        if label.metric == draw.metric and label.purpose is LabelPurpose.CALIBRATION
    }
    done = [
        any((item.case_id, variant, repeat) in labelled for variant, repeat in item.places)
        for item in sheet_items(draw, run_id)
    ]
    last = max((place for place, there in enumerate(done) if there), default=-1)
    return done[: last + 1].count(False)


def judging_facts(stored: StoredRun, suite: Suite) -> JudgingFacts:
    """What verdicts need to know of a run's judges and of the people who labelled its answers."""
    from snapdrift.verdicts.facts import JudgingFacts

    run_id, labelling = stored.header.run_id, stored_labelling(stored)
    fresh = labels_that_hold(stored)
    known = set(map(label_key, fresh))
    stale = Counter(
        label.metric
        for label in labelling.labels
        if label.purpose is LabelPurpose.CALIBRATION and label_key(label) not in known
    )
    return JudgingFacts(
        required=suite.require_calibration,
        run=run_id,
        draws=labelling.draws,
        labels=fresh,
        stale=dict(stale),
        skipped={draw.comparison: passed_over(draw, run_id, labelling.labels) for draw in labelling.draws},
        records=stored_records(stored),
        scales={
            grader.name: scale_of(grader)
            for grader in suite.graders
            if isinstance(grader, JudgeGrader) and grader.calibratable
        },
    )


def labels_that_hold(stored: StoredRun) -> tuple[HumanLabel, ...]:
    """The labels of answers that are still the ones that were labelled. Raises `StoreError`."""
    return tuple(label for label in stored_labelling(stored).labels if _is_of_this_answer(stored, label))


LabelKey = tuple[str, str, int, str, str, str]


def label_key(label: HumanLabel) -> LabelKey:
    """What makes two labels speak of the same: the answer's place, the metric, what for, and who."""
    return label.case_id, label.variant, label.repeat, label.metric, label.purpose.value, label.rater


def scale_of(judge: JudgeGrader) -> JudgeScale:
    """A judge's version and the values that its labels come to."""
    from snapdrift.verdicts.facts import JudgeScale

    values = {judge.judge.value(label) for label in judge.judge.levels}
    return JudgeScale(judge.version, tuple(sorted(1.0 - v if judge.negate else v for v in values)))


def scale_for_people(rubric: Rubric) -> dict[str, Any]:
    """By what the judge may say what a person writes as the label: a score of the scale, or whether it passes."""
    if rubric.levels == PASS_FAIL_SCALE:
        return {"pass": True, "fail": False}
    return {label: rubric.passes(label) if rubric.is_pass_fail else score for label, score in rubric.levels.items()}


def _is_of_this_answer(stored: StoredRun, label: HumanLabel) -> bool:
    """Whether the answer is still the one that was labelled: a resumed run may have asked again."""
    response = stored.response(CallKey(label.case_id, label.variant, label.repeat))
    return response is not None and response.answer_hash == label.answer
