"""Accepted losses in words: what became of each in a run, and what comparisons would be with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from snapdrift.acceptances import Acceptance
from snapdrift.conclusions import Comparison
from snapdrift.model import MetricSpec, Verdict
from snapdrift.verdicts import words


class AcceptanceState(StrEnum):
    """What has become of an accepted loss in a run."""

    LOST = "lost"
    NO_LONGER_LOST = "no_longer_lost"
    NOT_COMPARED = "not_compared"


@dataclass(frozen=True, slots=True)
class AcceptanceStanding:
    """An acceptance with what became of it, and on which candidates the case is still lost."""

    acceptance: Acceptance
    state: AcceptanceState
    candidates: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """In words."""
        match self.state:
            case AcceptanceState.LOST:
                return f"still lost by {words.quoted(self.candidates)}"
            case AcceptanceState.NO_LONGER_LOST:
                return "no longer lost: the entry can go"
            case AcceptanceState.NOT_COMPARED:
                return "the gate asks no margin of it here"


def standing_of(acceptance: Acceptance, comparisons: Sequence[Comparison]) -> AcceptanceStanding:
    """What became of an accepted loss in the comparisons of a run."""
    about = [
        one
        for one in comparisons
        if one.metric == acceptance.metric and one.left_out is not None and acceptance.case in one.left_out.cases
    ]
    losing = tuple(one.candidate for one in about if one.left_out and acceptance.case in one.left_out.losses)
    state = AcceptanceState.NO_LONGER_LOST if about else AcceptanceState.NOT_COMPARED
    return AcceptanceStanding(acceptance, AcceptanceState.LOST if losing else state, losing)


def acceptance_notes(comparisons: Sequence[Comparison], specs: Mapping[str, MetricSpec]) -> Iterator[str]:
    """What to know of comparisons that acceptances changed: what they were spared first."""
    changed = [one for one in comparisons if one.left_out is not None and one.left_out.losses]
    spared = [one for one in changed if _spared(one)]
    for one in (*spared, *(one for one in changed if one not in spared)):
        yield acceptance_sentence(one, specs.get(one.metric))


def _spared(comparison: Comparison) -> bool:
    out = comparison.left_out
    return out is not None and out.verdict is Verdict.REGRESSED and comparison.verdict is not Verdict.REGRESSED


def acceptance_sentence(comparison: Comparison, spec: MetricSpec | None) -> str:
    """How many accepted losses a comparison leaves out, and what it would be with them."""
    out = comparison.left_out
    if out is None:
        return ""
    lost, of_all = len(out.losses), f"of {len(out.cases)} accepted"
    change = words.change_text(out.difference, out.ci, spec)
    spared = f"it would be {words.VERDICT_WORDS[out.verdict]}" if _spared(comparison) else "it would be"
    return (
        f"Accepted: {words.cases(lost)} that `{comparison.candidate}` loses against `{comparison.baseline}` on "
        f"{comparison.metric} {'is' if lost == 1 else 'are'} left out ({of_all}); with "
        f"{'it' if lost == 1 else 'them'} {spared} {change}."
    )
