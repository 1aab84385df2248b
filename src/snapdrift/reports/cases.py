"""Which group a case belongs to, seen through one metric of two variants."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from statistics import fmean

from snapdrift.model import CallKey, Outcome, Reason, Response, Score
from snapdrift.reports.case_views import CaseGroup, Lens

LOST = "lost"
"""Why a case newly fails a pairwise metric: the baseline's answer is preferred."""

WORSE = "worse"
"""Why a case is among those that newly fail where nothing fails: it has less on a scale."""
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class AnswerIndex:
    """Responses by call, and scores by (case, variant) and metric."""

    variants: tuple[str, ...]
    repeats: int
    responses: Mapping[CallKey, Response]
    scores: Mapping[tuple[str, str], Mapping[str, Sequence[Score]]]
    unanswered: Callable[[str, str], Outcome] = lambda *_: Outcome.MISSING
    ended: dict[tuple[str, str], list[Outcome]] = field(default_factory=dict, init=False, compare=False)
    """What `outcomes` found: every lens of a variant asks for it again."""

    def scores_of(self, case_id: str, variant: str) -> Mapping[str, Sequence[Score]]:
        """The scores of a case's answers by metric; empty where there are none."""
        return self.scores.get((case_id, variant), {})

    def outcomes(self, case_id: str, variant: str) -> list[Outcome]:
        """How each repeat ended; a call without a response is missing, or was not needed."""
        found = self.ended.get((case_id, variant))
        if found is None:
            calls = (self.responses.get(CallKey(case_id, variant, repeat)) for repeat in range(self.repeats))
            found = [self.unanswered(case_id, variant) if response is None else response.outcome for response in calls]
            self.ended[case_id, variant] = found
        return found


class _Side(Enum):
    """What all repeats of a case say about one variant under one metric."""

    PASSED = auto()
    FAILED = auto()
    MIXED = auto()
    UNMEASURED = auto()
    NOT_NEEDED = auto()


def case_state(
    index: AnswerIndex,
    case_id: str,
    lens: Lens,
    movers: tuple[frozenset[str], frozenset[str]] | None,
) -> CaseGroup | None:
    """The group of a case through a lens, None where the metric does not apply to it.

    `movers` are the cases that the comparison counts as newly failing and newly passing: where the gate compared, its
    count decides, so that a number in the headline and the list behind it are the same cases.
    """
    if not _applies(index, case_id, lens.metric):
        return None
    if not lens.marked:
        return _on_scale(index, case_id, lens, movers)
    if movers and case_id in movers[0]:
        return CaseGroup.NEWLY_FAILING
    if movers and case_id in movers[1]:
        return CaseGroup.NEWLY_PASSING
    if lens.pairwise:
        return _preference(index, case_id, lens)
    candidate = _side(index, case_id, lens.candidate, lens.metric)
    baseline = candidate if lens.baseline is None else _side(index, case_id, lens.baseline, lens.metric)
    sides = (baseline, candidate)
    if _Side.NOT_NEEDED in sides:
        return CaseGroup.NOT_NEEDED
    if _Side.UNMEASURED in sides:
        return CaseGroup.ERROR
    if _Side.MIXED in sides:
        return CaseGroup.FLAKY
    if baseline is candidate:
        return CaseGroup.BOTH_FAILING if candidate is _Side.FAILED else CaseGroup.UNCHANGED
    if movers is not None:  # the sides differ, but the comparison did not count the case: it did not pair, say
        beyond_the_stop = index.unanswered(case_id, "") is Outcome.NOT_NEEDED
        return CaseGroup.NOT_NEEDED if beyond_the_stop else CaseGroup.UNCHANGED
    return CaseGroup.NEWLY_FAILING if candidate is _Side.FAILED else CaseGroup.NEWLY_PASSING


