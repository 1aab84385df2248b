"""Families that installed packages register under the entry point group `snapdrift.graders`.

A package is imported when a suite uses its family, so one that is broken concerns nobody else. It is installed code:
what `--no-code` refuses is the workspace's.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points

from snapdrift.errors import SnapdriftError
from snapdrift.graders.base import Grader
from snapdrift.graders.values import quoted

GROUP = "snapdrift.graders"


class FamilyError(SnapdriftError):
    """A family that a package registers cannot be used: which package, why not, and what to do."""

    def __init__(self, found: str, expected: str) -> None:
        self.found = found
        self.expected = expected
        super().__init__(f"{found}; {expected}")


@dataclass(frozen=True, slots=True)
class InstalledFamily:
    """A family as packages register it: its name, and every entry point that claims it."""

    name: str
    entries: tuple[EntryPoint, ...]

    @property
    def providers(self) -> str:
        """The packages with their versions."""
        return " and ".join(sorted({_provider(entry) for entry in self.entries}))

    def load(self, builtin: Mapping[str, type[Grader]]) -> type[Grader]:
        """The class. Raises `FamilyError` for one that clashes, cannot be imported, or is no family of this name."""
        if self.name in builtin:
            raise FamilyError(
                f"the grader family {self.name!r}, which is Snapdrift's own and which {self.providers} registers too",
                "expected one meaning: uninstall that package, or use a version that names its family otherwise",
            )
        if len(self.entries) > 1:
            found = f"the grader family {self.name!r}, which is registered by {self.providers}"
            raise FamilyError(found, "expected one package to register it: uninstall the others")
        entry = self.entries[0]
        try:
            family = entry.load()
        except Exception as error:  # noqa: BLE001  whatever another package's code raises
            said = " ".join(str(error).split())
            raise FamilyError(
                f"the grader family {self.name!r} of {self.providers}, whose {entry.value} cannot be imported "
                f"({type(error).__name__}: {said})",
                "expected an installation that works: mend or uninstall that package",
            ) from None
        problem = _problem(family, self.name)
        if problem:
            found, expected = problem
            raise FamilyError(
                f"the grader family {self.name!r} of {self.providers}, whose {entry.value} {found}", expected
            )
        family.distribution = self.providers
        return family  # type: ignore[no-any-return]


def installed_families() -> Mapping[str, InstalledFamily]:
    """What is registered, by name; nothing is imported."""
    return _families_on(tuple(sys.path))


@lru_cache(maxsize=8)
def _families_on(path: tuple[str, ...]) -> Mapping[str, InstalledFamily]:
    """What packages on the path register; looking through all of them takes a while."""
    del path
    claims: dict[str, list[EntryPoint]] = {}
    for entry in _distinct(entry_points(group=GROUP)):
        claims.setdefault(entry.name, []).append(entry)
    return {name: InstalledFamily(name, tuple(entries)) for name, entries in sorted(claims.items())}


def _distinct(entries: Iterable[EntryPoint]) -> Iterator[EntryPoint]:
    """The entry points without those that one distribution, found twice on the path, seems to register twice."""
    seen: set[tuple[str, str, str]] = set()
    for entry in entries:
        key = (entry.name, entry.value, _provider(entry))
        if key not in seen:
            seen.add(key)
            yield entry


def _provider(entry: EntryPoint) -> str:
    return "an unknown package" if entry.dist is None else f"{entry.dist.name} {entry.dist.version}"


def _problem(found: object, name: str) -> tuple[str, str] | None:
    """What keeps an object from being the family of this name, and what was expected; None where nothing does."""
    if not isinstance(found, type) or not issubclass(found, Grader):
        return f"is {quoted(repr(found))}", "expected a class derived from snapdrift.graders.base.Grader"
    family = getattr(found, "family", None)
    if family != name:
        return f"calls its family {family!r}", f"expected {name!r}, as its entry point is named"
    if name in {field.alias or attribute for attribute, field in found.model_fields.items()}:
        return None
    return f"has no argument {name!r}", "expected its main argument under the family's name"
