"""Where the uncertainty of a comparison comes from: cases that differ, or a model that varies from answer to answer."""

from __future__ import annotations

from snapdrift.conclusions import VarianceParts
from snapdrift.model import Target
from snapdrift.stats import variance
from snapdrift.verdicts.evidence import PairedValues
from snapdrift.verdicts.these_cases import turned_repeats


def split_of(values: PairedValues) -> variance.VarianceSplit | None:
    """The variance of the differences, divided; None with one answer a case, and with too few to divide it.

    More is better: a difference below 0 is worse.
    """
    baseline, candidate = turned_repeats(values)
    clusters = values.clusters.tolist() if values.clustered else None
    try:
        return variance.split_variance(baseline, candidate, clusters)
    except ValueError:
        return None


def parts_of(values: PairedValues, target: Target) -> VarianceParts | None:
    """What a report says of it, for what is claimed; None where it cannot be divided."""
    if values.repeats is None or (split := split_of(values)) is None:
        return None
    advice = variance.advise(split, variance.Target(target.value))
    return VarianceParts(
        repeats=split.repeats,
        between=split.between,
        within=split.within,
        noise_share=split.noise_share,
        floored=split.floored,
        like_these_error=split.like_these_error,
        these_cases_error=split.these_cases_error,
        pooled_error=split.pooled_error,
        twice_the_cases=advice.twice_the_cases,
        twice_the_repeats=advice.twice_the_repeats,
        remedy=advice.remedy.value,
    )
