"""Why a metric moved, as records: form and content, the tags in which it concentrates, failures that are alike.

Plain and frozen, as those of `conclusions`, whose `Evaluation` holds them. `docs/design/attribution.md` says how
they come about.
"""

from __future__ import annotations

from dataclasses import dataclass

from snapdrift.model import FormatCause, Reason


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a difference, in score units: what content (`cause` None) or one format cause adds to it.

    `worse` and `better` are the ids of the cases that it moves either way, those moved furthest first.
    """

    cause: FormatCause | None
    amount: float
    worse: tuple[str, ...] = ()
    better: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BrokenGain:
    """An improvement that comes from answers that broke: `gain` is all of it, `from_broken` what those answers gave.

    Both are turned so that above 0 is better. `case_ids` are the cases that gained by breaking.
    """

    gain: float
    from_broken: float
    case_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Attribution:
    """A comparison's difference (candidate minus baseline, score units) as `format` plus `content`.

    `causes` add up to `format`, the largest first. Intervals are the comparison's 1 - 2 alpha ones, for reading: None
    where the cases are too few to tell. `reread` counts the answers that a tolerant reading scores otherwise.
    """

    metric: str
    baseline: str
    candidate: str
    n: int
    difference: float
    format: float
    content: float
    format_ci: tuple[float, float] | None
    content_ci: tuple[float, float] | None
    causes: tuple[Part, ...]
    content_part: Part
    reread: int
    improved_by_breaking: BrokenGain | None = None


@dataclass(frozen=True, slots=True)
class Slice:
    """The cases with a tag, against the rest; several `tags` where the same cases bear them.

    `difference` is candidate minus baseline in score units, `ci` its 1 - 2 alpha interval, `rest` the difference of
    the other cases. `p_value` is one-sided, for a slice that moved no further the comparison's way than the rest;
    `p_adjusted` is Benjamini and Hochberg's over the slices of the comparison. `moved` are the ids of the cases that
    moved that way, furthest first.
    """

    tags: tuple[str, ...]
    n: int
    baseline_mean: float
    candidate_mean: float
    difference: float
    ci: tuple[float, float] | None
    rest: float
    p_value: float
    p_adjusted: float
    concentrated: bool
    moved: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Slices:
    """The slices of a comparison, the surest first, and the tags that were too rare or too common to look at."""

    slices: tuple[Slice, ...] = ()
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Failures of the candidate that are alike: one reason, and one detail but for numbers (or for all values).

    `worse` are ids of cases of the group that got worse. `calls` counts the candidate's failures, `baseline_calls` the
    baseline's of the same kind. `pattern` is the detail with `#` for numbers and `…` for values; `example` is one.
    """

    reason: Reason
    pattern: str
    example: str
    worse: tuple[str, ...]
    calls: int
    baseline_calls: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a comparison moved: format against content, the tags where it concentrates, the failures that are alike.

    Slices are looked for only where something is shown or feared, groups only where the candidate got worse.
    """

    attribution: Attribution
    slices: Slices = Slices()
    groups: tuple[FailureGroup, ...] = ()

    @property
    def key(self) -> tuple[str, str, str]:
        """Metric, baseline and candidate: which comparison it explains."""
        return self.attribution.metric, self.attribution.baseline, self.attribution.candidate
