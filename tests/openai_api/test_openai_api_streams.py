"""Streams over a real connection, read by the unmodified SDK: a whole answer, or a failure; never a short answer."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from snapdrift.model import Answer, CallKey, Endpoint, Failure, FailureKind, Outcome, Request, ToolCall, Usage
from snapdrift.openai_api.client import Host, OpenAIClient
from snapdrift.openai_api.errors import AttemptFailed
from snapdrift.openai_api.requests import parse_response
from snapdrift.openai_api.streams import read_stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.openai_api.conftest import LoopbackHost

DONE = b"data: [DONE]\n\n"
USAGE = {"prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 2}}


def request_to(base_url: str, endpoint: Endpoint) -> Request:
    return Request(CallKey("c", "v", 0), 0, endpoint, base_url, {"model": "gpt-4o", "stream": True}, "run:c:v/0/0")


def ask(base_url: str, endpoint: Endpoint, timeout_s: float = 20.0) -> Answer:
    async def run() -> Answer:
        async with OpenAIClient(Host("test", base_url, "key", is_openai=False), timeout_s=timeout_s) as client:
            return await client.ask(request_to(base_url, endpoint))

    return asyncio.run(run())


def fail(base_url: str, endpoint: Endpoint, timeout_s: float = 20.0) -> Failure:
    with pytest.raises(AttemptFailed) as caught:
        ask(base_url, endpoint, timeout_s)
    return caught.value.failure


# ------------------------------------------------------------------------------------------------------------ responses


def response(status: str = "completed", **more: Any) -> dict[str, Any]:
    part = {"type": "output_text", "text": "Hello there", "annotations": []}
    output = [{"type": "message", "id": "msg_1", "role": "assistant", "content": [part]}]
    usage = {"input_tokens": 9, "output_tokens": 4, "input_tokens_details": {"cached_tokens": 2}}
    whole = {"id": "resp_1", "object": "response", "model": "gpt-4o-2024-08-06", "output": output, "usage": usage}
    return {**whole, "status": status, "service_tier": "default", **more}


def response_events(*deltas: str, kind: str = "output_text") -> list[dict[str, Any]]:
    started = response("in_progress", output=[], usage=None, service_tier="auto")
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    return [
        {"type": "response.created", "response": started},
        {"type": "response.in_progress", "response": started},
        *({"type": f"response.{kind}.delta", **place, "delta": delta, "obfuscation": "xk3"} for delta in deltas),
    ]


def completed(**more: Any) -> dict[str, Any]:
    return {"type": "response.completed", "response": response(**more)}


def test_the_answer_of_a_responses_stream_is_that_of_its_terminal_event(loopback: LoopbackHost) -> None:
    loopback.streams(*response_events("Hello", " there"), completed(), headers={"x-request-id": "req_1"})
    answer = ask(loopback.base_url, Endpoint.RESPONSES)
    assert (answer.outcome, answer.text, answer.request_id) == (Outcome.OK, "Hello there", "req_1")
    assert (answer.usage, answer.returned_model) == (Usage(9, 2, 4, 0), "gpt-4o-2024-08-06")
    assert json.loads(answer.raw) == response()


@pytest.mark.parametrize("kind", ["output_text", "refusal", "function_call_arguments"])
def test_the_first_token_of_a_responses_stream_is_the_first_delta_that_says_something(kind: str) -> None:
    events = [*response_events("", "Hello", " there", kind=kind), completed()]
    assert first_and_end(events, Endpoint.RESPONSES) == (4, 6)


def test_a_stream_without_a_word_has_no_first_token(loopback: LoopbackHost) -> None:
    loopback.streams(*response_events(), completed(output=[]))
    assert ask(loopback.base_url, Endpoint.RESPONSES).first_token_ms is None


def test_the_first_token_comes_before_the_end(loopback: LoopbackHost) -> None:
    loopback.streams(*response_events("Hello", " there"), completed())
    answer = ask(loopback.base_url, Endpoint.RESPONSES)
    assert answer.first_token_ms is not None
    assert 0 < answer.first_token_ms <= answer.latency_ms


def test_a_cut_answer_is_truncated_and_not_a_failure(loopback: LoopbackHost) -> None:
    whole = response("incomplete", incomplete_details={"reason": "max_output_tokens"})
    loopback.streams(*response_events("Hello"), {"type": "response.incomplete", "response": whole})
    assert ask(loopback.base_url, Endpoint.RESPONSES).outcome is Outcome.TRUNCATED


def test_a_cut_answer_whose_response_does_not_say_so_is_told_by_the_name_of_its_event(loopback: LoopbackHost) -> None:
    whole = {key: value for key, value in response().items() if key != "status"}
    loopback.streams(*response_events("Hello"), {"type": "response.incomplete", "response": whole})
    assert ask(loopback.base_url, Endpoint.RESPONSES).outcome is Outcome.TRUNCATED


def test_a_connection_that_stays_open_after_the_terminal_event_does_not_keep_the_answer(
    loopback: LoopbackHost,
) -> None:
    loopback.streams(*response_events("Hello"), completed(), fault="stall in the middle")
    assert ask(loopback.base_url, Endpoint.RESPONSES).text == "Hello there"


def test_connections_are_used_again_after_a_stream(loopback: LoopbackHost) -> None:
    loopback.streams(*response_events("Hello"), completed())

    async def run() -> None:
        async with OpenAIClient(Host("test", loopback.base_url, "key", is_openai=False)) as client:
            for _ in range(3):
                await client.ask(request_to(loopback.base_url, Endpoint.RESPONSES))

    asyncio.run(run())
    assert len({sent.peer for sent in loopback.sent}) == 1


# ----------------------------------------------------------------------------------------------------------------- chat


def chunk(delta: Any = None, reason: str | None = None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 7, "model": "gpt-4o-2024-08-06"}
    return {**head, "system_fingerprint": "fp_1", "choices": [choice], "usage": None, "obfuscation": "q", **more}


def usage_chunk() -> dict[str, Any]:
    return chunk(choices=[], usage=USAGE, service_tier="default")


def test_the_answer_of_a_chat_stream_is_put_together_to_a_completion(loopback: LoopbackHost) -> None:
    role = {"role": "assistant", "content": "", "refusal": None}
    parts = [chunk(role), chunk({"content": "Hello"}), chunk({"content": " there"}), chunk({}, "stop"), usage_chunk()]
    loopback.streams(*parts, DONE, headers={"x-request-id": "req_1"})
    answer = ask(loopback.base_url, Endpoint.CHAT)
    assert (answer.outcome, answer.text, answer.request_id) == (Outcome.OK, "Hello there", "req_1")
    assert answer.usage == Usage(9, 2, 4, 0)
    assert json.loads(answer.raw) == {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 7,
        "model": "gpt-4o-2024-08-06",
        "service_tier": "default",
        "system_fingerprint": "fp_1",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello there", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": USAGE,
    }


def test_the_pieces_of_tool_calls_belong_together_by_their_index(loopback: LoopbackHost) -> None:
    def opening(index: int, name: str) -> dict[str, Any]:
        return {"index": index, "id": f"call_{index}", "type": "function", "function": {"name": name, "arguments": ""}}

    def piece(index: int, text: str) -> dict[str, Any]:
        return chunk({"tool_calls": [{"index": index, "function": {"arguments": text}}]})

    first = chunk({"role": "assistant", "content": None, "tool_calls": [opening(0, "find")]})
    second = chunk({"tool_calls": [opening(1, "send")]})
    loopback.streams(
        first, piece(0, '{"a"'), second, piece(1, "{}"), piece(0, ": 1}"), chunk({}, "tool_calls"), usage_chunk(), DONE
    )
    answer = ask(loopback.base_url, Endpoint.CHAT)
    assert answer.tool_calls == (ToolCall("call_0", "find", '{"a": 1}'), ToolCall("call_1", "send", "{}"))
    assert (answer.text, answer.finish_reason) == ("", "tool_calls")
    assert json.loads(answer.raw)["choices"][0]["message"]["content"] is None


def test_tool_calls_without_an_index_are_told_apart_by_their_id() -> None:
    def call(call_id: str, text: str) -> dict[str, Any]:
        named = {"id": call_id} if call_id else {}
        return chunk({"tool_calls": [{**named, "function": {"name": "f", "arguments": text}}]})

    body = assembled([call("a", "{"), call("", "}"), call("b", "[]"), chunk({}, "tool_calls")])
    calls = parse_response(Endpoint.CHAT, body).tool_calls
    assert calls == (ToolCall("a", "f", "{}"), ToolCall("b", "f", "[]"))


def test_logprobs_of_all_chunks_are_kept_in_order() -> None:
    def token(text: str) -> dict[str, Any]:
        choice = {"index": 0, "delta": {"content": text}, "logprobs": {"content": [{"token": text}], "refusal": None}}
        return chunk(choices=[choice])

    body = assembled([token("a"), token("b"), chunk({}, "stop")])
    assert body["choices"][0]["logprobs"] == {"content": [{"token": "a"}, {"token": "b"}]}


def test_choices_come_in_the_order_of_their_index() -> None:
    def said(index: int, text: str, reason: str | None = None) -> dict[str, Any]:
        return chunk(choices=[{"index": index, "delta": {"content": text}, "finish_reason": reason}])

    body = assembled([said(1, "b"), said(0, "a"), said(1, "", "stop"), said(0, "", "length")])
    choices = [(choice["message"]["content"], choice["finish_reason"]) for choice in body["choices"]]
    assert choices == [("a", "length"), ("b", "stop")]


def test_a_streamed_refusal_is_a_refusal(loopback: LoopbackHost) -> None:
    role = {"role": "assistant", "content": None, "refusal": None}
    loopback.streams(chunk(role), chunk({"refusal": "I can"}), chunk({"refusal": "not."}), chunk({}, "stop"), DONE)
    answer = ask(loopback.base_url, Endpoint.CHAT)
    assert (answer.outcome, answer.refusal, answer.text) == (Outcome.REFUSED, "I cannot.", "")


@pytest.mark.parametrize(
    "delta", [{"content": "Hi"}, {"refusal": "No"}, {"tool_calls": [{"index": 0, "function": {"arguments": "{"}}]}]
)
def test_the_first_token_of_a_chat_stream_is_the_first_delta_that_says_something(delta: dict[str, Any]) -> None:
    opening = {"role": "assistant", "content": "", "tool_calls": [{"index": 0, "function": {"arguments": ""}}]}
    events = [chunk(choices=[]), chunk(opening), chunk(delta), chunk({}, "stop")]
    assert first_and_end(events, Endpoint.CHAT) == (3, 4)


def test_a_chat_stream_without_usage_is_an_answer_of_unknown_usage(loopback: LoopbackHost) -> None:
    loopback.streams(chunk({"content": "Hello"}), chunk({}, "stop"), DONE)
    answer = ask(loopback.base_url, Endpoint.CHAT)
    assert (answer.text, answer.usage) == ("Hello", None)


def test_chunks_without_choices_are_no_obstacle(loopback: LoopbackHost) -> None:
    filters = {"choices": [], "model": "", "id": "", "created": 0, "prompt_filter_results": [{"prompt_index": 0}]}
    loopback.streams(filters, chunk({"content": "Hello"}), chunk(None, "stop"), filters, usage_chunk(), DONE)
    answer = ask(loopback.base_url, Endpoint.CHAT)
    assert (answer.text, answer.returned_model) == ("Hello", "gpt-4o-2024-08-06")


# ---------------------------------------------------------------------------------------------------- what is no answer


TEXT = {Endpoint.RESPONSES: response_events("Hel"), Endpoint.CHAT: [chunk({"content": "Hel"})]}
BOTH = pytest.mark.parametrize("endpoint", [Endpoint.RESPONSES, Endpoint.CHAT])
EARLY = {
    Endpoint.RESPONSES: "3 events came, none of them `response.completed`",
    Endpoint.CHAT: "1 chunks came, none of them with a `finish_reason`",
}


@BOTH
@pytest.mark.parametrize("end", [[], [DONE]])
def test_a_stream_that_ends_without_its_terminal_event_is_a_failure(
    loopback: LoopbackHost, endpoint: Endpoint, end: list[bytes]
) -> None:
    loopback.streams(*TEXT[endpoint], *end, headers={"x-request-id": "req_1"})
    failure = fail(loopback.base_url, endpoint)
    assert (failure.kind, failure.retryable, failure.may_have_run) == (FailureKind.CONNECTION, True, True)
    assert (failure.status, failure.request_id) == (200, "req_1")
    assert f"The stream ended before the answer was complete: {EARLY[endpoint]}" in failure.message


@BOTH
def test_a_stream_that_is_cut_is_a_failure(loopback: LoopbackHost, endpoint: Endpoint) -> None:
    loopback.streams(*TEXT[endpoint], fault="cut")
    failure = fail(loopback.base_url, endpoint)
    assert (failure.kind, failure.retryable, failure.may_have_run) == (FailureKind.CONNECTION, True, True)
    assert failure.message.startswith("The connection broke before the answer was complete: ")


@BOTH
def test_a_stream_that_stalls_times_out(loopback: LoopbackHost, endpoint: Endpoint) -> None:
    loopback.streams(*TEXT[endpoint], fault="stall in the middle")
    failure = fail(loopback.base_url, endpoint, timeout_s=0.5)
    assert (failure.kind, failure.retryable, failure.may_have_run) == (FailureKind.TIMEOUT, True, True)


@BOTH
@pytest.mark.parametrize(
    ("piece", "said"),
    [
        (b'data: {"type": "resp\n\n', "a piece of the stream is not JSON (Unterminated string"),
        (b"data: \xff\xfe\n\n", "a piece of the stream is not JSON (UnicodeDecodeError)"),
        (b"data: [" + b"[" * 200_000 + b"\n\n", "a piece of the stream is not JSON (RecursionError)"),
        (b"data: " + b"1" * 5_000 + b"\n\n", "a piece of the stream is not JSON (ValueError)"),
        (b"data: [1, 2]\n\n", "expected events that are JSON objects; found a JSON list"),
        (b"data: null\n\n", "expected events that are JSON objects; found a JSON NoneType"),
    ],
)
def test_a_stream_with_a_piece_that_is_no_json_object_is_malformed(
    loopback: LoopbackHost, endpoint: Endpoint, piece: bytes, said: str
) -> None:
    loopback.streams(*TEXT[endpoint], piece, *TEXT[endpoint])
    failure = fail(loopback.base_url, endpoint)
    assert (failure.kind, failure.retryable, failure.may_have_run) == (FailureKind.MALFORMED, True, True)
    assert failure.message.startswith(f"The host's answer is malformed: {said}")


FLAT = {"type": "error", "code": "server_error", "message": "The model broke", "param": None, "sequence_number": 3}
NESTED = {"error": {"message": "The model broke", "type": "server_error", "param": None, "code": None}}


@BOTH
@pytest.mark.parametrize("event", [FLAT, NESTED, {**NESTED, "type": "error"}])
def test_an_error_in_a_stream_is_a_failure_in_either_shape(
    loopback: LoopbackHost, endpoint: Endpoint, event: dict[str, Any]
) -> None:
    loopback.streams(*TEXT[endpoint], event, headers={"x-request-id": "req_1"})
    failure = fail(loopback.base_url, endpoint)
    assert (failure.kind, failure.retryable, failure.may_have_run) == (FailureKind.SERVER, True, True)
    assert (failure.status, failure.request_id) == (200, "req_1")
    assert failure.message == "The stream broke off with an error (server_error): The model broke"


@pytest.mark.parametrize(
    ("error", "kind", "retryable", "stops_run"),
    [
        ({"code": "rate_limit_exceeded"}, FailureKind.RATE_LIMIT, True, False),
        ({"code": "insufficient_quota"}, FailureKind.QUOTA, False, True),
        ({"code": "invalid_prompt"}, FailureKind.BAD_REQUEST, False, False),
        ({"code": "model_not_found"}, FailureKind.MODEL_NOT_FOUND, False, False),
        ({"code": 429}, FailureKind.RATE_LIMIT, True, False),
        ({"code": 400, "type": "BadRequestError"}, FailureKind.BAD_REQUEST, False, False),
        ({"code": 503}, FailureKind.OVERLOADED, True, False),
        ({}, FailureKind.SERVER, True, False),
    ],
)
def test_the_code_of_an_error_in_a_stream_decides_whether_it_is_tried_again(
    loopback: LoopbackHost, error: dict[str, Any], kind: FailureKind, retryable: bool, stops_run: bool
) -> None:
    loopback.streams(*TEXT[Endpoint.CHAT], {"error": {"message": "no", **error}})
    failure = fail(loopback.base_url, Endpoint.CHAT)
    assert (failure.kind, failure.retryable, failure.stops_run) == (kind, retryable, stops_run)
    assert failure.may_have_run


def test_a_response_that_failed_in_a_stream_is_a_failure(loopback: LoopbackHost) -> None:
    whole = response("failed", output=[], usage=None, error={"code": "server_error", "message": "The model broke"})
    loopback.streams(*response_events("Hel"), {"type": "response.failed", "response": whole})
    failure = fail(loopback.base_url, Endpoint.RESPONSES)
    assert (failure.kind, failure.retryable, failure.may_have_run) == (FailureKind.SERVER, True, True)
    assert failure.message == "The response failed (server_error): The model broke"


@pytest.mark.parametrize(
    ("last", "said"),
    [
        ({"type": "response.completed"}, "the stream's last event has no `response`"),
        (completed(output=[]), "the stream's last event lacks the `output` that its other events brought"),
    ],
)
def test_a_terminal_event_without_the_answer_is_malformed(
    loopback: LoopbackHost, last: dict[str, Any], said: str
) -> None:
    loopback.streams(*response_events("Hello"), last)
    failure = fail(loopback.base_url, Endpoint.RESPONSES)
    assert (failure.kind, failure.message) == (FailureKind.MALFORMED, f"The host's answer is malformed: {said}")


@BOTH
def test_an_error_status_before_the_stream_is_classified_as_without_one(
    loopback: LoopbackHost, endpoint: Endpoint
) -> None:
    error = {"message": "Too many", "type": "requests", "code": "rate_limit_exceeded", "param": None}
    loopback.answers({"error": error}, status=429, headers={"retry-after": "7", "x-request-id": "req_1"})
    failure = fail(loopback.base_url, endpoint)
    assert (failure.kind, failure.retryable, failure.may_have_run) == (FailureKind.RATE_LIMIT, True, False)
    assert (failure.status, failure.request_id, failure.retry_after) == (429, "req_1", 7.0)


@BOTH
def test_a_page_instead_of_a_stream_is_malformed(loopback: LoopbackHost, endpoint: Endpoint) -> None:
    loopback.answers("<html><title>Sign in</title></html>", content_type="text/html; charset=utf-8")
    failure = fail(loopback.base_url, endpoint)
    assert (failure.kind, failure.may_have_run) == (FailureKind.MALFORMED, True)
    assert "Sign in" in failure.message


@BOTH
@pytest.mark.parametrize(("fault", "kind"), [("cut", FailureKind.CONNECTION), ("", FailureKind.MALFORMED)])
def test_a_page_that_breaks_is_told_as_any_other_answer(
    loopback: LoopbackHost, endpoint: Endpoint, fault: str, kind: FailureKind
) -> None:
    loopback.answers("<html>", content_type="text/html", fault=fault)
    assert fail(loopback.base_url, endpoint).kind is kind


def test_a_host_that_answers_whole_although_a_stream_was_asked_for_has_answered(loopback: LoopbackHost) -> None:
    loopback.answers(response())
    answer = ask(loopback.base_url, Endpoint.RESPONSES)
    assert (answer.text, answer.first_token_ms) == ("Hello there", None)


def test_a_stream_of_an_undeclared_type_is_a_stream(loopback: LoopbackHost) -> None:
    loopback.streams(*response_events("Hello"), completed(), content_type="text/plain")
    assert ask(loopback.base_url, Endpoint.RESPONSES).text == "Hello there"


def test_a_stream_that_is_cancelled_ends_as_cancelled(loopback: LoopbackHost) -> None:
    loopback.streams(*response_events("Hello"), fault="stall in the middle")

    async def run() -> None:
        async with OpenAIClient(Host("test", loopback.base_url, "key", is_openai=False)) as client:
            task = asyncio.create_task(client.ask(request_to(loopback.base_url, Endpoint.RESPONSES)))
            await asyncio.to_thread(loopback.received.wait, 20)
            task.cancel()
            await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(run())


# ------------------------------------------------------------------------------------------------- without a connection


class _Events:
    """Yields events; its clock stands at the number of those that were read."""

    def __init__(self, events: list[dict[str, Any]]) -> None:
        self._events = events
        self.read = 0

    def __aiter__(self) -> AsyncIterator[object]:
        return self

    async def __anext__(self) -> object:
        if self.read == len(self._events):
            raise StopAsyncIteration
        self.read += 1
        return self._events[self.read - 1]


def first_and_end(events: list[dict[str, Any]], endpoint: Endpoint) -> tuple[float | None, float]:
    source = _Events(events)
    body = asyncio.run(read_stream(source, endpoint, lambda: source.read))
    return body.first_at, body.ended_at


def assembled(events: list[dict[str, Any]]) -> Any:
    return json.loads(asyncio.run(read_stream(_Events(events), Endpoint.CHAT, lambda: 0.0)).text)


def test_an_event_whose_type_is_no_text_is_passed_over() -> None:
    async def events() -> AsyncIterator[object]:
        yield {"type": ["response.created"]}

    with pytest.raises(AttemptFailed, match="1 events came, none of them"):
        asyncio.run(read_stream(events(), Endpoint.RESPONSES, lambda: 0.0))
