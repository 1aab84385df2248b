"""What of a run file may serve later runs, and one request's answer taken out of it.

A run file says in its `meta` whose answers are of pinned models and where they came from (`Reusable`); an answer is
taken only for the very request that it was given to.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from urllib.parse import quote

from snapdrift.model import Outcome, Request, Response, Reused, Source, Step, Usage
from snapdrift.store import codec
from snapdrift.store.reader import StoredRun
from snapdrift.store.spending import last_request_usd

REUSABLE = "reusable"
"""The name in `meta` of what a run's answers may be reused for."""
OUTCOMES = tuple(outcome for outcome in Outcome if outcome.measured)
"""The endings of calls whose requests were answered by a model."""
_MADE_OF_ANSWERS = (Outcome.TOOL_UNMATCHED, Outcome.STEP_LIMIT)
STANDIN = "stand-in"


@dataclass(frozen=True, slots=True)
class Pinned:
    """A model that is the same tomorrow, at a place: the host's URL, or of a stand-in all that its answers depend on.

    `made_up` says that it is a stand-in, `vouched` that the workspace's owner says so of a name that is no snapshot's,
    so that the model which answers may have another.
    """

    place: str
    made_up: bool = False
    vouched: bool = False


@dataclass(frozen=True, slots=True)
class Reusable:
    """Whose answers of a run may be reused: by variant, and of judges by the grader's name and the model."""

    answers: Mapping[str, Pinned] = field(default_factory=dict)
    judges: Mapping[str, Mapping[str, Pinned]] = field(default_factory=dict)

    def of(self, variant: str, grader: str, model: str) -> Pinned | None:
        """What is known of whoever answered a call."""
        judge = grader.partition(".")[0]
        return self.judges.get(judge, {}).get(model) if judge else self.answers.get(variant)

    def after(self, before: Reusable | None, *, begun: bool) -> Reusable:
        """What holds for the whole of a run that has answers from `before`: only what was the same then."""
        if before is None:
            return Reusable() if begun else self
        answers = {name: one for name, one in before.answers.items() if self.answers.get(name, one) == one}
        judges = {grader: dict(models) for grader, models in self.judges.items()}
        for grader, models in before.judges.items():
            for model, one in models.items():
                if judges.setdefault(grader, {}).setdefault(model, one) != one:
                    del judges[grader][model]
        return Reusable(answers if begun else {**self.answers, **answers}, judges)


def reusable_of(run: StoredRun) -> Reusable | None:
    """What the run file says, None where it says nothing. Raises `StoreError`."""
    text = run.meta(REUSABLE)
    return None if text is None else codec.loads(Reusable, text, f"{run.path}: {REUSABLE}")


def is_from(source: Source, pinned: Pinned) -> bool:
    """Whether an answer came from where it should: a stand-in's is never a model's, nor the reverse."""
    return source.made_up if pinned.made_up else source in (Source.OPENAI, Source.HOST)


def answer_key(request: Request, pinned: Pinned, request_hash: str = "") -> bytes:
    """By what an index knows a request: 16 bytes of its hash.

    A stand-in has another port each time, and looks at the case besides the body. `request_hash` where it is known.
    """
    if pinned.made_up:
        return key_of(replace(request, base_url=f"{STANDIN}/{quote(request.call.case_id, safe='')}").hash)
    return key_of(request_hash or request.hash)


def key_of(request_hash: str) -> bytes:
    """The key of a request whose hash is known."""
    return bytes.fromhex(request_hash.partition(":")[2][:32])


def stored_answer(run: StoredRun, call: int, step: int) -> tuple[Request, Response] | None:
    """A request of a call (by its row) and the answer to it alone; None where either is missing."""
    found = run.responses_of([call])
    if not found or found[0].outcome not in OUTCOMES:
        return None
    whole = found[0]
    request = run.request(whole.call, step)
    if request is None or step > len(whole.steps):
        return None
    if step == len(whole.steps):
        return request, alone(whole)
    answers = run.step_answers(whole.call)
    return (request, answers[step]) if step < len(answers) else None


def same_question(asked: Request, asked_hash: str, stored: Request, pinned: Pinned) -> bool:
    """Whether two requests ask the same, whatever they are called and wherever a stand-in listens."""
    if pinned.made_up:
        return stored.call.case_id == asked.call.case_id and replace(stored, base_url=asked.base_url).hash == asked_hash
    return stored.hash == asked_hash


def alone(response: Response) -> Response:
    """The answer to the last request of a call by itself: `execution.steps.with_steps` undone."""
    outcome = Outcome.OK if response.outcome in _MADE_OF_ANSWERS else response.outcome
    if not response.steps:
        return replace(response, outcome=outcome, detail="")
    before = sum(len(step.tool_calls) for step in response.steps)
    reused = response.reused
    earlier = [step.reused for step in response.steps if step.reused is not None]
    if reused is not None and sum(part.requests for part in earlier) >= reused.requests:
        reused = None  # its earlier requests are reused, the last is not
    return replace(
        response,
        outcome=outcome,
        detail="",
        steps=(),
        tool_calls=response.tool_calls[before:],
        usage=_less(response.usage, response.steps),
        usd=last_request_usd(response),
        latency_ms=None,
        reused=None if reused is None else replace(reused, requests=1, usd=_left(reused, earlier)),
    )


def _left(whole: Reused, earlier: list[Reused]) -> float | None:
    known = [part.usd for part in earlier]
    if whole.usd is None or None in known:
        return None
    return max(0.0, whole.usd - sum(usd for usd in known if usd is not None))


def _less(usage: Usage | None, steps: tuple[Step, ...]) -> Usage | None:
    if usage is None:
        return None
    before = [step.usage for step in steps if step.usage is not None]
    return Usage(
        input_tokens=usage.input_tokens - sum(part.input_tokens for part in before),
        cached_tokens=usage.cached_tokens - sum(part.cached_tokens for part in before),
        output_tokens=usage.output_tokens - sum(part.output_tokens for part in before),
        reasoning_tokens=usage.reasoning_tokens - sum(part.reasoning_tokens for part in before),
    )


def as_reused(request: Request, answer: Response, run_id: str, request_hash: str = "") -> Response:
    """The answer as the response to a request of another run: it costs nothing, and no time was measured."""
    origin = answer.reused or Reused(run_id, str(answer.call), answer.finished_at, answer.usd, answer.latency_ms)
    return replace(
        answer,
        call=request.call,
        request_hash=request_hash or request.hash,
        usd=0.0,
        latency_ms=None,
        first_token_ms=None,
        attempts=(),
        failure=None,
        reused=origin,
    )


def origin_key(origin: tuple[str, str, int]) -> int:
    """By what an index and a run know an origin: 64 bits. Of two that are the same one is asked anew, nothing worse."""
    return _bits(*origin)


def asker_key(variant: str, case_id: str) -> int:
    """By what an index knows who asked, whatever the repeat: 64 bits."""
    return _bits(variant, case_id)


def _bits(*parts: str | int) -> int:
    digest = blake2b(json.dumps(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def origin_of(answer: Response, run_id: str, step: int) -> tuple[str, str, int]:
    """What tells an answer from all others, however often it was copied from run to run."""
    if answer.reused is not None:
        return answer.reused.run, answer.reused.call, step
    return run_id, str(answer.call), step
