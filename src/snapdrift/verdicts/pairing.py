"""The cases of a comparison that have a value on both sides, and these values."""

from __future__ import annotations

import numpy as np

from snapdrift.model import Target
from snapdrift.stats.within_cases import pair_repeats
from snapdrift.verdicts.evidence import PairedValues
from snapdrift.verdicts.labelled import Sides
from snapdrift.verdicts.planned import PlannedComparison
from snapdrift.verdicts.score_tables import (
    BoolArray,
    FloatArray,
    Imputation,
    MetricScores,
    ScoreTables,
    mean_of_repeats,
)
from snapdrift.verdicts.these_cases import turned_repeats


def scores_between(planned: PlannedComparison, tables: ScoreTables) -> MetricScores:
    """The scores that a comparison is made of; of a pairwise metric the preferences over this baseline."""
    return tables.between(planned.metric, planned.pair.baseline, planned.pair.candidate)


def judged_sides(planned: PlannedComparison, tables: ScoreTables, imputation: Imputation | None = None) -> Sides:
    """What the judge says of every case on both sides of a comparison."""
    old, new = map(mean_of_repeats, _sides(planned, tables, imputation))
    return Sides(old, new, pairing(planned, tables, None), tables.clusters)


def observed_discordance(
    planned: PlannedComparison, tables: ScoreTables, target: Target = Target.CASES_LIKE_THESE
) -> float:
    """The mean squared difference of the cases that pair, about these cases of their single answers; 0 without any."""
    values = paired(planned, tables, None)
    if target is Target.THESE_CASES and values.gains.size:
        return pair_repeats(*turned_repeats(values)).discordance
    return values.discordance


def paired_cases(planned: PlannedComparison, tables: ScoreTables) -> tuple[PairedValues, tuple[str, ...]]:
    """The values of the cases that pair, as the comparison weighs them, and the ids of those cases in that order."""
    ids = tuple(tables.case_ids[place] for place in np.flatnonzero(pairing(planned, tables, None)))
    return paired(planned, tables, None), ids


def pairing(planned: PlannedComparison, tables: ScoreTables, imputation: Imputation | None) -> BoolArray:
    """Which cases have a value on both sides."""
    old, new = _sides(planned, tables, imputation)
    return np.asarray(~np.isnan(old).all(axis=1) & ~np.isnan(new).all(axis=1))


def _sides(
    planned: PlannedComparison, tables: ScoreTables, imputation: Imputation | None
) -> tuple[FloatArray, FloatArray]:
    """The scores [case, repeat] of the baseline and of the candidate, NaN where there is none."""
    scores = scores_between(planned, tables)
    fills: tuple[float | None, float | None] = (None, None)
    if imputation is not None:
        fills = (scores.filled(imputation, candidate=False), scores.filled(imputation, candidate=True))
    baseline, candidate = tables.variants[planned.pair.baseline], tables.variants[planned.pair.candidate]
    return scores.of(baseline, fills[0]), scores.of(candidate, fills[1])


def paired(planned: PlannedComparison, tables: ScoreTables, imputation: Imputation | None) -> PairedValues:
    """The values of the cases that pair; with an `imputation`, what is not measured is filled in."""
    scores, pairs = scores_between(planned, tables), pairing(planned, tables, imputation)
    old, new = (side[pairs] for side in _sides(planned, tables, imputation))
    repeated = scores.compared.shape[-1] > 1
    return PairedValues(
        baseline=mean_of_repeats(old),
        candidate=mean_of_repeats(new),
        clusters=tables.clusters[pairs],
        single=scores.binary and not repeated,
        higher_is_better=scores.spec.higher_is_better,
        repeats=(old, new) if repeated else None,
        preferences=scores.spec.pairwise,
    )
