"""What a request body puts before the model, of either endpoint: texts, images, files, definitions. No counting.

Every kind of content is read where it stands, so that a data URL never counts as text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

TEXT_KEYS = {"text": "text", "input_text": "text", "output_text": "text", "refusal": "refusal"}


@dataclass(frozen=True, slots=True)
class SentImage:
    """An image of a message: its data URL (None: a URL elsewhere or an uploaded file), and the detail asked for."""

    data_url: str | None
    detail: str


@dataclass(slots=True)
class Content:
    """The content of a body. `messages` counts messages and other items of the conversation.

    `tools` are function definitions in the flat shape of Responses, `definitions` what else is told as JSON (schemas,
    built-in tools). `files` counts documents, and `unseen` says that there is content that is not in the body at all
    (an earlier response, a stored item, encrypted reasoning, what a built-in tool finds).
    """

    texts: list[str] = field(default_factory=list)
    messages: int = 0
    images: list[SentImage] = field(default_factory=list)
    files: int = 0
    tools: list[Mapping[str, Any]] = field(default_factory=list)
    definitions: list[str] = field(default_factory=list)
    calls: int = 0
    unseen: bool = False


def content_of(body: Mapping[str, Any]) -> Content:
    """Reads a body of `/v1/responses` or `/v1/chat/completions`; what it does not know it takes for text."""
    content = Content(unseen=bool(body.get("previous_response_id") or body.get("conversation") or body.get("prompt")))
    if isinstance(body.get("instructions"), str):
        _message({"role": "system", "content": body["instructions"]}, content)
    prompt = body["input"] if "input" in body else body.get("messages", ())
    if isinstance(prompt, str):
        prompt = [{"role": "user", "content": prompt}]
    for item in prompt or ():
        _item(item, content)
    _definitions(body, content)
    return content


def schema_of(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The format of the answer when it is a JSON Schema, with its name and description."""
    text = body.get("text")
    asked = text.get("format") if isinstance(text, Mapping) else body.get("response_format")
    return asked if isinstance(asked, Mapping) and asked.get("type") == "json_schema" else None


def json_text(value: Any) -> str:
    """A value as the compact JSON that its tokens are estimated by."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


def _item(item: Any, content: Content) -> None:
    if not isinstance(item, Mapping):
        content.messages += 1
        content.texts.append(str(item))
        return
    kind = item.get("type", "message")
    if kind in ("item_reference", "reasoning"):
        content.unseen = True
    elif kind == "function_call":
        content.messages += 1
        _call(item, content)
    elif kind == "function_call_output":
        content.messages += 1
        _parts(item.get("output"), content)
    elif "role" in item:
        _message(item, content)
    else:
        content.messages += 1
        content.definitions.append(json_text(item))


def _message(message: Mapping[str, Any], content: Content) -> None:
    content.messages += 1
    content.texts.append(str(message.get("role", "")))
    _parts(message.get("content"), content)
    for key in ("refusal", "name"):
        if isinstance(message.get(key), str):
            content.texts.append(message[key])
    for call in message.get("tool_calls") or ():
        _call(call.get("function", call) if isinstance(call, Mapping) else {}, content)


def _call(call: Mapping[str, Any], content: Content) -> None:
    content.calls += 1
    content.texts += [str(call.get("name", "")), str(call.get("arguments", ""))]


def _parts(parts: Any, content: Content) -> None:
    if isinstance(parts, str):
        content.texts.append(parts)
    elif isinstance(parts, Sequence):
        for part in parts:
            _part(part if isinstance(part, Mapping) else {"type": "text", "text": str(part)}, content)


def _part(part: Mapping[str, Any], content: Content) -> None:
    kind = str(part.get("type"))
    if kind in TEXT_KEYS:
        content.texts.append(str(part.get(TEXT_KEYS[kind], "")))
    elif kind in ("input_image", "image_url"):
        content.images.append(_image(part))
    elif kind in ("input_file", "file"):
        content.files += 1
    else:
        content.definitions.append(json_text(part))


def _image(part: Mapping[str, Any]) -> SentImage:
    """Responses has the URL as text and the detail beside it, Chat both in an object."""
    image = part.get("image_url")
    said = image if isinstance(image, Mapping) else {"url": image, "detail": part.get("detail")}
    url = said.get("url")
    is_data = isinstance(url, str) and url.startswith("data:")
    return SentImage(url if is_data else None, str(said.get("detail") or "auto"))


def _definitions(body: Mapping[str, Any], content: Content) -> None:
    schema = schema_of(body)
    if schema is not None:
        content.definitions.append(json_text(schema))
    for tool in body.get("tools") or ():
        function = _function(tool)
        if function is None:
            content.definitions.append(json_text(tool))
            content.unseen = True  # what the host's own tool finds goes to the model too
        else:
            content.tools.append(function)


def _function(tool: Any) -> Mapping[str, Any] | None:
    """A function definition in the flat shape of Responses, whichever endpoint's it is; None for a built-in tool."""
    if not isinstance(tool, Mapping) or tool.get("type") != "function":
        return None
    flat = tool.get("function", tool)
    return flat if isinstance(flat, Mapping) and isinstance(flat.get("name"), str) else None
