"""The same conversation gets the same answer on both endpoints, streamed and in a batch."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.standin.conversations import (
    CANCEL,
    LOOKUP,
    MODEL,
    chat,
    data_url,
    flat_tools,
    nested_tools,
    own_service,
    png,
    responses,
    said,
)

from snapdrift.model import ClientRequestId, Endpoint
from snapdrift.standin.answering import answer_body
from snapdrift.standin.desk import stream_chunks
from snapdrift.standin.questions import Question, read_question

URL = data_url(png(40, 30))
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
CALL = {"call_id": "call_1", "name": "lookup_order", "arguments": '{"order": "A-5521", "language": "en"}'}
CHAT_CALL = {"id": "call_9", "type": "function", "function": {"name": CALL["name"], "arguments": CALL["arguments"]}}
FORMS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "text": (
        {"instructions": "Be kind.", "input": "Hello, Ann"},
        {"messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hello, Ann"}]},
    ),
    "several turns": (
        {
            "input": [
                {"role": "user", "content": "One"},
                {"role": "assistant", "content": [{"type": "output_text", "text": "Two"}]},
                {"role": "user", "content": [{"type": "input_text", "text": "Three"}]},
            ]
        },
        {
            "messages": [
                {"role": "user", "content": "One"},
                {"role": "assistant", "content": "Two"},
                {"role": "user", "content": [{"type": "text", "text": "Three"}]},
            ]
        },
    ),
    "image": (
        {
            "input": [
                {
                    "role": "user",
                    "content": [
                        {"type": "input_text", "text": "What is it?"},
                        {"type": "input_image", "image_url": URL, "detail": "low"},
                    ],
                }
            ]
        },
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "What is it?"},
                        {"type": "image_url", "image_url": {"url": URL, "detail": "low"}},
                    ],
                }
            ]
        },
    ),
    "file": (
        {
            "input": [
                {
                    "role": "user",
                    "content": [
                        {"type": "input_file", "filename": "a.pdf", "file_data": data_url(b"%PDF", "application/pdf")}
                    ],
                }
            ]
        },
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {
                            "type": "file",
                            "file": {"filename": "a.pdf", "file_data": data_url(b"%PDF", "application/pdf")},
                        }
                    ],
                }
            ]
        },
    ),
    "schema": (
        {
            "input": "Ann is 30.",
            "text": {"format": {"type": "json_schema", "name": "p", "strict": True, "schema": PERSON}},
        },
        {
            "messages": [{"role": "user", "content": "Ann is 30."}],
            "response_format": {"type": "json_schema", "json_schema": {"name": "p", "strict": True, "schema": PERSON}},
        },
    ),
    "tools": (
        {"input": "Where is order A-5521? Answer in en.", "tools": flat_tools(LOOKUP, CANCEL)},
        {
            "messages": [{"role": "user", "content": "Where is order A-5521? Answer in en."}],
            "tools": nested_tools(LOOKUP, CANCEL),
        },
    ),
    "tool results": (
        {
            "input": [
                {"role": "user", "content": "Where is order A-5521? Answer in en."},
                {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"},
                {"role": "assistant", "content": [{"type": "output_text", "text": "Let me look."}]},
                {"type": "function_call", **CALL},
                {"type": "function_call_output", "call_id": "call_1", "output": "shipped"},
            ],
            "tools": flat_tools(LOOKUP),
        },
        {
            "messages": [
                {"role": "user", "content": "Where is order A-5521? Answer in en."},
                {"role": "assistant", "content": "Let me look.", "tool_calls": [CHAT_CALL]},
                {"role": "tool", "tool_call_id": "call_9", "content": "shipped"},
            ],
            "tools": nested_tools(LOOKUP),
        },
    ),
}
BEHAVIOURS: dict[str, dict[str, Any]] = {
    "plain": {},
    "flawed": {"verbose": 0.5, "fence": 0.5, "refuse": 0.2, "truncate": 0.2, "flaky": 0.5, "wrong": 0.5},
    "clumsy": {"tool_argument": 0.5, "tool_missing": 0.3, "tool_invented": 0.5, "tool_preamble": 0.5},
}


def read(name: str) -> tuple[Question, Question]:
    flat, nested = FORMS[name]
    return (
        read_question(Endpoint.RESPONSES, {"model": MODEL, **flat}),
        read_question(Endpoint.CHAT, {"model": MODEL, **nested}),
    )


@pytest.mark.parametrize("name", FORMS)
def test_both_forms_of_a_conversation_are_the_same_question(name: str) -> None:
    one, other = read(name)
    assert one.text == other.text
    assert one.last_user_text == other.last_user_text
    assert one.transcript.identity == other.transcript.identity
    assert one.transcript.prompt.identity == other.transcript.prompt.identity
    assert (one.format, one.tools) == (other.format, other.tools)


def calls_on_chat(body: dict[str, Any]) -> list[tuple[str, str, str]]:
    calls = body["choices"][0]["message"].get("tool_calls") or []
    return [(call["id"], call["function"]["name"], call["function"]["arguments"]) for call in calls]


def calls_on_responses(body: dict[str, Any]) -> list[tuple[str, str, str]]:
    calls = [item for item in body["output"] if item["type"] == "function_call"]
    return [(call["call_id"], call["name"], call["arguments"]) for call in calls]


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
@pytest.mark.parametrize("name", FORMS)
def test_both_endpoints_answer_alike_for_the_same_tokens(name: str, behaviour: str) -> None:
    service = own_service(BEHAVIOURS[behaviour])
    flat, nested = FORMS[name]
    for case in map(str, range(12)):
        one, other = (
            responses(service, flat["input"], case, **{k: v for k, v in flat.items() if k != "input"}),
            chat(service, nested["messages"], case, **{k: v for k, v in nested.items() if k != "messages"}),
        )
        message = other["choices"][0]["message"]
        assert said(one) == (message["content"] or message["refusal"] or "")
        assert calls_on_responses(one) == calls_on_chat(other)
        assert one["usage"]["output_tokens"] == other["usage"]["completion_tokens"]
        assert one["usage"]["input_tokens"] == other["usage"]["prompt_tokens"]


def test_a_stream_and_a_batch_line_answer_like_a_request() -> None:
    service = own_service(BEHAVIOURS["flawed"])
    name = "suite-run:case-1:v/0/0"
    flat, _ = FORMS["text"]
    whole = answer_body(service, Endpoint.RESPONSES, {"model": MODEL, **flat}, name).body
    question = service.read(Endpoint.RESPONSES, {"model": MODEL, **flat, "stream": True})
    chunks = stream_chunks(question, service.answer(question, ClientRequestId.parse(name)), None)
    final = json.loads(chunks[-1].decode().split("data: ", 1)[1])["response"]
    assert [item["content"] for item in final["output"]] == [item["content"] for item in whole["output"]]


def test_the_flaws_of_a_call_are_the_same_at_each_of_its_steps() -> None:
    asked, _ = read("tool results")
    first, _ = read("tools")
    assert asked.transcript.prompt.identity == first.transcript.identity


def test_different_images_are_different_questions() -> None:
    def question(url: str) -> Question:
        part = {"type": "input_image", "image_url": url}
        return read_question(Endpoint.RESPONSES, {"model": MODEL, "input": [{"role": "user", "content": [part]}]})

    assert question(URL).transcript.identity != question(data_url(png(41, 30))).transcript.identity


def test_a_chain_of_responses_asks_what_the_whole_conversation_asks() -> None:
    service = own_service()
    first = responses(service, "One", store=True)
    chained = service.read(Endpoint.RESPONSES, {"model": MODEL, "input": "Two", "previous_response_id": first["id"]})
    whole = [{"role": "user", "content": "One"}, *first["output"], {"role": "user", "content": "Two"}]
    resent = service.read(Endpoint.RESPONSES, {"model": MODEL, "input": whole})
    assert chained.transcript == resent.transcript
    assert service.input_tokens(chained) == service.input_tokens(resent)
