"""The mistakes in the rows of a file, in few lines however many rows have them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from snapdrift.errors import Problem

MAX_PROBLEMS = 50
"""So many mistakes of a file are told with their places; of more it is said how many there are."""
ALIKE = 5
"""So many mistakes of one kind are told each by itself; the others of it are one line."""
_INDEX = re.compile(r"\[\d+\]")


@dataclass
class _More:
    """Mistakes that are not told each by itself: the first and the last of them, and how many they are."""

    first: Problem
    last: Problem
    number: int = 1

    def told(self, what: str, expected: str) -> Problem:
        end = f"line {self.last.line}" if self.last.line else self.last.path
        last = "" if self.number == 1 else f", the last at {end}"
        return replace(self.first, found=f"{self.number:,} more {what}{last}", expected=expected)


class RowMistakes:
    """Collects the mistakes of a file's rows. What is kept does not grow with their number."""

    def __init__(self) -> None:
        self._told: list[Problem] = []
        self._alike: dict[tuple[str, str], int] = {}
        self._more: dict[tuple[str, str], _More] = {}
        self._others: _More | None = None

    def __bool__(self) -> bool:
        return bool(self._told)

    def add(self, problems: Iterable[Problem]) -> None:
        """Takes what is wrong with further rows, in their order."""
        for problem in problems:
            self._take(problem)

    def told(self) -> tuple[Problem, ...]:
        """The first mistakes, at most `ALIKE` of a kind and `MAX_PROBLEMS` in all, and lines that count the others."""
        alike = [more.told("rows like these", more.first.expected) for more in self._more.values()]
        others = self._others
        closing = [] if others is None else [replace(others, first=replace(others.first, path=""))]
        rest = [more.told("mistakes", "expected none: mend those before it first") for more in closing]
        return (*self._told, *alike, *rest)

    def _take(self, problem: Problem) -> None:
        kind = _kind_of(problem)
        seen = self._alike.get(kind, 0)
        if seen < ALIKE and len(self._told) < MAX_PROBLEMS:
            self._alike[kind] = seen + 1
            self._told.append(problem)
        elif seen:
            self._more[kind] = _with(self._more.get(kind), problem)
        else:
            self._others = _with(self._others, problem)


def told_briefly(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Mistakes of rows that are known already, in their order, as `RowMistakes` tells them."""
    mistakes = RowMistakes()
    mistakes.add(problems)
    return mistakes.told()


def _with(more: _More | None, problem: Problem) -> _More:
    return _More(problem, problem) if more is None else _More(more.first, problem, more.number + 1)


def _kind_of(problem: Problem) -> tuple[str, str]:
    """What mistakes of one kind have in common: the column, and what was expected but for what is said of one row."""
    return _INDEX.sub("", problem.path), problem.expected.partition(";")[0]
