"""How far the votes of a run's judges agree, from the facts that scores keep."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from snapdrift.gradings import VoteAgreement
from snapdrift.model import Results
from snapdrift.stats.voting import krippendorff_alpha, pair_agreement

_Items = Sequence[Sequence[str]]


@dataclass(slots=True)
class _Voted:
    """The votes on the answers of a variant: those of each answer by item."""

    votes: int = 0
    items: list[Sequence[str]] = field(default_factory=list)
    ways: dict[Sequence[str], Sequence[str]] = field(default_factory=dict)
    answers: int = 0
    unanimous: int = 0
    ties: int = 0

    def add(self, items: _Items, *, tied: bool) -> None:
        """Takes in the votes on one answer."""
        self.votes = max(self.votes, max(map(len, items)))
        # There are few ways in which a vote can end, and each is kept once.
        self.items.extend(self.ways.setdefault(way, way) for way in map(tuple, items))
        self.answers += 1
        self.unanimous += all(len(set(votes)) == 1 for votes in items)
        self.ties += tied


def vote_agreements(results: Results) -> tuple[VoteAgreement, ...]:
    """The agreement of votes by metric and variant, in the order of both; none where a judge is asked once."""
    found: dict[tuple[str, str], dict[str, _Voted]] = defaultdict(lambda: defaultdict(_Voted))
    for score in results.scores_with_facts():
        if "verdict_of" not in score.facts:  # a verdict that is another answer's says nothing more of the judge
            for part, items, tied in _voted_in(score.facts, tied=score.value is None):
                found[score.metric, score.variant][part].add(items, tied=tied)
    return tuple(_summaries(found, results))


def _voted_in(facts: Mapping[str, Any], *, tied: bool, part: str = "") -> Iterator[tuple[str, _Items, bool]]:
    """What was voted on an answer, item by item, by the grader itself or by the parts of a composition."""
    items = _items_of(facts.get("votes"))
    if items:
        yield part, items, tied
    parts = facts.get("parts")
    for inner in parts if isinstance(parts, Sequence) and not isinstance(parts, str) else ():
        if isinstance(inner, Mapping) and isinstance(inner.get("facts"), Mapping):
            name = f"{part}.{inner.get('name')}" if part else str(inner.get("name"))
            yield from _voted_in(inner["facts"], tied=inner.get("value") is None, part=name)


def _items_of(votes: Any) -> _Items:
    if not isinstance(votes, Sequence) or isinstance(votes, str):
        return ()
    return [one for one in votes if len(one) > 1]


def _summaries(found: Mapping[tuple[str, str], Mapping[str, _Voted]], results: Results) -> Iterator[VoteAgreement]:
    for metric in results.metrics:
        for variant in results.variants:
            for part, voted in found.get((metric.name, variant.name), {}).items():
                yield VoteAgreement(
                    metric=metric.name,
                    variant=variant.name,
                    votes=voted.votes,
                    answers=voted.answers,
                    unanimous=voted.unanimous,
                    ties=voted.ties,
                    agreement=pair_agreement(voted.items),
                    alpha=krippendorff_alpha(voted.items),
                    part=part,
                )