def _preference(index: AnswerIndex, case_id: str, lens: Lens) -> CaseGroup | None:
    """The group of a case that the candidate neither wins nor loses: a tie, or something is missing."""
    outcomes = [index.outcomes(case_id, variant) for variant in (lens.baseline, lens.candidate) if variant is not None]
    if any(all(outcome is Outcome.NOT_NEEDED for outcome in of_side) for of_side in outcomes):
        return CaseGroup.NOT_NEEDED
    if lens.baseline is None:
        return None
    scores = index.scores_of(case_id, lens.candidate).get(lens.metric, ())
    values = [score.facts.get("against", {}).get(lens.baseline, {}).get("value") for score in scores]
    unanswered = any(not o.measured and o is not Outcome.NOT_NEEDED for of_side in outcomes for o in of_side)
    return CaseGroup.ERROR if not values or None in values or unanswered else CaseGroup.UNCHANGED


def _on_scale(
    index: AnswerIndex, case_id: str, lens: Lens, movers: tuple[frozenset[str], frozenset[str]] | None
) -> CaseGroup:
    """The group of a case on a scale on which nothing passes: by the means of its repeats, as comparisons pair them.

    A run that was concluded from when such cases still counted by their passes is grouped by its values all the same.
    """
    sides = [variant for variant in (lens.baseline, lens.candidate) if variant is not None]
    outcomes = [index.outcomes(case_id, variant) for variant in sides]
    if any(all(outcome is Outcome.NOT_NEEDED for outcome in of_side) for of_side in outcomes):
        return CaseGroup.NOT_NEEDED
    scores = [index.scores_of(case_id, variant).get(lens.metric, ()) for variant in sides]
    values = [[score.value for score in of_side if score.value is not None] for of_side in scores]
    if not all(values):
        return CaseGroup.ERROR
    gain = fmean(values[-1]) - fmean(values[0])
    if abs(gain) > _ROUNDING:
        counted = movers is None or any(case_id in of_group for of_group in movers)
        if not counted and index.unanswered(case_id, "") is Outcome.NOT_NEEDED:
            return CaseGroup.NOT_NEEDED
        return CaseGroup.NEWLY_FAILING if gain < 0 else CaseGroup.NEWLY_PASSING
    if not all(o.measured or o is Outcome.NOT_NEEDED for of_side in outcomes for o in of_side):
        return CaseGroup.ERROR
    return CaseGroup.FLAKY if any(len(set(of_side)) > 1 for of_side in values) else CaseGroup.UNCHANGED


def _applies(index: AnswerIndex, case_id: str, metric: str) -> bool:
    """A metric applies to a case that has a score of it, or none of whose calls got as far as a grader."""
    if any(index.scores_of(case_id, variant).get(metric) for variant in index.variants):
        return True
    return not any(outcome.measured for variant in index.variants for outcome in index.outcomes(case_id, variant))


def _side(index: AnswerIndex, case_id: str, variant: str, metric: str) -> _Side:
    outcomes = index.outcomes(case_id, variant)
    if all(outcome is Outcome.NOT_NEEDED for outcome in outcomes):
        return _Side.NOT_NEEDED
    scores = index.scores_of(case_id, variant).get(metric, ())
    passed = [score.passed for score in scores]
    if not passed or None in passed or not all(o.measured or o is Outcome.NOT_NEEDED for o in outcomes):
        return _Side.UNMEASURED
    if all(passed):
        return _Side.PASSED
    return _Side.MIXED if any(passed) else _Side.FAILED


def overall_group(states: Iterable[CaseGroup | None], outcomes: Iterable[Outcome]) -> CaseGroup:
    """The group in which a case is listed: the foremost of its states; without any, how its calls ended tells."""
    known = [state for state in states if state is not None]
    if known:
        return min(known, key=lambda group: group.rank)
    unmeasured = any(outcome in (Outcome.API_ERROR, Outcome.MISSING) for outcome in outcomes)
    return CaseGroup.ERROR if unmeasured else CaseGroup.UNCHANGED


def reason_code(index: AnswerIndex, case_id: str, variant: str, metric: str) -> str:
    """Why a variant failed on a case: the reason of its first failed score, or the outcome that was not accepted."""
    for score in index.scores_of(case_id, variant).get(metric, ()):
        if score.passed is False:
            outcomes = index.outcomes(case_id, variant)
            accepted = score.reason is not Reason.NOT_ACCEPTED or score.repeat >= len(outcomes)
            return score.reason.value if accepted else outcomes[score.repeat].value
    return Reason.WRONG.value
