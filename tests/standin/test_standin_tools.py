"""Functions: who decides to call them, with what, what comes after, and how it goes wrong on purpose."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.standin.conversations import (
    CANCEL,
    LOOKUP,
    called,
    chat,
    flat_tools,
    nested_tools,
    own_service,
    refusal,
    responses,
    result,
    said,
)

from snapdrift.model import Endpoint
from snapdrift.standin.service import AnswerService

ASK = "Where is my order A-5521? Please answer in en."
TOOLS = flat_tools(LOOKUP, CANCEL)
CALLS: list[dict[str, Any]] = [
    {"name": "lookup_order", "arguments": {"order": "A-5521", "language": "en"}},
    {"name": "lookup_order", "arguments": {"order": "B-7", "language": "de"}},
    {"name": "cancel_order", "arguments": {"order": "B-7"}, "step": 1},
]


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key.jsonl"
    rows: list[dict[str, Any]] = [
        {"id": "answered", "question": ASK, "expected": {"tool_calls": CALLS, "answer": "it is on its way"}},
        {"id": "unanswered", "question": ASK, "expected": {"tool_calls": CALLS[:1]}},
        {"id": "none", "question": ASK, "expected": {"tool_calls": [], "answer": "no idea"}},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def with_key(key: Path, **behaviour: Any) -> AnswerService:
    return own_service(behaviour, profiles=[{"answers": [key], "behaviour": "own"}])


def test_a_function_is_called_when_the_prompt_has_its_arguments() -> None:
    assert called(responses(own_service(), ASK, tools=TOOLS)) == [
        ("lookup_order", {"order": "A-5521", "language": "en"})
    ]


def test_no_function_is_called_when_a_required_argument_is_not_in_the_prompt() -> None:
    body = responses(own_service(), "Where is my order?", tools=TOOLS)
    assert called(body) == []
    assert said(body)


def test_no_function_is_called_that_has_nothing_to_do_with_the_prompt() -> None:
    assert called(responses(own_service(), "Write a poem about A-5521.", tools=TOOLS)) == []


def test_after_the_result_the_model_answers_from_it() -> None:
    service = own_service()
    first = responses(service, ASK, tools=TOOLS)
    [call] = first["output"]
    again = [{"role": "user", "content": ASK}, call, result(call, "shipped yesterday")]
    assert said(responses(service, again, tools=TOOLS)) == "shipped yesterday"


def test_a_schema_is_filled_from_the_results() -> None:
    service = own_service()
    [call] = responses(service, ASK, tools=TOOLS)["output"]
    again = [{"role": "user", "content": ASK}, call, result(call, {"state": "shipped", "days": 3})]
    properties = {"state": {"type": "string"}, "days": {"type": "integer"}}
    schema = {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
    form = {"format": {"type": "json_schema", "name": "state", "strict": True, "schema": schema}}
    assert json.loads(said(responses(service, again, tools=TOOLS, text=form))) == {"state": "shipped", "days": 3}


def test_the_answer_key_says_which_calls_are_made_step_by_step_and_what_is_said_then(key: Path) -> None:
    service = with_key(key)
    items: list[Any] = [{"role": "user", "content": ASK}]
    steps = []
    for _ in range(3):
        body = responses(service, items, "answered", tools=TOOLS)
        steps.append(called(body) or said(body))
        items += body["output"]
        items += [result(item, "done") for item in body["output"] if item["type"] == "function_call"]
    expected = [(call["name"], call["arguments"]) for call in CALLS]
    assert steps == [expected[:2], expected[2:], '{"answer": "it is on its way"}']


def test_without_parallel_calls_there_is_one_a_step(key: Path) -> None:
    body = responses(with_key(key), ASK, "answered", tools=TOOLS, parallel_tool_calls=False)
    assert len(called(body)) == 1


def test_an_answer_key_without_calls_makes_none(key: Path) -> None:
    assert said(responses(with_key(key), ASK, "none", tools=TOOLS)) == '{"answer": "no idea"}'


def test_of_arguments_that_may_have_several_values_the_first_is_given(tmp_path: Path) -> None:
    call = {"name": "lookup_order", "arguments": {"order": "A-5521"}, "one_of": {"language": ["en", "de"]}}
    path = tmp_path / "key.jsonl"
    path.write_text(json.dumps({"id": "either", "question": ASK, "expected": {"tool_calls": [call]}}))
    assert called(responses(with_key(path), ASK, "either", tools=TOOLS)) == [
        ("lookup_order", {"order": "A-5521", "language": "en"})
    ]


def test_where_the_key_has_only_calls_the_answer_comes_from_the_results(key: Path) -> None:
    service = with_key(key)
    [call] = responses(service, ASK, "unanswered", tools=TOOLS)["output"]
    items = [{"role": "user", "content": ASK}, call, result(call, "in Ulm")]
    assert said(responses(service, items, "unanswered", tools=TOOLS)) == "in Ulm"


def test_tool_choice_none_calls_nothing() -> None:
    assert called(responses(own_service(), ASK, tools=TOOLS, tool_choice="none")) == []


def test_tool_choice_required_calls_whatever_is_asked() -> None:
    [(name, arguments)] = called(responses(own_service(), "Hello", tools=TOOLS, tool_choice="required"))
    assert name == "lookup_order"
    assert set(arguments) == {"order", "language"}


def test_a_named_function_is_called_and_chat_ends_with_stop() -> None:
    named = {"type": "function", "name": "cancel_order"}
    assert [name for name, _ in called(responses(own_service(), ASK, tools=TOOLS, tool_choice=named))] == [
        "cancel_order"
    ]
    body = chat(
        own_service(),
        [{"role": "user", "content": ASK}],
        tools=nested_tools(LOOKUP, CANCEL),
        tool_choice={"type": "function", "function": {"name": "cancel_order"}},
    )
    assert body["choices"][0]["finish_reason"] == "stop"


def test_allowed_tools_leave_a_part_of_what_is_offered() -> None:
    allowed = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "cancel_order"}]}
    [(name, _)] = called(responses(own_service(), ASK, tools=TOOLS, tool_choice=allowed))
    assert name == "cancel_order"
    nested = {"mode": "auto", "tools": [{"type": "function", "function": {"name": "cancel_order"}}]}
    body = chat(
        own_service(),
        [{"role": "user", "content": ASK}],
        tools=nested_tools(LOOKUP, CANCEL),
        tool_choice={"type": "allowed_tools", "allowed_tools": nested},
    )
    assert body["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "cancel_order"
    assert body["choices"][0]["finish_reason"] == "tool_calls"


def test_a_built_in_tool_passes_through() -> None:
    body = responses(own_service(), "Hello", tools=[{"type": "web_search"}])
    assert body["tools"] == [{"type": "web_search"}]
    assert said(body)


def test_text_can_come_before_calls() -> None:
    body = responses(own_service({"tool_preamble": 1}), ASK, tools=TOOLS)
    assert [item["type"] for item in body["output"]] == ["message", "function_call"]


def test_a_wrong_argument_still_fits_the_strict_schema(key: Path) -> None:
    service = with_key(key, tool_argument={"rate": 1, "field": "language"})
    (_, arguments), (_, second) = called(responses(service, ASK, "answered", tools=TOOLS))
    assert arguments["language"] in ("de", None)
    assert second == CALLS[1]["arguments"]


def test_a_wrong_text_is_what_another_case_calls_with(key: Path) -> None:
    service = with_key(key, tool_argument={"rate": 1, "field": "order"})
    (_, arguments), _ = called(responses(service, ASK, "answered", tools=TOOLS))
    assert arguments["order"] == "B-7"


def test_a_call_can_be_missing(key: Path) -> None:
    service = with_key(key, tool_missing=1)
    assert responses(service, ASK, "unanswered", tools=TOOLS)["output"][0]["type"] == "message"


def test_an_invented_name_and_broken_arguments_befall_only_functions_that_are_not_strict() -> None:
    service = own_service({"tool_invented": 1, "tool_not_json": 1})
    [call] = responses(service, "Cancel order A-5521, cancels now", tools=flat_tools(CANCEL))["output"]
    assert call["name"].startswith("cancel_order_")
    with pytest.raises(ValueError, match="Expecting"):
        json.loads(call["arguments"])
    assert called(responses(service, ASK, tools=flat_tools(LOOKUP)))[0][0] == "lookup_order"


def test_a_call_can_be_written_as_text() -> None:
    body = responses(own_service({"tool_as_text": 1}), ASK, tools=TOOLS)
    assert called(body) == []
    assert json.loads(said(body))["name"] == "lookup_order"


def test_endless_calling_never_ends(key: Path) -> None:
    service = with_key(key, tool_endless=1)
    items: list[Any] = [{"role": "user", "content": ASK}]
    for _ in range(6):
        body = responses(service, items, "unanswered", tools=TOOLS)
        assert called(body) == [("lookup_order", CALLS[0]["arguments"])]
        items += [*body["output"], result(body["output"][0], "done")]


def test_arguments_are_cut_by_the_cap() -> None:
    long = {**CANCEL, "parameters": {"type": "object", "properties": {"query": {"type": "string"}}}}
    words = "cancel order " + "very " * 100
    body = responses(own_service(), words, tools=flat_tools(long), max_output_tokens=16)
    assert body["status"] == "incomplete"
    assert body["output"][0]["status"] == "incomplete"
    assert len(body["output"][0]["arguments"]) < len(words) / 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tools": TOOLS, "tool_choice": {"type": "function", "name": "fly"}}, "Tool choice 'fly' not found"),
        ({"tools": TOOLS, "tool_choice": "must"}, "Supported values are: 'auto', 'required', 'none'"),
        ({"tools": [{"type": "function"}]}, "Missing required parameter: 'tools[0].name'"),
        (
            {"tools": [{"type": "function", "name": "f", "strict": True, "parameters": {"type": "object"}}]},
            "Invalid schema for function 'f': In context=(), 'additionalProperties' is required",
        ),
        (
            {"input": [{"type": "function_call_output", "call_id": "call_1", "output": "x"}]},
            "No tool call found for function call output with call_id call_1.",
        ),
        (
            {"input": [{"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"}]},
            "No tool output found for function call call_1.",
        ),
    ],
)
def test_responses_refuses_tools_that_make_no_sense(settings: dict[str, Any], message: str) -> None:
    assert message in refusal(own_service(), Endpoint.RESPONSES, {"input": "Hello", **settings})["message"]


def test_chat_refuses_a_call_without_its_result_and_a_result_without_a_call() -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    asked = {"role": "assistant", "content": None, "tool_calls": [call]}
    missing = refusal(own_service(), Endpoint.CHAT, {"messages": [asked, {"role": "user", "content": "Well?"}]})
    assert "did not have response messages: call_1" in missing["message"]
    stray = {"role": "tool", "tool_call_id": "call_2", "content": "x"}
    unasked = refusal(own_service(), Endpoint.CHAT, {"messages": [stray]})
    assert unasked["param"] == "messages.[0].role"
