"""An answer that was obtained elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Messages = tuple[tuple[str, str], ...]
"""Messages as (role, text), in order."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: where it stands, its text, and what tells which case it is of and who wrote it.

    `variant` is what the file calls who answered, where it names several; `repeat` counts from 0 where the file says.
    """

    place: str
    text: str
    case_id: str | None = None
    asked: Messages | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    model: str | None = None
    variant: str | None = None
    expected: Any = None
    repeat: int | None = None
