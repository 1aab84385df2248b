"""The verdicts of a judge: the schema that it answers by, the reading of a reply, and the count of votes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from snapdrift.graders.json_text import read_json
from snapdrift.graders.marks import NotExtractedError
from snapdrift.graders.values import quoted
from snapdrift.model import Outcome, Response

MOST_ITEMS = 200
"""Criteria or facts of one case: a schema may have 1,000 values of enums (OpenAI docs, guides/structured-outputs)."""


class UnreadableVerdictError(Exception):
    """A judge's reply holds no verdict: it failed, was refused or cut, or is not what was asked for."""


@dataclass(frozen=True, slots=True)
class Vote:
    """One verdict and the reason that the judge gave for it."""

    label: str
    reason: str


Ballot = tuple[Vote, ...]
"""The verdicts of one reply, one on each item that was asked about."""


def item_names(number: int) -> tuple[str, ...]:
    """By what the judge is told the items (criteria, facts) of a list apart."""
    return tuple(f"c{index}" for index in range(1, number + 1))


def verdict_format(labels: Sequence[str], items: int | None) -> dict[str, Any]:
    """The Structured Output format of one verdict (`items` None), or of one on each of so many items."""
    # The reason comes first: a verdict that is written before its reason is not informed by it.
    one = _object({"reason": {"type": "string"}, "verdict": {"type": "string", "enum": list(labels)}})
    schema = one if items is None else _object(dict.fromkeys(item_names(items), one))
    name = "verdict" if items is None else "verdicts"
    return {"type": "json_schema", "name": name, "strict": True, "schema": schema}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def read_ballot(reply: Response, labels: Sequence[str], items: int | None) -> Ballot:
    """The verdicts of a judge's reply. Raises `UnreadableVerdictError` with a sentence."""
    if reply.outcome is not Outcome.OK:
        why = (reply.failure.message if reply.failure else reply.refusal or reply.finish_reason) or "no verdict"
        raise UnreadableVerdictError(f"the judge's call ended as {reply.outcome.value}: {why}")
    try:
        content = read_json(reply.text)
    except NotExtractedError as error:
        raise UnreadableVerdictError(f"the judge's verdict cannot be read: {error}") from None
    if items is None:
        return (_vote(content, labels),)
    found = content if isinstance(content, dict) else {}
    names = item_names(items)
    if found.keys() != set(names):
        raise UnreadableVerdictError(f"the judge's verdicts {quoted(content)} are not one on each of {items} items")
    return tuple(_vote(found[name], labels) for name in names)


def _vote(content: Any, labels: Sequence[str]) -> Vote:
    label = content.get("verdict") if isinstance(content, dict) else None
    if not isinstance(label, str) or label not in labels:
        raise UnreadableVerdictError(f"the judge's verdict {quoted(content)} names none of {', '.join(labels)}")
    reason = content.get("reason")
    return Vote(label, reason if isinstance(reason, str) else "")


@dataclass(frozen=True, slots=True)
class Tally:
    """The votes on one item. `label` has more than half of them; None is a tie."""

    votes: Ballot
    label: str | None

    @property
    def labels(self) -> tuple[str, ...]:
        """What was voted, in the order of the votes."""
        return tuple(vote.label for vote in self.votes)

    @property
    def reason(self) -> str:
        """The reason of the first vote with the label, or of the first at all."""
        return next((vote.reason for vote in self.votes if vote.label == self.label), self.votes[0].reason)

    @property
    def counted(self) -> str:
        """How the votes fell, most first: `2 for yes, 1 for no`."""
        return ", ".join(f"{number} for {label}" for label, number in Counter(self.labels).most_common())

    @property
    def tie(self) -> str:
        """What is said of a tie."""
        return f"tie: the votes are {self.counted}"


def tally(votes: Ballot) -> Tally:
    """Counts the votes on one item. A majority is more than half of them."""
    (label, number), *_ = Counter(vote.label for vote in votes).most_common()
    return Tally(votes, label if 2 * number > len(votes) else None)


def tallies(ballots: Sequence[Ballot]) -> tuple[Tally, ...]:
    """The votes of several replies on the same items, item by item."""
    return tuple(tally(votes) for votes in zip(*ballots, strict=True))


def vote_facts(found: Sequence[Tally]) -> Mapping[str, Any]:
    """What a score keeps of its votes: item by item what was voted; nothing where there was one vote."""
    if not found or len(found[0].votes) < 2:
        return {}
    return {"votes": [list(one.labels) for one in found]}
