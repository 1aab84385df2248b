"""How a call goes on: the answer is carried on as it came, with tool results and user messages after it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from snapdrift.model import Conversation, Endpoint, GeneratedTurn, ImagePart, Message, TextPart, ToolResult, Variant
from snapdrift.openai_api.errors import AttemptFailed
from snapdrift.openai_api.requests import build_body, follow_up_body, parse_response

QUESTION = Message("user", (TextPart("Where is order 5521?"),))
NEXT = Message("user", (TextPart("And order 7?"),))
ASKED = Conversation("Be terse.", (QUESTION, GeneratedTurn(), NEXT))
LOOK_UP = {
    "type": "function",
    "name": "look_up",
    "parameters": {"type": "object", "properties": {"order": {"type": "string"}}},
}
REASONING = {
    "id": "rs_1",
    "type": "reasoning",
    "summary": [],
    "encrypted_content": "gAAAAB",
}
CALL = {
    "id": "fc_1",
    "type": "function_call",
    "call_id": "call_1",
    "name": "look_up",
    "arguments": '{"order":"5521"}',
    "status": "completed",
}
SAID = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "output_text", "text": "At the depot.", "annotations": [], "logprobs": []}],
}
RESULT = ToolResult("call_1", "look_up", '{"state":"at the depot"}')


def variant(endpoint: Endpoint, **request: Any) -> Variant:
    return Variant("v", "gpt-4o-2024-08-06", endpoint, request, {}, reasons=True)


def response(*output: dict[str, Any], **more: Any) -> str:
    return json.dumps({"id": "resp_1", "object": "response", "status": "completed", "output": list(output), **more})


def completion(**message: Any) -> str:
    received = {"role": "assistant", "content": None, "refusal": None, "annotations": [], **message}
    return json.dumps({"object": "chat.completion", "choices": [{"index": 0, "message": received}]})


def test_responses_gets_its_items_back_as_they_came_and_then_the_results() -> None:
    asked = variant(Endpoint.RESPONSES, tools=[LOOK_UP], temperature=0)
    first = build_body(asked, ASKED)
    second = follow_up_body(asked, first, response(REASONING, CALL), [RESULT])
    output = {"type": "function_call_output", "call_id": "call_1", "output": '{"state":"at the depot"}'}
    assert second["input"] == [*first["input"], REASONING, CALL, output]
    assert {**second, "input": None} == {**first, "input": None}


def test_what_only_output_has_is_not_sent_back() -> None:
    asked = variant(Endpoint.RESPONSES)
    raw = response({**REASONING, "status": None}, {**SAID, "created_by": "model"})
    carried = follow_up_body(asked, build_body(asked, ASKED), raw, [NEXT])
    assert carried["input"][1:] == [REASONING, SAID, {"role": "user", "content": "And order 7?"}]


def test_each_step_goes_on_from_the_one_before() -> None:
    asked = variant(Endpoint.RESPONSES, tools=[LOOK_UP])
    second = follow_up_body(asked, build_body(asked, ASKED), response(CALL), [RESULT])
    third = follow_up_body(asked, second, response(SAID), [NEXT])
    kinds = [item.get("type", item.get("role")) for item in third["input"]]
    assert kinds == ["user", "function_call", "function_call_output", "message", "user"]


def test_a_chain_names_the_answer_before_and_repeats_the_instructions() -> None:
    asked = variant(Endpoint.RESPONSES, previous_response_id=True, store=True)
    first = build_body(asked, ASKED)
    second = follow_up_body(asked, first, response(SAID), [NEXT])
    assert second == {
        "model": "gpt-4o-2024-08-06",
        "instructions": "Be terse.",
        "input": [{"role": "user", "content": "And order 7?"}],
        "store": True,
        "previous_response_id": "resp_1",
    }
    third = follow_up_body(asked, second, response(SAID, id="resp_2"), [NEXT])
    assert third == {**second, "previous_response_id": "resp_2"}


def test_chat_gets_the_assistants_message_and_a_message_for_each_result() -> None:
    asked = variant(Endpoint.CHAT, tools=[LOOK_UP])
    calls = [
        {"id": name, "type": "function", "function": {"name": "look_up", "arguments": "{}"}} for name in ("c_1", "c_2")
    ]
    first = build_body(asked, ASKED)
    results = [ToolResult("c_1", "look_up", "a"), ToolResult("c_2", "look_up", "b")]
    second = follow_up_body(asked, first, completion(tool_calls=calls), results)
    assert second["messages"] == [
        *first["messages"],
        {"role": "assistant", "content": None, "tool_calls": calls},
        {"role": "tool", "tool_call_id": "c_1", "content": "a"},
        {"role": "tool", "tool_call_id": "c_2", "content": "b"},
    ]
    assert {**second, "messages": None} == {**first, "messages": None}


@pytest.mark.parametrize(
    ("received", "carried"),
    [
        ({"content": "At the depot."}, {"content": "At the depot."}),
        ({"refusal": "I cannot."}, {"content": None, "refusal": "I cannot."}),
        ({"content": "Let me see.", "tool_calls": []}, {"content": "Let me see."}),
        ({"content": None}, {"content": ""}),
    ],
)
def test_chat_carries_on_what_the_assistant_wrote(received: dict[str, Any], carried: dict[str, Any]) -> None:
    asked = variant(Endpoint.CHAT)
    second = follow_up_body(asked, build_body(asked, ASKED), completion(**received), [NEXT])
    assert second["messages"][2] == {"role": "assistant", **carried}
    assert second["messages"][3] == {"role": "user", "content": "And order 7?"}


def test_a_later_turn_may_show_an_image() -> None:
    shown = Message("user", (TextPart("This one?"), ImagePart("a.png", url="https://e.example/a.png", detail="low")))
    asked = variant(Endpoint.CHAT)
    second = follow_up_body(asked, build_body(asked, ASKED), completion(content="Yes?"), [shown])
    assert second["messages"][-1]["content"][1]["image_url"] == {"url": "https://e.example/a.png", "detail": "low"}


def test_going_on_changes_neither_the_body_nor_the_answer_before() -> None:
    asked = variant(Endpoint.RESPONSES)
    first = build_body(asked, ASKED)
    before = json.dumps(first)
    follow_up_body(asked, first, response(SAID), [NEXT])
    assert json.dumps(first) == before


@pytest.mark.parametrize(
    ("asked", "raw"),
    [
        (variant(Endpoint.RESPONSES), "<html>"),
        (variant(Endpoint.CHAT), "<html>"),
        (variant(Endpoint.CHAT), "{}"),
        (variant(Endpoint.RESPONSES, previous_response_id=True, store=True), '{"output": []}'),
    ],
)
def test_what_is_no_answer_cannot_be_gone_on_from(asked: Variant, raw: str) -> None:
    with pytest.raises(AttemptFailed):
        follow_up_body(asked, build_body(asked, ASKED), raw, [NEXT])


def test_several_items_of_an_answer_are_read_together() -> None:
    refusal = {**SAID, "content": [{"type": "refusal", "refusal": "No more."}]}
    second_call = {**CALL, "call_id": "call_2"}
    body = json.loads(response(SAID, CALL, second_call, refusal, service_tier="priority"))
    parsed = parse_response(Endpoint.RESPONSES, body)
    assert (parsed.text, parsed.refusal, parsed.outcome) == ("At the depot.", "No more.", "refused")
    assert [call.call_id for call in parsed.tool_calls] == ["call_1", "call_2"]
    assert parsed.service_tier == "priority"


def test_chat_says_which_tier_served_it() -> None:
    body = {**json.loads(completion(content="Hi")), "service_tier": "flex"}
    assert parse_response(Endpoint.CHAT, body).service_tier == "flex"
