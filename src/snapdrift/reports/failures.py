"""Why calls got no answer, and answers no score: what a run that is short of them has to say before anything else."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from snapdrift.model import Failure, Outcome, Purpose, Reason, Response, Score
from snapdrift.reports.figures import count

_SHOWN = 3
"""Kinds of failures that are told; the case list has all."""
_TOLD = 300
"""Characters of a grader's own words."""


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


def grader_error_sentences(scores: Iterable[Score]) -> tuple[str, ...]:
    """For each grader with errors, the most frequent first: how many answers it could not grade, and why not the first.

    What it could not grade under one of its metrics it mostly could not under any: the sentence names the grader.
    """
    groups: dict[str, list[Score]] = defaultdict(list)
    for score in scores:
        if score.reason is Reason.GRADER_ERROR:
            groups[score.metric.partition(".")[0]].append(score)
    ordered = sorted(groups.items(), key=lambda each: -_answers(each[1]))
    sentences = [_ungraded(grader, hit) for grader, hit in ordered[:_SHOWN]]
    rest = len(ordered) - _SHOWN
    return (*sentences, f"{count(rest)} more grader{'' if rest == 1 else 's'}.") if rest > 0 else tuple(sentences)


def _answers(scores: Iterable[Score]) -> int:
    return len({(score.case_id, score.variant, score.repeat) for score in scores})


def _ungraded(grader: str, hit: list[Score]) -> str:
    score = min(hit, key=lambda each: (each.case_id, each.variant, each.repeat))
    number = _answers(hit)
    answers = f"{count(number)} answer{'' if number == 1 else 's'}"
    told = " ".join(score.detail.split())
    told = told if len(told) <= _TOLD else f"{told[:_TOLD]}…"
    return f"`{grader}` on {answers}, the first of `{score.variant}` on case `{score.case_id}`: {told.rstrip('.')}."


def _sentence(hit: list[tuple[Response, Failure]]) -> str:
    response, failure = min(hit, key=lambda each: (each[0].call.case_id, each[0].call.variant, each[0].call.repeat))
    variants = sorted({each.call.variant for each, _ in hit})
    who = f"`{variants[0]}`" if len(variants) == 1 else f"{len(variants)} variants"
    first = "" if len(hit) == 1 else ", the first"
    told = failure.message.rstrip(".")
    return f"{_calls(len(hit))} of {who}{first} on case `{response.call.case_id}`: {told}."


def _calls(number: int) -> str:
    return f"{count(number)} call{'' if number == 1 else 's'}"
