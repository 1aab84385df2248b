"""Request bodies as they are stored: large data URLs (images, documents) taken out, each kept once for the whole run.

Variants, repeats and the steps of a call send the same image again and again; a run file of them would otherwise be
the images many times over. The stored form is `{"body": ..., "large": [[PATH, SHA-256], ...]}`: in the body stands
null where a text was taken out, so that nothing a body can hold is mistaken for a reference.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from snapdrift.store import codec

LARGE = 4096
"""Characters from which a data URL is kept apart: below, a reference would save next to nothing."""

_Path = tuple[str | int, ...]
_Large = tuple[tuple[tuple[Any, ...], str], ...]


@dataclass(frozen=True, slots=True)
class PackedBody:
    """A body without its large data URLs: the JSON text to store, and the texts that were taken out by SHA-256."""

    text: str
    large: Mapping[str, str]


def pack(body: Mapping[str, Any]) -> PackedBody:
    """The stored form of a body."""
    large: dict[str, str] = {}
    places: list[tuple[_Path, str]] = []
    kept = _without_large(codec.to_json(body), (), large, places)
    return PackedBody(codec.text_of({"body": kept, "large": [[list(path), digest] for path, digest in places]}), large)


def unpack(text: str, large: Callable[[str], str], place: str) -> dict[str, Any]:
    """The body exactly as it was packed; `large` gives a text by its SHA-256. Raises `CodecError`."""
    stored = codec.loads(dict, text, place)
    body = codec.from_json(dict, stored.get("body"), place)
    for path, digest in codec.from_json(_Large, stored.get("large"), place):
        _put_back(body, path, large(digest), place)
    return body


def digest_of(text: str) -> str:
    """The name under which a text is kept."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _without_large(value: Any, at: _Path, large: dict[str, str], places: list[tuple[_Path, str]]) -> Any:
    if isinstance(value, str):
        if len(value) < LARGE or not value.startswith("data:"):
            return value
        digest = digest_of(value)
        large[digest] = value
        places.append((at, digest))
        return None
    if isinstance(value, dict):
        return {key: _without_large(item, (*at, key), large, places) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_large(item, (*at, index), large, places) for index, item in enumerate(value)]
    return value


def _put_back(body: dict[str, Any], path: tuple[Any, ...], text: str, place: str) -> None:
    inside: Any = body
    try:
        for part in path[:-1]:
            inside = inside[part]
        if inside[path[-1]] is not None:
            raise KeyError
        inside[path[-1]] = text
    except (LookupError, TypeError) as error:
        raise codec.CodecError(place, path, "the place of a text that was taken out") from error
