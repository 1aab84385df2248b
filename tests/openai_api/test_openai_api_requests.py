from __future__ import annotations

from typing import Any

import pytest

from snapdrift.model import CallKey, ClientRequestId, Conversation, Endpoint, Message, TextPart, Variant
from snapdrift.openai_api.requests import added_keys, build_body, build_request
from snapdrift.suites.registry import InvalidEntryError

ASKED = Conversation("Be terse.", (Message("user", (TextPart("Where is "), TextPart("my order?"))),))
SCHEMA = {"type": "object", "properties": {"queue": {"type": "string"}}}
FORMAT = {"type": "json_schema", "name": "ticket", "schema": SCHEMA}
TOOL = {"type": "function", "name": "look_up", "description": "Looks up.", "parameters": SCHEMA}


def variant(endpoint: Endpoint, **request: Any) -> Variant:
    return Variant("v", "gpt-4o-2024-08-06", endpoint, request, {})


def test_a_responses_body_is_the_prompt_and_the_settings_as_written() -> None:
    assert build_body(variant(Endpoint.RESPONSES, temperature=0, max_output_tokens=200), ASKED) == {
        "model": "gpt-4o-2024-08-06",
        "instructions": "Be terse.",
        "input": [{"role": "user", "content": "Where is my order?"}],
        "temperature": 0,
        "max_output_tokens": 200,
        "store": False,
    }


def test_a_chat_body_says_the_same_in_chats_names() -> None:
    request = {
        "temperature": 0,
        "max_output_tokens": 200,
        "text": {"format": {**FORMAT, "strict": True}, "verbosity": "low"},
        "reasoning": {"effort": "low"},
        "tools": [TOOL],
        "tool_choice": {"type": "function", "name": "look_up"},
        "top_logprobs": 3,
        "seed": 7,
    }
    function = {"name": "look_up", "description": "Looks up.", "parameters": SCHEMA, "strict": False}
    assert build_body(variant(Endpoint.CHAT, **request), ASKED) == {
        "model": "gpt-4o-2024-08-06",
        "messages": [
            {"role": "system", "content": "Be terse."},
            {"role": "user", "content": "Where is my order?"},
        ],
        "temperature": 0,
        "max_completion_tokens": 200,
        "response_format": {"type": "json_schema", "json_schema": {"name": "ticket", "schema": SCHEMA, "strict": True}},
        "verbosity": "low",
        "reasoning_effort": "low",
        "tools": [{"type": "function", "function": function}],
        "tool_choice": {"type": "function", "function": {"name": "look_up"}},
        "logprobs": True,
        "top_logprobs": 3,
        "seed": 7,
        "store": False,
    }


@pytest.mark.parametrize("endpoint", list(Endpoint))
def test_answers_are_never_stored_at_the_provider(endpoint: Endpoint) -> None:
    assert build_body(variant(endpoint), ASKED)["store"] is False


def test_strict_is_explicit_on_responses() -> None:
    body = build_body(variant(Endpoint.RESPONSES, text={"format": FORMAT}, tools=[TOOL]), ASKED)
    assert (body["text"]["format"]["strict"], body["tools"][0]["strict"]) == (False, False)


def test_strict_is_explicit_on_chat() -> None:
    body = build_body(variant(Endpoint.CHAT, text={"format": FORMAT}), ASKED)
    assert body["response_format"]["json_schema"]["strict"] is False


def test_building_a_body_leaves_the_variant_as_it_is() -> None:
    request: dict[str, Any] = {"text": {"format": dict(FORMAT)}}
    build_body(Variant("v", "m", Endpoint.RESPONSES, request, {}), ASKED)
    assert request == {"text": {"format": FORMAT}}


@pytest.mark.parametrize(
    "request_",
    [
        {"truncation": "auto"},
        {"max_tool_calls": 3},
        {"reasoning": {"effort": "low", "summary": "auto"}},
        {"text": {"format": {"type": "text"}, "tone": "warm"}},
        {"include": ["file_search_call.results"]},
        {"tools": [{"type": "web_search"}]},
        {"tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": []}},
        {"something_new": 1},
    ],
)
def test_what_chat_has_no_word_for_is_refused_and_never_dropped(request_: dict[str, Any]) -> None:
    with pytest.raises(InvalidEntryError, match="cannot be said to Chat Completions"):
        build_body(variant(Endpoint.CHAT, **request_), ASKED)


def test_a_conversation_without_instructions_has_no_system_message() -> None:
    body = build_body(variant(Endpoint.CHAT), Conversation(None, ASKED.messages))
    assert [message["role"] for message in body["messages"]] == ["user"]


def test_a_conversation_without_instructions_sends_none() -> None:
    assert "instructions" not in build_body(variant(Endpoint.RESPONSES), Conversation(None, ASKED.messages))


def test_what_is_added_is_named_by_its_place_in_the_body() -> None:
    assert added_keys(variant(Endpoint.RESPONSES, text={"format": FORMAT})) == {"store", "text.format.strict"}
    assert added_keys(variant(Endpoint.CHAT, text={"format": FORMAT})) == {
        "store",
        "response_format.json_schema.strict",
    }


@pytest.mark.parametrize("endpoint", list(Endpoint))
def test_what_the_suite_writes_itself_is_not_called_added(endpoint: Endpoint) -> None:
    written = variant(endpoint, store=False, text={"format": {**FORMAT, "strict": True}})
    assert added_keys(written) == frozenset()


def test_a_request_carries_the_ids_of_its_run_call_and_step() -> None:
    call = CallKey("case/1", "november", 2)
    request = build_request(call, variant(Endpoint.CHAT), ASKED, "run-1", "http://127.0.0.1:1/v1", step=3)
    assert ClientRequestId.parse(request.client_request_id) == ClientRequestId("run-1", "case/1", "november", 2, 3)


def test_a_judges_request_has_another_id_than_the_one_it_judges() -> None:
    answer = build_request(CallKey("c", "v", 0), variant(Endpoint.CHAT), ASKED, "r", "http://127.0.0.1:1/v1")
    judge = build_request(CallKey("c", "v", 0, "helpful"), variant(Endpoint.CHAT), ASKED, "r", "http://127.0.0.1:1/v1")
    assert answer.client_request_id != judge.client_request_id


def test_a_variants_name_is_no_part_of_what_makes_requests_equal() -> None:
    first = build_request(CallKey("c", "a", 0), variant(Endpoint.CHAT), ASKED, "r", "http://127.0.0.1:1/v1")
    second = build_request(CallKey("c", "b", 0), variant(Endpoint.CHAT), ASKED, "s", "http://127.0.0.1:1/v1")
    assert first.hash == second.hash
