"""Why calls got no answer, in words: what a run that is short of answers has to say before anything else."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from snapdrift.model import Failure, Outcome, Purpose, Response
from snapdrift.reports.figures import count

_SHOWN = 3
"""Kinds of failures that are told; the case list has all."""


def failure_sentences(responses: Iterable[Response]) -> tuple[str, ...]:
    """For each kind of failure, the most frequent first: how many calls it hit, and what the first of them was told."""
    groups: dict[tuple[str, int | None, str | None], list[tuple[Response, Failure]]] = defaultdict(list)
    for response in responses:
        failure = response.failure
        asked = response.call.purpose is Purpose.ANSWER and response.outcome is Outcome.API_ERROR
        if asked and failure is not None:
            groups[failure.kind.value, failure.status, failure.code].append((response, failure))
    ordered = sorted(groups.values(), key=len, reverse=True)
    sentences = [_sentence(hit) for hit in ordered[:_SHOWN]]
    rest = sum(map(len, ordered[_SHOWN:]))
    return (*sentences, f"{_calls(rest)} for other reasons.") if rest else tuple(sentences)


def _sentence(hit: list[tuple[Response, Failure]]) -> str:
    response, failure = min(hit, key=lambda each: (each[0].call.case_id, each[0].call.variant, each[0].call.repeat))
    variants = sorted({each.call.variant for each, _ in hit})
    who = f"`{variants[0]}`" if len(variants) == 1 else f"{len(variants)} variants"
    first = "" if len(hit) == 1 else ", the first"
    told = failure.message.rstrip(".")
    return f"{_calls(len(hit))} of {who}{first} on case `{response.call.case_id}`: {told}."


def _calls(number: int) -> str:
    return f"{count(number)} call{'' if number == 1 else 's'}"
