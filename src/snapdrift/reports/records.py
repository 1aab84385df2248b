"""The cases of a run with what is held of each, one after the other: what a report is made of.

A report goes through them twice. The first time it looks at how calls ended and were scored, which groups the cases
and counts; the second time, in the order of the page, at everything. Neither time all of them are held.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from urllib.parse import unquote

from snapdrift.model import CallKey, Case, Response, Score, Variant
from snapdrift.reports.asked import PromptView

PromptOf = Callable[[str, str], PromptView | None]
"""Gives the rendered prompt of (case id, variant name), or None when it is not known."""

SHARED = "verdict_of"
"""The fact of a score that names the answer whose verdict it is: equal questions are asked once."""
_DIGITS = 9


@dataclass(frozen=True, slots=True)
class CaseRecord:
    """A case and what a run holds of it: answers in planned order, scores in the order in which they were added.

    `judged` are the responses of judges, whose call says which answer they are of and for which grader: those about the
    case's own answers, and those about equal answers to other cases that its scores name. `prompts` are by variant.
    """

    case: Case
    responses: tuple[Response, ...] = ()
    scores: tuple[Score, ...] = ()
    judged: tuple[Response, ...] = ()
    prompts: Mapping[str, PromptView] = field(default_factory=dict)


class Records(ABC):
    """The records of a run's cases, read when they are asked for, as often as they are."""

    @abstractmethod
    def __len__(self) -> int:
        """How many cases there are."""

    @abstractmethod
    def dataset(self) -> Iterator[Case]:
        """The cases alone, in the dataset's order."""

    @abstractmethod
    def read(self, places: Sequence[int]) -> Iterator[CaseRecord]:
        """Everything of the cases at these places of the dataset, in this order."""

    @abstractmethod
    def outcomes(self) -> Iterator[CaseRecord]:
        """Each case in the dataset's order, without what takes long to read and does not group or count it.

        Texts of answers, replies of judges and prompts may be left out; how calls ended, what they took, and scores
        are there.
        """


@dataclass(frozen=True)
class HeldRecords(Records):
    """Records that are in memory: at most one response for each planned call, `judged` apart."""

    cases: tuple[Case, ...] = ()
    responses: tuple[Response, ...] = ()
    scores: tuple[Score, ...] = ()
    judged: tuple[Response, ...] = ()
    prompt: PromptOf | None = None
    variants: tuple[Variant, ...] = ()

    def __len__(self) -> int:
        """How many cases there are."""
        return len(self.cases)

    def dataset(self) -> Iterator[Case]:
        """The cases alone, in the dataset's order."""
        return iter(self.cases)

    def read(self, places: Sequence[int]) -> Iterator[CaseRecord]:
        """Everything of the cases at these places, in this order."""
        return (self._record(self.cases[place]) for place in places)

    def outcomes(self) -> Iterator[CaseRecord]:
        """The whole records: they are here already."""
        return map(self._record, self.cases)

    def _record(self, case: Case) -> CaseRecord:
        scores = tuple(self._scores[case.id])
        shared = (reply for call in shared_verdicts(scores, case.id) for reply in self._replies[call])
        prompts = {v.name: self.prompt(case.id, v.name) for v in self.variants} if self.prompt is not None else {}
        return CaseRecord(
            case,
            tuple(self._responses[case.id]),
            scores,
            (*self._judged[case.id], *shared),
            {name: prompt for name, prompt in prompts.items() if prompt is not None},
        )

    @cached_property
    def _responses(self) -> Mapping[str, list[Response]]:
        found: dict[str, list[Response]] = defaultdict(list)
        for response in self.responses:
            found[response.call.case_id].append(response)
        return found

    @cached_property
    def _scores(self) -> Mapping[str, list[Score]]:
        found: dict[str, list[Score]] = defaultdict(list)
        for score in self.scores:
            found[score.case_id].append(score)
        return found

    @cached_property
    def _judged(self) -> Mapping[str, list[Response]]:
        found: dict[str, list[Response]] = defaultdict(list)
        for reply in self.judged:
            found[reply.call.case_id].append(reply)
        return found

    @cached_property
    def _replies(self) -> Mapping[CallKey, list[Response]]:
        found: dict[CallKey, list[Response]] = defaultdict(list)
        for reply in self.judged:
            found[replace(reply.call, grader="")].append(reply)
        return found


def shared_verdicts(scores: Iterable[Score], case_id: str) -> tuple[CallKey, ...]:
    """The answers to other cases that scores of a case name as those whose verdict they share, each once."""
    named = dict.fromkeys(score.facts[SHARED] for score in scores if isinstance(score.facts.get(SHARED), str))
    calls = (answer_named(text) for text in named)
    return tuple(call for call in calls if call is not None and call.case_id != case_id)


def answer_named(text: str) -> CallKey | None:
    """The call of an answer that `str` of it names; None for what names none."""
    match text.split("/"):
        case [variant, case_id, repeat] if repeat.isascii() and repeat.isdecimal() and len(repeat) <= _DIGITS:
            return CallKey(unquote(case_id), unquote(variant), int(repeat))
    return None
