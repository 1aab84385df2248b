"""Which comparisons are explained, and what is looked for in each: parts, slices, groups of failures.

Nothing here changes a verdict. `docs/design/attribution.md` has the reasons.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from snapdrift.conclusions import Comparison
from snapdrift.explanations import Attribution, Explanation, FailureGroup, Slice, Slices
from snapdrift.model import Results, Verdict
from snapdrift.verdicts.answers import ScoreIndex, Tolerant, index_scores
from snapdrift.verdicts.attribution import attribute
from snapdrift.verdicts.evidence import PairedValues, Question
from snapdrift.verdicts.pairing import paired_cases
from snapdrift.verdicts.planned import PlannedComparison
from snapdrift.verdicts.score_tables import ScoreTables
from snapdrift.verdicts.slices import find_slices, group_failures

_SHOWN = (Verdict.REGRESSED, Verdict.WORSE_WITHIN_MARGIN, Verdict.IMPROVED)


def explain(
    planned: Sequence[PlannedComparison],
    comparisons: Sequence[Comparison],
    results: Results,
    tables: ScoreTables,
    tolerant: Tolerant,
    seed: int,
) -> tuple[Explanation, ...]:
    """An explanation of each comparison that has something to explain, in the order of the comparisons.

    `planned` and `comparisons` are those of the run in one order, `tables` its scores. Slices and groups are looked for
    where a difference is shown or a drop is not ruled out; cases that changed sides are attributed in any case.
    """
    wanted = [
        (plan, one)
        for plan, one in zip(planned, comparisons, strict=True)
        # A preference is no score of an answer, so it has no second one under a tolerant reading.
        if _has_something_to_explain(one) and not tables.metrics[one.metric].spec.pairwise
    ]
    if not wanted:
        return ()
    index = index_scores(results, tables)
    tags = {case.id: case.tags for case in results.cases}
    found = []
    for plan, comparison in wanted:
        attribution = attribute(comparison, index, tables, tolerant, seed)
        if attribution is not None:
            found.append(_explained(plan, comparison, attribution, index, tables, tags, seed))
    return tuple(found)


def _has_something_to_explain(comparison: Comparison) -> bool:
    """Whether a difference is shown, or cases newly fail in a comparison that the gate asks about."""
    asked = comparison.margin is not None
    return comparison.verdict in _SHOWN or (asked and bool(comparison.newly_failing or _dropped(comparison)))


def _dropped(comparison: Comparison) -> bool:
    return comparison.verdict is Verdict.INCONCLUSIVE and bool(comparison.difference)


def _explained(
    planned: PlannedComparison,
    comparison: Comparison,
    attribution: Attribution,
    index: ScoreIndex,
    tables: ScoreTables,
    tags_of: Mapping[str, Sequence[str]],
    seed: int,
) -> Explanation:
    values, ids = paired_cases(planned, tables)
    gained = float(values.gains.sum()) >= 0
    if comparison.verdict not in _SHOWN and (gained or comparison.verdict is not Verdict.INCONCLUSIVE):
        return Explanation(attribution)
    question = Question(comparison.confidence, None, seed)
    tags = [tags_of[case_id] for case_id in ids]
    if gained:
        return Explanation(attribution, _slices_of_gain(values, ids, tags, question))
    worse = [case_id for case_id, gain in zip(ids, values.gains, strict=True) if gain < 0]
    return Explanation(attribution, find_slices(values, ids, tags, question), _groups(comparison, index, ids, worse))


def _slices_of_gain(
    values: PairedValues, ids: Sequence[str], tags: Sequence[Sequence[str]], question: Question
) -> Slices:
    """Where an improvement concentrates: what the sides would have lost the other way round, turned back."""
    swapped = replace(values, baseline=values.candidate, candidate=values.baseline)
    found = find_slices(swapped, ids, tags, question)
    return replace(found, slices=tuple(map(_turned, found.slices)))


def _turned(one: Slice) -> Slice:
    return replace(
        one,
        baseline_mean=one.candidate_mean,
        candidate_mean=one.baseline_mean,
        difference=-one.difference + 0.0,
        rest=-one.rest + 0.0,
        ci=None if one.ci is None else (-one.ci[1] + 0.0, -one.ci[0] + 0.0),
    )


def _groups(
    comparison: Comparison, index: ScoreIndex, ids: Sequence[str], worse: Sequence[str]
) -> tuple[FailureGroup, ...]:
    paired = set(ids)
    sides = (
        [
            replace(score, extracted=None, evidence=(), facts={})  # there may be many, and that is most of each
            for score, _ in index.of(variant, comparison.metric)
            if score.passed is False and score.case_id in paired
        ]
        for variant in (comparison.candidate, comparison.baseline)
    )
    candidate, baseline = sides
    return group_failures(candidate, baseline, worse)
