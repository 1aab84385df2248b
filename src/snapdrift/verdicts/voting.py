"""How far the votes of a run's judges agree, from the facts that scores keep."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from snapdrift.gradings import VoteAgreement
from snapdrift.model import Results, Score
from snapdrift.stats.voting import krippendorff_alpha, pair_agreement

_Items = Sequence[Sequence[str]]


@dataclass(slots=True)
class _Voted:
    """The votes on the answers of a variant: those of each answer by item."""

    votes: int = 0
    items: list[Sequence[str]] = field(default_factory=list)
    answers: int = 0
    unanimous: int = 0
    ties: int = 0

    def add(self, score: Score, items: _Items) -> None:
        """Takes in the votes on one answer."""
        self.votes = max(self.votes, max(map(len, items)))
        self.items.extend(items)
        self.answers += 1
        self.unanimous += all(len(set(votes)) == 1 for votes in items)
        self.ties += score.value is None


def vote_agreements(results: Results) -> tuple[VoteAgreement, ...]:
    """The agreement of votes by metric and variant, in the order of both; none where a judge is asked once."""
    found: dict[tuple[str, str], _Voted] = defaultdict(_Voted)
    for score in results.scores:
        items = _items_of(score)
        if items:
            found[score.metric, score.variant].add(score, items)
    return tuple(_summaries(found, results))


def _items_of(score: Score) -> _Items:
    """What was voted on an answer, item by item; a verdict that is another answer's says nothing more of the judge."""
    items = score.facts.get("votes")
    if not isinstance(items, Sequence) or isinstance(items, str) or "verdict_of" in score.facts:
        return ()
    return [votes for votes in items if len(votes) > 1]


def _summaries(found: dict[tuple[str, str], _Voted], results: Results) -> Iterator[VoteAgreement]:
    for metric in results.metrics:
        for variant in results.variants:
            voted = found.get((metric.name, variant.name))
            if voted is not None:
                yield VoteAgreement(
                    metric=metric.name,
                    variant=variant.name,
                    votes=voted.votes,
                    answers=voted.answers,
                    unanimous=voted.unanimous,
                    ties=voted.ties,
                    agreement=pair_agreement(voted.items),
                    alpha=krippendorff_alpha(voted.items),
                )
