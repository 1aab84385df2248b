"""Calls of several requests: tools that are answered and scripted turns that are said, until the model is done.

The engine stores each answer (`Stepping.record_step`) before it asks how the call goes on (`Stepping.follow`), so
nothing that was paid for is asked again. `Script` is how one case goes on; it is a pure function of the answers so far
(a Python fake aside), so a call that was cut off goes on from its stored answers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from snapdrift.execution.tools import UnmatchedToolError, arguments_of, canned_result, not_listed
from snapdrift.model import (
    CallKey,
    Case,
    ClientRequestId,
    Conversation,
    FilePart,
    ImagePart,
    Message,
    Outcome,
    Request,
    Response,
    Reused,
    Step,
    TextPart,
    ToolCall,
    ToolResult,
    Usage,
    Variant,
)
from snapdrift.openai_api.requests import follow_up_body
from snapdrift.suites.tool_results import PythonFunction, ToolResults, parse_tool_results, tool_text

Fake = Callable[[PythonFunction, Mapping[str, Any]], Awaitable[Any]]
"""Calls a Python fake with the arguments of a tool call; raises `AttemptFailed` when it raised."""


@dataclass(frozen=True, slots=True)
class Onward:
    """A call goes on: the answered request with what it was followed by, and the request that comes next."""

    step: Step
    request: Request


@dataclass(frozen=True, slots=True)
class Begun:
    """A call that an earlier process began: its last answered request with the answer, and the steps before it."""

    request: Request
    response: Response
    steps: tuple[Step, ...] = ()


class Stepping(Protocol):
    """What the engine has to know of calls that take several requests."""

    def applies(self, call: CallKey) -> bool:
        """Whether the call may take more than one request."""

    def begun(self, request: Request) -> Begun | None:
        """How far an earlier process came with the call whose first request this is; None: it is to be asked."""

    async def record_step(self, request: Request, response: Response, steps: tuple[Step, ...]) -> None:
        """Stores the answer to one request of a call after `steps`; returns when it is durable."""

    async def follow(self, request: Request, response: Response, steps: tuple[Step, ...]) -> Onward | Response:
        """What comes after an answer: the next request, or how the call ended (as of this request alone).

        Raises `AttemptFailed` when the call cannot go on for a reason that is not the model's.
        """


@dataclass(frozen=True, slots=True)
class Script:
    """How the calls of a variant about a case go on."""

    variant: Variant
    case: Case
    conversation: Conversation
    fake: Fake

    @property
    def applies(self) -> bool:
        """Whether a call may take more than one request."""
        return self.case.tool_results is not None or len(self.conversation.turns) > 1

    async def follow(self, request: Request, response: Response, steps: tuple[Step, ...]) -> Onward | Response:
        """What comes after the answer to a request that had `steps` before it.

        A refusal, a truncated and a filtered answer end the call; so do a tool call without a result
        (`TOOL_UNMATCHED`), and a turn that would take more than `max_steps` requests (`STEP_LIMIT`). Raises
        `AttemptFailed` for a fake that raised, and for an answer that cannot be carried on: not the model's doing.
        """
        if response.outcome is not Outcome.OK:
            return response
        try:
            if response.tool_calls:
                return await self._after_tools(request, response, steps)
            return self._after_text(request, response, steps)
        except UnmatchedToolError as error:
            return replace(response, outcome=Outcome.TOOL_UNMATCHED, detail=str(error))

    def _after_text(self, request: Request, response: Response, steps: tuple[Step, ...]) -> Onward | Response:
        turns = self.conversation.turns
        turn = 1 + sum(1 for step in steps if step.said)
        if turn >= len(turns):
            return response
        said, by = (tuple(_as_said(message) for message in turns[turn]), tuple(message.role for message in turns[turn]))
        step = replace(step_of(request, response), said=said, said_by=by)
        return self._onward(request, step, response.raw, turns[turn])

    async def _after_tools(self, request: Request, response: Response, steps: tuple[Step, ...]) -> Onward | Response:
        if self.case.tool_results is None:
            if len(self.conversation.turns) == 1:
                return response
            call = response.tool_calls[0]
            raise UnmatchedToolError(f"the model called {call.name} before the last turn; the case has no tool_results")
        if _requests_of_turn(steps) >= self.variant.max_steps:
            limit = self.variant.max_steps
            detail = f"after {limit} requests of one turn the model still called tools (max_steps: {limit})"
            return replace(response, outcome=Outcome.STEP_LIMIT, detail=detail)
        results = await self._results(parse_tool_results(self.case.tool_results), response.tool_calls, steps)
        return self._onward(request, replace(step_of(request, response), results=results), response.raw, results)

    async def _results(
        self, tools: ToolResults, calls: Sequence[ToolCall], steps: tuple[Step, ...]
    ) -> tuple[ToolResult, ...]:
        made = [call.name for step in steps for call in step.tool_calls]
        results = []
        for call in calls:
            made.append(call.name)
            tool = tools.get(call.name)
            if tool is None:
                raise not_listed(call, tuple(tools))
            if isinstance(tool, PythonFunction):
                output = tool_text(await self.fake(tool, arguments_of(call)))
                results.append(ToolResult(call.call_id, call.name, output, str(tool)))
            else:
                results.append(canned_result(tool, call, made.count(call.name)))
        return tuple(results)

    def _onward(self, request: Request, step: Step, raw: str, additions: Sequence[ToolResult | Message]) -> Onward:
        body = follow_up_body(self.variant, request.body, raw, additions)
        number = request.step + 1
        return Onward(step, replace(request, step=number, body=body, client_request_id=_id_of_step(request, number)))


def _as_said(message: Message) -> str:
    """A message as a person reads it: its text, images and files by their names."""
    return "\n".join(part.text if isinstance(part, TextPart) else _named(part) for part in message.parts)


def _named(part: ImagePart | FilePart) -> str:
    return f"[{'image' if isinstance(part, ImagePart) else 'file'}: {part.name}]"


def step_of(request: Request, response: Response) -> Step:
    """The record of an answered request, before it is known what followed it."""
    return Step(
        number=request.step,
        text=response.text,
        tool_calls=response.tool_calls,
        usage=response.usage,
        usd=response.usd,
        latency_ms=response.latency_ms,
        request_id=response.request_id,
        returned_model=response.returned_model,
        reused=response.reused,
    )


def with_steps(response: Response, steps: tuple[Step, ...]) -> Response:
    """How a call ended, of its last request and those before it.

    Usage, dollars, latency and tool calls are those of all together; dollars are unknown if those of any are, and a
    time that was measured in part only is none. What is said of the answer itself (text, raw, outcome, models) is that
    of the last.
    """
    if not steps:
        return response
    reused = _reused([*(step.reused for step in steps), response.reused])
    usd = [*(step.usd for step in steps), response.usd]
    latencies = [*(step.latency_ms for step in steps), response.latency_ms]
    return replace(
        response,
        steps=steps,
        usage=_summed([*(step.usage for step in steps), response.usage]),
        usd=None if None in usd else sum(part for part in usd if part is not None),
        latency_ms=None if reused else sum(part for part in latencies if part is not None),
        tool_calls=(*(call for step in steps for call in step.tool_calls), *response.tool_calls),
        reused=reused,
    )


def _reused(parts: Sequence[Reused | None]) -> Reused | None:
    """What of a call's requests is reused, as one; named after the last of them."""
    known = [part for part in parts if part is not None]
    if not known:
        return None
    usd = [part.usd for part in known if part.usd is not None]
    return replace(
        known[-1],
        received_at=min(part.received_at for part in known),
        usd=sum(usd) if len(usd) == len(known) else None,
        latency_ms=None,
        requests=sum(part.requests for part in known),
    )


def _summed(parts: Sequence[Usage | None]) -> Usage | None:
    known = [part for part in parts if part is not None]
    if not known:
        return None
    return Usage(
        input_tokens=sum(part.input_tokens for part in known),
        cached_tokens=sum(part.cached_tokens for part in known),
        output_tokens=sum(part.output_tokens for part in known),
        reasoning_tokens=sum(part.reasoning_tokens for part in known),
    )


def _requests_of_turn(steps: tuple[Step, ...]) -> int:
    """How many requests the turn that is being answered has taken, the last one included."""
    since = 0
    for step in steps:
        since = 0 if step.said else since + 1
    return since + 1


def _id_of_step(request: Request, number: int) -> str:
    """The client request id of a later step: that of the first with another number."""
    named = ClientRequestId.parse(request.client_request_id)
    return request.client_request_id if named is None else str(replace(named, step=number))
