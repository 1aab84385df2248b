"""Which judges may be trusted in which comparison: by labels of its own answers, by a record of another one, or not.

The rules, with their reasons, are in `docs/design/calibration.md`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from snapdrift.calibrations import (
    LEAST_PAIRS,
    ArmAgreement,
    HumanLabel,
    JudgeCalibration,
    JudgeStatus,
    LabelDraw,
    LabelPurpose,
    ReviewTally,
)
from snapdrift.conclusions import Comparison
from snapdrift.model import Gate, Policy, Results, Source, Verdict
from snapdrift.stats.power import sees_drop
from snapdrift.verdicts import calibration_words as words
from snapdrift.verdicts.comparing import Judging
from snapdrift.verdicts.evidence import Question
from snapdrift.verdicts.facts import JudgeScale, JudgingFacts
from snapdrift.verdicts.labelled import (
    LabelledSample,
    Place,
    agreement_of,
    bias_of,
    evidence_by_labels,
    labelled_sample,
    labels_by_answer,
    weights_of,
)
from snapdrift.verdicts.pairing import judged_sides
from snapdrift.verdicts.planned import PlannedComparison
from snapdrift.verdicts.score_tables import ScoreTables

_MADE_UP = frozenset(source.value for source in Source if source.made_up)
_PASS_FAIL = (0.0, 1.0)


@dataclass(frozen=True, slots=True)
class JudgeNow:
    """The judge of a metric as it was in this run."""

    scale: JudgeScale
    models: tuple[str, ...]
    simulated: bool


@dataclass(frozen=True, slots=True)
class _Asked:
    """Everything that one comparison's calibration is concluded from."""

    planned: PlannedComparison
    judge: JudgeNow
    tables: ScoreTables
    gate: Gate
    facts: JudgingFacts
    question: Question
    labels: Mapping[Place, Sequence[HumanLabel]]


@dataclass(frozen=True, slots=True)
class JudgesWeighed:
    """What `compare` needs to know of judges, and the calibrations as far as they are known before it."""

    judging: Judging
    calibrations: tuple[JudgeCalibration, ...]

    @property
    def changes(self) -> bool:
        """Whether any comparison is otherwise than by the judges alone."""
        return bool(self.judging.samples or self.judging.capped)


def weigh_judges(
    planned: Sequence[PlannedComparison],
    tables: ScoreTables,
    results: Results,
    facts: JudgingFacts,
    gate: Gate,
    seed: int,
) -> JudgesWeighed:
    """The calibration of each comparison of a judged metric; a judge without a scale in `facts` is left out."""
    judges = judges_now(results, facts)
    samples: dict[tuple[str, str, str], LabelledSample] = {}
    found = []
    by_metric = {metric: labels_by_answer(facts.labels, metric) for metric in judges}
    for one in planned:
        if one.metric not in judges:
            continue
        question = Question(gate.confidence, one.margin, seed)
        asked = _Asked(one, judges[one.metric], tables, gate, facts, question, by_metric[one.metric])
        calibration, sample = _calibrated(asked)
        if calibration.status is JudgeStatus.CALIBRATED and sample is not None:
            samples[one.comparison] = sample
        found.append(replace(calibration, capped=_cap(asked, calibration)))
    capped = frozenset(one.comparison for one in found if one.capped)
    return JudgesWeighed(Judging(samples, capped), tuple(found))


def judges_now(results: Results, facts: JudgingFacts) -> dict[str, JudgeNow]:
    """By judged metric, the judge that scored it."""
    by_grader = {judge.judge: judge for judge in results.judges}
    found = {}
    for spec in results.metrics:
        if spec.judged and spec.name in facts.scales:
            asked = by_grader.get(spec.grader)
            models = tuple(sorted(asked.returned)) if asked else ()
            found[spec.name] = JudgeNow(
                facts.scales[spec.name], models, simulated=bool(asked and _MADE_UP & set(asked.sources))
            )
    return found


def with_verdicts(
    calibrations: Iterable[JudgeCalibration], comparisons: Iterable[Comparison], alone: Iterable[Comparison]
) -> tuple[JudgeCalibration, ...]:
    """The calibrations with what people's labels came to, and what the judges would have said `alone`."""
    by_labels = {(c.metric, c.baseline, c.candidate): c for c in comparisons}
    by_judge = {(c.metric, c.baseline, c.candidate): c for c in alone}
    found = []
    for one in calibrations:
        judge, labels = by_judge[one.comparison], by_labels[one.comparison]
        told = replace(one, alone_difference=judge.difference, alone_ci=judge.ci, alone_verdict=judge.verdict.value)
        if one.status is JudgeStatus.CALIBRATED:
            told = replace(
                told,
                method=labels.method,
                difference=labels.difference,
                ci=labels.ci,
                p_two_sided=labels.p_two_sided,
                p_no_worse=labels.p_no_worse,
            )
        found.append(told)
    return tuple(found)


