"""Sentences about judges and the people who labelled what they scored. As in `words`, each is whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from snapdrift.calibrations import ArmAgreement, JudgeCalibration, JudgeStatus, LabelDraw, ReviewTally
from snapdrift.model import MetricGate, MetricSpec, Verdict
from snapdrift.verdicts.words import VERDICT_WORDS, amount, change_text, names, p_text, percent, points, quoted

if TYPE_CHECKING:
    from snapdrift.verdicts.calibration import JudgeNow

STATUS_WORDS = {
    JudgeStatus.CALIBRATED: "calibrated judge",
    JudgeStatus.OTHER_CANDIDATE: "judge calibrated on another candidate",
    JudgeStatus.UNCALIBRATED: "uncalibrated judge",
}
"""The label that a judged metric bears."""
NOT_CALIBRATED = "the judge is not calibrated, and the suite requires it"
BIAS_NOT_INSIDE = "the judge's bias is not shown to be inside the margin, and the suite requires it"
OTHER_SOURCE = "the calibration is of simulated verdicts and these are of a model, or the other way round"


def pairs(number: int) -> str:
    """A number of pairs: `1 pair`, `100 pairs`."""
    return "1 pair" if number == 1 else f"{number:,} pairs"


def other_judge(version: str, models: Sequence[str], judge: JudgeNow) -> str:
    """Why a calibration does not hold for the judge as it is now."""
    if version != judge.scale.version:
        return f"the calibration is of another version of the judge ({version}, now {judge.scale.version})"
    then, now = names(models) or "no model", names(judge.models) or "no model"
    return f"the calibration is of a judge that answered as {then}; it now answers as {now}"


def too_few(calibration: JudgeCalibration, needed: int) -> str:
    """Why labels that are there are not enough."""
    of = f"{calibration.labelled:,} of {pairs(calibration.drawn)} that were drawn"
    return f"{of} {'is' if calibration.labelled == 1 else 'are'} labelled on both sides; it takes {needed:,}"


def notes_of(calibration: JudgeCalibration, draw: LabelDraw) -> tuple[str, ...]:
    """What makes labels less sure than they look: rows passed over, labels that no longer fit, looks in between."""
    notes = []
    if calibration.skipped:
        rows = "1 row was" if calibration.skipped == 1 else f"{calibration.skipped:,} rows were"
        notes.append(f"{rows} passed over in the sheet: what people leave out is seldom random, so label the rest")
    if calibration.stale:
        labels = "1 label is" if calibration.stale == 1 else f"{calibration.stale:,} labels are"
        notes.append(f"{labels} of answers that have changed since, and no longer counted")
    if draw.looked:
        notes.append("the draw was enlarged after a part of it had been labelled, of which p-values take no account")
    if calibration.raters > 1:
        notes.append(
            f"{calibration.raters} raters: an answer's label is the mean of theirs, and answers on which they are "
            "evenly split are in no count of agreement"
        )
    return tuple(notes)


def calibration_sentence(calibration: JudgeCalibration, spec: MetricSpec | None = None) -> str:
    """What is known of the judge in one comparison, and what follows for its verdict."""
    c = calibration
    where = f"{c.metric}, `{c.candidate}` against `{c.baseline}`"
    simulated = " The judge's verdicts are simulated." if c.simulated else ""
    if c.status is JudgeStatus.UNCALIBRATED:
        why = c.reason or "nobody labelled its answers"
        return f"{where}: uncalibrated judge; {why}{_capped(c)}.{simulated}"
    if c.status is JudgeStatus.OTHER_CANDIDATE:
        inside = "" if c.margin is None else f", {_within(c, spec)}"
        on = f"on `{c.of_candidate}` against `{c.of_baseline}` (run {c.of_run})"
        return f"{where}: judge calibrated on another candidate, {on}: {_bias(c, spec)}{inside}{_capped(c)}.{simulated}"
    agrees = " and ".join(f"{percent(arm.agreement.value)} of `{arm.variant}`" for arm in c.arms if arm.agreement)
    drawn = f"people labelled {c.labelled:,} of {pairs(c.drawn)} that were drawn"
    alone = change_text(c.alone_difference, c.alone_ci, spec)
    word = VERDICT_WORDS[Verdict(c.alone_verdict)] if c.alone_verdict else "nothing"
    return (
        f"{where}: calibrated judge; {drawn}, and it agrees with them on {agrees}; {_bias(c, spec)}. As people would "
        f"see it: {change_text(c.difference, c.ci, spec)} ({c.method}); by the judge alone: {alone}, {word}.{simulated}"
    )


def short_meaning(calibration: JudgeCalibration | None) -> str:
    """What the label of a judged metric means, without the metric's name; None: nothing is known of the judge."""
    if calibration is not None and calibration.status is JudgeStatus.CALIBRATED:
        return f"decided by people's labels of {pairs(calibration.labelled)}, drawn at random from this comparison."
    if calibration is not None and calibration.status is JudgeStatus.OTHER_CANDIDATE:
        return f"graded by a model whose errors were measured on {calibration.of_candidate}, not on these answers."
    return "graded by a model whose agreement with people has not been measured."


