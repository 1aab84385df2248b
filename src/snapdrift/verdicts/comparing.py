"""The comparisons of a gate, each from the score tables to its verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from snapdrift.conclusions import Comparison
from snapdrift.model import Gate, Target, Verdict
from snapdrift.stats.multiplicity import holm
from snapdrift.stats.power import cases_to_resolve, detectable_difference
from snapdrift.stats.variance import repeats_to_resolve
from snapdrift.stats.within_cases import pair_repeats
from snapdrift.verdicts.accepting import sober
from snapdrift.verdicts.evidence import ROUNDING, Evidence, PairedValues, Question, choose_word, weigh
from snapdrift.verdicts.labelled import LabelledSample, evidence_by_labels
from snapdrift.verdicts.looks import Looks, looks_detectable, weigh_looks
from snapdrift.verdicts.pairing import judged_sides, paired, pairing, scores_between
from snapdrift.verdicts.planned import PlannedComparison
from snapdrift.verdicts.score_tables import (
    BoolArray,
    FloatArray,
    Imputation,
    MetricScores,
    ScoreTables,
    mean_of_repeats,
)
from snapdrift.verdicts.these_cases import turned_repeats, weigh_these_cases
from snapdrift.verdicts.variance_parts import parts_of, split_of

_MAJORITY = 0.5 + 1e-9


@dataclass(frozen=True, slots=True)
class Judging:
    """What is known of judges: by comparison people's labels that decide it, and where no judge's verdict counts."""

    samples: Mapping[tuple[str, str, str], LabelledSample] = field(default_factory=dict)
    capped: frozenset[tuple[str, str, str]] = frozenset()


JUDGES_ALONE = Judging()


@dataclass(frozen=True, slots=True)
class Counted:
    """The tables with the accepted cases, which others leave out, and what is known of judges by them."""

    tables: ScoreTables
    judging: Judging


@dataclass(frozen=True, slots=True)
class _Weighed:
    planned: PlannedComparison
    values: PairedValues
    case_ids: tuple[str, ...]
    newly_failing: tuple[str, ...]
    newly_passing: tuple[str, ...]
    unmeasured: int
    unmeasured_calls: int
    evidence: Evidence
    question: Question
    detectable: float | None
    resolving_alpha: float


def compare(
    planned: Sequence[PlannedComparison],
    tables: ScoreTables,
    gate: Gate,
    seed: int,
    imputation: Imputation | None = None,
    judging: Judging = JUDGES_ALONE,
    looks: Looks | None = None,
    counted: Counted | None = None,
) -> tuple[Comparison, ...]:
    """Weighs all comparisons, adjusts the gating ones by Holm's method, and says the word for each.

    With an `imputation`, unmeasured calls are filled in: what the comparisons would have been at worst. `judging` says
    where people's labels decide, and where a judge's verdict is at most `inconclusive`. With `looks` they are those of
    a run that was looked at while it grew (`looks.walk` gives them for scores that are all there): no labels decide it.
    Where `tables` leave accepted cases out, what speaks for a candidate must hold of what is `counted` as well.
    """
    weighed = _weigh_all(planned, tables, gate, seed, imputation, judging, looks)
    if counted is not None:
        whole = _weigh_all(planned, counted.tables, gate, seed, imputation, counted.judging, looks)
        both = zip(weighed, whole, strict=True)
        weighed = [replace(one, evidence=sober(one.evidence, other.evidence)) for one, other in both]
    adjusted = [None if one.evidence.p is None else one.evidence.p.worse for one in weighed]
    family = [index for index, one in enumerate(weighed) if one.planned.gating and one.evidence.p is not None]
    raw = [p for index in family if (p := adjusted[index]) is not None]
    for index, p in zip(family, holm(raw), strict=True):
        adjusted[index] = p
    return tuple(_conclude(one, p, gate, judging, looks) for one, p in zip(weighed, adjusted, strict=True))


def _weigh_all(
    planned: Sequence[PlannedComparison],
    tables: ScoreTables,
    gate: Gate,
    seed: int,
    imputation: Imputation | None,
    judging: Judging,
    looks: Looks | None,
) -> list[_Weighed]:
    shown = tables if looks is None else looks.shown(tables, imputation)
    weighed = [_weigh(one, shown, gate, seed, imputation, judging) for one in planned]
    return weighed if looks is None else [_looked_at(one, tables, gate, looks, imputation) for one in weighed]


def _weigh(
    planned: PlannedComparison,
    tables: ScoreTables,
    gate: Gate,
    seed: int,
    imputation: Imputation | None,
    judging: Judging,
) -> _Weighed:
    scores = scores_between(planned, tables)
    baseline, candidate = tables.variants[planned.pair.baseline], tables.variants[planned.pair.candidate]
    values, pairs = paired(planned, tables, imputation), pairing(planned, tables, imputation)
    wanted = scores.planned[baseline].any(axis=-1) & scores.planned[candidate].any(axis=-1)
    question = Question(gate.confidence, planned.margin, seed, gate.target)
    failing, passing = _movers(scores, baseline, candidate, pairs, tables.case_ids)
    unmeasured = int((wanted & ~pairs).sum())
    calls = int(scores.unmeasured[[baseline, candidate]].sum())
    weighed = weigh_these_cases if gate.target is Target.THESE_CASES else weigh
    evidence = weighed(values, question)
    sample = judging.samples.get(planned.comparison)
    if sample is not None and evidence.p is not None:
        evidence = evidence_by_labels(sample, judged_sides(planned, tables, imputation), evidence.table, question)
    return _Weighed(
        planned=planned,
        values=values,
        case_ids=tables.case_ids,
        newly_failing=failing,
        newly_passing=passing,
        unmeasured=unmeasured,
        unmeasured_calls=calls,
        evidence=evidence,
        question=question,
        detectable=_detectable(values, evidence, gate),
        resolving_alpha=question.alpha,
    )


def _looked_at(one: _Weighed, tables: ScoreTables, gate: Gate, looks: Looks, imputation: Imputation | None) -> _Weighed:
    """The same comparison as its looks allow to speak of it."""
    units, margin = looks.values(one.planned, tables, imputation), one.planned.margin
    detectable = looks_detectable(one.values, gate, looks, units, margin) if one.values.gains.size else None
    evidence = weigh_looks(one.evidence, one.values, one.question, looks, units)
    return replace(one, evidence=evidence, detectable=detectable, resolving_alpha=looks.resolving_alpha)


def _movers(
    scores: MetricScores, baseline: int, candidate: int, pairs: BoolArray, case_ids: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Ids of cases that most repeats of the baseline pass and most of the candidate do not, and the reverse.

    Half is not most. With one repeat these are the discordant cells of the table. Of a pairwise metric they are the
    cases that the candidate loses and wins, and of a scale without a pass mark those that are worse and better on it.
    """
    if scores.spec.pairwise:
        preference = mean_of_repeats(scores.compared[candidate])
        lost, won = np.flatnonzero(preference < -ROUNDING), np.flatnonzero(preference > ROUNDING)
        return tuple(case_ids[index] for index in lost), tuple(case_ids[index] for index in won)

    if not scores.spec.has_pass_mark and not scores.binary:
        sides = (mean_of_repeats(scores.compared[variant]) for variant in (baseline, candidate))
        gains = np.subtract(*reversed(tuple(sides))) * (1 if scores.spec.higher_is_better else -1)
        worse, better = np.flatnonzero(pairs & (gains < -ROUNDING)), np.flatnonzero(pairs & (gains > ROUNDING))
        return tuple(case_ids[index] for index in worse), tuple(case_ids[index] for index in better)

    def passes(variant: int) -> FloatArray:
        return mean_of_repeats(scores.passed[variant])

    before, after = passes(baseline) > _MAJORITY, passes(candidate) > _MAJORITY
    failing, passing = np.flatnonzero(pairs & before & ~after), np.flatnonzero(pairs & ~before & after)
    return tuple(case_ids[index] for index in failing), tuple(case_ids[index] for index in passing)


