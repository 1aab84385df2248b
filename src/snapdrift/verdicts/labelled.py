"""People's labels of a drawn sample as arrays, and what they say: agreement by side, bias, and evidence that decides.

A judge's score is better the higher it is, so nothing is turned round here.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snapdrift.calibrations import ArmAgreement, HumanLabel, LabelDraw, LabelPurpose, Share
from snapdrift.conclusions import PairTable
from snapdrift.stats.agreement import KappaWeights, Rate, cohens_kappa, confusion_table, rating_table
from snapdrift.stats.judges import JudgeBias, PairedJudgements, judge_bias, paired_judgements
from snapdrift.stats.prediction_powered import estimate_difference
from snapdrift.verdicts.evidence import Evidence, Question
from snapdrift.verdicts.score_tables import BoolArray, FloatArray, MetricScores, ScoreTables

IntArray = NDArray[np.int64]
Place = tuple[str, str, int]
"""An answer: case, variant, repeat."""


@dataclass(frozen=True, slots=True)
class LabelledArm:
    """One side's labelled answers by case, NaN where the case has none.

    `judge` and `human` are what the comparison compares (of several raters the mean), `judge_passed` whether the judge
    passes the answer; `human_passed` and `human_level` what most raters said, NaN where they are evenly split.
    """

    judge: FloatArray
    human: FloatArray
    judge_passed: FloatArray
    human_passed: FloatArray
    human_level: FloatArray


@dataclass(frozen=True, slots=True)
class LabelledSample:
    """The pairs of one comparison that people labelled on both sides, as arrays over the run's cases."""

    baseline: LabelledArm
    candidate: LabelledArm
    whole: BoolArray

    @property
    def pairs(self) -> int:
        """How many pairs are labelled on both sides."""
        return int(self.whole.sum())


@dataclass(frozen=True, slots=True)
class Sides:
    """What the judge says of every case on both sides (NaN without a score), and which cases it scored on both.

    With unmeasured calls filled in, the first two have values that `measured` does not count.
    """

    baseline: FloatArray
    candidate: FloatArray
    measured: BoolArray
    clusters: IntArray


def labels_by_answer(labels: Iterable[HumanLabel], metric: str) -> dict[Place, list[HumanLabel]]:
    """The labels of a metric that were made to calibrate, by the answer that they are of."""
    found: dict[Place, list[HumanLabel]] = {}
    for label in labels:
        if label.metric == metric and label.purpose is LabelPurpose.CALIBRATION:
            found.setdefault((label.case_id, label.variant, label.repeat), []).append(label)
    return found


def labelled_sample(
    draw: LabelDraw, labels: Mapping[Place, Sequence[HumanLabel]], tables: ScoreTables
) -> LabelledSample:
    """The whole pairs of a draw. A label of an answer that was not drawn does not count, nor one without a score."""
    cases = {case_id: index for index, case_id in enumerate(tables.case_ids)}
    drawn = [pair for pair in draw.pairs if pair.case_id in cases]
    scores = tables.metrics[draw.metric]
    arms = []
    for variant, repeats in (
        (draw.baseline, {cases[pair.case_id]: pair.baseline_repeat for pair in drawn}),
        (draw.candidate, {cases[pair.case_id]: pair.candidate_repeat for pair in drawn}),
    ):
        said = {
            index: labels[place]
            for index, repeat in repeats.items()
            if (place := (tables.case_ids[index], variant, repeat)) in labels
        }
        arms.append(_arm(scores, tables.variants[variant], repeats, said))
    told = [array for arm in arms for array in (arm.judge, arm.human)]
    whole: BoolArray = np.isnan(np.array(told)).sum(axis=0) == 0
    return LabelledSample(arms[0], arms[1], whole)


def _arm(
    scores: MetricScores, variant: int, repeats: Mapping[int, int], said: Mapping[int, Sequence[HumanLabel]]
) -> LabelledArm:
    count = scores.compared.shape[1]
    judge, human, judge_passed, human_passed, human_level = (np.full(count, np.nan) for _ in range(5))
    for index, labels in said.items():
        repeat = repeats[index]
        if not repeat < scores.compared.shape[2]:
            continue
        judge[index] = scores.compared[variant, index, repeat]
        judge_passed[index] = scores.passed[variant, index, repeat]
        passes = [float(label.passed) for label in labels]
        levels = passes if scores.binary else [label.value for label in labels]
        human[index] = float(np.mean(levels))
        human_passed[index], human_level[index] = _most(passes), _most(levels)
    return LabelledArm(judge, human, judge_passed, human_passed, human_level)


def _most(values: Sequence[float]) -> float:
    """What most say, NaN where two are said equally often."""
    counted = Counter(values).most_common(2)
    return math.nan if len(counted) > 1 and counted[0][1] == counted[1][1] else counted[0][0]


# ------------------------------------------------------------------------------------------------------------ agreement


