"""Where a metric moved: slices, and groups of similar failures.

All of it is for reading. Slices are looked for after the fact, so their tests share one false discovery rate.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import special

from snapdrift.explanations import FailureGroup, Slice, Slices
from snapdrift.model import Reason, Score
from snapdrift.stats.multiplicity import benjamini_hochberg
from snapdrift.stats.paired import cluster_sums
from snapdrift.verdicts.evidence import ROUNDING, FloatArray, PairedValues, Question, weigh
from snapdrift.verdicts.score_tables import BoolArray

MIN_SLICE = 10
"""Fewer cases in a slice, or outside it, are not looked at."""
DRAWS = 9_999
MANY_KINDS = 64
"""With more distinct values than this their sum is taken for normal (10,000 draws of it would take seconds)."""


# --------------------------------------------------------------------------------------------------------------- slices


def find_slices(
    values: PairedValues, case_ids: Sequence[str], tags: Sequence[Sequence[str]], question: Question
) -> Slices:
    """Which tags' cases moved worse than the rest: `case_ids` and `tags` are those of the cases of `values`, in order.

    Exploratory: `concentrated` are slices whose adjusted p is at most alpha, so that among slices so named the expected
    share of chance finds is at most alpha. A tag on fewer than `MIN_SLICE` cases, or on all but so few, is left out.
    """
    members: dict[str, list[int]] = defaultdict(list)
    for case, of_case in enumerate(tags):
        for tag in dict.fromkeys(of_case):
            members[tag].append(case)
    alike: dict[tuple[int, ...], list[str]] = defaultdict(list)
    left_out = []
    for tag in sorted(members):
        if MIN_SLICE <= len(members[tag]) <= values.gains.size - MIN_SLICE:
            alike[tuple(members[tag])].append(tag)
        else:
            left_out.append(tag)
    found = [_slice(names, list(cases), values, case_ids, question) for cases, names in alike.items()]
    adjusted = benjamini_hochberg([one.p_value for one in found])
    found = [
        replace(one, p_adjusted=p, concentrated=p <= question.alpha + ROUNDING)
        for one, p in zip(found, adjusted, strict=True)
    ]
    return Slices(tuple(sorted(found, key=lambda one: (one.p_value, one.tags))), tuple(left_out))


def _slice(
    names: Sequence[str], cases: list[int], values: PairedValues, case_ids: Sequence[str], question: Question
) -> Slice:
    inside = np.zeros(values.gains.size, dtype=np.bool_)
    inside[cases] = True
    within = _only(values, inside)
    moved, gains = values.candidate - values.baseline, values.gains
    losses = sorted((case for case in cases if gains[case] < 0), key=lambda case: gains[case])
    p = _concentration_p(values, inside, [question.seed, zlib.crc32(names[0].encode("utf-8", "surrogatepass"))])
    return Slice(
        tags=tuple(names),
        n=len(cases),
        baseline_mean=float(within.baseline.mean()),
        candidate_mean=float(within.candidate.mean()),
        difference=float(moved[inside].mean()),
        ci=weigh(within, Question(question.confidence, None, question.seed)).ci,
        rest=float(moved[~inside].mean()),
        p_value=p,
        p_adjusted=p,
        concentrated=False,
        moved=tuple(case_ids[case] for case in losses),
    )


def _only(values: PairedValues, inside: BoolArray) -> PairedValues:
    return replace(
        values,
        baseline=values.baseline[inside],
        candidate=values.candidate[inside],
        clusters=values.clusters[inside],
    )


def _concentration_p(values: PairedValues, inside: BoolArray, seed: list[int]) -> float:
    """The p-value of "the slice lost no more than the rest": as if tags had been dealt to the cases at random.

    Dealing is drawing without replacement, so only how often each value is dealt matters (Fisher's idea; the drawn
    counts are multivariate hypergeometric). Cases that share a cluster are dealt together, in the slice and out of it
    apart; with unequal clusters that is approximate.
    """
    gains, sizes, slice_units = _units(values, inside)
    kinds, of_unit = np.unique(np.stack([gains, sizes]), axis=1, return_inverse=True)
    counts = np.bincount(of_unit.ravel())
    dealt = np.bincount(of_unit.ravel()[slice_units], minlength=counts.size)
    if counts.size == 1:
        return 1.0
    if counts.size > MANY_KINDS:
        return _normal_p(gains, sizes, slice_units)
    drawn = np.random.default_rng(seed).multivariate_hypergeometric(counts, int(dealt.sum()), DRAWS, method="marginals")
    hits = int((_lead(drawn, counts, kinds) <= _lead(dealt[None, :], counts, kinds) + ROUNDING).sum())
    return (hits + 1) / (DRAWS + 1)


def _units(values: PairedValues, inside: BoolArray) -> tuple[FloatArray, FloatArray, BoolArray]:
    """What is dealt: sum of gains and size of each cluster's cases in the slice, and of those out of it."""
    if not values.clustered:
        return values.gains, np.ones(values.gains.size), inside
    labels = values.clusters * 2 + inside
    sums = cluster_sums(values.gains, labels.tolist())
    first = list(dict.fromkeys(labels.tolist()))
    return np.round(sums.sums, 12), sums.sizes, np.array([label % 2 == 1 for label in first], dtype=np.bool_)


