"""Which stored verdicts answer which of a run's questions to judges. Equal questions are asked once.

Two questions are equal where the same vote of the same grader is asked with the same request: the same rubric, the same
answer, the same things shown. The first in the order of the answers is asked, unless another has been already.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from snapdrift.graders.base import Grader
from snapdrift.graders.needs import NOTHING_SEEN, JudgeQuestion, Need, Seen
from snapdrift.model import Call, CallKey, Case, Outcome, Request, Response, sha256
from snapdrift.openai_api.requests import build_request
from snapdrift.openai_api.sent import conversation_of
from snapdrift.pipeline.kept_scores import NOTHING_KEPT, Kept

if TYPE_CHECKING:
    from snapdrift.store import StoredRun

Baselines = Mapping[str, Sequence[str]]
"""The baselines of each candidate, in the order of the gate."""
MOST_ASKED = 3
"""How often a judge is asked the same in one process, while what it replies cannot be read."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A stored reply of a judge. `of` is the answer that it was asked about, where that is another one."""

    response: Response
    of: CallKey | None = None


@dataclass(slots=True)
class _Question:
    """A question: the call that asks it, where that stands, and all the calls that it answers besides."""

    call: Call
    settled: bool = False
    measured: bool = False
    asked: int = 0
    waiting: bool = False
    sharing: list[CallKey] = field(default_factory=list)


