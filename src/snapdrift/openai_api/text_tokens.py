"""The tokens of a text: counted exactly where the tokenizer is installed, else estimated and marked as such.

GPT-4o models use the encoding `o200k_base`. Its ranks come with `bpe-openai` (the extra `tokens`); nothing is fetched.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bpe_openai._bindings import PyTokenizer

ENCODING = "o200k_base"
BYTES_PER_TOKEN = 3.5
"""What the estimate assumes: English prose has about 4.5 bytes a token in o200k_base, JSON and code about 3."""

MOST_BYTES_COUNTED = 1_000_000
"""Longer texts are estimated: they are beyond any context window of the family (128,000 tokens)."""

_REMEMBERED = 1024
_REMEMBERED_FROM = 200
"""Characters from which on a text is remembered: instructions and schemas are the same for every case."""


@dataclass(frozen=True, slots=True)
class TokenCount:
    """A number of tokens, and whether it was counted or estimated."""

    tokens: int
    exact: bool


def estimate_tokens(text: str) -> TokenCount:
    """The tokens of `text` in o200k_base: exact with `bpe-openai`, else UTF-8 bytes / 3.5 and marked as not exact."""
    tokenizer = _tokenizer()
    if tokenizer is None or size_of(text) > MOST_BYTES_COUNTED:
        return TokenCount(math.ceil(size_of(text) / BYTES_PER_TOKEN), exact=False)
    count = _remembered if len(text) >= _REMEMBERED_FROM else _counted
    return TokenCount(count(tokenizer, text), exact=True)


def load_tokenizer() -> None:
    """Has the tokenizer at hand, where it is installed: making it takes a second that an event loop cannot spare."""
    _tokenizer()


def size_of(text: str) -> int:
    """Bytes in UTF-8: no text has more tokens than that."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _counted(tokenizer: PyTokenizer, text: str) -> int:
    # Lone surrogates have no UTF-8 form; each is sent as some replacement character.
    return int(tokenizer.count(text if text.isascii() else text.encode("utf-8", "replace").decode()))


@lru_cache(maxsize=_REMEMBERED)
def _remembered(tokenizer: PyTokenizer, text: str) -> int:
    return _counted(tokenizer, text)


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
