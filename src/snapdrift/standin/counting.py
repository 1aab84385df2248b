"""The input tokens of a question, and the limits that they run into."""

from __future__ import annotations

from typing import Any

from snapdrift.model import Endpoint
from snapdrift.openai_api.catalog import ModelInfo
from snapdrift.openai_api.tokens import estimate_input_tokens
from snapdrift.standin.api_errors import invalid
from snapdrift.standin.attachments import Contents, attachment_tokens
from snapdrift.standin.questions import Question
from snapdrift.standin.transcripts import Turn


def input_tokens(question: Question, info: ModelInfo | None) -> int:
    """Text, tools and schema as the catalogue's counting has them, images by the tile rule, files by their pages.

    The same conversation counts the same on both endpoints, and what a previous response carries on like what is sent.
    """
    rule = info.image if info else None
    tokens = estimate_input_tokens(_as_counted(question)).tokens
    for attachment in question.transcript.attachments:
        contents = question.contents.get(attachment.identity, Contents())
        tokens += attachment_tokens(rule, attachment, contents)
    return tokens


def _as_counted(question: Question) -> dict[str, Any]:
    """The whole conversation in one form, without what is attached."""
    form = question.format
    body: dict[str, Any] = {
        "input": [_item(turn) for turn in question.transcript.turns],
        "tools": question.body.get("tools") or (),
    }
    if form.schema is not None:
        described = {"description": form.description} if form.description else {}
        schema = {"type": form.kind.value, "name": form.name, **described, "strict": form.strict, "schema": form.schema}
        body["text"] = {"format": schema}
    return body


def _item(turn: Turn) -> dict[str, Any]:
    if turn.call is not None:
        return {"type": "function_call", "name": turn.call.name, "arguments": turn.call.arguments}
    if turn.output is not None:
        return {"type": "function_call_output", "output": turn.output.output}
    return {"role": turn.role, "content": turn.text}


def check_window(question: Question, tokens: int, info: ModelInfo | None) -> None:
    """Raises the API's error for a prompt beyond the context window, or a cap beyond what the model can write."""
    if info is None:
        return
    cap = question.output_cap
    if cap is not None and info.max_output is not None and cap > info.max_output:
        name = "max_output_tokens" if question.endpoint is Endpoint.RESPONSES else "max_tokens"
        message = (
            f"{name} is too large: {cap}. This model supports at most {info.max_output} completion tokens, whereas you "
            f"provided {cap}."
        )
        raise invalid(message, param=name, code="invalid_value")
    window = info.context_window
    if window is None or tokens <= window or question.body.get("truncation") == "auto":
        return
    if question.endpoint is Endpoint.RESPONSES:
        message = "Your input exceeds the context window of this model. Please adjust your input and try again."
        raise invalid(message, param="input", code="context_length_exceeded")
    message = (
        f"This model's maximum context length is {window} tokens. However, your messages resulted in {tokens} tokens. "
        "Please reduce the length of the messages."
    )
    raise invalid(message, param="messages", code="context_length_exceeded")