def capped_sentence(calibration: JudgeCalibration) -> str:
    """Why a judge's verdict on a gating metric is at most inconclusive."""
    c = calibration
    why = f" ({c.reason})" if c.reason else ""
    return f"`{c.candidate}` against `{c.baseline}` on {c.metric} is at most inconclusive: {c.capped}{why}."


def sight_sentence(calibration: JudgeCalibration, worth: int, drop: float) -> str:
    """That labels leave a comparison open and see less than the gate promises."""
    c = calibration
    return (
        f"`{c.candidate}` against `{c.baseline}` on {c.metric} is decided by labels that are worth {pairs(worth)}: too "
        f"few to see a drop of {amount(drop)} (`max_blind`) with 80% power; label more pairs."
    )


def review_sentence(tally: ReviewTally) -> str:
    """How many labels were made for review, and where they say otherwise than the score."""
    labels = "1 label" if tally.labels == 1 else f"{tally.labels:,} labels"
    head = f"{labels} for review on {tally.metric} of `{tally.variant}` (never counted)"
    if not tally.disagreeing:
        return f"{head}: all agree with the score."
    return f"{head}: otherwise than the score on {quoted(tally.disagreeing)}."


def table_of(arm: ArmAgreement) -> tuple[tuple[str, int, int], tuple[str, int, int]]:
    """The confusion table by rows: people pass or fail; the judge passes, the judge fails."""
    return ("people pass", arm.true_pass, arm.false_fail), ("people fail", arm.false_pass, arm.true_fail)


def _bias(c: JudgeCalibration, spec: MetricSpec | None) -> str:
    if c.bias is None or c.bias_ci is None:
        return "its bias is not known"
    low, high = (points(bound, spec) for bound in c.bias_ci)
    interval = f"[{low}, {high}], two-sided {p_text(c.bias_p)}"
    of_candidate, of_baseline = c.of_candidate or c.candidate, c.of_baseline or c.baseline
    if round(c.bias, 12) == 0:
        return f"it errs alike on both sides ({interval})"
    flattered = of_candidate if c.bias > 0 else of_baseline
    return f"it flatters `{flattered}` by {amount(abs(c.bias), spec)} (candidate minus baseline {interval})"


def _within(c: JudgeCalibration, spec: MetricSpec | None) -> str:
    shown = "shown to be" if c.inside_margin else "not shown to be"
    return f"{shown} inside the margin of {amount(c.margin or 0.0, spec)}"


def _capped(c: JudgeCalibration) -> str:
    return "; its verdict is at most inconclusive, for the suite requires calibration" if c.capped else ""


def known_sentence(
    entry: MetricGate,
    spec: MetricSpec,
    record: JudgeCalibration | None,
    version: str,
    confidence: float,
    *,
    looked: bool = False,
) -> str:
    """Before a run: whether the judge of a metric was calibrated, and what that lets a run conclude.

    A run that is `looked` at while it grows cannot be calibrated with labels of its own answers.
    """
    head = f"{entry.metric} (calibration is required)"
    then = (
        "a run that is looked at while it grows is at most inconclusive on it: calibrate one of a fixed number of cases"
        if looked
        else "until `snapdrift calibrate` has labels of its own answers, a run is at most inconclusive on it"
    )
    if record is None:
        return f"{head}: its judge was never calibrated; {then}."
    when = f"{record.made_at[:10]}, run {record.of_run}, `{record.of_candidate or record.candidate}`"
    if record.version != version:
        return f"{head}: the calibration ({when}) is of another version of the judge; {then}."
    margin = entry.margin or 0.0
    bias = change_text(record.bias, record.bias_ci, spec)
    simulated = ", simulated verdicts" if record.simulated else ""
    where = f"{head}: calibrated on another candidate ({when}{simulated}), bias {bias}"
    if record.bias_inside(margin, confidence):
        return f"{where}, inside the margin of {amount(margin, spec)}: the judge's verdict counts."
    return f"{where}, not shown to be inside the margin of {amount(margin, spec)}; {then}."
