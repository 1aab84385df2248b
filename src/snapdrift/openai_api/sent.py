"""A stored request read back: the conversation that it asked. Of either endpoint's body, and of an application's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from snapdrift.model import Conversation, Endpoint, FilePart, ImagePart, Message, Part, Request, TextPart


def conversation_of(request: Request) -> Conversation | None:
    """The conversation of a call's first request; None where it has none (a file of outputs, a prompt by id).

    What is no message (a call of a function, its output) is left out. Images and files are called by what is known of
    them: their file name, else `image` or `file`.
    """
    body = request.body
    if request.endpoint is Endpoint.PYTHON:
        case = body.get("case")
        written = case.get("messages") if isinstance(case, Mapping) else None
    else:
        written = body.get("messages") if request.endpoint is Endpoint.CHAT else body.get("input")
    if isinstance(written, str):
        written = [{"role": "user", "content": written}]
    if not isinstance(written, Sequence):
        return None
    said = [item for item in written if isinstance(item, Mapping) and isinstance(item.get("role"), str)]
    messages = tuple(Message(item["role"], tuple(_parts(item.get("content")))) for item in said)
    instructions = body.get("instructions")
    return Conversation(instructions if isinstance(instructions, str) else None, messages) if messages else None


def _parts(content: Any) -> Iterator[Part]:
    if isinstance(content, str):
        yield TextPart(content)
    elif isinstance(content, Sequence):
        for part in content:
            yield _part(part if isinstance(part, Mapping) else {"text": str(part)})


def _part(part: Mapping[str, Any]) -> Part:
    kind = part.get("type")
    if kind in ("input_image", "image_url"):
        return _image(part)
    if kind in ("input_file", "file"):
        inner = part.get("file")
        file = inner if isinstance(inner, Mapping) else part
        name = file.get("filename") or file.get("file_url") or file.get("file_id") or "file"
        return FilePart(str(name), file.get("file_data"), file.get("file_url"), file.get("file_id"))
    return TextPart(str(part.get("text") or ""))


def _image(part: Mapping[str, Any]) -> ImagePart:
    """Responses has the URL as text and the detail beside it, Chat both in an object."""
    source = part.get("image_url")
    said = source if isinstance(source, Mapping) else {"url": source, "detail": part.get("detail")}
    url = said.get("url")
    return ImagePart(
        "image",
        url if isinstance(url, str) else None,
        part.get("file_id"),
        str(said.get("detail") or "auto"),
    )
