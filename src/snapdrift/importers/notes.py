"""What an import has to tell: what was left out, and what is not quite the same, each with its place."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from snapdrift.suites.document import Document, Position, format_location
from snapdrift.suites.registry import Location

MOST_SHOWN = 20
"""Notes of one kind that say the same of different places are told this often."""


class Kind(StrEnum):
    """What became of something."""

    LEFT_OUT = "left out"
    CHANGED = "not quite the same"


@dataclass(frozen=True, slots=True)
class Place:
    """A value in a file, and where it stands."""

    document: Document
    location: Location = ()

    @classmethod
    def of_row(cls, file: str, line: int, value: Any = None) -> Place:
        """A row of a table, which has a line and no more."""
        return cls(Document(file, value, {}, {(): Position(line, 1)} if line else {}))

    def at(self, *keys: str | int) -> Place:
        """A value inside this one."""
        return replace(self, location=(*self.location, *keys))

    @property
    def value(self) -> Any:
        """What stands here; None where nothing does."""
        value: Any = self.document.value
        for key in self.location:
            if isinstance(value, Mapping):
                value = value.get(key)
            elif isinstance(value, list) and isinstance(key, int) and 0 <= key < len(value):
                value = value[key]
            else:
                return None
        return value

    def each(self) -> Iterator[Place]:
        """The items of a list; of anything else the value itself, of nothing none."""
        value = self.value
        if isinstance(value, list):
            yield from (self.at(index) for index in range(len(value)))
        elif value is not None:
            yield self

    def __str__(self) -> str:
        at = self.document.position(self.location)
        known = bool(self.document.values)
        where = f"{self.document.file}:{at.line}:{at.column}" if known else self.document.file
        path = format_location(self.location)
        return f"{where}: {path}" if path else where


@dataclass(frozen=True, slots=True)
class Note:
    """One thing that did not come over as it was. `what` names it, `why` says why and what to do."""

    kind: Kind
    place: str
    what: str
    why: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.place, self.what, self.why) if part)


@dataclass(slots=True)
class Notes:
    """Collects notes; the same thing said of the same place is said once."""

    said: dict[Note, None] = field(default_factory=dict)

    def left_out(self, place: Place | str, what: str, why: str) -> None:
        """Something has no counterpart."""
        self.said.setdefault(Note(Kind.LEFT_OUT, str(place), what, why))

    def changed(self, place: Place | str, what: str, why: str) -> None:
        """Something was taken over as what comes nearest, or with a default that the original had elsewhere."""
        self.said.setdefault(Note(Kind.CHANGED, str(place), what, why))

    def of(self, kind: Kind) -> tuple[Note, ...]:
        """The notes of a kind, in the order in which they were made."""
        return tuple(note for note in self.said if note.kind is kind)


def others(value: Mapping[str, Any], known: Container[str]) -> list[str]:
    """The keys of a mapping that are not among the known ones, in their order."""
    return [key for key in value if key not in known]


def shortened(notes: tuple[Note, ...]) -> Iterator[str]:
    """The notes as lines; of what is said of very many places the first ones, and how many more there are."""
    seen: dict[tuple[str, str], int] = {}
    for note in notes:
        key = (note.what, note.why)
        seen[key] = seen.get(key, 0) + 1
        if seen[key] <= MOST_SHOWN:
            yield str(note)
    for (what, why), count in seen.items():
        if count > MOST_SHOWN:
            yield f"{count - MOST_SHOWN:,} more places: {what}: {why}"
