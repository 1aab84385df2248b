"""Names for what is made: of files, variants, graders and columns."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable

from snapdrift.graders.shared_arguments import RESERVED_NAMES

RESERVED_COLUMNS = ("id", "tags", "cluster", "messages", "tool_results", "expected")
"""Columns of a dataset that mean something of their own."""
_TEMPLATE_WORDS = frozenset({*keyword.kwlist, "true", "false", "none", "set", "block", "macro", "loop"})


def file_name(text: str, otherwise: str = "imported") -> str:
    """A name for a suite or a file: small letters, digits and hyphens."""
    made = re.sub(r"[^a-z0-9]+", "-", text.casefold()).strip("-")[:60].strip("-")
    return made or otherwise


def identifier(text: str, otherwise: str = "grader") -> str:
    """A name that templates can use, and that a grader may bear."""
    made = re.sub(r"[^a-z0-9]+", "_", text.casefold()).strip("_")[:60] or otherwise
    if made[0].isdigit() or made in _TEMPLATE_WORDS:
        made = f"{otherwise}_{made}"
    return f"{made}_grader" if made in RESERVED_NAMES else made


def is_usable(text: str) -> bool:
    """Whether a column of this name can be named in a template."""
    return text.isidentifier() and text not in _TEMPLATE_WORDS


def label(text: str, otherwise: str = "variant") -> str:
    """A name that people read: of a variant or a prompt."""
    made = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())[:80].strip()
    return made or otherwise


class _Renamed(dict[str, str]):
    """Variables whose names mean something of their own in a dataset."""

    def __missing__(self, name: str) -> str:
        return name


RENAMED = _Renamed(
    {name: f"var_{name}" for name in RESERVED_COLUMNS if name != "expected"} | {"it": "var_it", "range": "var_range"}
)
"""How variables are called as columns, where not by their own names."""


def usable_name(name: str) -> str:
    """The column that a variable becomes."""
    renamed = RENAMED.get(name, name)
    return renamed if is_usable(renamed) else " ".join(renamed.split()) or "var"


class Unique:
    """Gives each name once; the second of a kind gets a number."""

    def __init__(self, taken: Iterable[str] = (), between: str = "_") -> None:
        self._taken = set(taken)
        self._between = between

    def of(self, name: str) -> str:
        """The name, or with `_2`, `_3` where it is taken."""
        made, number = name, 1
        while made in self._taken:
            number += 1
            made = f"{name}{self._between}{number}"
        self._taken.add(made)
        return made