def judge_doubts(calibrations: Iterable[JudgeCalibration], comparisons: Iterable[Comparison]) -> tuple[str, ...]:
    """Gating comparisons in which a judge's verdict does not count, in sentences: such a gate has not been passed."""
    gating = {(c.metric, c.baseline, c.candidate) for c in comparisons if c.gating}
    return tuple(words.capped_sentence(one) for one in calibrations if one.capped and one.comparison in gating)


def sight_shortfalls(
    calibrations: Iterable[JudgeCalibration], comparisons: Iterable[Comparison], gate: Gate
) -> tuple[str, ...]:
    """Under `catch`, gating comparisons that labels leave open though they see less than `max_blind`.

    The suite was let run because its cases see such a drop; where fewer labels decide, that has to hold for them, or
    labelling a few answers would turn any regression green.
    """
    if gate.policy is not Policy.CATCH:
        return ()
    found = {one.comparison: one for one in calibrations if one.status is JudgeStatus.CALIBRATED}
    short = []
    for comparison in comparisons:
        one = found.get((comparison.metric, comparison.baseline, comparison.candidate))
        open_still = comparison.verdict in (Verdict.INCONCLUSIVE, Verdict.INSUFFICIENT)
        if one is None or one.effective_labels is None or not comparison.gating or not open_still:
            continue
        worth = math.floor(one.effective_labels + 1e-9)
        if not sees_drop(worth, gate.max_blind, gate.discordance, round(gate.alpha, 12)):
            short.append(words.sight_sentence(one, worth, gate.max_blind))
    return tuple(short)


def tally_reviews(labels: Iterable[HumanLabel], tables: ScoreTables) -> tuple[ReviewTally, ...]:
    """The labels made for review by metric and variant, and the cases of which one says otherwise than the score."""
    cases = {case_id: index for index, case_id in enumerate(tables.case_ids)}
    counts: dict[tuple[str, str], int] = {}
    disagreeing: dict[tuple[str, str], dict[str, None]] = {}
    for label in labels:
        if label.purpose is not LabelPurpose.REVIEW or label.metric not in tables.metrics:
            continue
        key = (label.metric, label.variant)
        counts[key] = counts.get(key, 0) + 1
        index, variant = cases.get(label.case_id), tables.variants.get(label.variant)
        passed = tables.metrics[label.metric].passed
        if index is None or variant is None or not label.repeat < passed.shape[2]:
            continue
        score = passed[variant, index, label.repeat]
        if not np.isnan(score) and bool(score) is not label.passed:
            disagreeing.setdefault(key, {})[label.case_id] = None
    return tuple(
        ReviewTally(metric, variant, number, tuple(disagreeing.get((metric, variant), ())))
        for (metric, variant), number in counts.items()
    )


# ------------------------------------------------------------------------------------------------------- one comparison


def _calibrated(asked: _Asked) -> tuple[JudgeCalibration, LabelledSample | None]:
    """The calibration by the comparison's own labels where there are enough, else by a record, else none."""
    planned, judge = asked.planned, asked.judge
    draws = [draw for draw in asked.facts.draws if draw.comparison == planned.comparison]
    current = [draw for draw in draws if _same_judge(draw.version, draw.judge_models, judge)]
    blank = JudgeCalibration(
        *planned.comparison,
        status=JudgeStatus.UNCALIBRATED,
        version=judge.scale.version,
        judge_models=judge.models,
        simulated=judge.simulated,
        margin=planned.margin,
        confidence=asked.gate.confidence,
        stale=asked.facts.stale.get(planned.metric, 0),
    )
    if current:
        own, sample = _by_own_labels(asked, current[-1], blank)
        if own.status is JudgeStatus.CALIBRATED:
            return own, sample
        blank = own
    elif draws:
        blank = replace(blank, reason=words.other_judge(draws[-1].version, draws[-1].judge_models, judge))
    return _by_record(asked, blank), None


def _same_judge(version: str, models: Sequence[str], judge: JudgeNow) -> bool:
    """Whether it is the judge whose errors were measured: rubric, settings and model as written and as answered."""
    return version == judge.scale.version and set(models) == set(judge.models)


