"""Token counts: exact where the tokenizer is installed, else an estimate that says it is one, and an upper bound.

GPT-4o models use the encoding `o200k_base`. Its ranks come with `bpe-openai` (the extra `tokens`); nothing is fetched.
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bpe_openai._bindings import PyTokenizer

ENCODING = "o200k_base"
BYTES_PER_TOKEN = 3.5
"""What the estimate assumes: English prose has about 4.5 bytes a token in o200k_base, JSON and code about 3."""

MOST_BYTES_COUNTED = 1_000_000
"""Longer texts are estimated: they are beyond any context window of the family (128,000 tokens)."""

MESSAGE_TOKENS = 4
"""What the chat format adds to a message (3, and its role) in GPT-4o models: OpenAI cookbook, "How to count tokens"."""
REPLY_TOKENS = 3
"""What starts the reply, once a request (same source)."""
MESSAGE_TOKENS_BOUND = 16
SCHEMA_TOKENS_BOUND = 256
"""Room for the wording that goes round a JSON Schema or tool definition; how OpenAI renders these is not published."""
IMAGE_TOKENS_BOUND = 48_169
"""The most an image takes by the tile rule: 2,833 + 8 x 5,667 for gpt-4o-mini (85 + 8 x 170 for gpt-4o); 768 x 2,048
pixels, the largest after scaling, are 8 tiles. OpenAI docs, guides/images-vision, 2026-07-15."""

_PROMPT_KEYS = ("instructions", "input", "messages")
_SCHEMA_KEYS = ("text", "response_format", "tools")


@dataclass(frozen=True, slots=True)
class TokenCount:
    """A number of tokens, and whether it was counted or estimated."""

    tokens: int
    exact: bool


def estimate_tokens(text: str) -> TokenCount:
    """The tokens of `text` in o200k_base: exact with `bpe-openai`, else UTF-8 bytes / 3.5 and marked as not exact."""
    tokenizer = _tokenizer() if _size(text) <= MOST_BYTES_COUNTED else None
    if tokenizer is not None:
        # Lone surrogates have no UTF-8 form; each is sent as some replacement character.
        return TokenCount(tokenizer.count(text.encode("utf-8", "replace").decode()), exact=True)
    return TokenCount(math.ceil(_size(text) / BYTES_PER_TOKEN), exact=False)


def estimate_input_tokens(body: Mapping[str, Any]) -> TokenCount:
    """The input tokens of a request body of either endpoint.

    Exact only for plain text messages: how a schema or a tool is put to the model is not published.
    """
    texts = [*_prompt_texts(body), *_schema_texts(body)]
    counts = [estimate_tokens(text) for text in texts]
    tokens = sum(count.tokens for count in counts) + MESSAGE_TOKENS * _messages(body) + REPLY_TOKENS
    exact = all(count.exact for count in counts) and not _schema_texts(body) and not _images(body)
    return TokenCount(tokens, exact)


def upper_bound_tokens(body: Mapping[str, Any]) -> int:
    """A number that the input tokens of a request body do not exceed: every token is at least one byte.

    Holds for text, JSON Schemas, tool definitions and images by the tile rule, not for files.
    """
    size = sum(_size(text) for text in (*_prompt_texts(body), *_schema_texts(body)))
    schemas = SCHEMA_TOKENS_BOUND * len(_schema_texts(body))
    return size + schemas + MESSAGE_TOKENS_BOUND * (_messages(body) + 1) + IMAGE_TOKENS_BOUND * _images(body)


@cache
def _tokenizer() -> PyTokenizer | None:
    try:
        with warnings.catch_warnings():
            # bpe-openai 0.1.4 opens its ranks by an interface of importlib that Python 3.11 and 3.12 call deprecated.
            warnings.simplefilter("ignore", DeprecationWarning)
            # Its public front would build tables for a second that nothing here needs.
            from bpe_openai._bindings import tokenizer_for_encoding
    except ImportError:
        return None
    return tokenizer_for_encoding(ENCODING)


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _prompt_texts(body: Mapping[str, Any]) -> list[str]:
    return [text for key in _PROMPT_KEYS for text in _strings(body.get(key))]


def _schema_texts(body: Mapping[str, Any]) -> list[str]:
    """Schemas and tools as JSON; settings without one (`{"format": {"type": "text"}}`) put no text to the model."""
    found = []
    for key in _SCHEMA_KEYS:
        value = body.get(key)
        if value and any("schema" in text or "function" in text for text in _strings(value)):
            found.append(json.dumps(value, ensure_ascii=False, default=str))
    return found


def _strings(value: Any) -> Iterator[str]:
    """Every string in a JSON value but the images: those are counted by the tile rule."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if key != "image_url":
                yield from _strings(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _strings(item)


def _messages(body: Mapping[str, Any]) -> int:
    prompt = body.get("input", body.get("messages"))
    listed = len(prompt) if isinstance(prompt, list | tuple) else 1
    return listed + (1 if body.get("instructions") else 0)


def _images(body: Mapping[str, Any]) -> int:
    def count(value: Any) -> int:
        if isinstance(value, Mapping):
            return int(value.get("type") in ("input_image", "image_url")) + sum(count(item) for item in value.values())
        return sum(count(item) for item in value) if isinstance(value, list | tuple) else 0

    return count(body.get("input")) + count(body.get("messages"))
