"""Values as text: for comparing, for sentences, and for what a score keeps.

Answers are hostile: they may be megabytes long and hold code points that no encoding takes.
"""

from __future__ import annotations

import json
from typing import Any

KEPT_LIMIT = 2_000
"""Characters of an extracted value that a score keeps; the whole answer is in the run file anyway."""
QUOTED_LIMIT = 120
"""Characters of a value that a sentence shows."""


def scrubbed(text: str) -> str:
    """The text with lone surrogates replaced by U+FFFD, so that it can be encoded."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def text_of(value: Any) -> str:
    """Text as it is; anything else as compact JSON with sorted keys, so that equal values have equal texts."""
    if isinstance(value, str):
        return value
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)


def shortened(text: str, limit: int) -> str:
    """At most about `limit` characters of the text, saying how long it was when it was longer."""
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text):,} characters)"


def quoted(value: Any) -> str:
    """The value as a sentence shows it: short, on one line, text in quotation marks."""
    short = scrubbed(shortened(text_of(value), QUOTED_LIMIT))
    return json.dumps(short, ensure_ascii=False) if isinstance(value, str) else short


def kept(value: Any) -> Any:
    """What a score keeps of an extracted value: plain JSON that can be encoded, long values as shortened text."""
    if value is None or isinstance(value, bool | int | float):
        return value
    text = text_of(value)
    if len(text) > KEPT_LIMIT:
        return scrubbed(shortened(text, KEPT_LIMIT))
    clean = scrubbed(text)
    if isinstance(value, str):
        return clean
    return value if clean == text else json.loads(clean)
