"""Reads what a request asks, for a person: text, images and files, tool definitions. Of either endpoint's body."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from snapdrift.model import Request
from snapdrift.reports.thumbnails import Album, decoded, kilobytes

_DATA = "data:"
_GLANCE = 240


@dataclass(frozen=True, slots=True)
class MediaView:
    """An image or a file of a prompt: its name, and the address or file id where it is not a local one.

    `size` is what it measures ("640 × 480, 12 kB"). `thumbnail` is a small JPEG as a data URL; where a local image has
    none, `note` says why.
    """

    kind: str
    name: str
    address: str = ""
    detail: str = ""
    size: str = ""
    thumbnail: str | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class PromptView:
    """What a request asks, for a person: its text, its images and files, and its tool definitions as JSON text.

    `said` is the beginning of what the user says last, in one line: what tells one case from another at a glance.
    Instructions, which are the same for all of them, stand before it in `text`. It is empty where `text` begins so too.
    """

    text: str
    media: tuple[MediaView, ...] = ()
    tools: str = ""
    said: str = ""


@dataclass
class _Reader:
    """Collects the media of one body while its messages are read."""

    names: Mapping[str, str]
    album: Album
    media: list[MediaView] = field(default_factory=list)

    def content(self, content: Any) -> str:
        if isinstance(content, str):
            return content
        if isinstance(content, Sequence):
            return "\n".join(self.part(part) for part in content)
        return "" if content is None else str(content)

    def part(self, part: Any) -> str:
        if not isinstance(part, Mapping):
            return str(part)
        if isinstance(part.get("text"), str):
            return str(part["text"])
        kind = str(part.get("type", "part"))
        if kind in ("input_image", "image_url"):
            found = self.image(part)
        elif kind in ("input_file", "file"):
            inner = part.get("file")
            found = self.file(inner if isinstance(inner, Mapping) else part)
        else:
            return f"[{kind}]"
        self.media.append(found)
        return f"[{found.kind}: {found.name}]"

    def image(self, part: Mapping[str, Any]) -> MediaView:
        source = part.get("image_url")
        inner = source if isinstance(source, Mapping) else {"url": source, "detail": part.get("detail")}
        url, detail = _text(inner.get("url")), _text(inner.get("detail"))
        number = f"image {len(self.media) + 1}"
        if not url.startswith(_DATA):
            address = url or _text(part.get("file_id"))
            return MediaView("image", address or number, address, detail)
        picture = self.album.picture(url)
        name = self.names.get(picture.digest, number)
        return MediaView("image", name, "", detail, picture.size, picture.thumbnail, picture.note)

    def file(self, part: Mapping[str, Any]) -> MediaView:
        data, address = _text(part.get("file_data")), _text(part.get("file_url")) or _text(part.get("file_id"))
        name = _text(part.get("filename")) or address or f"file {len(self.media) + 1}"
        return MediaView("file", name, address, size=kilobytes(len(decoded(data))) if data else "")


def read_prompt(request: Request, names: Mapping[str, str], album: Album) -> PromptView:
    """The prompt of a request: instructions and messages under their roles; a lone message is bare.

    `names` are the workspace's files by the SHA-256 of their bytes; thumbnails of local images come from `album`.
    """
    body, reader = request.body, _Reader(names, album)
    turns = [(role, reader.content(content)) for role, content in _turns(body)]
    lone = len(turns) == 1 and turns[0][0] == "user"
    text = turns[0][1] if lone else "\n\n".join(f"[{role}]\n{content}" for role, content in turns)
    said = "" if lone else next((content for role, content in reversed(turns) if role == "user"), "")
    return PromptView(text, tuple(reader.media), _tools_text(body.get("tools")), _at_a_glance(said))


def _at_a_glance(text: str) -> str:
    """The beginning of a text in one line; of a long one not more is looked at than it takes."""
    return " ".join(text[: 8 * _GLANCE].split())[:_GLANCE]


def _turns(body: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    if body.get("instructions"):
        yield "instructions", body["instructions"]
    messages = body.get("messages", body.get("input", ()))
    if isinstance(messages, str):
        yield "user", messages
    elif isinstance(messages, Sequence):
        for message in messages:
            if isinstance(message, Mapping):
                yield str(message.get("role", message.get("type", ""))), message.get("content", message)


def _tools_text(tools: Any) -> str:
    """The tool definitions as one reads them: one object a tool, whichever endpoint's shape it was sent in."""
    if not isinstance(tools, Sequence) or not tools:
        return ""
    return json.dumps([_flat(tool) for tool in tools], ensure_ascii=False, indent=2, default=str)


def _flat(tool: Any) -> Any:
    inner = tool.get("function") if isinstance(tool, Mapping) else None
    return {"type": tool["type"], **inner} if isinstance(inner, Mapping) and "type" in tool else tool


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
