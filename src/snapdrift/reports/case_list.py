"""The cases of a view in its order: their outlines are held, what they say is read when it is asked for."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import overload

from snapdrift.reports.case_views import CaseGroup, CaseOutline, CaseView, Change

States = tuple[CaseGroup | None, ...]
_GROUPS = tuple(CaseGroup)

Read = Callable[[Sequence[int], Iterable[CaseOutline]], Iterator[CaseView]]
"""Gives cases at places of the dataset, of which these are the outlines."""


class CaseList(Sequence[CaseView]):
    """The cases in the order of their group, then of the dataset.

    Of a case an id and some bytes are held. Going through the list, or taking a case out of it, reads the answers from
    where the run is; `outlines` reads nothing.
    """

    def __init__(self, found: Iterable[CaseOutline], read: Read) -> None:
        """`found` are the outlines in the dataset's order, their places there."""
        self._read = read
        self._ids: list[str] = []
        self._groups = bytearray()
        self._states = array("l")
        self._kinds: dict[States, int] = {}
        self._changes: dict[int, tuple[Change, ...]] = {}
        known: dict[tuple[Change, ...], tuple[Change, ...]] = {}
        for place, one in enumerate(found):
            self._ids.append(one.id)
            self._groups.append(one.group.rank)
            self._states.append(self._kinds.setdefault(one.states, len(self._kinds)))
            if one.changes:
                self._changes[place] = known.setdefault(one.changes, one.changes)
        self._order = array("l", sorted(range(len(self._ids)), key=self._groups.__getitem__))
        self._of_kind = tuple(self._kinds)

    @property
    def outlines(self) -> Iterator[CaseOutline]:
        """All outlines, in the view's order."""
        return map(self._outline, range(len(self._order)))

    def counts(self) -> dict[CaseGroup, int]:
        """How many cases are in each group."""
        return {group: self._groups.count(group.rank) for group in CaseGroup}

    def pick(self, places: Iterable[int]) -> Iterator[CaseView]:
        """The cases at some places of the view, in this order, read together."""
        wanted = array("l", places)
        return self._read(array("l", map(self._order.__getitem__, wanted)), map(self._outline, wanted))

    def __len__(self) -> int:
        """How many cases there are."""
        return len(self._order)

    def __iter__(self) -> Iterator[CaseView]:
        """Every case, read one after the other."""
        return self.pick(range(len(self)))

    @overload
    def __getitem__(self, place: int) -> CaseView: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[CaseView]: ...
    def __getitem__(self, place: int | slice) -> CaseView | Sequence[CaseView]:
        """A case, or those of a slice, read now."""
        wanted = range(len(self))[place]
        return next(self.pick([wanted])) if isinstance(wanted, int) else tuple(self.pick(wanted))

    def _outline(self, place: int) -> CaseOutline:
        row = self._order[place]
        states = self._of_kind[self._states[row]]
        return CaseOutline(self._ids[row], place, _GROUPS[self._groups[row]], states, self._changes.get(row, ()))