def _conclude(one: _Weighed, p_adjusted: float | None, gate: Gate, judging: Judging, looks: Looks | None) -> Comparison:
    # Long as a comparison has many fields, most of which are taken over from its evidence.
    evidence, values, planned = one.evidence, one.values, one.planned
    n = values.gains.size
    difference = float((values.candidate - values.baseline).mean()) if n else None
    verdict = choose_word(evidence, p_adjusted, one.question)
    if planned.comparison in judging.capped and verdict is not Verdict.INSUFFICIENT:
        verdict = Verdict.INCONCLUSIVE
    p, stopped = evidence.p, looks is not None and looks.stopped
    by_people = planned.comparison in judging.capped or evidence.difference is not None
    return Comparison(
        metric=planned.metric,
        baseline=planned.pair.baseline,
        candidate=planned.pair.candidate,
        severity=planned.severity,
        gating=planned.gating,
        n=n,
        baseline_mean=float(values.baseline.mean()) if n else None,
        candidate_mean=float(values.candidate.mean()) if n else None,
        difference=difference if evidence.difference is None else evidence.difference,
        ci=evidence.ci,
        p_value=p.worse if p else None,
        p_two_sided=p.two_sided if p else None,
        p_mid=evidence.p_mid,
        p_better=p.better if p else None,
        p_adjusted=p_adjusted,
        p_no_worse=evidence.p_no_worse,
        method=evidence.method,
        margin=planned.margin,
        confidence=gate.confidence,
        verdict=verdict,
        table=evidence.table,
        detectable_difference=one.detectable,
        cases_to_resolve=None if stopped or by_people else _to_resolve(one, verdict),
        unmeasured=one.unmeasured,
        newly_failing=one.newly_failing,
        newly_passing=one.newly_passing,
        target=gate.target,
        ci_newcombe=evidence.ci_newcombe,
        variance=parts_of(values, gate.target),
        unmeasured_calls=one.unmeasured_calls,
        repeats_to_resolve=None if by_people else _repeats_to_resolve(one, verdict),
        units_fed=looks.fed if looks else None,
        units_planned=looks.planned if looks else None,
        stopped_early=stopped,
        capped=planned.comparison in judging.capped,
    )


