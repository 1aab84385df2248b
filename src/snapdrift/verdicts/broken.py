"""Improvements that are none: a metric that passes best when nothing works gains by answers that broke."""

from __future__ import annotations

from snapdrift.conclusions import Comparison
from snapdrift.explanations import BrokenGain
from snapdrift.model import Outcome, Reason
from snapdrift.verdicts.answers import NOTHING, Answer, ScoreIndex, Sides, Tolerant, form_failure

MOST = 0.5
"""An improvement is flagged when at least this share of it comes from answers that newly broke."""
_SAYS_NOTHING = frozenset({Reason.UNEXTRACTED, Reason.INVALID_JSON, Reason.INVALID_ARGUMENTS, Reason.NOT_ACCEPTED})


def find_broken_gain(comparison: Comparison, index: ScoreIndex, tolerant: Tolerant, sides: Sides) -> BrokenGain | None:
    """The flag, where most of an improvement comes from pairs in which only the candidate's answer is broken."""
    gain = sides.sign * (comparison.difference or 0.0)
    if gain <= NOTHING:
        return None
    lost_before = _lost_calls(comparison.baseline, comparison.metric, index, tolerant)
    lost_after = _lost_calls(comparison.candidate, comparison.metric, index, tolerant)

    def broken(answer: Answer, case: str, lost: frozenset[tuple[str, int]]) -> bool:
        flattered = sides.sign * (answer.graded - answer.read) > NOTHING
        return flattered or answer.lost or (case, answer.repeat) in lost

    by_case: dict[str, float] = {}
    for case, before, after in zip(sides.cases, sides.baseline, sides.candidate, strict=True):
        intact = [answer.graded for answer in before if not broken(answer, case, lost_before)]
        newly = [answer.graded for answer in after if broken(answer, case, lost_after)]
        pairs = len(before) * len(after)
        by_case[case] = sides.sign * (sum(newly) * len(intact) - sum(intact) * len(newly)) / pairs
    from_broken = sum(by_case.values()) / len(by_case)
    if from_broken < MOST * gain - NOTHING:
        return None
    return BrokenGain(gain, from_broken, tuple(case for case, by in by_case.items() if by > NOTHING))


def _lost_calls(variant: str, metric: str, index: ScoreIndex, tolerant: Tolerant) -> frozenset[tuple[str, int]]:
    """Calls (case id, repeat) of a variant whose answer holds nothing to judge for some metric, read tolerantly too.

    Those that the metric itself judges though they ended otherwise (a refusal that was wanted) are not among them.
    """
    found = set()
    for score, outcome in index.of(variant):
        if score.reason in _SAYS_NOTHING and form_failure(score, outcome) is not None:
            reading = tolerant(score)
            if reading is None or not reading.readable:
                found.add((score.case_id, score.repeat))
    if not found:
        return frozenset()
    judged = {
        (score.case_id, score.repeat)
        for score, outcome in index.of(variant, metric)
        if (score.case_id, score.repeat) in found and score.reason not in _SAYS_NOTHING and outcome is not Outcome.OK
    }
    return frozenset(found - judged)
