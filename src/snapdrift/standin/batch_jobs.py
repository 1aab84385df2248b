"""One batch: where it is in its life, and the object that the API shows of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from snapdrift.standin.batch_input import InputLine
from snapdrift.standin.batch_settings import BatchFate

WINDOW_SECONDS = 24 * 3600
_VALIDATED, _WORK, _FINALIZING, _CANCELLING = 5.0, 600.0, 30.0, 60.0
"""Virtual seconds that a batch is validated, worked on, finalized, cancelled."""


class Status(StrEnum):
    """The statuses of the Batch API."""

    VALIDATING = "validating"
    FAILED = "failed"
    IN_PROGRESS = "in_progress"
    FINALIZING = "finalizing"
    COMPLETED = "completed"
    EXPIRED = "expired"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"

    @property
    def over(self) -> bool:
        """Whether nothing happens any more."""
        return self in (Status.FAILED, Status.COMPLETED, Status.EXPIRED, Status.CANCELLED)


@dataclass(slots=True)
class Counts:
    """How many requests there are, how many were answered, how many failed."""

    total: int = 0
    completed: int = 0
    failed: int = 0


@dataclass(slots=True)
class Batch:
    """A batch. `age` is virtual seconds since its creation; `stamps` the Unix time of each status it reached."""

    id: str
    endpoint: str
    input_file_id: str
    metadata: Mapping[str, str] | None
    created_at: int
    born: float
    number: int
    fate: BatchFate
    output_seconds: int | None
    content: bytes = field(repr=False)
    age: float = 0.0
    status: Status = Status.VALIDATING
    cancelled_age: float = 0.0
    progress_before_cancel: float = 0.0
    lines: tuple[InputLine, ...] = ()
    tokens: int = 0
    errors: tuple[dict[str, Any], ...] = ()
    counts: Counts = field(default_factory=Counts)
    stamps: dict[Status, int] = field(default_factory=dict)
    output_file_id: str | None = None
    error_file_id: str | None = None
    usage: dict[str, Any] | None = None
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def model(self) -> str | None:
        """The model of its requests, None before they are known."""
        return (self.lines[0].model or None) if self.lines else None

    @property
    def next_at(self) -> float | None:
        """The age at which its status changes by itself; None: never."""
        if self.status is Status.VALIDATING:
            return _VALIDATED
        if self.status is Status.IN_PROGRESS and not self.fate.stuck:
            return WINDOW_SECONDS if self.fate.ends == "expired" else _VALIDATED + _WORK
        if self.status is Status.FINALIZING:
            return _VALIDATED + _WORK + _FINALIZING
        return self.cancelled_age + _CANCELLING if self.status is Status.CANCELLING else None

    def enter(self, status: Status, age: float) -> None:
        """Goes over to a status at an age."""
        self.status, self.age = status, age
        self.stamps[status] = self.created_at + int(age)

    def cancel(self, *, timeless: bool) -> None:
        """Begins to be cancelled; what it had done by then it keeps (`timeless`: half of what is in progress)."""
        if self.status is Status.IN_PROGRESS:
            progress = 0.5 if timeless else (self.age - _VALIDATED) / _WORK
            self.progress_before_cancel = min(max(progress, 0.0), 1.0)
        self.cancelled_age = self.age
        self.enter(Status.CANCELLING, self.age)

    def to_json(self, *, empty_ids: bool) -> dict[str, Any]:
        """The API's `batch` object; a file that is not there is named null, or `""` with `empty_ids`."""
        none = "" if empty_ids else None
        reached = {
            f"{status.value}_at": self.stamps.get(status) for status in Status if status is not Status.VALIDATING
        }
        optional = {"model": self.model, "usage": self.usage}
        return {
            "id": self.id,
            "object": "batch",
            "endpoint": self.endpoint,
            "errors": {"object": "list", "data": list(self.errors)} if self.errors else None,
            "input_file_id": self.input_file_id,
            "completion_window": "24h",
            "status": self.status.value,
            "output_file_id": self.output_file_id or none,
            "error_file_id": self.error_file_id or none,
            "created_at": self.created_at,
            "expires_at": self.created_at + WINDOW_SECONDS,
            **reached,
            "request_counts": {
                "total": self.counts.total,
                "completed": self.counts.completed,
                "failed": self.counts.failed,
            },
            "metadata": None if self.metadata is None else dict(self.metadata),
            **{name: value for name, value in optional.items() if value is not None},
        }
