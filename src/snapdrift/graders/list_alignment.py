"""Which elements of two lists belong together, and how much of them is right.

`right / of` is the share of the values of all elements, expected and invented ones, that are right: an element that is
missing, or that nobody expects, counts as much as one that is there and wrong in every value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from snapdrift.graders.marks import Mark
from snapdrift.graders.matching import paired
from snapdrift.graders.paths import ABSENT, Steps, format_path, look_up
from snapdrift.graders.values import quoted

MOST_COMPARISONS = 200_000
"""Comparisons of elements that one list is worth: an answer may have as many elements as it likes."""
MOST_JUDGEMENTS = 10_000
"""The same where a family's grader looks at each pair, which takes longer."""
MOST_NOTES = 20
Compare = Callable[[Any, Any], Mark]
"""What to think of a found value where another is wanted; either may be `ABSENT`."""


@dataclass(slots=True)
class Tally:
    """How much of a list is right, and a note for each of the first things that are not."""

    right: float = 0.0
    of: int = 0
    wrong: int = 0
    notes: list[str] = field(default_factory=list)

    def add(self, right: float, of: int) -> None:
        """Counts values."""
        self.right += right
        self.of += of

    def note(self, text: str) -> None:
        """Says what is wrong."""
        self.wrong += 1
        if len(self.notes) < MOST_NOTES:
            self.notes.append(text)

    @property
    def mark(self) -> Mark:
        """The share of right values; two empty lists are alike."""
        if not self.wrong:
            return Mark.of(passed=True)
        more = f"; and {self.wrong - len(self.notes)} more" if self.wrong > len(self.notes) else ""
        return Mark.graded(
            self.right / self.of, passed=False, detail="; ".join(self.notes) + more, evidence=tuple(self.notes)
        )


def by_position(wanted: Sequence[Any], found: Sequence[Any], compare: Compare) -> Mark:
    """Each element with the one at its place. The mark has no value where `compare` could not say."""
    tally = Tally()
    for place, target in enumerate(wanted):
        if place >= len(found):
            tally.add(0.0, 1)
            tally.note(f"missing [{place}]: {quoted(target)}")
            continue
        mark = compare(found[place], target)
        if mark.value is None:
            return mark
        tally.add(mark.value, 1)
        if not mark.passed:
            tally.note(f"[{place}]: {mark.detail}")
    _count_invented(tally, found[len(wanted) :], 1)
    return tally.mark


def in_any_order(wanted: Sequence[Any], found: Sequence[Any], compare: Compare, most: int = MOST_COMPARISONS) -> Mark:
    """As many pairs of elements that pass as can be made; the others are missing, or invented.

    Lists of more than `most` possible pairs are not compared: that is a fail.
    """
    if len(wanted) * len(found) > most:
        return _too_long(wanted, found)
    broken: list[Mark] = []

    def fits(target: int, place: int) -> bool:
        mark = compare(found[place], wanted[target])
        broken.extend([mark] if mark.value is None else [])
        return bool(mark.passed)

    partners = paired(len(wanted), len(found), fits)
    if broken:
        return broken[0]
    tally = Tally()
    for target, partner in zip(wanted, partners, strict=True):
        tally.add(float(partner is not None), 1)
        if partner is None:
            tally.note(f"missing {quoted(target)}")
    taken = set(partners)
    _count_invented(tally, [element for place, element in enumerate(found) if place not in taken], 1)
    return tally.mark


@dataclass(frozen=True, slots=True)
class Cells:
    """What elements that have a key are compared by: the key itself and their other fields, each in its own way."""

    key: Steps
    compare_key: Compare
    fields: tuple[tuple[Steps, Compare], ...]

    def key_of(self, element: Any) -> Any:
        """The element's key, `ABSENT` without one."""
        return look_up(element, self.key)

    def called(self, key: Any) -> str:
        """An element as a note names it: `sku "A1"`."""
        return f"{format_path(self.key)} {quoted(key)}"


def by_key(wanted: Sequence[Any], found: Sequence[Any], cells: Cells, most: int = MOST_COMPARISONS) -> Mark:
    """Each wanted element with the first that has its key, value by value; the key counts as one of the values.

    Elements without a key, with one that is not wanted, or with one that an earlier element has, are invented. Lists of
    more than `most` possible pairs are not compared: that is a fail.
    """
    if len(wanted) * len(found) > most:
        return _too_long(wanted, found)
    keys = [cells.key_of(element) for element in wanted]
    tally, partners = Tally(), dict[int, int]()
    each = 1 + len(cells.fields)
    for place, element in enumerate(found):
        key = cells.key_of(element)
        target = _wanted_by(key, keys, cells)
        if isinstance(target, Mark):
            return target
        if target is not None and target not in partners:
            partners[target] = place
            continue
        tally.add(0.0, each)
        tally.note(_why_invented(element, key, cells, twice=target is not None))
    for target, element in enumerate(wanted):
        tally.add(0.0, each)
        if target not in partners:
            tally.note(f"missing {cells.called(keys[target])}")
            continue
        broken = _compare_cells(element, found[partners[target]], cells, tally)
        if broken is not None:
            return broken
    return tally.mark


def _wanted_by(key: Any, keys: Sequence[Any], cells: Cells) -> int | Mark | None:
    """The place of the wanted element that has the key; a mark without a value where that cannot be said."""
    if key is ABSENT:
        return None
    for target, wanted in enumerate(keys):
        mark = cells.compare_key(key, wanted)
        if mark.value is None:
            return mark
        if mark.passed:
            return target
    return None


def _compare_cells(wanted: Any, found: Any, cells: Cells, tally: Tally) -> Mark | None:
    """Counts the values of one element; the mark of the first that could not be compared."""
    tally.add(1.0, 0)
    for steps, compare in cells.fields:
        mark = compare(look_up(found, steps), look_up(wanted, steps))
        if mark.value is None:
            return mark
        tally.add(mark.value, 0)
        if not mark.passed:
            tally.note(f"{cells.called(cells.key_of(wanted))}: {format_path(steps)}: {mark.detail}")
    return None


def _why_invented(element: Any, key: Any, cells: Cells, *, twice: bool) -> str:
    if key is ABSENT:
        return f"invented: without {format_path(cells.key)}: {quoted(element)}"
    return f"{cells.called(key)} is there twice" if twice else f"invented {cells.called(key)}"


def _count_invented(tally: Tally, elements: Sequence[Any], each: int) -> None:
    tally.add(0.0, each * len(elements))
    for element in elements:
        tally.note(f"invented {quoted(element)}")


def _too_long(wanted: Sequence[Any], found: Sequence[Any]) -> Mark:
    return Mark.of(
        passed=False, detail=f"{len(found):,} elements, too many to compare with the {len(wanted):,} expected"
    )
