"""What a judge is shown, quoted as data."""

from __future__ import annotations

import json
from typing import Any

from snapdrift.graders.values import scrubbed, text_of


def block(tag: str, value: Any) -> str:
    """The value as a JSON string in a block that nothing inside it can close: it has no angle brackets."""
    data = json.dumps(scrubbed(text_of(value)), ensure_ascii=False).replace("<", "\\u003c").replace(">", "\\u003e")
    return f"<{tag}>\n{data}\n</{tag}>\n"
