"""How mistakes are worded: values shown short, and the nearest known word to one that is not."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any


def did_you_mean(word: str, known: Iterable[str], otherwise: str) -> str:
    """`did you mean "x"?` for the nearest known word, else `otherwise`."""
    near = nearest(word, known)
    return f"did you mean {quoted(near)}?" if near is not None else otherwise


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` is most likely a slip of, if any is close."""
    import difflib

    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return close[0] if close else None


def listed(words: Iterable[str], limit: int = 12) -> str:
    """Words for a sentence, cut after `limit`."""
    shown = list(words)
    more = f" and {len(shown) - limit} more" if len(shown) > limit else ""
    return ", ".join(shown[:limit]) + more


def quoted(value: Any) -> str:
    """A value as it is shown in a message: short, on one line, unmistakable."""
    if isinstance(value, Mapping):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, list | tuple):
        return "a list" if value else "an empty list"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else f"{text[:76]}..."
