"""From the rows of label files to labels of a run's answers: a row is of an answer that the run has, or a mistake."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from snapdrift.calibrations import HumanLabel, LabelDraw, LabelPurpose
from snapdrift.errors import LabelsError, Problem
from snapdrift.graders.judge import JudgeGrader
from snapdrift.model import CallKey, MetricSpec, ScoreKind
from snapdrift.pipeline.labelling import LabelKey, SheetItem, label_key, sheet_items
from snapdrift.suites.labels import LabelRow, SheetRow, WrittenLabel
from snapdrift.suites.wording import did_you_mean, listed, quoted

if TYPE_CHECKING:
    from snapdrift.store import StoredRun
    from snapdrift.suites.resolved import Suite


class _RowError(Exception):
    """A row is wrong in one of its keys."""

    def __init__(self, key: str, found: str, expected: str) -> None:
        self.key, self.found, self.expected = key, found, expected
        super().__init__(f"{key}: {found}; {expected}")


@dataclass(frozen=True, slots=True)
class _Said:
    """A label in the metric's terms, and as a score."""

    label: Any
    value: float
    passed: bool


@dataclass(frozen=True, slots=True)
class _Known:
    """What rows can be of: the run's answers, its metrics, and the items that were drawn of them."""

    stored: StoredRun
    suite: Suite
    items: dict[str, tuple[LabelDraw, SheetItem]]
    cases: frozenset[str]
    variants: tuple[str, ...]

    @property
    def run_id(self) -> str:
        return self.stored.header.run_id

    @property
    def metrics(self) -> dict[str, MetricSpec]:
        return {metric.name: metric for metric in self.suite.metrics}

    def judge(self, metric: str) -> JudgeGrader | None:
        """The judge that gives a metric, None where none does."""
        judges = (one for one in self.suite.graders if isinstance(one, JudgeGrader) and one.calibratable)
        return next((judge for judge in judges if judge.name == metric), None)


def labels_of_rows(
    written: Sequence[WrittenLabel], stored: StoredRun, suite: Suite, draws: Sequence[LabelDraw]
) -> dict[LabelKey, HumanLabel]:
    """The labels by what they are of. Raises `LabelsError` with every row that is wrong or contradicts another."""
    run_id = stored.header.run_id
    items = {item.item: (draw, item) for draw in draws for item in sheet_items(draw, run_id)}
    cases = frozenset(case.id for case in suite.cases)
    known = _Known(stored, suite, items, cases, tuple(variant.name for variant in stored.header.variants))
    found: dict[LabelKey, HumanLabel] = {}
    first: dict[LabelKey, WrittenLabel] = {}
    problems: list[Problem] = []
    for row in written:
        try:
            for label in _labels(row, known):
                key = label_key(label)
                if key in found and found[key].label != label.label:
                    raise _contradiction(row, first[key])
                found[key] = label
                first.setdefault(key, row)
        except _RowError as error:
            problems.append(row.problem(error.key, error.found, error.expected))
    if problems:
        raise LabelsError(problems)
    return found


def _contradiction(row: WrittenLabel, first: WrittenLabel) -> _RowError:
    expected = f"expected one label of an answer; it is first at {first.row.place} (`rater` tells people apart)"
    return _RowError("label", f"{quoted(row.entry.label)}, another label of the same answer", expected)


def _labels(row: WrittenLabel, known: _Known) -> list[HumanLabel]:
    entry = row.entry
    if entry.run != known.run_id:
        raise _RowError("run", quoted(entry.run), f"expected {known.run_id}: labels are of the answers of one run")
    if isinstance(entry, SheetRow):
        return list(_of_sheet(entry, known))
    return [_of_answer(entry, known)]


# ------------------------------------------------------------------------------------------------------ rows of a sheet


def _of_sheet(entry: SheetRow, known: _Known) -> Iterator[HumanLabel]:
    """One label for each side that gave the answer; none where it is not labelled yet."""
    if entry.item not in known.items:
        expected = "expected an item of a sheet that `snapdrift calibrate RUN --draw` wrote of this run"
        raise _RowError("item", quoted(entry.item), expected)
    draw, item = known.items[entry.item]
    judge = known.judge(draw.metric)
    if entry.metric != draw.metric or judge is None:
        raise _RowError("metric", quoted(entry.metric), f"expected {quoted(draw.metric)}, as it was drawn")
    if entry.label is None:
        return
    said = _said_on_rubric(judge, entry.label)
    for variant, repeat in item.places:
        _require_answer(known, CallKey(item.case_id, variant, repeat), entry.answer)
        yield HumanLabel(
            case_id=item.case_id,
            variant=variant,
            repeat=repeat,
            metric=draw.metric,
            answer=entry.answer,
            label=said.label,
            value=said.value,
            passed=said.passed,
            purpose=LabelPurpose.CALIBRATION,
            rater=entry.rater,
            comment=entry.comment,
            labelled_at=entry.labelled_at,
        )


