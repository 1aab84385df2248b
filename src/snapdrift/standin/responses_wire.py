"""Answers in the form of the Responses API: the body, and the stream's events in their real order.

Fields and order follow OpenAI's API document and recorded traffic: `response.created`, `response.in_progress`, for each
item `response.output_item.added`, its parts and deltas and `response.output_item.done`, and one terminal event. There
is no `[DONE]`, no `system_fingerprint`, and usage comes with the terminal event only.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any

from snapdrift.standin.draws import digest
from snapdrift.standin.formats import FormatKind
from snapdrift.standin.logprobs import token_logprobs
from snapdrift.standin.questions import Question
from snapdrift.standin.replies import Finished
from snapdrift.standin.streams import obfuscation, pieces, server_sent

SERVED_TIERS: Mapping[Any, str] = {"priority": "priority", "fast": "priority", "flex": "flex", "scale": "scale"}
"""The tier that served a request, by the one asked for; any other is `default`. Asking for `fast` shows `priority`."""

_GAVE_UP = "The server had an error while processing your request. (simulated)"
_ENCRYPTED_BYTES = 96
_ECHOED: Mapping[str, Any] = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "safety_identifier": None,
    "store": True,
    "temperature": 1.0,
    "tool_choice": "auto",
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}


def response_body(question: Question, done: Finished) -> dict[str, Any]:
    """The whole `response` object."""
    reply, spent = done.reply, done.spent
    usage = {
        "input_tokens": spent.input_tokens,
        "input_tokens_details": {"cached_tokens": spent.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": spent.output_tokens,
        "output_tokens_details": {"reasoning_tokens": spent.reasoning_tokens},
        "total_tokens": spent.total_tokens,
    }
    incomplete = {"reason": reply.incomplete.value} if reply.incomplete else None
    status = "incomplete" if reply.incomplete else "completed"
    return {
        **_shell(question, done, status),
        "completed_at": None if reply.incomplete else done.created,
        "incomplete_details": incomplete,
        "output": output_items(question, done),
        "service_tier": SERVED_TIERS.get(question.body.get("service_tier"), "default"),
        "usage": usage,
    }


def failed_body(question: Question, done: Finished) -> dict[str, Any]:
    """A response that failed on the server's side: HTTP says 200, `status` says `failed`."""
    return {**_shell(question, done, "failed"), "error": {"code": "server_error", "message": _GAVE_UP}}


def output_items(question: Question, done: Finished) -> list[dict[str, Any]]:
    """The items of `output`: what was thought, then the message, then the function calls."""
    reply = done.reply
    items = []
    if reply.reasoning_tokens is not None:
        items.append(_reasoning_item(question, done))
    if reply.says:
        items.append(_message_item(question, done))
    for index, call in enumerate(reply.tool_calls):
        items.append(
            {
                "id": f"fc_{done.item_id}{index}",
                "type": "function_call",
                "status": "incomplete" if reply.incomplete else "completed",
                "arguments": call.arguments,
                "call_id": call.call_id,
                "name": call.name,
            }
        )
    return items


