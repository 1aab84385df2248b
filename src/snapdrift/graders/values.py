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


_COMPACT = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)

_CONTAINERS = (dict, list)


def copied(value: Any) -> Any:
    """Plain JSON with lists and mappings of its own, however much of it somebody changes."""
    if value.__class__ is dict:
        return {key: copied(item) if item.__class__ in _CONTAINERS else item for key, item in value.items()}
    if value.__class__ is list:
        return [copied(item) if item.__class__ in _CONTAINERS else item for item in value]
    return value


def scrubbed(text: str) -> str:
    """The text with lone surrogates replaced by U+FFFD, so that it can be encoded."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def text_of(value: Any) -> str:
    """Text as it is; anything else as compact JSON with sorted keys, so that equal values have equal texts."""
    return value if isinstance(value, str) else _COMPACT.encode(value)


def shortened(text: str, limit: int) -> str:
    """At most about `limit` characters of the text, saying how long it was when it was longer."""
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text):,} characters)"


def quoted(value: Any) -> str:
    """The value as a sentence shows it: short, on one line, text in quotation marks."""
    short = scrubbed(shortened(text_of(value), QUOTED_LIMIT))
    return json.dumps(short, ensure_ascii=False) if isinstance(value, str) else short


def _surely_short(value: Any) -> bool:
    """Whether the value is a mapping of a few plain texts and numbers; False says nothing.

    Most objects that are extracted are, and that is seen sooner than they are written out and measured.
    """
    if value.__class__ is not dict:
        return False
    texts = list(value)
    for item in value.values():
        if item.__class__ is str:
            texts.append(item)
        elif item.__class__ is not float and item is not None:
            return False
    try:
        text = "".join(texts)
    except TypeError:  # a key that is no text
        return False
    # A printable character (no surrogate is one) takes two at most (`\"`), a float 24; quotes and commas 8.
    return 2 * len(text) + 32 * len(value) <= KEPT_LIMIT and text.isprintable()


def kept(value: Any) -> Any:
    """What a score keeps of an extracted value: plain JSON that can be encoded, long values as shortened text."""
    if value is None or isinstance(value, bool | int | float) or _surely_short(value):
        return value
    text = text_of(value)
    if len(text) > KEPT_LIMIT:
        return scrubbed(shortened(text, KEPT_LIMIT))
    clean = scrubbed(text)
    if isinstance(value, str):
        return clean
    return value if clean == text else json.loads(clean)