def _lead(dealt: NDArray[np.int64], counts: NDArray[np.int64], kinds: FloatArray) -> FloatArray:
    """The mean gain in the slice minus the mean gain outside it, for each row of dealt counts."""
    total = counts @ kinds.T
    within = dealt @ kinds.T
    outside = total - within
    lead: FloatArray = np.round(within[:, 0] / within[:, 1] - outside[:, 0] / outside[:, 1], 12)
    return lead


def _normal_p(gains: FloatArray, sizes: FloatArray, inside: BoolArray) -> float:
    """The same by the normal limit of sums drawn without replacement (Hájek 1960)."""
    # What a unit has beyond its share, so that a large unit is not taken for an unlucky one.
    excess = gains - sizes * (gains.sum() / sizes.sum())
    n, m = excess.size, int(inside.sum())
    spread = float(np.sqrt(m * (1 - m / n) * excess.var(ddof=1)))
    return float(special.ndtr(excess[inside].sum() / spread)) if spread > 0 else 1.0


# --------------------------------------------------------------------------------------------------------------- groups


_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"|`[^`]*`|(?<!\w)\'[^\']*\'(?!\w)')
_NAMED = re.compile(r"\b(?=[0-9a-f-]*\d)[0-9a-f]{6,}(?:-[0-9a-f]+)*\b", re.IGNORECASE)
_NUMBER = re.compile(r"(?P<name>\b[^\W\d]+\d{1,2}\b)|[+-]?\d+(?:[.,]\d+)*(?:e[+-]?\d+)?", re.IGNORECASE)
_PATTERN_LIMIT = 200


def group_failures(
    candidate: Sequence[Score], baseline: Sequence[Score], worse: Sequence[str]
) -> tuple[FailureGroup, ...]:
    """The candidate's failed scores on one metric in groups, those with most cases that got worse first.

    `candidate` and `baseline` are the metric's scores on the cases that pair, `worse` the ids of the cases that got
    worse. Details that differ in numbers only are alike; what is then left alone is grouped without its values too.
    Groups without a case that got worse are left out.
    """
    got_worse = set(worse)
    failures = [score for score in candidate if score.passed is False]
    cases: dict[tuple[Reason, str], set[str]] = defaultdict(set)
    for score in failures:
        if score.case_id in got_worse:
            cases[score.reason, _without_numbers(score.detail)].add(score.case_id)
    common = {key for key, ids in cases.items() if len(ids) > 1}
    before = Counter(_key(score, common) for score in baseline if score.passed is False)
    grouped: dict[tuple[Reason, str], list[Score]] = defaultdict(list)
    for score in failures:
        grouped[_key(score, common)].append(score)
    groups = []
    for (reason, pattern), scores in grouped.items():
        mine = [score for score in scores if score.case_id in got_worse]
        if mine:
            ids = tuple(dict.fromkeys(score.case_id for score in mine))
            groups.append(FailureGroup(reason, pattern, mine[0].detail, ids, len(scores), before[reason, pattern]))
    return tuple(sorted(groups, key=lambda group: (-len(group.worse), group.reason, group.pattern)))


def _key(score: Score, common: set[tuple[Reason, str]]) -> tuple[Reason, str]:
    fine = (score.reason, _without_numbers(score.detail))
    return fine if fine in common else (score.reason, _without_values(score.detail))


def _without_numbers(detail: str) -> str:
    text = _NUMBER.sub(lambda found: found["name"] or "#", _NAMED.sub("#", " ".join(detail.split())))
    return text if len(text) <= _PATTERN_LIMIT else text[: _PATTERN_LIMIT - 1] + "…"


def _without_values(detail: str) -> str:
    return _without_numbers(_QUOTED.sub("…", " ".join(detail.split())))
