"""Normalisation of text by named steps: how much two texts may differ and still count as equal."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence

from snapdrift.graders.numerals import canonical_number
from snapdrift.model import NormaliseStep

_MAX_ROUNDS = 10


def normalised(text: str, steps: Sequence[NormaliseStep]) -> str:
    """The text after the steps, in the order written and again until they change nothing more.

    Repeating them makes the result independent of surprises in the order (`[strip, punctuation]` on `" . a"`), and
    normalising idempotent.
    """
    for _ in range(_MAX_ROUNDS):
        before = text
        for step in steps:
            text = _STEPS[step](text)
        if text == before:
            break
    return text


def _collapsed(text: str) -> str:
    return " ".join(text.split())


def _without_punctuation(text: str) -> str:
    if text.isalnum():
        return text
    return "".join(character for character in text if not unicodedata.category(character).startswith("P"))


def _compatible(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


_STEPS: Mapping[NormaliseStep, Callable[[str], str]] = {
    NormaliseStep.STRIP: str.strip,
    NormaliseStep.CASEFOLD: str.casefold,
    NormaliseStep.WHITESPACE: _collapsed,
    NormaliseStep.PUNCTUATION: _without_punctuation,
    NormaliseStep.UNICODE: _compatible,
    NormaliseStep.NUMBER: canonical_number,
}
