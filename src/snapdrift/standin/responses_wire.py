"""Answers in the form of the Responses API: the body, and the stream's events in their real order.

Fields and order follow OpenAI's API document and recorded traffic: `response.created`, `response.in_progress`,
`response.output_item.added`, the parts and their deltas, `response.output_item.done`, and one terminal event. There is
no `[DONE]`, no `system_fingerprint`, and usage comes with the terminal event only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from snapdrift.standin.questions import FormatKind, Question
from snapdrift.standin.replies import Finished
from snapdrift.standin.streams import obfuscation, pieces, server_sent

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
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": spent.total_tokens,
    }
    incomplete = {"reason": reply.incomplete.value} if reply.incomplete else None
    status = "incomplete" if reply.incomplete else "completed"
    return {
        **_shell(question, done, status),
        "completed_at": None if reply.incomplete else done.created,
        "incomplete_details": incomplete,
        "output": output_items(done),
        "service_tier": "default",
        "usage": usage,
    }


def failed_body(question: Question, done: Finished) -> dict[str, Any]:
    """A response that failed on the server's side: HTTP says 200, `status` says `failed`."""
    error = {"code": "server_error", "message": "The server had an error while processing your request. (simulated)"}
    return {**_shell(question, done, "failed"), "error": error}


def output_items(done: Finished) -> list[dict[str, Any]]:
    """The items of `output`: one message, or the function calls."""
    reply = done.reply
    if reply.tool_calls:
        return [
            {
                "id": f"fc_{done.item_id}{index}",
                "type": "function_call",
                "status": "completed",
                "arguments": call.arguments,
                "call_id": call.call_id,
                "name": call.name,
            }
            for index, call in enumerate(reply.tool_calls)
        ]
    if reply.refusal is not None:
        part: dict[str, Any] = {"type": "refusal", "refusal": reply.refusal}
    else:
        part = {"type": "output_text", "annotations": [], "logprobs": [], "text": reply.text}
    status = "incomplete" if reply.incomplete else "completed"
    return [{"id": f"msg_{done.item_id}", "type": "message", "status": status, "content": [part], "role": "assistant"}]


def response_events(question: Question, done: Finished) -> Iterator[bytes]:
    """The whole stream, as server-sent events."""
    obfuscate = question.stream_option("include_obfuscation", default=True)
    for number, event in enumerate(_events(question, done)):
        if obfuscate and event["type"].endswith(".delta"):
            event["obfuscation"] = obfuscation(done.id, number)
        yield server_sent({**event, "sequence_number": number}, name=event["type"])


def error_event(number: int) -> bytes:
    """The event that ends a stream when the server gives up in the middle."""
    event = {
        "type": "error",
        "code": "server_error",
        "message": "The server had an error while processing your request. (simulated)",
        "param": None,
        "sequence_number": number,
    }
    return server_sent(event, name="error")


def _events(question: Question, done: Finished) -> Iterator[dict[str, Any]]:
    started = _shell(question, done, "in_progress")
    yield {"type": "response.created", "response": started}
    yield {"type": "response.in_progress", "response": started}
    for index, item in enumerate(output_items(done)):
        emptied: dict[str, Any] = {"arguments": ""} if item["type"] == "function_call" else {"content": []}
        added = {**item, "status": "in_progress", **emptied}
        yield {"type": "response.output_item.added", "output_index": index, "item": added}
        yield from _item_events(item, {"item_id": item["id"], "output_index": index})
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    final = response_body(question, done)
    yield {"type": f"response.{final['status']}", "response": final}


def _item_events(item: Mapping[str, Any], place: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if item["type"] == "function_call":
        for piece in pieces(item["arguments"]):
            yield {"type": "response.function_call_arguments.delta", **place, "delta": piece}
        end = {"arguments": item["arguments"], "name": item["name"]}
        yield {"type": "response.function_call_arguments.done", **place, **end}
        return
    part = item["content"][0]
    place = {**place, "content_index": 0}
    field = "refusal" if part["type"] == "refusal" else "text"
    kind = "response.refusal" if field == "refusal" else "response.output_text"
    logprobs: dict[str, Any] = {} if field == "refusal" else {"logprobs": []}
    yield {"type": "response.content_part.added", **place, "part": {**part, field: ""}}
    for piece in pieces(part[field]):
        yield {"type": f"{kind}.delta", **place, "delta": piece, **logprobs}
    yield {"type": f"{kind}.done", **place, field: part[field], **logprobs}
    yield {"type": "response.content_part.done", **place, "part": part}


def _shell(question: Question, done: Finished, status: str) -> dict[str, Any]:
    """A response before there is anything in it: what the first events of a stream carry."""
    body = question.body
    echoed = {name: default if body.get(name) is None else body[name] for name, default in _ECHOED.items()}
    reasoning = body.get("reasoning") or {}
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
        "reasoning": {"effort": reasoning.get("effort"), "summary": reasoning.get("summary")},
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
    return {"description": None, **tool, "strict": bool(tool.get("strict"))}