class Judgements:
    """The questions of the answers that were taken in, and what has come of each."""

    def __init__(self, stored: StoredRun, label: str, baselines: Baselines, kept: Kept = NOTHING_KEPT) -> None:
        self._stored, self._label, self._baselines = stored, label, baselines
        self.kept = kept
        self._questions: dict[str, _Question] = {}
        self._identities: dict[CallKey, str] = {}

    def take_in(self, graders: tuple[Grader, ...], case: Case, response: Response, position: int) -> None:
        """Notes the questions of an answer, and which of them the run file has a reply to."""
        self._note(self._asked_of(graders, case, response), case, position)

    def _note(self, asked: Iterable[tuple[Grader, CallKey, JudgeQuestion]], case: Case, position: int) -> None:
        for grader, key, question in asked:
            request = self._request(key, question)
            identity = _identity(request)
            self._identities[key] = identity
            reply = self._own_reply(key, request)
            known = self._questions.get(identity)
            measured = reply is not None and reply.outcome.measured
            settled = reply is not None and measured and grader.settles(case, reply)
            if known is None:
                self._questions[identity] = _Question(Call(key, position), settled, measured)
                continue
            if key != known.call.key and key not in known.sharing:
                known.sharing.append(key)
            if reply is not None and not known.settled and (settled or (measured and not known.measured)):
                self._lead(known, Call(key, position))
                known.settled, known.measured = settled, measured

    def _lead(self, known: _Question, call: Call) -> None:
        """Has another of the calls with one question stand for it: the one that was asked."""
        if call.key != known.call.key:
            known.sharing = [known.call.key, *(key for key in known.sharing if key != call.key)]
            known.call = call

    def open(
        self, graders: tuple[Grader, ...], case: Case, response: Response
    ) -> Iterator[tuple[Call, JudgeQuestion, bool]]:
        """The questions of an answer that was taken in and to which there is no readable reply.

        Each with the call that asks it (of this answer or of another with the same question), and whether a reply was
        measured that cannot be read.
        """
        for _, key, question in self._asked_of(graders, case, response):
            known = self._questions[self._identities[key]]
            if not known.settled:
                yield known.call, question, known.measured

    def to_ask(
        self, graders: tuple[Grader, ...], case: Case, response: Response, position: int
    ) -> tuple[list[tuple[Call, JudgeQuestion]], list[CallKey]]:
        """Takes an answer in; what is to be asked about it now, and the calls of its own that a reply is due to.

        A question that is under way already is not asked again, but its reply is waited for.
        """
        # Once for both: while a run asks, the answer that this one is compared with may be stored at any moment.
        asked = list(self._asked_of(graders, case, response))
        self._note(asked, case, position)
        ask: list[tuple[Call, JudgeQuestion]] = []
        awaited: list[CallKey] = []
        for _, key, question in asked:
            known = self._questions[self._identities[key]]
            if known.settled or (known.asked >= MOST_ASKED and not known.waiting):
                continue
            awaited.append(key)
            if not known.waiting:
                known.waiting = True
                known.asked += 1
                ask.append((known.call, question))
        return ask, awaited

    def take_reply(self, grader: Grader, case: Case, response: Response) -> bool:
        """Takes in a reply to a question that was to be asked; returns whether that is to be asked once more."""
        known = self._questions[self._identities[response.call]]
        known.measured = response.outcome.measured
        known.settled = known.measured and grader.settles(case, response)
        again = known.measured and not known.settled and known.asked < MOST_ASKED
        known.asked += again
        known.waiting = again
        return again

    def is_settled(self, key: CallKey) -> bool:
        """Whether there is a readable reply to the question that a call asks."""
        return self._questions[self._identities[key]].settled

    def answered_by(self, key: CallKey) -> tuple[CallKey, ...]:
        """The calls whose question a call asks: its own, and those of other answers."""
        known = self._questions[self._identities[key]]
        return (known.call.key, *known.sharing)

    def replies(self, grader: Grader, case: Case, response: Response) -> Mapping[str, Reply]:
        """The stored replies to the questions of an answer, by the name of the need; failed calls' too."""
        found = {}
        for name, need in self.needs(grader, case, response).items():
            if not isinstance(need, JudgeQuestion):
                continue
            key = judge_key(grader, name, response)
            request = self._request(key, need)
            known = self._questions.get(_identity(request))
            asked = key if known is None else known.call.key
            reply = self._own_reply(asked, request)
            if reply is not None:
                of = None if asked == key else replace(asked, grader="")
                found[name] = Reply(reply, of)
        return found

    def needs(self, grader: Grader, case: Case, response: Response) -> Mapping[str, Need]:
        """What a grader needs to grade an answer, with what it may look at; nothing where finding that fails.

        Then `read` fails in the same way, and its score says how.
        """
        if not response.outcome.measured:
            return {}
        try:
            return grader.needs(case, response, self.seen(grader, response))
        except Exception:  # noqa: BLE001  a defect in a family that a package brings must not end a run
            return {}

    def seen(self, grader: Grader, response: Response) -> Seen:
        """What a grader may look at besides the answer, as far as it does."""
        if not (grader.sees_prompt or grader.compares):
            return NOTHING_SEEN
        request = self._stored.request(response.call) if grader.sees_prompt else None
        others = self._others(response) if grader.compares else {}
        return Seen(None if request is None else conversation_of(request), others)

    def _others(self, response: Response) -> dict[str, Response]:
        """The answers of the variant's baselines; one that is not there keeps its place as a missing one."""
        names = self._baselines.get(response.call.variant, ())
        keys = {name: replace(response.call, variant=name) for name in names}
        return {name: self._stored.response(key) or Response(key, Outcome.MISSING, "") for name, key in keys.items()}

    def _asked_of(
        self, graders: tuple[Grader, ...], case: Case, response: Response
    ) -> Iterator[tuple[Grader, CallKey, JudgeQuestion]]:
        for grader in graders:
            for name, need in self.needs(grader, case, response).items():
                if isinstance(need, JudgeQuestion):
                    yield grader, judge_key(grader, name, response), need

    def _request(self, key: CallKey, question: JudgeQuestion) -> Request:
        return build_request(key, question.variant, question.conversation, self._label, question.variant.host or "")

    def _own_reply(self, key: CallKey, request: Request) -> Response | None:
        """The stored reply to this very question under a call; a changed rubric, judge or answer is another."""
        reply = self._stored.response(key)
        sent = None if reply is None else self._stored.request(key)
        if reply is None or sent is None:
            return None
        same = replace(request, call=key, base_url=sent.base_url)
        return reply if same.hash == reply.request_hash else None


def shared_with(replies: Mapping[str, Reply]) -> CallKey | None:
    """The answer whose verdict the replies to one answer's questions are; None where they are of its own.

    Of several votes on one question the first says so: an interrupted run may have asked some of them about one answer
    and some about an equal one, and each set of votes is of exactly one of them.
    """
    first: dict[str, Reply] = {}
    for name, reply in replies.items():
        judge, _, vote = name.rpartition(".")
        first.setdefault(judge if vote.isdigit() else name, reply)
    return next((reply.of for reply in first.values() if reply.of is not None), None)


def judge_key(grader: Grader, name: str, response: Response) -> CallKey:
    """The call by which a judge is asked what a grader needs about an answer."""
    return replace(response.call, grader=f"{grader.name}.{name}" if name else grader.name)


def _identity(request: Request) -> str:
    """What makes two questions the same, `base_url` being the judge's host: neither case, variant nor repeat."""
    return sha256([request.call.grader, request.endpoint.value, request.base_url, dict(request.body)])