def _by_own_labels(
    asked: _Asked, draw: LabelDraw, blank: JudgeCalibration
) -> tuple[JudgeCalibration, LabelledSample | None]:
    sample = labelled_sample(draw, asked.labels, asked.tables)
    sides = judged_sides(asked.planned, asked.tables)
    sample = replace(sample, whole=sample.whole & sides.measured)
    pairs, needed = sample.pairs, min(LEAST_PAIRS, int(sides.measured.sum()))
    drawn = replace(
        blank,
        drawn=len(draw.pairs),
        labelled=pairs,
        skipped=asked.facts.skipped.get(draw.comparison, 0),
        raters=_raters(draw, asked.labels),
    )
    drawn = replace(drawn, notes=words.notes_of(drawn, draw))
    if pairs == 0:
        return replace(drawn, reason=words.too_few(drawn, needed)), None
    arms, bias = _measured(asked, draw, sample), bias_of(sample, sides, asked.question)
    told = replace(
        drawn,
        weights=weights_of(_levels(asked)).value,
        arms=arms,
        bias=bias.bias,
        bias_ci=(bias.interval.low, bias.interval.high),
        bias_p=bias.p_value,
        differing=bias.differing,
        inside_margin=None if asked.planned.margin is None else bias.shown_within(asked.planned.margin),
    )
    if pairs < needed:
        return replace(told, reason=words.too_few(told, needed)), None
    evidence = evidence_by_labels(sample, sides, None, asked.question)
    return (
        replace(
            told,
            status=JudgeStatus.CALIBRATED,
            judge_weight=evidence.judge_weight,
            effective_labels=evidence.independent,
        ),
        sample,
    )


def _measured(asked: _Asked, draw: LabelDraw, sample: LabelledSample) -> tuple[ArmAgreement, ...]:
    confidence, levels = asked.question.two_sided, _levels(asked)
    return (
        agreement_of(sample.baseline, draw.baseline, sample.whole, levels, confidence),
        agreement_of(sample.candidate, draw.candidate, sample.whole, levels, confidence),
    )


def _levels(asked: _Asked) -> tuple[float, ...]:
    return _PASS_FAIL if asked.tables.metrics[asked.planned.metric].binary else asked.judge.scale.levels


def _raters(draw: LabelDraw, labels: Mapping[Place, Sequence[HumanLabel]]) -> int:
    places = [(pair.case_id, draw.baseline, pair.baseline_repeat) for pair in draw.pairs]
    places += [(pair.case_id, draw.candidate, pair.candidate_repeat) for pair in draw.pairs]
    return len({label.rater for place in places for label in labels.get(place, ())})


def _by_record(asked: _Asked, blank: JudgeCalibration) -> JudgeCalibration:
    """What the newest record of the same judge says, of another candidate's answers; else why there is none."""
    judge, planned = asked.judge, asked.planned
    known = [
        record
        for record in asked.facts.records
        if record.metric == planned.metric and not (record.of_run == asked.facts.run and _same_pair(record, blank))
    ]
    for record in known:
        if not _same_judge(record.version, record.judge_models, judge) or record.simulated is not judge.simulated:
            continue
        return replace(
            blank,
            status=JudgeStatus.OTHER_CANDIDATE,
            labelled=record.labelled,
            drawn=record.drawn,
            raters=record.raters,
            weights=record.weights,
            arms=record.arms,
            bias=record.bias,
            bias_ci=record.bias_ci,
            bias_p=record.bias_p,
            differing=record.differing,
            inside_margin=(
                None if planned.margin is None else record.bias_inside(planned.margin, asked.gate.confidence)
            ),
            of_run=record.of_run,
            of_baseline=record.baseline,
            of_candidate=record.candidate,
            made_at=record.made_at,
        )
    if blank.reason or not known:
        return blank
    other = known[0]
    if _same_judge(other.version, other.judge_models, judge):
        return replace(blank, reason=words.OTHER_SOURCE)
    return replace(blank, reason=words.other_judge(other.version, other.judge_models, judge))


def _same_pair(record: JudgeCalibration, blank: JudgeCalibration) -> bool:
    return record.comparison == blank.comparison


def _cap(asked: _Asked, calibration: JudgeCalibration) -> str:
    """Why the judge's verdict does not count under `require_calibration`; empty where it does.

    Without a margin nothing is decided, so nothing is capped.
    """
    if not asked.facts.required or asked.planned.margin is None:
        return ""
    if calibration.status is JudgeStatus.CALIBRATED:
        return ""
    if calibration.status is JudgeStatus.OTHER_CANDIDATE:
        return "" if calibration.inside_margin else words.BIAS_NOT_INSIDE
    return words.NOT_CALIBRATED
