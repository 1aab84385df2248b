from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snapdrift.model import HTTP_ENDPOINTS, Endpoint, FailureKind, Outcome, ToolCall, Usage
from snapdrift.openai_api.answers import ParsedAnswer
from snapdrift.openai_api.errors import AttemptFailed
from snapdrift.openai_api.requests import parse_response


def responses_body(*parts: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A body as recorded traffic has it, without the fields that do not matter here."""
    message = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": list(parts)}
    usage = {
        "input_tokens": 1500,
        "input_tokens_details": {"cached_tokens": 1408},
        "output_tokens": 20,
        "output_tokens_details": {"reasoning_tokens": 5},
        "total_tokens": 1520,
    }
    body = {
        "id": "resp_1",
        "object": "response",
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "model": "gpt-4o-2024-08-06",
        "output": [message],
        "usage": usage,
    }
    return {**body, **changes}


def text_part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def chat_body(finish_reason: str | None = "stop", **message: Any) -> dict[str, Any]:
    usage = {
        "prompt_tokens": 1500,
        "prompt_tokens_details": {"cached_tokens": 1408},
        "completion_tokens": 20,
        "completion_tokens_details": {"reasoning_tokens": 5},
    }
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": None, "refusal": None, **message},
        "finish_reason": finish_reason,
    }
    return {"object": "chat.completion", "model": "gpt-4o-2024-08-06", "choices": [choice], "usage": usage}


USAGE = Usage(1500, 1408, 20, 5)


def test_a_completed_response_is_ok_with_its_text_model_and_usage() -> None:
    assert parse_response(Endpoint.RESPONSES, responses_body(text_part("Hello, "), text_part("world"))) == ParsedAnswer(
        Outcome.OK, "Hello, world", "gpt-4o-2024-08-06", USAGE, "completed"
    )


def test_a_chat_completion_is_ok_with_its_text_model_and_usage() -> None:
    assert parse_response(Endpoint.CHAT, chat_body(content="Hello")) == ParsedAnswer(
        Outcome.OK, "Hello", "gpt-4o-2024-08-06", USAGE, "stop"
    )


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        (Endpoint.RESPONSES, responses_body({"type": "refusal", "refusal": "I cannot."})),
        (Endpoint.CHAT, chat_body(refusal="I cannot.")),
    ],
)
def test_a_refusal_is_an_answer_of_its_own_kind(endpoint: Endpoint, body: dict[str, Any]) -> None:
    parsed = parse_response(endpoint, body)
    assert (parsed.outcome, parsed.refusal, parsed.text) == (Outcome.REFUSED, "I cannot.", "")


@pytest.mark.parametrize(
    ("endpoint", "body", "outcome", "reason"),
    [
        (
            Endpoint.RESPONSES,
            responses_body(text_part("Hel"), status="incomplete", incomplete_details={"reason": "max_output_tokens"}),
            Outcome.TRUNCATED,
            "max_output_tokens",
        ),
        (Endpoint.CHAT, chat_body("length", content="Hel"), Outcome.TRUNCATED, "length"),
        (
            Endpoint.RESPONSES,
            responses_body(text_part("Hel"), status="incomplete", incomplete_details={"reason": "content_filter"}),
            Outcome.FILTERED,
            "content_filter",
        ),
        (Endpoint.CHAT, chat_body("content_filter", content="Hel"), Outcome.FILTERED, "content_filter"),
        (Endpoint.RESPONSES, responses_body(text_part("Hel"), status="incomplete"), Outcome.TRUNCATED, "incomplete"),
    ],
)
def test_an_answer_that_was_cut_keeps_its_text_and_the_reason(
    endpoint: Endpoint, body: dict[str, Any], outcome: Outcome, reason: str
) -> None:
    parsed = parse_response(endpoint, body)
    assert (parsed.outcome, parsed.text, parsed.finish_reason) == (outcome, "Hel", reason)


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        (Endpoint.RESPONSES, responses_body(text_part(""))),
        (Endpoint.RESPONSES, responses_body(output=[])),
        (Endpoint.CHAT, chat_body(content="")),
        (Endpoint.CHAT, chat_body(content=None)),
    ],
)
def test_an_empty_answer_is_ok(endpoint: Endpoint, body: dict[str, Any]) -> None:
    parsed = parse_response(endpoint, body)
    assert (parsed.outcome, parsed.text) == (Outcome.OK, "")


def test_function_calls_are_read_on_both_endpoints() -> None:
    item = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "look_up", "arguments": '{"a": 1}'}
    nested = {"id": "call_1", "type": "function", "function": {"name": "look_up", "arguments": '{"a": 1}'}}
    flat = parse_response(Endpoint.RESPONSES, responses_body(output=[item])).tool_calls
    assert flat == parse_response(Endpoint.CHAT, chat_body("tool_calls", tool_calls=[nested])).tool_calls
    assert flat == (ToolCall("call_1", "look_up", '{"a": 1}'),)


def test_a_body_without_usage_has_none_rather_than_zero() -> None:
    assert parse_response(Endpoint.RESPONSES, responses_body(text_part("a"), usage=None)).usage is None


@pytest.mark.parametrize(
    "usage",
    [
        {},
        {"input_tokens": 3},
        {"prompt_tokens": 3, "completion_tokens": 4},
        {"input_tokens": 3, "output_tokens": -4},
        {"input_tokens": 3, "output_tokens": True},
        {"input_tokens": 10**400, "output_tokens": 4},
    ],
)
def test_usage_that_lacks_a_number_is_not_known_and_never_free(usage: dict[str, int]) -> None:
    assert parse_response(Endpoint.RESPONSES, responses_body(text_part("a"), usage=usage)).usage is None


def test_usage_without_details_has_no_cached_tokens() -> None:
    usage = parse_response(Endpoint.RESPONSES, responses_body(usage={"input_tokens": 3, "output_tokens": 4})).usage
    assert usage == Usage(3, 0, 4, 0)


def test_reasoning_items_and_unknown_items_are_passed_over() -> None:
    body = responses_body(
        output=[{"type": "reasoning", "summary": []}, 5, {"type": "new"}, *responses_body(text_part("a"))["output"]]
    )
    assert parse_response(Endpoint.RESPONSES, body).text == "a"


def test_a_lone_surrogate_becomes_a_replacement_character() -> None:
    assert parse_response(Endpoint.CHAT, chat_body(content="a\ud800b")).text == "a\ufffdb"


@pytest.mark.parametrize(
    ("error", "kind", "retryable"),
    [
        ({"code": "server_error", "message": "oops"}, FailureKind.SERVER, True),
        ({"code": "rate_limit_exceeded", "message": "slow down"}, FailureKind.RATE_LIMIT, True),
        ({"code": "invalid_prompt", "message": "no"}, FailureKind.BAD_REQUEST, False),
        ({"code": "image_parse_error", "message": "no"}, FailureKind.BAD_REQUEST, False),
        ({"code": "bio_policy", "message": "no"}, FailureKind.BAD_REQUEST, False),
        ({"code": "insufficient_quota", "message": "no"}, FailureKind.QUOTA, False),
        (None, FailureKind.SERVER, True),
    ],
)
def test_a_response_that_failed_with_a_200_is_a_failure(error: Any, kind: FailureKind, retryable: bool) -> None:
    with pytest.raises(AttemptFailed) as caught:
        parse_response(Endpoint.RESPONSES, responses_body(status="failed", error=error, output=[]))
    assert (caught.value.failure.kind, caught.value.failure.retryable) == (kind, retryable)


@pytest.mark.parametrize("endpoint", HTTP_ENDPOINTS)
@pytest.mark.parametrize(
    "body", [{}, {"choices": []}, {"choices": [{}]}, {"output": "x"}, {"status": "in_progress", "output": []}]
)
def test_a_body_of_another_shape_is_malformed_and_tried_again(endpoint: Endpoint, body: dict[str, Any]) -> None:
    with pytest.raises(AttemptFailed) as caught:
        parse_response(endpoint, body)
    assert (caught.value.failure.kind, caught.value.failure.retryable) == (FailureKind.MALFORMED, True)


@pytest.mark.parametrize("endpoint", HTTP_ENDPOINTS)
def test_a_200_that_holds_only_an_error_says_so(endpoint: Endpoint) -> None:
    with pytest.raises(AttemptFailed, match="upstream is down"):
        parse_response(endpoint, {"error": {"message": "upstream is down", "code": "server_error"}})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(
    [
        "status",
        "error",
        "output",
        "choices",
        "usage",
        "model",
        "incomplete_details",
        "input_tokens_details",
        "message",
        "content",
        "type",
        "refusal",
        "finish_reason",
        "tool_calls",
        "function",
        "code",
        "text",
    ]
)
WORDS = st.sampled_from(["completed", "incomplete", "failed", "message", "refusal", "output_text", "function_call"])
BODIES = st.recursive(
    JSON | WORDS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=20
)


@settings(deadline=None)
@given(st.sampled_from(HTTP_ENDPOINTS), st.dictionaries(KEYS | st.text(max_size=5), BODIES, max_size=6))
def test_any_json_object_is_an_answer_or_a_failed_attempt(endpoint: Endpoint, body: dict[str, Any]) -> None:
    try:
        parsed = parse_response(endpoint, body)
    except AttemptFailed as failed:
        assert failed.failure.message  # noqa: PT017  either ending is right
    else:
        assert parsed.outcome.measured
        parsed.text.encode("utf-8")