def agreement_of(
    arm: LabelledArm, variant: str, whole: BoolArray, levels: Sequence[float], confidence: float
) -> ArmAgreement:
    """How well the judge agrees with people on one side; `levels` are the values of its scale."""
    told = whole & ~np.isnan(arm.human_passed)
    table = confusion_table(arm.judge_passed[told], arm.human_passed[told])
    graded = len(levels) > 2
    counts = table.counts
    agreement: Rate | None = table.agreement(confidence)
    if graded:
        ranked = whole & ~np.isnan(arm.human_level)
        given, said = _ranks(arm.judge[ranked], levels), _ranks(arm.human_level[ranked], levels)
        counts = rating_table(given, said, len(levels))
        agreement = _exact_levels(counts, confidence)
    weights = KappaWeights.QUADRATIC if graded else KappaWeights.NONE
    kappa = cohens_kappa(counts, confidence, weights) if counts.sum() else None
    return ArmAgreement(
        variant=variant,
        true_pass=table.true_pass,
        false_pass=table.false_pass,
        false_fail=table.false_fail,
        true_fail=table.true_fail,
        agreement=_share(agreement),
        sensitivity=_share(table.sensitivity(confidence)),
        specificity=_share(table.specificity(confidence)),
        kappa=None if kappa is None else kappa.value,
        kappa_ci=None if kappa is None else (kappa.interval.low, kappa.interval.high),
        judge_mean=float(arm.judge[whole].mean()),
        human_mean=float(arm.human[whole].mean()),
    )


def weights_of(levels: Sequence[float]) -> KappaWeights:
    """How a disagreement counts in kappa: by its squared distance on a scale, all the same for pass and fail."""
    return KappaWeights.QUADRATIC if len(levels) > 2 else KappaWeights.NONE


def _ranks(values: FloatArray, levels: Sequence[float]) -> IntArray:
    """Each value's place on the scale; a failed extraction's 0 is where it is nearest."""
    nearest: IntArray = np.abs(values[:, None] - np.asarray(levels)[None, :]).argmin(axis=1)
    return nearest


def _exact_levels(counts: FloatArray, confidence: float) -> Rate | None:
    from snapdrift.stats.intervals import wilson_interval

    n, same = int(counts.sum()), int(np.trace(counts))
    return Rate(same, n, wilson_interval(same, n, confidence)) if n else None


def _share(rate: Rate | None) -> Share | None:
    return None if rate is None else Share(rate.successes, rate.n, (rate.interval.low, rate.interval.high))


# ------------------------------------------------------------------------------------------------------------- evidence


def bias_of(sample: LabelledSample, sides: Sides, question: Question) -> JudgeBias:
    """The judge's difference minus people's, on the labelled pairs."""
    return judge_bias(_judgements(sample, sides), question.two_sided, seed=question.seed)


def evidence_by_labels(sample: LabelledSample, sides: Sides, table: PairTable | None, question: Question) -> Evidence:
    """What people's labels show of the comparison, with the judge's help where it helps (PPI++).

    `table` has the cases by the judge's verdicts, which are shown beside it.

    Of filled-in pairs as large a part counts as labelled as of the others: nobody can have labelled them, and among the
    labels the worst case must weigh as much as it does among the pairs.
    """
    judgements = _judgements(sample, sides)
    estimate = estimate_difference(judgements, question.two_sided, margin=question.margin, seed=question.seed)
    people = judgements.human[judgements.labelled]
    worth = _independent(judgements.clusters[judgements.labelled].tolist())
    return Evidence(
        method=estimate.method.value,
        p=estimate.p,
        p_mid=None,
        p_no_worse=estimate.p_no_worse,
        ci=(estimate.interval.low, estimate.interval.high),
        second_moment=float(np.square(people).mean()),
        table=table,
        difference=estimate.difference,
        independent=worth * estimate.effective_labels / estimate.labelled,
        judge_weight=estimate.judge_weight,
    )


def _judgements(sample: LabelledSample, sides: Sides) -> PairedJudgements:
    """The judge's scores of all pairs, and people's of the labelled ones.

    Of a labelled pair the judge's score is that of the very answers that were labelled, of the others the mean of all
    repeats: the drawn repeats are random, so both have the same mean.
    """
    pairs = ~np.isnan(sides.baseline) & ~np.isnan(sides.candidate)
    labelled = pairs & sample.whole & sides.measured
    arrays = [
        np.where(labelled, sample.baseline.judge, sides.baseline),
        np.where(labelled, sample.candidate.judge, sides.candidate),
        np.where(labelled, sample.baseline.human, np.nan),
        np.where(labelled, sample.candidate.human, np.nan),
    ]
    filled = np.flatnonzero(pairs & ~sides.measured)
    if filled.size:
        share = labelled.sum() / max(1, int((pairs & sides.measured).sum()))
        furthest = np.argsort(-np.abs(sides.candidate[filled] - sides.baseline[filled]), kind="stable")
        taken = filled[furthest[: math.ceil(filled.size * share)]]
        arrays[2][taken], arrays[3][taken] = sides.baseline[taken], sides.candidate[taken]
    baseline, candidate, human_baseline, human_candidate = (array[pairs] for array in arrays)
    return paired_judgements(baseline, candidate, human_baseline, human_candidate, clusters=sides.clusters[pairs])


def _independent(clusters: Sequence[Hashable]) -> float:
    """How many independent pairs the labelled ones are worth: Kish's effective number of clusters."""
    sizes = np.array(list(Counter(clusters).values()), dtype=np.float64)
    return float(sizes.sum() ** 2 / np.square(sizes).sum())
