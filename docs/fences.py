"""Fenced blocks of a page, and what the words after their language mean to the site and to the tests.

The opening line of a block is its language and any of these words (docs/design/documentation.md says why):

    FILE            the block is this file of the page's workspace (a word with a dot in it)
    append          the block goes to the end of that file
    excerpt         these lines stand in that file, one after another
    exit=N          the last command ends with N, not 0
    key             a real model is asked: with a key, for money
    hours           it takes hours
    shown           it is to be read, not run
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_FENCE = re.compile(r"^```(?P<info>[^`\n]*)\n(?P<text>.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
MARKS = {
    "key": "needs an API key, and spends money",
    "hours": "takes hours",
}
"""Words that a reader is told, and in which words."""
_PLAIN = frozenset({"append", "excerpt", "shown", *MARKS})


@dataclass(frozen=True, slots=True)
class Fence:
    """A block: its language, the words after it, its text, and the number of the line that opens it, from 1."""

    language: str
    words: tuple[str, ...]
    text: str
    line: int

    @property
    def file(self) -> str | None:
        """The file that the block is, or is of."""
        return next((word for word in self.words if "." in word and "=" not in word), None)

    @property
    def exit_code(self) -> int:
        """What the last command of the block ends with."""
        codes = [word.removeprefix("exit=") for word in self.words if word.startswith("exit=")]
        return int(codes[0]) if codes else 0

    @property
    def strange(self) -> tuple[str, ...]:
        """Words that mean nothing."""
        known = {*_PLAIN, self.file}
        return tuple(word for word in self.words if word not in known and not re.fullmatch(r"exit=\d+", word))

    @property
    def title(self) -> str:
        """What stands over the block in the site; empty where there is nothing to say."""
        file = self.file or ""
        if file and "append" in self.words:
            file += ", at its end"
        if file and "excerpt" in self.words:
            file += ", a part"
        return "; ".join([*filter(None, [file]), *(told for word, told in MARKS.items() if word in self.words)])


def read_fence(found: re.Match[str], markdown: str) -> Fence:
    """A match of a block as a record."""
    language, *words = found["info"].split() or [""]
    return Fence(language, tuple(words), found["text"], markdown.count("\n", 0, found.start()) + 1)


def fences(markdown: str) -> list[Fence]:
    """The blocks of a page, in order."""
    return [read_fence(found, markdown) for found in _FENCE.finditer(markdown)]


def with_titles(markdown: str) -> str:
    """The page with opening lines as the site's renderer knows them: language and title."""

    def opened(found: re.Match[str]) -> str:
        fence = read_fence(found, markdown)
        title = f' title="{fence.title}"' if fence.title else ""
        return f"```{fence.language}{title}\n{fence.text}```"

    return _FENCE.sub(opened, markdown)
