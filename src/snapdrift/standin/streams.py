"""Server-sent events: how they are written, and how a text is cut into deltas."""

from __future__ import annotations

import json
import re
from typing import Any

from snapdrift.standin.draws import digest

DONE = b"data: [DONE]\n\n"
_PIECE = re.compile(r"\s*\S{1,12}|\s+$")


def pieces(text: str) -> list[str]:
    """The text in pieces of about a token; joined they give the text."""
    return _PIECE.findall(text)


def server_sent(data: dict[str, Any], name: str | None = None) -> bytes:
    """One event; only the Responses API names its events."""
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(data, separators=(',', ':'))}\n\n".encode()


def obfuscation(*key: object) -> str:
    """Padding of varying length, which OpenAI adds to deltas unless it is asked not to."""
    text = digest("padding", *key).hex()
    return text[: 1 + int(text[0], 16)]
