"""Why calls got no answer, and answers no score: what a run that is short of them has to say before anything else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from snapdrift.model import Failure, Outcome, Purpose, Reason, Response, Score
from snapdrift.reports.figures import count

_SHOWN = 3
"""Kinds of failures that are told; the case list has all."""
_TOLD = 300
"""Characters of a grader's own words."""


@dataclass(slots=True)
class _Failed:
    """Calls that failed in one way: how many, of which variants, and the first by its place."""

    calls: int
    variants: set[str]
    first: Response
    told: Failure


class FailureTally:
    """Counts failures by their kind; of each kind one is kept."""

    def __init__(self) -> None:
        self._kinds: dict[tuple[str, int | None, str | None], _Failed] = {}

    def add(self, response: Response) -> None:
        """Counts a response that is a failure to answer; others are no failures."""
        failure = response.failure
        if response.outcome is not Outcome.API_ERROR or failure is None or response.call.purpose is not Purpose.ANSWER:
            return
        kind = (failure.kind.value, failure.status, failure.code)
        known = self._kinds.get(kind)
        if known is None:
            self._kinds[kind] = _Failed(1, {response.call.variant}, response, failure)
            return
        known.calls += 1
        known.variants.add(response.call.variant)
        if _place(response) < _place(known.first):
            known.first, known.told = response, failure

    def sentences(self) -> tuple[str, ...]:
        """For each kind of failure, the most frequent first: how many calls it hit, and what the first was told."""
        ordered = sorted(self._kinds.values(), key=lambda each: each.calls, reverse=True)
        sentences = [_sentence(hit) for hit in ordered[:_SHOWN]]
        rest = sum(hit.calls for hit in ordered[_SHOWN:])
        return (*sentences, f"{_calls(rest)} for other reasons.") if rest else tuple(sentences)

    def cause(self) -> str:
        """How many calls got no answer, of whom, and why most of them: `56 calls of luna got no answer (quota)`.

        In the program's own words, none of the host's: it stands where no text of anybody may. Empty without failures.
        """
        hits = list(self._kinds.values())
        if not hits:
            return ""
        kinds: Counter[str] = Counter()
        for hit in hits:
            kinds[hit.told.kind.value] += hit.calls
        kind, number = kinds.most_common(1)[0]
        calls, variants = sum(kinds.values()), sorted(set().union(*(hit.variants for hit in hits)))
        mostly = "" if number == calls else "mostly "
        return f"{_calls(calls)} of {_who(variants)} got no answer ({mostly}{kind})."


class GraderErrorTally:
    """Counts the answers that graders could not grade; of each grader one score is kept."""

    def __init__(self) -> None:
        self._answers: Counter[str] = Counter()
        self._first: dict[str, Score] = {}

    def add(self, scores: Iterable[Score]) -> None:
        """Counts the scores of a case, all of them.

        What a grader could not grade under one of its metrics it mostly could not under any: the grader is counted.
        """
        found: dict[str, set[tuple[str, str, int]]] = {}
        for score in scores:
            if score.reason is Reason.GRADER_ERROR:
                grader = score.metric.partition(".")[0]
                found.setdefault(grader, set()).add(_graded(score))
                first = self._first.setdefault(grader, score)
                if _graded(score) < _graded(first):
                    self._first[grader] = score
        for grader, answers in found.items():
            self._answers[grader] += len(answers)

    def sentences(self) -> tuple[str, ...]:
        """For each grader with errors, the most frequent first: how many answers, and why not the first."""
        ordered = self._answers.most_common()
        sentences = [_ungraded(grader, number, self._first[grader]) for grader, number in ordered[:_SHOWN]]
        rest = len(ordered) - _SHOWN
        return (*sentences, f"{count(rest)} more grader{'' if rest == 1 else 's'}.") if rest > 0 else tuple(sentences)


def _place(response: Response) -> tuple[str, str, int]:
    return response.call.case_id, response.call.variant, response.call.repeat


def _graded(score: Score) -> tuple[str, str, int]:
    return score.case_id, score.variant, score.repeat


def _ungraded(grader: str, number: int, score: Score) -> str:
    answers = f"{count(number)} answer{'' if number == 1 else 's'}"
    told = " ".join(score.detail.split())
    told = told if len(told) <= _TOLD else f"{told[:_TOLD]}…"
    return f"`{grader}` on {answers}, the first of `{score.variant}` on case `{score.case_id}`: {told.rstrip('.')}."


def _sentence(hit: _Failed) -> str:
    who = _who(sorted(hit.variants))
    first = "" if hit.calls == 1 else ", the first"
    told = hit.told.message.rstrip(".")
    return f"{_calls(hit.calls)} of {who}{first} on case `{hit.first.call.case_id}`: {told}."


def _who(variants: Sequence[str]) -> str:
    return f"`{variants[0]}`" if len(variants) == 1 else f"{len(variants)} variants"


def _calls(number: int) -> str:
    return f"{count(number)} call{'' if number == 1 else 's'}"
