"""How well a judge agrees with people on the same answers: confusion table, sensitivity, specificity, kappa.

People are taken as the truth and "positive" is a pass. Nothing here says whether a comparison of two variants can be
trusted: a judge may agree well and still err in favour of one of them (`judges`). Each variant gets a table of its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike

from snapdrift.stats.betting import betting_interval
from snapdrift.stats.intervals import Interval, clopper_pearson_interval, normal_quantile, wilson_interval
from snapdrift.stats.paired import FloatArray

LEAST_INFORMATIVE = 0.1
"""Below this sensitivity + specificity - 1 a judge tells passes from fails too little to correct a rate by it."""
_NO_VARIANCE = 1e-12


class KappaWeights(StrEnum):
    """What a disagreement costs: all the same (categories), or by its distance in steps (ordinal scales)."""

    NONE = "none"
    LINEAR = "linear"
    QUADRATIC = "quadratic"


@dataclass(frozen=True, slots=True)
class Rate:
    """`successes` of `n`, with a two-sided confidence interval."""

    successes: int
    n: int
    interval: Interval

    @property
    def value(self) -> float:
        """The share of successes."""
        return self.successes / self.n


@dataclass(frozen=True, slots=True)
class ConfusionTable:
    """Verdicts of a judge against people's labels of the same answers, pass or fail, as counts."""

    true_pass: int
    false_pass: int
    false_fail: int
    true_fail: int

    def __post_init__(self) -> None:
        if min(self.true_pass, self.false_pass, self.false_fail, self.true_fail) < 0:
            raise ValueError(f"counts cannot be negative: {self}")

    @property
    def n(self) -> int:
        """How many answers both judged."""
        return self.true_pass + self.false_pass + self.false_fail + self.true_fail

    @property
    def counts(self) -> FloatArray:
        """The table as a 2x2 array: rows people (pass, fail), columns the judge (pass, fail)."""
        rows = ((self.true_pass, self.false_fail), (self.false_pass, self.true_fail))
        return np.array(rows, dtype=np.float64)

    def agreement(self, confidence: float, *, exact: bool = False) -> Rate | None:
        """The share of answers on which judge and people agree; None without answers."""
        return _rate(self.true_pass + self.true_fail, self.n, confidence, exact=exact)

    def sensitivity(self, confidence: float, *, exact: bool = False) -> Rate | None:
        """The share of the answers people pass that the judge passes; None when people pass none.

        The interval is Wilson's; with `exact` Clopper and Pearson's, which covers at least as often as it says.
        """
        return _rate(self.true_pass, self.true_pass + self.false_fail, confidence, exact=exact)

    def specificity(self, confidence: float, *, exact: bool = False) -> Rate | None:
        """The share of the answers people fail that the judge fails; None when people fail none."""
        return _rate(self.true_fail, self.true_fail + self.false_pass, confidence, exact=exact)


@dataclass(frozen=True, slots=True)
class Kappa:
    """Cohen's kappa, agreement beyond chance: 1 is complete, 0 is that of chance. `standard_error` may be 0."""

    value: float
    standard_error: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class CorrectedRate:
    """A rate corrected for the judge's known errors, in [0, 1], with the standard error of the uncut estimate."""

    value: float
    standard_error: float


def confusion_table(judge: ArrayLike, human: ArrayLike) -> ConfusionTable:
    """Counts of a judge's passes and fails against people's. Two arrays of one length, each value 0 or 1.

    Raises `ValueError` for other values or lengths that differ.
    """
    verdicts, labels = np.asarray(judge, dtype=np.float64), np.asarray(human, dtype=np.float64)
    if verdicts.shape != labels.shape or verdicts.ndim != 1:
        raise ValueError(f"one label a verdict: found {verdicts.shape} verdicts and {labels.shape} labels")
    for name, values in (("verdicts", verdicts), ("labels", labels)):
        if not np.isin(values, (0.0, 1.0)).all():
            raise ValueError(f"a confusion table takes passes (1) and fails (0); the {name} hold other values")
    passed, good = verdicts == 1, labels == 1
    return ConfusionTable(
        true_pass=int((passed & good).sum()),
        false_pass=int((passed & ~good).sum()),
        false_fail=int((~passed & good).sum()),
        true_fail=int((~passed & ~good).sum()),
    )


def rating_table(judge: ArrayLike, human: ArrayLike, levels: int) -> FloatArray:
    """Counts of ratings 0 ... levels - 1: rows people, columns the judge. Raises `ValueError` for other ratings."""
    given, labels = np.asarray(judge), np.asarray(human)
    if given.shape != labels.shape or given.ndim != 1:
        raise ValueError(f"one label a rating: found {given.shape} ratings and {labels.shape} labels")
    allowed = np.arange(levels)
    if levels < 2 or not (np.isin(given, allowed).all() and np.isin(labels, allowed).all()):
        raise ValueError(f"ratings must be whole numbers from 0 to {levels - 1}, on a scale of two levels or more")
    cells = labels.astype(np.int64) * levels + given.astype(np.int64)
    return np.bincount(cells, minlength=levels * levels).reshape(levels, levels).astype(np.float64)


