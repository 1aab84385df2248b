"""A request body, and the places in it that Snapdrift filled in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from snapdrift.suites.registry import Location

Added = set[Location]
"""Places in a body while it is being built: `("store",)`, `("tools", 0, "strict")`."""


@dataclass(frozen=True, slots=True)
class BuiltBody:
    """Exactly what is sent, and where in it stands what the suite did not write."""

    body: dict[str, Any]
    added: frozenset[Location] = frozenset()
