"""Answers in the form of Chat Completions: the body, and the stream's chunks in their real order.

The first delta carries the role, the last chunk of a choice an empty delta and `finish_reason`; with `include_usage` a
chunk with no choices brings the usage; then `[DONE]`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from snapdrift.standin.questions import Question
from snapdrift.standin.replies import Finished, Incomplete
from snapdrift.standin.streams import DONE, obfuscation, pieces, server_sent


def chat_body(question: Question, done: Finished) -> dict[str, Any]:
    """The whole `chat.completion` object."""
    reply = done.reply
    has_text = reply.refusal is None and not reply.tool_calls
    message: dict[str, Any] = {
        "role": "assistant",
        "content": reply.text if has_text else None,
        "refusal": reply.refusal,
        "annotations": [],
    }
    if reply.tool_calls:
        message["tool_calls"] = _tool_calls(done)
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish_reason(question, done)}
    return {**_head(done, "chat.completion"), "choices": [choice], "usage": _usage(done)}


def finish_reason(question: Question, done: Finished) -> str:
    """Why the choice ended. A function that the request names itself ends with `stop` (OpenAI, guide to JSON mode)."""
    reply = done.reply
    if reply.tool_calls:
        named = question.forced_tool is not None and question.forced_tool.named
        return "stop" if named else "tool_calls"
    reasons = {Incomplete.OUTPUT_CAP: "length", Incomplete.FILTER: "content_filter"}
    return reasons[reply.incomplete] if reply.incomplete else "stop"


def chat_chunks(question: Question, done: Finished) -> Iterator[bytes]:
    """The whole stream, as server-sent events."""
    head = _head(done, "chat.completion.chunk")
    with_usage = question.stream_option("include_usage", default=False)
    obfuscate = question.stream_option("include_obfuscation", default=True)
    usage: dict[str, Any] = {"usage": None} if with_usage else {}
    number = 0
    for number, delta in enumerate(_deltas(done)):
        padding = {"obfuscation": obfuscation(done.id, number)} if obfuscate else {}
        yield server_sent({**head, "choices": [_choice(delta, None)], **usage, **padding})
    yield server_sent({**head, "choices": [_choice({}, finish_reason(question, done))], **usage})
    if with_usage:
        padding = {"obfuscation": obfuscation(done.id, number + 1)} if obfuscate else {}
        yield server_sent({**head, "choices": [], "usage": _usage(done), **padding})
    yield DONE


def error_chunk() -> bytes:
    """What ends a stream when the server gives up in the middle."""
    message = "The server had an error while processing your request. (simulated)"
    return server_sent({"error": {"message": message, "type": "server_error", "param": None, "code": None}})


def _deltas(done: Finished) -> Iterator[dict[str, Any]]:
    reply = done.reply
    if reply.tool_calls:
        for index, call in enumerate(_tool_calls(done)):
            opening = {"index": index, **call, "function": {**call["function"], "arguments": ""}}
            first: dict[str, Any] = {"role": "assistant", "content": None} if index == 0 else {}
            yield {**first, "tool_calls": [opening]}
            for piece in pieces(call["function"]["arguments"]):
                yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}
        return
    field, text = ("content", reply.text) if reply.refusal is None else ("refusal", reply.refusal)
    yield {"role": "assistant", "content": "" if field == "content" else None, "refusal": None}
    for piece in pieces(text):
        yield {field: piece}


def _choice(delta: dict[str, Any], reason: str | None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}


def _tool_calls(done: Finished) -> list[dict[str, Any]]:
    return [
        {"id": call.call_id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in done.reply.tool_calls
    ]


def _head(done: Finished, kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{done.id}",
        "object": kind,
        "created": done.created,
        "model": done.model,
        "service_tier": "default",
        "system_fingerprint": done.fingerprint,
    }


def _usage(done: Finished) -> dict[str, Any]:
    spent = done.spent
    return {
        "prompt_tokens": spent.input_tokens,
        "completion_tokens": spent.output_tokens,
        "total_tokens": spent.total_tokens,
        "prompt_tokens_details": {"cached_tokens": spent.cached_tokens, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
