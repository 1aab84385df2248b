"""Which losses of a run are accepted, and comparisons beside what they would be with all cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from snapdrift.acceptances import Acceptance
from snapdrift.conclusions import Comparison
from snapdrift.model import Gate, Results, Score
from snapdrift.verdicts.accepting import accepted_cases, left_out, losses_of
from snapdrift.verdicts.facts import RunFacts
from snapdrift.verdicts.looks import FilteredScores
from snapdrift.verdicts.pairing import paired_cases
from snapdrift.verdicts.planned import PlannedComparison
from snapdrift.verdicts.score_tables import ScoreTables


@dataclass(frozen=True, slots=True)
class AcceptedLosses:
    """The accepted cases by metric, and by comparison those among them on which the candidate has less."""

    accepted: Mapping[str, frozenset[str]] = field(default_factory=dict)
    losses: Mapping[tuple[str, str, str], tuple[str, ...]] = field(default_factory=dict)


def accepted_losses(
    planned: Sequence[PlannedComparison], tables: ScoreTables, results: Results, gate: Gate, facts: RunFacts
) -> AcceptedLosses:
    """The accepted cases of a run that its comparisons have, and what they lost, by the scores with all cases."""
    asked = frozenset(tables.case_ids)
    found = accepted_cases(facts.acceptances, gate, results) if facts.acceptances else {}
    accepted = {metric: cases & asked for metric, cases in found.items() if cases & asked}
    if not accepted:
        return AcceptedLosses()
    shown = tables if facts.looks is None else facts.looks.shown(tables)
    losses = {one.comparison: losses_of(one, *paired_cases(one, shown), accepted) for one in planned}
    return AcceptedLosses(accepted, losses)


def with_left_out(
    comparisons: Sequence[Comparison], counted: Sequence[Comparison], tables: ScoreTables, lost: AcceptedLosses
) -> tuple[Comparison, ...]:
    """The comparisons with what acceptances took out of each; `counted` are the same with all cases."""
    made = []
    for one, whole in zip(comparisons, counted, strict=True):
        cases = lost.accepted.get(one.metric, frozenset())
        losses = lost.losses.get((one.metric, one.baseline, one.candidate), ())
        out = left_out(whole, cases, losses, tables.case_ids) if cases else None
        made.append(replace(one, left_out=out))
    return tuple(made)


def compared_scores(results: Results, lost: AcceptedLosses) -> Results:
    """The results with the scores that comparisons are made of: what is explained adds up to their differences."""
    if not lost.accepted:
        return results

    def counts(score: Score) -> bool:
        return score.case_id not in lost.accepted.get(score.metric, ())

    return replace(results, scores=FilteredScores(results, counts))


def concerned(results: Results, facts: RunFacts) -> tuple[Acceptance, ...]:
    """The acceptances of cases that the run asked."""
    asked = {case.id for case in results.cases} if facts.acceptances else frozenset[str]()
    return tuple(one for one in facts.acceptances if one.case in asked)
