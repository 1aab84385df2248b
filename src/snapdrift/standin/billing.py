"""Billing more than was asked for: some answers report a multiple of the tokens that they took."""

from __future__ import annotations

from dataclasses import dataclass

from snapdrift.errors import ConfigError
from snapdrift.standin.draws import draw
from snapdrift.standin.replies import Spent


@dataclass(frozen=True, slots=True)
class Overbilling:
    """So many times the tokens of an answer are reported, for a `share` of the questions drawn by the seed."""

    factor: float = 1.0
    share: float = 1.0

    @classmethod
    def parse(cls, text: str) -> Overbilling:
        """Reads `3` or `3:0.1` (factor from 1 to 1,000, share from 0 to 1); raises `ConfigError`."""
        factor, colon, share = text.partition(":")
        try:
            made = cls(float(factor) if text else 1.0, float(share) if colon else 1.0)
        except ValueError:
            made = cls(0.0)
        if not (1.0 <= made.factor <= 1000.0 and 0.0 <= made.share <= 1.0):
            raise ConfigError(f"standin.overbill: found {text!r}; expected a factor such as 3, or with a share 3:0.1")
        return made

    def billed(self, spent: Spent, seed: int, question: str) -> Spent:
        """What is reported of what an answer took. Tokens from the cache stay as many."""
        if self.factor == 1.0 or draw("overbill", seed, question) >= self.share:
            return spent
        tokens, output = round(spent.input_tokens * self.factor), round(spent.output_tokens * self.factor)
        return Spent(tokens, output, spent.cached_tokens, spent.reasoning_tokens)
