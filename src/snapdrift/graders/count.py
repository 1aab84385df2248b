"""`count`: how many words, characters, lines or sentences an answer has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Self

import regex
from pydantic import Field, Strict, model_validator

from snapdrift.graders.base import Grader
from snapdrift.graders.marks import Mark
from snapdrift.graders.values import text_of
from snapdrift.model import Case

Amount = Annotated[int, Strict(), Field(ge=0)]

_LETTER_OR_DIGIT = regex.compile(r"[\p{L}\p{N}]")
_CHARACTER = regex.compile(r"\X")
# A full stop before a small letter ends an abbreviation, not a sentence; one inside a number has no blank after it.
_SENTENCE_END = regex.compile(r"[.!?…]++[)\]\"'’”»*_]*+(?=\s++(?!\p{Ll})|\s*+$)|[。！？]++|\n[^\S\n]*+\n")


class Counted(StrEnum):
    """What is counted."""

    WORDS = "words"
    CHARACTERS = "characters"
    LINES = "lines"
    SENTENCES = "sentences"


def counted(text: str, what: Counted) -> int:
    """How many of them the text has.

    Words are runs of characters without blanks that have a letter or digit; characters are those that a reader sees
    (extended grapheme clusters, Unicode Standard Annex 29), blanks around the text left out; lines are those that are
    not blank; sentences end at `.`, `!`, `?` or `…` before a blank that no small letter follows, or at a blank line.
    """
    return _COUNTERS[what](text)


def _words(text: str) -> int:
    return sum(1 for word in text.split() if _LETTER_OR_DIGIT.search(word))


def _characters(text: str) -> int:
    text = text.strip()
    return len(text) if text.isascii() and "\r" not in text else sum(1 for _ in _CHARACTER.finditer(text))


def _lines(text: str) -> int:
    return sum(1 for line in text.splitlines() if line.strip())


def _sentences(text: str) -> int:
    return sum(1 for piece in _SENTENCE_END.split(text) if _LETTER_OR_DIGIT.search(piece))


_COUNTERS: Mapping[Counted, Callable[[str], int]] = {
    Counted.WORDS: _words,
    Counted.CHARACTERS: _characters,
    Counted.LINES: _lines,
    Counted.SENTENCES: _sentences,
}


class Count(Grader):
    """Passes when the extracted text has as many words, characters, lines or sentences as asked for.

    Words are runs without blanks that have a letter or digit. Characters are those that a reader sees: an emoji or an
    accented letter is one, whatever it is made of; blanks around the text do not count. Blank lines do not count.
    Sentences end at `.`, `!`, `?` or `…` before a blank, unless a small letter follows, or at a blank line.
    """

    family: ClassVar[str] = "count"
    unscored: ClassVar[str] = "Nothing is unextracted: an empty text has none of anything. It is never a grader error."
    examples: ClassVar[tuple[str, ...]] = (
        """\
answer: Your refund of 20 EUR arrives within 5 days.
grader: {name: short, count: words, at_most: 50}
""",
        """\
answer: |
  Refund sent

  The customer has 20 EUR back.
grader: {name: two_lines, count: lines, exactly: 2}
""",
    )

    count: Counted = Field(description="What is counted: `words`, `characters`, `lines` or `sentences`.")
    at_least: Amount | None = Field(default=None, description="The fewest that pass.")
    at_most: Amount | None = Field(default=None, description="The most that pass.")
    exactly: Amount | None = Field(default=None, description="The only number that passes; instead of the other two.")

    @model_validator(mode="after")
    def _asks_for_a_number_that_there_is(self) -> Self:
        bounded = self.at_least is not None or self.at_most is not None
        if bounded is (self.exactly is not None):
            raise ValueError("either `at_least`, `at_most` or both, or `exactly`")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError(f"`at_least` up to `at_most`, not {self.at_least} and {self.at_most}")
        return self

    def mark(self, case: Case, value: Any) -> Mark:
        """Counts and compares."""
        del case
        number = counted(text_of(value), self.count)
        passed = self._lowest <= number <= (number if self._highest is None else self._highest)
        return Mark.of(passed, f"{number:,} {self.count}, {self._asked}")

    @property
    def _lowest(self) -> int:
        return self.exactly if self.exactly is not None else self.at_least or 0

    @property
    def _highest(self) -> int | None:
        return self.exactly if self.exactly is not None else self.at_most

    @property
    def _asked(self) -> str:
        bounds = {"exactly": self.exactly, "at least": self.at_least, "at most": self.at_most}
        asked = " and ".join(f"{word} {bound:,}" for word, bound in bounds.items() if bound is not None)
        return f"{asked} asked for"
