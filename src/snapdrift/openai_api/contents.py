"""The content of a message, text or parts, in each endpoint's shape; and what an endpoint has no shape for.

Shapes: OpenAI's OpenAPI document (2026-08-21), InputContent and ChatCompletionRequestMessage. On Responses an image's
URL is a string and files may be URLs; on Chat an image has a URL and never a file id, a file no URL.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from snapdrift.model import Conversation, Endpoint, FilePart, GeneratedTurn, ImagePart, Message, Part, TextPart
from snapdrift.suites.registry import Finding, InvalidEntryError, Location


def message_of(endpoint: Endpoint, message: Message) -> dict[str, Any]:
    """Return `{role, content}` as `endpoint` takes it; raises `InvalidEntryError` for a part that it has no shape for.

    A message of text alone keeps its content as a string: it is accepted for every role, where the type of a part
    depends on the role.
    """
    mistakes = tuple(_message_mistakes(endpoint, message, ()))
    if mistakes:
        raise InvalidEntryError(mistakes)
    if all(isinstance(part, TextPart) for part in message.parts):
        return {"role": message.role, "content": message.text}
    shape = _chat_part if endpoint is Endpoint.CHAT else _responses_part
    return {"role": message.role, "content": [shape(part) for part in message.parts]}


def content_mistakes(endpoint: Endpoint, conversation: Conversation) -> Iterator[Finding]:
    """Every part that `endpoint` cannot be given; locations are relative to the prompt: `("input", 0)`."""
    for number, message in enumerate(conversation.messages):
        if not isinstance(message, GeneratedTurn):
            yield from _message_mistakes(endpoint, message, ("input", number))


def _message_mistakes(endpoint: Endpoint, message: Message, place: Location) -> Iterator[Finding]:
    text_only = ("assistant",) if endpoint is Endpoint.RESPONSES else ("assistant", "system", "developer")
    for part in message.parts:
        if isinstance(part, TextPart):
            continue
        kind = "image" if isinstance(part, ImagePart) else "file"
        if message.role in text_only:
            found = f"the {kind} {_short(part.name)} in a message of the {message.role}"
            yield Finding(place, found, f"expected text only there (on the endpoint {endpoint}); users give {kind}s")
        elif endpoint is Endpoint.CHAT and isinstance(part, ImagePart) and part.file_id is not None:
            found = f"the image {_short(part.name)} by file id, which Chat Completions does not have"
            yield Finding(place, found, "expected a path or a URL, or `endpoint: responses`")
        elif endpoint is Endpoint.CHAT and isinstance(part, FilePart) and part.url is not None:
            found = f"the file {_short(part.name)} by URL, which Chat Completions does not have"
            yield Finding(place, found, "expected a path or a file id, or `endpoint: responses`")


def _responses_part(part: Part) -> dict[str, Any]:
    if isinstance(part, TextPart):
        return {"type": "input_text", "text": part.text}
    if isinstance(part, ImagePart):
        source = {"file_id": part.file_id} if part.file_id is not None else {"image_url": part.url}
        return {"type": "input_image", **source, "detail": part.detail}
    if part.file_id is not None:
        return {"type": "input_file", "file_id": part.file_id}
    if part.url is not None:
        return {"type": "input_file", "file_url": part.url}
    return {"type": "input_file", "filename": _file_name(part), "file_data": part.data}


def _chat_part(part: Part) -> dict[str, Any]:
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text}
    if isinstance(part, ImagePart):
        return {"type": "image_url", "image_url": {"url": part.url, "detail": part.detail}}
    if part.file_id is not None:
        return {"type": "file", "file": {"file_id": part.file_id}}
    return {"type": "file", "file": {"filename": _file_name(part), "file_data": part.data}}


def _file_name(part: FilePart) -> str:
    """The name alone: the folders of the workspace are not the model's to read."""
    return PurePosixPath(part.name).name


def _short(name: str) -> str:
    return name if len(name) <= 60 else f"{name[:57]}..."
