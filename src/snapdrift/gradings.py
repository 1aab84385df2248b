"""What scores say beyond their means: which labels are taken for which, whether votes and orders agree.

Made by `verdicts.gradings` of the `facts` that scores keep, stored with the evaluation, read by reports.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LabelScores:
    """How well one label of a closed set is found; None where it cannot be said (nothing to divide by)."""

    label: str
    expected: int
    found: int
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True, slots=True)
class Confusion:
    """A variant's answers to a `choice`, expected label by label found.

    `counts` has a row for each of `labels` (what was expected) and as many columns (what was found); `outside` counts
    by expected label the answers that named none of them, and `unanswered` those that ended otherwise or could not be
    extracted: they count against recall. `macro_f1` is the mean over the labels that some case expects. Each answer
    counts once, those to the repeats of a case one by one; `ungraded` is how many have no score (a call that failed, a
    grader error) and are in nothing else here.
    """

    metric: str
    variant: str
    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    outside: tuple[int, ...]
    unanswered: tuple[int, ...]
    by_label: tuple[LabelScores, ...]
    macro_f1: float | None
    ungraded: int = 0


@dataclass(frozen=True, slots=True)
class VoteAgreement:
    """How far the votes of a judge on the answers of a variant agree.

    Of `answers` with at least two votes, `unanimous` had the same verdicts from all; `ties` had no majority on some of
    them and are unscored. `agreement` is the mean share of agreeing pairs of votes (of a checklist: over all verdicts),
    `alpha` Krippendorff's (nominal), None where all verdicts are one label. Answers that share the votes on another
    answer are not counted again.
    """

    metric: str
    variant: str
    votes: int
    answers: int
    unanimous: int
    ties: int
    agreement: float | None
    alpha: float | None
    part: str = ""

    @property
    def is_head(self) -> bool:
        """Whether it is of a judge's own metric, not of a part of it."""
        return "." not in self.metric

    @property
    def judge(self) -> str:
        """Who voted: the metric, with the part of a composition where one did."""
        return f"{self.metric} ({self.part})" if self.part else self.metric


@dataclass(frozen=True, slots=True)
class OrderAgreement:
    """What a pairwise judge said when the two answers changed places.

    `judged` pairs of answers were judged in both orders: the candidate won in `wins`, lost in `losses`, both orders
    said tie in `ties`, and in `disagreements` the orders did not agree, which counts as a tie. `first_preferred` is the
    share of single verdicts for the answer shown first among those that preferred one (a judge without position bias:
    about a half), None without any. Over both orders the verdicts lean to the place shown first in `leaning_first`
    cases (or clusters) and to the second in `leaning_second`; `p_position` is the two-sided exact sign test of the two,
    None where both are 0. The `unasked` pairs were decided without a judge: an answer that could not be compared, or
    two that are the same.
    """

    metric: str
    baseline: str
    candidate: str
    judged: int
    wins: int
    losses: int
    ties: int
    disagreements: int
    first_preferred: float | None
    leaning_first: int = 0
    leaning_second: int = 0
    p_position: float | None = None
    unasked_wins: int = 0
    unasked_losses: int = 0
    unasked_ties: int = 0


@dataclass(frozen=True, slots=True)
class Gradings:
    """All of it, of one run."""

    confusions: tuple[Confusion, ...] = ()
    votes: tuple[VoteAgreement, ...] = ()
    orders: tuple[OrderAgreement, ...] = ()
