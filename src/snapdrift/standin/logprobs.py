"""Log probabilities of the tokens of an answer: plausible numbers, of no model's making and always the same."""

from __future__ import annotations

import math
from typing import Any

from snapdrift.standin.draws import draw
from snapdrift.standin.streams import pieces

_LEAST = -9999.0
"""What the API says of a token that is not among the most likely ones."""


def token_logprobs(text: str, top: int) -> list[list[dict[str, Any]]]:
    """For each piece of the text (as streams cut it) a list of one token, with `top` alternatives to it."""
    return [[_token(piece, (text, at), top)] for at, piece in enumerate(pieces(text))]


def _token(piece: str, key: tuple[object, ...], top: int) -> dict[str, Any]:
    chosen = 0.6 + 0.4 * draw("probability", *key)
    alternatives = [_entry(piece, chosen)]
    left = 1.0 - chosen
    for rank in range(1, top):
        share = left * 0.5
        left -= share
        alternatives.append(_entry(f"{piece}{'~' * rank}", share))
    return {**_entry(piece, chosen), "top_logprobs": alternatives[:top]}


def _entry(token: str, probability: float) -> dict[str, Any]:
    logprob = round(math.log(probability), 6) if probability > 0 else _LEAST
    return {"token": token, "logprob": logprob, "bytes": list(token.encode("utf-8", "replace"))}
