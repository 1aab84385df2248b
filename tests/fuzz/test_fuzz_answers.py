"""What a host or a model may send: bodies, streams, lines of batches, and answers from which values are taken."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from tests.fuzz.bending import bent_text, bent_value, harmless, tries

from snapdrift.graders.extract import Alternatives, extract
from snapdrift.graders.marks import CannotGradeError, NotExtractedError
from snapdrift.keys import redact
from snapdrift.model import Endpoint, Source
from snapdrift.openai_api.batch_lines import read_line
from snapdrift.openai_api.errors import AttemptFailed, classify, read_object
from snapdrift.openai_api.requests import parse_response
from snapdrift.openai_api.streams import read_stream

if TYPE_CHECKING:
    from openai import AsyncOpenAI

USAGE = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5, "input_tokens_details": {"cached_tokens": 0}}
RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "status": "completed",
    "model": "gpt-4o-2024-08-06",
    "service_tier": "default",
    "incomplete_details": {"reason": "max_output_tokens"},
    "error": None,
    "output": [
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hi", "annotations": []}]},
        {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "No"}]},
        {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": '{"a": 1}'},
    ],
    "usage": USAGE,
}
CHAT = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "gpt-4o-2024-08-06",
    "choices": [
        {
            "index": 0,
            "finish_reason": "tool_calls",
            "message": {
                "role": "assistant",
                "content": "Hi",
                "refusal": None,
                "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
            },
        }
    ],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 1}},
}
FAILED = {"error": {"message": "No such model", "type": "invalid_request_error", "code": "model_not_found", "param": 1}}
RESPONSE_EVENTS: list[dict[str, Any]] = [
    {"type": "response.created", "response": {"id": "resp_1"}},
    {"type": "response.output_text.delta", "delta": "Hi", "item_id": "m1"},
    {"type": "error", "code": "server_error", "message": "overloaded"},
    {"type": "response.completed", "response": RESPONSE},
]
CHAT_EVENTS = [
    {"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"content": "Hi", "role": "assistant"}}]},
    {
        "choices": [
            {
                "index": 0,
                "delta": {
                    "tool_calls": [{"index": 0, "id": "c1", "function": {"name": "f", "arguments": '{"a'}}],
                    "refusal": "No",
                },
                "logprobs": {"content": [{"token": "H"}]},
            }
        ]
    },
    {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    {"choices": [], "usage": {"prompt_tokens": 1}},
]
LINE = {
    "id": "batch_req_1",
    "custom_id": "run/case/0/0",
    "response": {"status_code": 200, "request_id": "r", "body": RESPONSE},
    "error": None,
}
LINES = [
    LINE,
    {**LINE, "response": {"status_code": 400, "request_id": "r", "body": FAILED}},
    {**LINE, "response": None, "error": {"code": "batch_expired", "message": "This request could not be executed"}},
]
endpoints = st.sampled_from([Endpoint.RESPONSES, Endpoint.CHAT])


@tries(40)
@given(endpoint=endpoints, body=bent_value([RESPONSE, CHAT, FAILED]))
def test_a_body_is_an_answer_or_a_failure(endpoint: Endpoint, body: Any) -> None:
    with harmless(), suppress(AttemptFailed):
        answer = parse_response(endpoint, read_object(json.dumps(body)))
        answer.text.encode()


@tries(40)
@given(endpoint=endpoints, line=bent_value(LINES) | bent_text(list(map(json.dumps, LINES))))
def test_a_line_of_a_batch_is_an_answer_or_a_failure(endpoint: Endpoint, line: Any) -> None:
    data = (line if isinstance(line, str) else json.dumps(line)).encode("utf-8", "surrogatepass")
    with harmless(), suppress(AttemptFailed):
        found = read_line(data, endpoint, Source.OPENAI, standin=True, redact=redact)
        assert (found.answer is None) is not (found.failure is None)


@tries(40)
@given(endpoint=endpoints, events=bent_value([RESPONSE_EVENTS, CHAT_EVENTS]))
def test_a_stream_of_events_is_a_body_or_a_failure(endpoint: Endpoint, events: Any) -> None:
    async def come() -> AsyncIterator[object]:
        for event in events if isinstance(events, list) else [events]:
            yield event

    async def read() -> None:
        body = await read_stream(come(), endpoint, lambda: 0.0)
        parse_response(endpoint, read_object(body.text))

    with suppress(AttemptFailed):
        asyncio.run(read())


SSE = [
    "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in RESPONSE_EVENTS[:2]),
    f"event: response.completed\ndata: {json.dumps(RESPONSE_EVENTS[-1])}\n\n",
    "".join(f"data: {json.dumps(event)}\n\n" for event in CHAT_EVENTS) + "data: [DONE]\n\n",
    'data: {"error": {"message": "overloaded", "code": null}}\r\n\r\n: comment\nid: 7\nretry: 10\ndata: {}\n\n',
]


@tries(20)
@given(endpoint=endpoints, text=bent_text(SSE), cuts=st.lists(st.integers(1, 400), max_size=5))
def test_the_bytes_of_a_stream_are_a_body_or_a_failure(endpoint: Endpoint, text: str, cuts: list[int]) -> None:
    asyncio.run(_read_bytes(endpoint, text.encode("utf-8", "surrogatepass"), cuts))


async def _read_bytes(endpoint: Endpoint, data: bytes, cuts: list[int]) -> None:
    """Through the SDK's own reader of events, in pieces of these sizes and what is left."""
    import httpx2
    from openai import AsyncStream

    async def pieces() -> AsyncIterator[bytes]:
        at = 0
        for size in cuts:
            yield data[at : at + size]
            at += size
        yield data[at:]

    request = httpx2.Request("POST", "http://127.0.0.1:9/v1/responses")
    response = httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=pieces(), request=request)
    try:
        async with AsyncStream[object](cast_to=object, response=response, client=_client()) as events:
            await read_stream(events, endpoint, lambda: 0.0)
    except Exception as error:  # `classify` raises again what is no failure of an attempt
        classify(error)


@cache
def _client() -> AsyncOpenAI:
    """One for all, as it takes long to make; nothing is sent with it."""
    from openai import AsyncOpenAI

    return AsyncOpenAI(api_key="x", base_url="http://127.0.0.1:9/v1")


ANSWERS = [
    'Sure!\n```json\n{"lines": [{"total": 1.5}], "queue": "billing"}\n```\n',
    '{"lines": [{"total": 1e3, "a": "\\ud800"}]} {"b": 2}',
    "line one\nthe answer is 42\n\n",
]
STEPS = [
    [{"json": "lines[0].total", "mode": "first_object"}, "last_line"],
    {"json": "$", "mode": "fenced"},
    {"regex": "answer is (?P<n>\\d+)", "group": "n", "all": True},
    ["fenced", "first_line", {"regex": "(a|a)*b"}],
]
_STEPS = TypeAdapter(Alternatives)


@tries(40)
@given(steps=bent_value(STEPS), answer=bent_text(ANSWERS), as_json=st.booleans())
def test_an_extractor_finds_a_value_or_says_that_there_is_none(steps: Any, answer: str, as_json: bool) -> None:
    try:
        made = _STEPS.validate_python(steps)
    except (ValidationError, ValueError):
        return
    with harmless(), suppress(NotExtractedError, CannotGradeError):
        extract(made, answer, as_json=as_json)
