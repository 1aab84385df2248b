"""Assertions of single cases as graders of a suite: those that differ in nothing but their values are one grader.

The values go into a column of the dataset, and the grader names the column; where every case has the same value, it
stands in the grader itself. A grader that is not for every case is for those with its tag.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from snapdrift.importers.names import Unique

_BRACES = ("{{", "{%", "{#")


@dataclass(frozen=True, slots=True)
class Slot:
    """A value in a grader's entry that is a case's own; never read as a template.

    `source` is the template that it was rendered from, which stands in the grader where all cases share it.
    """

    value: Any
    source: Any = None


@dataclass(frozen=True, slots=True)
class Check:
    """One assertion as an entry, in which values of the case are `Slot`s.

    `judged` asks a model, `coded` runs code of the workspace; `weight` counts in the mean of a case with a threshold,
    and 0 means that the case's result does not depend on it.
    """

    hint: str
    entry: Mapping[str, Any]
    weight: float = 1.0
    judged: bool = False
    coded: bool = False


@dataclass(slots=True)
class Group:
    """The cases that one grader is for, each with the values of its slots."""

    name: str
    check: Check
    cases: dict[int, list[Slot]] = field(default_factory=dict)
    _shared: dict[tuple[int, int], Any] = field(default_factory=dict)

    @property
    def slots(self) -> int:
        """How many values each case has."""
        return len(next(iter(self.cases.values())))

    def shared(self, number: int) -> Any:
        """A value that is the same for every case and can stand in the grader, as a template or as it is; else None."""
        key = (number, len(self.cases))  # every case asks, and all of them are looked at for it
        if key not in self._shared:
            self._shared[key] = self._in_common(number)
        return self._shared[key]

    def _in_common(self, number: int) -> Any:
        slots = [slots[number] for slots in self.cases.values()]
        sources = {json.dumps(slot.source, sort_keys=True) for slot in slots}
        if slots[0].source is not None and len(sources) == 1:
            return slots[0].source
        values = {json.dumps(slot.value, sort_keys=True) for slot in slots}
        return slots[0].value if len(values) == 1 and not any(sign in min(values) for sign in _BRACES) else None


class Groups:
    """Collects the checks of cases, by their number. `taken` are names that other graders of the suite bear."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._groups: dict[tuple[str, int], Group] = {}
        self._names = Unique(taken)
        self._met: dict[tuple[int, str], int] = {}

    def add(self, case: int, check: Check) -> None:
        """Adds a check of a case. The second of a kind of the same case goes to another grader."""
        key = json.dumps([check.hint, check.weight, _shape(check.entry)], sort_keys=True)
        occurrence = self._met[case, key] = self._met.get((case, key), -1) + 1
        group = self._groups.get((key, occurrence))
        if group is None:
            group = self._groups[key, occurrence] = Group(self._names.of(check.hint), check)
        group.cases[case] = list(_slots(check.entry))

    def __iter__(self) -> Iterator[Group]:
        """The groups in the order in which their first check came."""
        return iter(self._groups.values())


def entry_of(group: Group, root: str, cases: int) -> dict[str, Any]:
    """The grader's entry: named, with columns under `root` for values, and for its cases only."""
    places = iter(range(group.slots))

    def filled(value: Any) -> Any:
        if isinstance(value, Slot):
            number = next(places)
            shared = group.shared(number)
            return f"{{{{ {root}.{column_of(group, number)} }}}}" if shared is None else shared
        if isinstance(value, Mapping):
            return {key: filled(item) for key, item in value.items()}
        return [filled(item) for item in value] if isinstance(value, list) else value

    entry = {"name": group.name, **filled(group.check.entry)}
    return entry if len(group.cases) == cases else {**entry, "when": {"tag": group.name}}


def columns_of(group: Group, case: int) -> dict[str, Any]:
    """What a case holds for the grader, by column under the root; null where the grader is not for it."""
    slots = group.cases.get(case)
    own = [number for number in range(group.slots) if group.shared(number) is None]
    return {column_of(group, number): slots[number].value if slots else None for number in own}


def column_of(group: Group, number: int) -> str:
    """The column of one of its values."""
    return group.name if number == 0 else f"{group.name}_{number + 1}"


def _shape(value: Any) -> Any:
    if isinstance(value, Slot):
        return {"\0": "slot"}
    if isinstance(value, Mapping):
        return {key: _shape(item) for key, item in value.items()}
    return [_shape(item) for item in value] if isinstance(value, list) else value


def _slots(value: Any) -> Iterator[Slot]:
    if isinstance(value, Slot):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _slots(item)
    elif isinstance(value, list):
        for item in value:
            yield from _slots(item)