def _detectable(values: PairedValues, evidence: Evidence, gate: Gate) -> float | None:
    """What these cases could see at the assumed discordance, or at the observed one where that is larger.

    Where people's labels decide, it is as many pairs as the labels are worth.
    """
    if values.gains.size == 0:
        return None
    independent, discordance = values.independent, values.discordance
    if evidence.independent is not None:
        independent, discordance = evidence.independent, evidence.second_moment
    elif gate.target is Target.THESE_CASES:
        # Of given cases each pair of answers is a draw of its own, and differs as single answers do.
        independent, discordance = pair_repeats(*turned_repeats(values)).differences.size, evidence.second_moment
    discordance = min(1.0, max(gate.discordance, round(discordance, 12)))
    return detectable_difference(math.floor(independent + 1e-9), discordance, round(gate.alpha, 12))


def _to_resolve(one: _Weighed, verdict: Verdict) -> int | None:
    """None where people's labels decide: further labels tell more then, not further cases."""
    by_cases = one.evidence.difference is None and one.question.target is not Target.THESE_CASES
    if verdict is not Verdict.INCONCLUSIVE or not by_cases:
        return None
    gains, moment = one.values.gains, one.evidence.second_moment
    return cases_to_resolve(gains.size, float(gains.mean()), moment, one.planned.margin, one.resolving_alpha)


def _repeats_to_resolve(one: _Weighed, verdict: Verdict) -> int | None:
    if verdict is not Verdict.INCONCLUSIVE or one.question.target is not Target.THESE_CASES:
        return None
    split = split_of(one.values)
    return None if split is None else repeats_to_resolve(split, one.planned.margin, one.question.alpha)
