"""The same conversation in the forms of both endpoints, and services to put it to."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from snapdrift.model import ClientRequestId, Endpoint
from snapdrift.standin.answering import answer_body
from snapdrift.standin.config import StandinConfig
from snapdrift.standin.service import AnswerService

MODEL = "gpt-4o-2024-11-20"
LOOKUP: dict[str, Any] = {
    "name": "lookup_order",
    "description": "The state of an order",
    "parameters": {
        "type": "object",
        "properties": {
            "order": {"type": "string"},
            "language": {"type": ["string", "null"], "enum": ["de", "en", None]},
        },
        "required": ["order", "language"],
        "additionalProperties": False,
    },
    "strict": True,
}
CANCEL: dict[str, Any] = {
    "name": "cancel_order",
    "description": "Cancels an order",
    "parameters": {"type": "object", "properties": {"order": {"type": "string"}}, "required": ["order"]},
    "strict": False,
}


def png(width: int, height: int) -> bytes:
    """A PNG of one colour."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(b"\0" * ((width + 1) * height))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def data_url(data: bytes, kind: str = "image/png") -> str:
    """A base64 data URL."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def own_service(behaviour: Mapping[str, Any] | None = None, **fields: Any) -> AnswerService:
    """A service that answers everything with one behaviour of the test's own."""
    own = {"behaviour": "own", "behaviours": {"own": behaviour or {}}}
    return AnswerService(StandinConfig.checked({**own, **fields}))


def responses(of: AnswerService, prompt: Any, case: str | None = None, **settings: Any) -> dict[str, Any]:
    """The body that the Responses API answers with."""
    body = {"model": MODEL, "input": prompt, "store": False, **settings}
    return answered(of, Endpoint.RESPONSES, body, case)


def chat(of: AnswerService, messages: Sequence[Any], case: str | None = None, **settings: Any) -> dict[str, Any]:
    """The body that Chat Completions answers with."""
    return answered(of, Endpoint.CHAT, {"model": MODEL, "messages": list(messages), **settings}, case)


def answered(of: AnswerService, endpoint: Endpoint, body: Mapping[str, Any], case: str | None) -> dict[str, Any]:
    """The answer to a body of a case; fails on an error."""
    name = str(ClientRequestId("suite-run", case, "v", 0, 0)) if case else None
    answer = answer_body(of, endpoint, body, name)
    assert answer.status == 200, answer.body
    return answer.body


def refusal(of: AnswerService, endpoint: Endpoint, body: Mapping[str, Any]) -> dict[str, Any]:
    """The error that a body is refused with."""
    answer = answer_body(of, endpoint, {"model": MODEL, **body})
    assert answer.status >= 400, answer.body
    return {"status": answer.status, **answer.body["error"]}


def flat_tools(*functions: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Function tools as the Responses API takes them."""
    return [{"type": "function", **function} for function in functions]


def nested_tools(*functions: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Function tools as Chat Completions takes them."""
    return [{"type": "function", "function": dict(function)} for function in functions]


def said(body: Mapping[str, Any]) -> str:
    """The text of a response."""
    parts = (part for item in body["output"] if item["type"] == "message" for part in item["content"])
    return "".join(part.get("text", part.get("refusal", "")) for part in parts)


def called(body: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Name and arguments of the calls in a response."""
    calls = [item for item in body["output"] if item["type"] == "function_call"]
    return [(call["name"], json.loads(call["arguments"])) for call in calls]


def result(call: Mapping[str, Any], output: Any) -> dict[str, Any]:
    """The item that gives a call of a response its result."""
    text = output if isinstance(output, str) else json.dumps(output)
    return {"type": "function_call_output", "call_id": call["call_id"], "output": text}