def _reasoning_item(question: Question, done: Finished) -> dict[str, Any]:
    item: dict[str, Any] = {"id": f"rs_{done.item_id}", "type": "reasoning", "summary": []}
    if question.wants_encrypted_reasoning:
        parts = (digest("encrypted", done.id, part) for part in range(_ENCRYPTED_BYTES // 16))
        item["encrypted_content"] = base64.urlsafe_b64encode(b"".join(parts)).decode()
    return item


def _message_item(question: Question, done: Finished) -> dict[str, Any]:
    reply = done.reply
    if reply.refusal is not None:
        part: dict[str, Any] = {"type": "refusal", "refusal": reply.refusal}
    else:
        part = {"type": "output_text", "annotations": [], "logprobs": [], "text": reply.text}
        if question.top_logprobs is not None:
            part["logprobs"] = [token for group in token_logprobs(reply.text, question.top_logprobs) for token in group]
    status = "incomplete" if reply.incomplete else "completed"
    return {"id": f"msg_{done.item_id}", "type": "message", "status": status, "content": [part], "role": "assistant"}


def response_events(question: Question, done: Finished, *, failing: bool = False) -> Iterator[bytes]:
    """The whole stream, as server-sent events. One that is `failing` ends in `response.failed` half way."""
    obfuscate = question.stream_option("include_obfuscation", default=True)
    events = _failing(question, done) if failing else _events(question, done)
    for number, event in enumerate(events):
        if obfuscate and event["type"].endswith(".delta"):
            event["obfuscation"] = obfuscation(done.id, number)
        yield server_sent({**event, "sequence_number": number}, name=event["type"])


def error_event(number: int) -> bytes:
    """The event that ends a stream when the server gives up in the middle."""
    event = {"type": "error", "code": "server_error", "message": _GAVE_UP, "param": None, "sequence_number": number}
    return server_sent(event, name="error")


def _events(question: Question, done: Finished) -> Iterator[dict[str, Any]]:
    started = _shell(question, done, "in_progress")
    yield {"type": "response.created", "response": started}
    yield {"type": "response.in_progress", "response": started}
    for index, item in enumerate(output_items(question, done)):
        yield {"type": "response.output_item.added", "output_index": index, "item": _emptied(item)}
        yield from _item_events(item, {"item_id": item["id"], "output_index": index})
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    final = response_body(question, done)
    yield {"type": f"response.{final['status']}", "response": final}


def _failing(question: Question, done: Finished) -> Iterator[dict[str, Any]]:
    events = list(_events(question, done))
    yield from events[: len(events) // 2]
    yield {"type": "response.failed", "response": failed_body(question, done)}


def _emptied(item: Mapping[str, Any]) -> dict[str, Any]:
    """An item as it is added, before any of it was written."""
    if item["type"] == "reasoning":
        return {**item, **({"encrypted_content": ""} if "encrypted_content" in item else {})}
    inside: dict[str, Any] = {"arguments": ""} if item["type"] == "function_call" else {"content": []}
    return {**item, "status": "in_progress", **inside}


def _item_events(item: Mapping[str, Any], place: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if item["type"] == "reasoning":
        return
    if item["type"] == "function_call":
        for piece in pieces(item["arguments"]):
            yield {"type": "response.function_call_arguments.delta", **place, "delta": piece}
        end = {"arguments": item["arguments"], "name": item["name"]}
        yield {"type": "response.function_call_arguments.done", **place, **end}
        return
    yield from _part_events(item["content"][0], {**place, "content_index": 0})


def _part_events(part: Mapping[str, Any], place: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if part["type"] == "refusal":
        yield {"type": "response.content_part.added", **place, "part": {**part, "refusal": ""}}
        for piece in pieces(part["refusal"]):
            yield {"type": "response.refusal.delta", **place, "delta": piece}
        yield {"type": "response.refusal.done", **place, "refusal": part["refusal"]}
    else:
        yield {"type": "response.content_part.added", **place, "part": {**part, "text": "", "logprobs": []}}
        for at, piece in enumerate(pieces(part["text"])):
            delta = {"type": "response.output_text.delta", **place, "delta": piece}
            yield {**delta, "logprobs": part["logprobs"][at : at + 1]}
        done = {"type": "response.output_text.done", **place, "text": part["text"]}
        yield {**done, "logprobs": part["logprobs"]}
    yield {"type": "response.content_part.done", **place, "part": part}


def _shell(question: Question, done: Finished, status: str) -> dict[str, Any]:
    """A response before there is anything in it: what the first events of a stream carry."""
    body = question.body
    echoed = {name: default if body.get(name) is None else body[name] for name, default in _ECHOED.items()}
    reasoning = body.get("reasoning") or {}
    default_effort = None if done.reply.reasoning_tokens is None else "medium"
    return {
        "id": f"resp_{done.id}",
        "object": "response",
        "created_at": done.created,
        "status": status,
        "completed_at": None,
        "error": None,
        "incomplete_details": None,
        "model": done.model,
        "output": [],
        **echoed,
        "frequency_penalty": 0.0,
        "presence_penalty": 0.0,
        "reasoning": {"effort": reasoning.get("effort") or default_effort, "summary": reasoning.get("summary")},
        "service_tier": body.get("service_tier") or "auto",
        "text": {"format": _format(question), "verbosity": (body.get("text") or {}).get("verbosity") or "medium"},
        "tools": [_tool(tool) for tool in body.get("tools") or []],
        "usage": None,
    }


def _format(question: Question) -> dict[str, Any]:
    form = question.format
    if form.kind is not FormatKind.JSON_SCHEMA:
        return {"type": form.kind.value}
    described = {"description": form.description} if form.description else {}
    return {"type": "json_schema", **described, "name": form.name, "schema": form.schema, "strict": form.strict}


def _tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    if tool.get("type") != "function":
        return dict(tool)
    return {"description": None, "parameters": None, **tool, "strict": bool(tool.get("strict"))}
