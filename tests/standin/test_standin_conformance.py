"""Everything that is served, against OpenAI's own API document."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from snapdrift.model import Endpoint
from snapdrift.standin import responses_wire
from snapdrift.standin.answering import answer_body
from snapdrift.standin.chat_wire import chat_chunks
from snapdrift.standin.config import StandinConfig
from snapdrift.standin.desk import stream_chunks
from snapdrift.standin.faults import Fault
from snapdrift.standin.launch import StandinProcess
from snapdrift.standin.service import AnswerService
from snapdrift.standin.stored_routes import shown_item

pytestmark = pytest.mark.shared

Problems = Callable[[str, Any], list[Any]]
NOVEMBER = "gpt-4o-2024-11-20"
LOOKUP = {
    "type": "object",
    "properties": {"order": {"type": "string"}},
    "required": ["order"],
    "additionalProperties": False,
}
TOOLS = [{"type": "function", "name": "lookup_order", "parameters": LOOKUP, "strict": True}]


@pytest.fixture(scope="module")
def document(shared: Path) -> tuple[Path, Path]:
    """The conformance checker and OpenAI's API document."""
    checker, spec = shared / "tools" / "check_conformance.py", shared / "openai" / "openapi.json.gz"
    if not (checker.is_file() and spec.is_file()):
        pytest.skip("NO API DOCUMENT: ../shared/openai is not beside this checkout, so conformance is not checked")
    return checker, spec


@pytest.fixture(scope="module")
def checker(document: tuple[Path, Path]) -> Any:
    """The checker as a module, and the document as it reads it."""
    found = importlib.util.spec_from_file_location("check_conformance", document[0])
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module, module.Spec(str(document[1]))


@pytest.fixture(scope="module")
def problems(checker: Any) -> Problems:
    """What breaks a schema of the document, but for what OpenAI's own examples break too."""
    return lambda name, value: [found for found in checker[1].errors(name, value) if found[0] != "drift"]


def test_no_operation_that_is_served_violates_openais_document(document: tuple[Path, Path], tmp_path: Path) -> None:
    program, spec = document
    out = tmp_path / "found.json"
    with StandinProcess(StandinConfig.checked({"key": "sk-test"})) as standin:
        command = [sys.executable, str(program), standin.base_url, "--spec", str(spec), "--json", str(out)]
        ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    probes = json.loads(out.read_text())
    assert {probe["state"] for probe in probes} == {"ok"}, ran.stdout
    assert {finding[0] for probe in probes for finding in probe["findings"]} <= {"drift"}, ran.stdout


def service(**behaviour: Any) -> AnswerService:
    return AnswerService(StandinConfig.checked({"behaviour": "own", "behaviours": {"own": behaviour}}))


def events(of: AnswerService, endpoint: Endpoint, body: Mapping[str, Any], fault: Fault | None = None) -> list[Any]:
    question = of.read(endpoint, body)
    chunks = stream_chunks(question, of.answer(question, None), fault)
    data = [chunk.decode().split("data: ", 1)[1] for chunk in chunks]
    return [json.loads(text) for text in data if not text.startswith("[DONE]")]


HELLO = {"model": NOVEMBER, "input": "Where is order A-5521?", "store": False}
BODIES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "text and a call": ({"tool_preamble": 1}, {"tools": TOOLS}),
    "a refusal": ({"refuse": 1}, {}),
    "cut by the cap": ({"truncate": 1}, {}),
    "cut by the filter": ({"filter": 1}, {}),
    "logprobs": ({}, {"include": ["message.output_text.logprobs"], "top_logprobs": 3}),
    "reasoning": ({}, {"model": "gpt-6-luna", "include": ["reasoning.encrypted_content"]}),
    "only reasoning": ({}, {"model": "gpt-6-luna", "max_output_tokens": 16}),
    "a service tier": ({}, {"service_tier": "priority"}),
}


@pytest.mark.parametrize("name", BODIES)
def test_every_kind_of_response_conforms_whole_and_streamed(checker: Any, problems: Problems, name: str) -> None:
    module, spec = checker
    behaviour, settings = BODIES[name]
    asked = service(**behaviour)
    assert problems("Response", answer_body(asked, Endpoint.RESPONSES, {**HELLO, **settings}).body) == []
    schemas = module.event_schemas(spec)
    streamed = events(asked, Endpoint.RESPONSES, {**HELLO, **settings, "stream": True})
    assert [problem for event in streamed for problem in problems(schemas[event["type"]], event)] == []
    assert [event["sequence_number"] for event in streamed] == list(range(len(streamed)))


@pytest.mark.parametrize("fault", [Fault.FAILED, Fault.ERROR_EVENT])
def test_events_of_a_stream_that_fails_conform(checker: Any, problems: Problems, fault: Fault) -> None:
    schemas = checker[0].event_schemas(checker[1])
    streamed = events(service(), Endpoint.RESPONSES, {**HELLO, "stream": True}, fault)
    assert [problem for event in streamed for problem in problems(schemas[event["type"]], event)] == []
    assert streamed[-1]["type"] == ("response.failed" if fault is Fault.FAILED else "error")


def test_a_failed_response_conforms(problems: Problems) -> None:
    asked = service()
    question = asked.read(Endpoint.RESPONSES, HELLO)
    assert problems("Response", responses_wire.failed_body(question, asked.answer(question, None))) == []


CHATS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "text and a call": (
        {"tool_preamble": 1},
        {"tools": [{"type": "function", "function": {k: v for k, v in TOOLS[0].items() if k != "type"}}]},
    ),
    "a refusal": ({"refuse": 1}, {}),
    "cut by the cap": ({"truncate": 1}, {}),
    "cut by the filter": ({"filter": 1}, {}),
    "logprobs": ({}, {"logprobs": True, "top_logprobs": 3}),
    "reasoning": ({}, {"model": "gpt-6-luna", "reasoning_effort": "low"}),
}


@pytest.mark.parametrize("name", CHATS)
def test_every_kind_of_completion_conforms_whole_and_streamed(problems: Problems, name: str) -> None:
    behaviour, settings = CHATS[name]
    asked = service(**behaviour)
    body = {"model": NOVEMBER, "messages": [{"role": "user", "content": HELLO["input"]}], **settings}
    assert problems("CreateChatCompletionResponse", answer_body(asked, Endpoint.CHAT, body).body) == []
    streamed = events(asked, Endpoint.CHAT, {**body, "stream": True, "stream_options": {"include_usage": True}})
    assert [p for chunk in streamed for p in problems("CreateChatCompletionStreamResponse", chunk)] == []
    question = asked.read(Endpoint.CHAT, {**body, "stream": True})
    assert list(chat_chunks(question, asked.answer(question, None)))[-1] == b"data: [DONE]\n\n"


def test_input_items_conform_as_they_are_listed(problems: Problems) -> None:
    image = {"type": "input_image", "image_url": "https://example.com/a.png"}
    items: list[dict[str, Any]] = [
        {"role": "user", "content": "Where is order A-5521?"},
        {"role": "assistant", "content": "One moment."},
        {"role": "user", "content": [{"type": "input_text", "text": "This one:"}, image]},
        {"type": "function_call", "call_id": "c1", "name": "lookup_order", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "shipped"},
    ]
    asked = service()
    body = answer_body(asked, Endpoint.RESPONSES, {"model": NOVEMBER, "input": items}).body
    listed = [shown_item(item) for item in asked.stored.get(body["id"], "response").sent]
    ends = {"first_id": listed[0]["id"], "last_id": listed[-1]["id"], "has_more": False}
    assert problems("ResponseItemList", {"object": "list", "data": listed, **ends}) == []
