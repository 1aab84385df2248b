"""Streams: the events of an answer put together to the object that a request without `stream: true` gets.

Everything that reads a stored answer then reads one shape an endpoint. A stream that does not come to its end is a
failure, never a short answer. Event names and order: OpenAI's OpenAPI document (2026-08-21) and recorded traffic.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

from snapdrift.model import Endpoint
from snapdrift.openai_api.answers import mapping_of, mappings_of, name_of
from snapdrift.openai_api.errors import broken_stream, malformed_answer, stream_error

_PIECES = frozenset(
    {
        "response.output_text.delta",
        "response.refusal.delta",
        "response.function_call_arguments.delta",
        "response.custom_tool_call_input.delta",
    }
)
_TERMINAL = frozenset({"response.completed", "response.incomplete", "response.failed", "response.cancelled"})
_DRAIN_SECONDS = 0.1
"""How long the end of a stream is waited for after its terminal event, so that the connection can be used again: what
the SDK (openai 3.54.0) gives a Chat stream after `[DONE]`."""


@dataclass(frozen=True, slots=True)
class StreamedBody:
    """A stream put together: the body as JSON text, and when (as `now` tells it) its first piece and its end came.

    `first_at` is None where the model said nothing.
    """

    text: str
    first_at: float | None
    ended_at: float


async def read_stream(events: AsyncIterator[object], endpoint: Endpoint, now: Callable[[], float]) -> StreamedBody:
    """Read a stream to its end. `events` yields each event's data as parsed JSON, `now` tells the time.

    Raises `AttemptFailed` for a stream that ends early, is not JSON, or carries an error; whatever else `events` raises
    (a connection that breaks, an error object) comes out as it is.
    """
    assembly: _Assembly = ChatAssembly() if endpoint is Endpoint.CHAT else ResponseAssembly()
    first_at: float | None = None
    while not assembly.ended:
        try:
            event = await anext(events, _END)
        except (ValueError, RecursionError) as error:
            raise malformed_answer(f"a piece of the stream is not JSON ({_cause(error)})") from None
        if event is _END:
            break
        if not isinstance(event, Mapping):
            raise malformed_answer(f"expected events that are JSON objects; found a JSON {type(event).__name__}")
        if event.get("type") == "error":  # the flat shape; for the nested one the SDK raises
            raise stream_error(event)
        if assembly.add(event) and first_at is None:
            first_at = now()
    ended_at = now()
    return StreamedBody(json.dumps(assembly.whole()), first_at, ended_at)


async def drain(events: AsyncIterator[object]) -> None:
    """Wait shortly for the end of a stream that was read to its terminal event, so that its connection can be reused.

    The answer is whole: nothing that comes of its connection can take it back.
    """
    with suppress(Exception):
        async with asyncio.timeout(_DRAIN_SECONDS):
            while await anext(events, _END) is not _END:
                pass


_END = object()


def _cause(error: Exception) -> str:
    return str(error) if isinstance(error, json.JSONDecodeError) else type(error).__name__


class _Assembly(Protocol):
    ended: bool
    """Whether the event came that ends the stream."""

    def add(self, event: Mapping[str, Any]) -> bool:
        """Take the next event; says whether it is a piece of the answer (text, refusal, arguments of a tool)."""

    def whole(self) -> Mapping[str, Any]:
        """The body that the events add up to. Raises `AttemptFailed` when they do not."""


class ResponseAssembly:
    """A stream of the Responses API. Its terminal event carries the whole response."""

    def __init__(self) -> None:
        self.ended = False
        self._count = 0
        self._said = False
        self._response: Any = None

    def add(self, event: Mapping[str, Any]) -> bool:
        """Take the next event."""
        self._count += 1
        kind = name_of(event.get("type"))
        if kind in _TERMINAL:
            self.ended, self._response = True, event.get("response")
            if isinstance(self._response, Mapping):
                # A host may leave the status to the event's name: a cut answer must not pass for a whole one.
                self._response = {"status": str(kind).removeprefix("response."), **self._response}
        piece = kind in _PIECES and bool(event.get("delta"))
        self._said = self._said or piece
        return piece

    def whole(self) -> Mapping[str, Any]:
        """The response of the terminal event."""
        if not self.ended:
            raise broken_stream(f"{self._count} events came, none of them `response.completed`")
        if not isinstance(self._response, Mapping):
            raise malformed_answer("the stream's last event has no `response`")
        if self._said and not self._response.get("output") and self._response.get("status") != "failed":
            raise malformed_answer("the stream's last event lacks the `output` that its other events brought")
        return self._response


@dataclass(slots=True)
class _Choice:
    """One choice of a completion, as far as it came."""

    message: dict[str, Any] = field(default_factory=lambda: {"role": "assistant", "content": None, "refusal": None})
    tool_calls: list[dict[str, Any]] = field(default_factory=list)
    places: dict[int, int] = field(default_factory=dict)
    logprobs: dict[str, list[Any]] = field(default_factory=dict)
    finish_reason: str | None = None

    def add(self, choice: Mapping[str, Any]) -> bool:
        delta = mapping_of(choice.get("delta"))
        said = False
        for name in ("content", "refusal"):
            if isinstance(piece := delta.get(name), str):
                self.message[name] = (self.message[name] or "") + piece
                said = said or bool(piece)
        for call in mappings_of(delta.get("tool_calls")):
            said = self._add_call(call) or said
        if isinstance(annotations := delta.get("annotations"), list):
            self.message["annotations"] = [*self.message.get("annotations", []), *annotations]
        for name, tokens in mapping_of(choice.get("logprobs")).items():
            if isinstance(tokens, list):
                self.logprobs.setdefault(name, []).extend(tokens)
        self.finish_reason = name_of(choice.get("finish_reason")) or self.finish_reason
        return said

    def _add_call(self, piece: Mapping[str, Any]) -> bool:
        """Pieces belong together by their `index`; of hosts that send none, a new `id` begins the next call."""
        index, function = piece.get("index"), mapping_of(piece.get("function"))
        if isinstance(index, int):
            place = self.places.setdefault(index, len(self.tool_calls))
        else:
            place = len(self.tool_calls) if piece.get("id") or not self.tool_calls else len(self.tool_calls) - 1
        if place == len(self.tool_calls):
            self.tool_calls.append({"id": "", "type": "function", "function": {"name": "", "arguments": ""}})
        call = self.tool_calls[place]
        call["id"] = name_of(piece.get("id")) or call["id"]
        call["function"]["name"] = name_of(function.get("name")) or call["function"]["name"]
        arguments = function.get("arguments")
        if isinstance(arguments, str):
            call["function"]["arguments"] += arguments
        return isinstance(arguments, str) and bool(arguments)

    def whole(self, index: int) -> dict[str, Any]:
        calls = {"tool_calls": self.tool_calls} if self.tool_calls else {}
        return {
            "index": index,
            "message": {**self.message, **calls},
            "logprobs": self.logprobs or None,
            "finish_reason": self.finish_reason,
        }


class ChatAssembly:
    """A stream of Chat Completions. Each choice ends with a `finish_reason`; the usage follows, then `[DONE]`.

    `[DONE]` is the end of `events` already, so `ended` stays false; whether all came is told by the reasons.
    """

    def __init__(self) -> None:
        self.ended = False
        self._count = 0
        self._head: dict[str, Any] = {}
        self._choices: dict[int, _Choice] = {}
        self._usage: Any = None

    def add(self, event: Mapping[str, Any]) -> bool:
        """Take the next chunk; one may have no choices (usage, Azure's filter results)."""
        self._count += 1
        for name in ("id", "created", "model", "service_tier", "system_fingerprint"):
            if event.get(name):
                self._head[name] = event[name]
        if isinstance(event.get("usage"), Mapping):
            self._usage = event["usage"]
        said = False
        for choice in mappings_of(event.get("choices")):
            index = choice.get("index")
            place = self._choices.setdefault(index if isinstance(index, int) else 0, _Choice())
            said = place.add(choice) or said
        return said

    def whole(self) -> Mapping[str, Any]:
        """The completion, of the shape `chat.completion`; `usage` is null where the host sent none."""
        if not self._choices or any(choice.finish_reason is None for choice in self._choices.values()):
            raise broken_stream(f"{self._count} chunks came, none of them with a `finish_reason`")
        choices = [self._choices[index].whole(index) for index in sorted(self._choices)]
        return {"object": "chat.completion", **self._head, "choices": choices, "usage": self._usage}