def cohens_kappa(counts: ArrayLike, confidence: float, weights: KappaWeights = KappaWeights.NONE) -> Kappa | None:
    """Cohen's kappa of a square table of counts, with the large-sample interval of Fleiss, Cohen and Everitt (1969).

    Weighted for ordinal scales (Cohen 1968). None where either side uses one category only: agreement beyond chance
    cannot show itself there. Complete agreement (or disagreement) has a standard error of 0, which would claim
    certainty: the interval is then that of betting on the agreement, with the agreement of chance as observed. Raises
    `ValueError` for a table that is not square, is empty or holds anything but whole counts.
    """
    table = _square(counts)
    n = table.sum()
    shares = table / n
    human, judge = shares.sum(axis=1), shares.sum(axis=0)
    if (human > 0).sum() < 2 or (judge > 0).sum() < 2:
        return None
    credit = _credit(table.shape[0], weights)
    observed, chance = float((credit * shares).sum()), float(human @ credit @ judge)
    value = (observed - chance) / (1 - chance)
    # Fleiss, Cohen and Everitt, equation 13: each category's mean credit against the other side's use of categories.
    mean_credit = (credit @ judge)[:, None] + (credit.T @ human)[None, :]
    spread = float((shares * np.square(credit - mean_credit * (1 - value))).sum())
    variance = (spread - (value - chance * (1 - value)) ** 2) / (n * (1 - chance) ** 2)
    if variance < _NO_VARIANCE:
        credits_given = np.repeat(credit.ravel(), table.ravel().astype(np.int64))
        bet = betting_interval(credits_given, confidence, low=0.0, high=1.0)
        return Kappa(value, 0.0, Interval((bet.low - chance) / (1 - chance), (bet.high - chance) / (1 - chance)))
    error = math.sqrt(variance)
    reach = normal_quantile(confidence) * error
    return Kappa(value, error, Interval(max(-1.0, value - reach), min(1.0, value + reach)))


def rogan_gladen(positive: float, n: int, sensitivity: Rate, specificity: Rate) -> CorrectedRate:
    """One variant's true rate from a judge's rate `positive` of `n` answers (Rogan and Gladen 1978; Lee et al. 2025).

    For one rate whose labels come from another set of answers, never for a difference: it takes the judge to err alike
    on both variants, which is what fails when the model changes. Raises `ValueError` for a judge that hardly tells
    passes from fails (sensitivity + specificity - 1 below 0.1).
    """
    if n <= 0 or not 0 <= positive <= 1:
        raise ValueError(f"a rate needs n > 0 and a share in [0, 1], found {positive} of {n}")
    hit, reject = sensitivity.value, specificity.value
    informative = hit + reject - 1
    if informative < LEAST_INFORMATIVE:
        raise ValueError(
            f"sensitivity {hit:.3f} and specificity {reject:.3f} hardly tell passes from fails: their sum must be "
            f"{1 + LEAST_INFORMATIVE} or more to correct a rate by them"
        )
    rate = (positive + reject - 1) / informative
    variance = (
        positive * (1 - positive) / n
        + (1 - rate) ** 2 * reject * (1 - reject) / specificity.n
        + rate**2 * hit * (1 - hit) / sensitivity.n
    )
    return CorrectedRate(min(1.0, max(0.0, rate)), math.sqrt(variance) / informative)


def _rate(successes: int, n: int, confidence: float, *, exact: bool) -> Rate | None:
    if n == 0:
        return None
    interval = clopper_pearson_interval if exact else wilson_interval
    return Rate(successes, n, interval(successes, n, confidence))


def _square(counts: ArrayLike) -> FloatArray:
    table = np.asarray(counts, dtype=np.float64)
    if table.ndim != 2 or table.shape[0] != table.shape[1] or table.shape[0] < 2:
        raise ValueError(f"kappa takes a square table of two categories or more, found shape {table.shape}")
    if not np.isfinite(table).all() or table.min() < 0 or (table != np.rint(table)).any() or table.sum() == 0:
        raise ValueError("kappa takes a table of whole counts, not all 0")
    return table


def _credit(levels: int, weights: KappaWeights) -> FloatArray:
    """What a pair of ratings counts as agreement, in [0, 1]."""
    rank = np.arange(levels, dtype=np.float64)
    distance = np.abs(rank[:, None] - rank[None, :]) / (levels - 1)
    if weights is KappaWeights.LINEAR:
        return 1 - distance
    if weights is KappaWeights.QUADRATIC:
        return 1 - np.square(distance)
    return np.eye(levels)
