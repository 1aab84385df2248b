"""Chance that is a function of its arguments: the same seed, model and case always draw the same number."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

Option = TypeVar("Option")

_MANTISSA_BITS = 53  # what a double holds exactly, so that the result is below 1


def digest(*parts: object) -> bytes:
    """16 bytes that identify the parts, in order."""
    text = "\x1f".join(map(str, parts))
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def draw(*parts: object) -> float:
    """A number in [0, 1), uniform over different parts, equal for equal ones."""
    return (int.from_bytes(digest(*parts)[:8], "big") >> (64 - _MANTISSA_BITS)) / float(1 << _MANTISSA_BITS)


def pick(options: Sequence[Option], *parts: object) -> Option:
    """One of the options (there must be one), each equally likely over different parts."""
    return options[int(draw(*parts) * len(options))]