def _require_answer(known: _Known, key: CallKey, answer: str) -> None:
    """Raises unless the run's answer is the one that was labelled. The variant is not named: a sheet is blind."""
    response = known.stored.response(key)
    if response is None or not response.outcome.measured:
        raise _RowError("answer", f"no answer to case {quoted(key.case_id)} there", "expected a call that was answered")
    if response.answer_hash != answer:
        found = f"{answer[:12]}..., but the answer to case {quoted(key.case_id)} is {response.answer_hash[:12]}..."
        raise _RowError("answer", found, "expected a label of the answer that the run has now: it has changed since")


# ------------------------------------------------------------------------------------------ rows that name their answer


def _of_answer(entry: LabelRow, known: _Known) -> HumanLabel:
    metrics, purpose = known.metrics, LabelPurpose(entry.purpose)
    if entry.metric not in metrics:
        expected = f"expected a metric of the run: {listed(metrics)}"
        raise _RowError("metric", quoted(entry.metric), did_you_mean(entry.metric, metrics, expected))
    if entry.variant not in known.variants:
        expected = f"expected a variant of the run: {listed(known.variants)}"
        raise _RowError("variant", quoted(entry.variant), did_you_mean(entry.variant, known.variants, expected))
    if entry.case not in known.cases:
        raise _RowError("case", quoted(entry.case), "expected the id of a case of the run")
    judge = known.judge(entry.metric)
    if judge is None and purpose is LabelPurpose.CALIBRATION:
        found = f"calibration of {quoted(entry.metric)}, which no judge scores by one verdict an answer"
        raise _RowError("purpose", found, "expected the metric of a judge in mode score or label, or `review`")
    _require_answer(known, CallKey(entry.case, entry.variant, entry.repeat), entry.answer)
    said = _said_on_metric(metrics[entry.metric], judge, entry.label)
    return HumanLabel(
        case_id=entry.case,
        variant=entry.variant,
        repeat=entry.repeat,
        metric=entry.metric,
        answer=entry.answer,
        label=said.label,
        value=said.value,
        passed=said.passed,
        purpose=purpose,
        rater=entry.rater,
        comment=entry.comment,
        labelled_at=entry.labelled_at,
    )


# --------------------------------------------------------------------------------------------------------------- labels


def _said_on_rubric(judge: JudgeGrader, written: Any) -> _Said:
    """A label in the rubric's terms, as a judge's verdict is; `not: true` turns it round as it does the judge's."""
    rubric = judge.judge
    low, high = rubric.ends
    if rubric.is_pass_fail:
        passed = _true_or_false(written)
        value = float(passed)
    else:
        _number_of(written, sorted(rubric.levels.values()))
        value = (written - low) / (high - low)
        passed = written >= (high if rubric.pass_at is None else rubric.pass_at)
    if judge.negate:
        value, passed = 1.0 - value, not passed
    return _Said(passed if rubric.is_pass_fail else low + value * (high - low), value, passed)


def _said_on_metric(metric: MetricSpec, judge: JudgeGrader | None, written: Any) -> _Said:
    """A label in the metric's terms: whether it passes, or a number on its scale."""
    if judge is not None:
        if judge.negate and isinstance(written, bool):
            return _said_on_rubric(judge, not written)
        return _said_on_rubric(judge, sum(judge.judge.ends) - written if judge.negate else written)
    if metric.kind is ScoreKind.PASS_FAIL:
        passed = _true_or_false(written)
        return _Said(passed, float(passed), passed)
    low, high = metric.scale
    if isinstance(written, bool) or not low <= written <= high:
        raise _RowError("label", quoted(written), f"expected a number from {low:g} to {high:g}")
    value = (written - low) / (high - low)
    return _Said(written, value, value >= 1.0)


def _true_or_false(written: Any) -> bool:
    if not isinstance(written, bool):
        raise _RowError("label", quoted(written), "expected true (pass) or false (fail)")
    return written


def _number_of(written: Any, levels: Sequence[float]) -> None:
    if isinstance(written, bool) or written not in levels:
        shown = ", ".join(f"{level:g}" for level in dict.fromkeys(levels))
        raise _RowError("label", quoted(written), f"expected one of the scale's scores: {shown}")
