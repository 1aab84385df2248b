"""Answers in the form of Chat Completions: the body, and the stream's chunks in their real order.

The first delta carries the role, the last chunk of a choice an empty delta and `finish_reason`; with `include_usage` a
chunk with no choices brings the usage; then `[DONE]`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from snapdrift.standin.logprobs import token_logprobs
from snapdrift.standin.questions import Question
from snapdrift.standin.replies import Finished, Incomplete
from snapdrift.standin.responses_wire import SERVED_TIERS
from snapdrift.standin.streams import DONE, obfuscation, pieces, server_sent


def chat_body(question: Question, done: Finished) -> dict[str, Any]:
    """The whole `chat.completion` object."""
    reply = done.reply
    silent = reply.refusal is not None or (bool(reply.tool_calls) and not reply.text)
    message: dict[str, Any] = {
        "role": "assistant",
        "content": None if silent else reply.text,
        "refusal": reply.refusal,
        "annotations": [],
    }
    if reply.tool_calls:
        message["tool_calls"] = _tool_calls(done)
    logprobs = None
    if question.top_logprobs is not None:
        groups = token_logprobs(reply.text, question.top_logprobs)
        logprobs = {"content": [token for group in groups for token in group], "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": logprobs, "finish_reason": finish_reason(question, done)}
    stored = {"metadata": question.body.get("metadata") or {}} if question.keeps else {}
    return {**_head(question, done, "chat.completion"), "choices": [choice], "usage": _usage(done), **stored}


def finish_reason(question: Question, done: Finished) -> str:
    """Why the choice ended. A function that the request names itself ends with `stop` (OpenAI, guide to JSON mode)."""
    reply = done.reply
    if reply.incomplete:
        return {Incomplete.OUTPUT_CAP: "length", Incomplete.FILTER: "content_filter"}[reply.incomplete]
    if reply.tool_calls:
        return "stop" if question.tools.named else "tool_calls"
    return "stop"


def chat_chunks(question: Question, done: Finished) -> Iterator[bytes]:
    """The whole stream, as server-sent events."""
    head = _head(question, done, "chat.completion.chunk")
    with_usage = question.stream_option("include_usage", default=False)
    obfuscate = question.stream_option("include_obfuscation", default=True)
    usage: dict[str, Any] = {"usage": None} if with_usage else {}
    number = 0
    for number, piece in enumerate(_deltas(question, done)):
        padding = {"obfuscation": obfuscation(done.id, number)} if obfuscate else {}
        yield server_sent({**head, "choices": [_choice(piece, None)], **usage, **padding})
    yield server_sent({**head, "choices": [_choice(_Piece({}), finish_reason(question, done))], **usage})
    if with_usage:
        padding = {"obfuscation": obfuscation(done.id, number + 1)} if obfuscate else {}
        yield server_sent({**head, "choices": [], "usage": _usage(done), **padding})
    yield DONE


def error_chunk() -> bytes:
    """What ends a stream when the server gives up in the middle."""
    message = "The server had an error while processing your request. (simulated)"
    return server_sent({"error": {"message": message, "type": "server_error", "param": None, "code": None}})


@dataclass(frozen=True, slots=True)
class _Piece:
    """A delta, and the log probabilities of what it adds, where they are asked for."""

    delta: dict[str, Any]
    logprobs: dict[str, Any] | None = None


def _deltas(question: Question, done: Finished) -> Iterator[_Piece]:
    reply = done.reply
    opening: dict[str, Any] = {"role": "assistant", "content": None}
    if reply.says or not reply.tool_calls:
        field, text = ("content", reply.text) if reply.refusal is None else ("refusal", reply.refusal)
        yield _Piece({**opening, "content": "" if field == "content" else None, "refusal": None})
        groups = None if question.top_logprobs is None else token_logprobs(text, question.top_logprobs)
        for at, piece in enumerate(pieces(text)):
            logprobs = None if groups is None else {"content": groups[at], "refusal": None}
            yield _Piece({field: piece}, logprobs)
        opening = {}
    for index, call in enumerate(_tool_calls(done)):
        begun = {"index": index, **call, "function": {**call["function"], "arguments": ""}}
        yield _Piece({**opening, "tool_calls": [begun]})
        opening = {}
        for piece in pieces(call["function"]["arguments"]):
            yield _Piece({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})


def _choice(piece: _Piece, reason: str | None) -> dict[str, Any]:
    return {"index": 0, "delta": piece.delta, "logprobs": piece.logprobs, "finish_reason": reason}


def _tool_calls(done: Finished) -> list[dict[str, Any]]:
    return [
        {"id": call.call_id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in done.reply.tool_calls
    ]


def _head(question: Question, done: Finished, kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{done.id}",
        "object": kind,
        "created": done.created,
        "model": done.model,
        "service_tier": SERVED_TIERS.get(question.body.get("service_tier"), "default"),
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
            "reasoning_tokens": spent.reasoning_tokens,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
