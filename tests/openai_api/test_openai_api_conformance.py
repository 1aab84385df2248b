"""Every kind of request body against OpenAI's own API document (CreateResponse, CreateChatCompletionRequest)."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from snapdrift.model import (
    HTTP_ENDPOINTS,
    Conversation,
    Endpoint,
    FilePart,
    GeneratedTurn,
    ImagePart,
    Message,
    TextPart,
    ToolResult,
    Variant,
)
from snapdrift.openai_api.requests import build_body, follow_up_body

pytestmark = pytest.mark.shared

SCHEMA = {
    "type": "object",
    "properties": {"queue": {"type": "string"}},
    "required": ["queue"],
    "additionalProperties": False,
}
LOOK_UP = {"type": "function", "name": "look_up", "description": "Looks up.", "parameters": SCHEMA}
ALLOWED = {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "look_up"}]}
NAMES = {Endpoint.RESPONSES: "CreateResponse", Endpoint.CHAT: "CreateChatCompletionRequest"}
QUESTION = Message("user", (TextPart("Where is my order?"),))
PHOTO = ImagePart("a.png", url="data:image/png;base64,AAAA", detail="high")
PAPER = FilePart("a.pdf", data="data:application/pdf;base64,AAAA")

REQUESTS: dict[str, dict[str, Any]] = {
    "plain": {"temperature": 0, "top_p": 1, "max_output_tokens": 200, "metadata": {"team": "shop"}},
    "schema": {"text": {"format": {"type": "json_schema", "name": "ticket", "schema": SCHEMA}, "verbosity": "low"}},
    "json mode": {"text": {"format": {"type": "json_object"}}},
    "tools": {"tools": [LOOK_UP], "tool_choice": "required", "parallel_tool_calls": False},
    "one tool": {"tools": [LOOK_UP], "tool_choice": {"type": "function", "name": "look_up"}},
    "allowed tools": {"tools": [LOOK_UP], "tool_choice": ALLOWED},
    "logprobs": {"include": ["message.output_text.logprobs"], "top_logprobs": 5},
    "reasoning": {"reasoning": {"effort": "low"}, "service_tier": "flex"},
    "kept": {"store": True, "prompt_cache_key": "k", "safety_identifier": "s"},
}
OWN: dict[Endpoint, dict[str, dict[str, Any]]] = {
    Endpoint.RESPONSES: {
        "truncation": {"truncation": "auto", "max_tool_calls": 2, "reasoning": {"summary": "auto"}},
        "built-in tools": {
            "tools": [{"type": "web_search"}, {"type": "file_search", "vector_store_ids": ["vs_1"]}],
            "tool_choice": {"type": "file_search"},
            "include": ["file_search_call.results"],
        },
    },
    Endpoint.CHAT: {
        "sampling": {"seed": 7, "stop": ["END"], "logit_bias": {"50256": -100}, "frequency_penalty": 0.5},
    },
}
CONVERSATIONS = {
    "text": Conversation("Be terse.", (QUESTION,)),
    "vision": Conversation(None, (Message("user", (TextPart("What is it?"), PHOTO, PAPER)),)),
    "dialogue": Conversation(None, (QUESTION, Message("assistant", (TextPart("Which one?"),)), QUESTION)),
}


@pytest.fixture(scope="module")
def document(shared: Path) -> Any:
    """OpenAI's API document as JSON Schemas, as the conformance checker reads it."""
    checker, spec = shared / "tools" / "check_conformance.py", shared / "openai" / "openapi.json.gz"
    if not (checker.is_file() and spec.is_file()):
        pytest.skip("NO API DOCUMENT: ../shared/openai is not beside this checkout, so no body is checked against it")
    found = importlib.util.spec_from_file_location("check_conformance", checker)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module.Spec(str(spec))


@pytest.mark.parametrize("asked_about", CONVERSATIONS)
@pytest.mark.parametrize("endpoint", HTTP_ENDPOINTS)
@pytest.mark.parametrize("stream", [False, True])
def test_every_body_is_one_that_openais_document_allows(
    document: Any, asked_about: str, endpoint: Endpoint, stream: bool
) -> None:
    for name, request in {**REQUESTS, **OWN[endpoint]}.items():
        variant = Variant("v", "gpt-4o", endpoint, request, {}, stream=stream, reasons=name == "tools")
        body = build_body(variant, CONVERSATIONS[asked_about])
        assert document.errors(NAMES[endpoint], body) == [], name


CALL = {"id": "fc_1", "type": "function_call", "call_id": "c_1", "name": "look_up", "arguments": "{}"}
REASONING = {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "gAAAAB"}
TEXT = {"type": "output_text", "text": "Let me see.", "annotations": [], "logprobs": []}
SAID = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [TEXT]}
FUNCTION = {"name": "look_up", "arguments": "{}"}
ANSWERS = {
    Endpoint.RESPONSES: {"id": "resp_1", "output": [REASONING, SAID, CALL]},
    Endpoint.CHAT: {
        "choices": [
            {
                "message": {
                    "role": "assistant",
                    "content": None,
                    "refusal": None,
                    "annotations": [],
                    "tool_calls": [{"id": "c_1", "type": "function", "function": FUNCTION}],
                }
            }
        ]
    },
}


@pytest.mark.parametrize(
    ("endpoint", "chained"), [(Endpoint.RESPONSES, False), (Endpoint.RESPONSES, True), (Endpoint.CHAT, False)]
)
def test_every_later_body_of_a_call_is_allowed_too(document: Any, endpoint: Endpoint, chained: bool) -> None:
    chain = {"previous_response_id": True, "store": True} if chained else {}
    variant = Variant("v", "gpt-4o", endpoint, {"tools": [LOOK_UP], **chain}, {}, reasons=True)
    first = build_body(variant, Conversation("Be terse.", (QUESTION, GeneratedTurn(), QUESTION)))
    additions: list[ToolResult | Message] = [ToolResult("c_1", "look_up", "at the depot"), QUESTION]
    second = follow_up_body(variant, first, json.dumps(ANSWERS[endpoint]), additions)
    assert document.errors(NAMES[endpoint], second) == []
