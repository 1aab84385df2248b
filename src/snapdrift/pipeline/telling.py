"""How far a run is, told with what only the run knows: its suite, what is asked now, how much of it, and its budget."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from snapdrift.execution.records import Phase, Progress

if TYPE_CHECKING:
    from snapdrift.store import StoredRun

QUIET_S = 3.0
"""Grading that takes less is not told of."""


@dataclass(slots=True)
class Telling:
    """Hands on an engine's progress. What earlier phases cost goes on counting."""

    suite: str
    budget_usd: float | None
    tell: Callable[[Progress], None]
    _phase: Phase = Phase.ANSWERS
    _total: int | None = None
    _before_usd: float = 0.0
    _usd: float = field(default=0.0)
    _last: Progress | None = None

    def begin(self, phase: Phase, total: int | None) -> None:
        """From now on calls of this kind are asked, so many of them (None: it is not known)."""
        self._phase, self._total = phase, total
        self._before_usd += self._usd
        self._usd = 0.0

    def grade(self) -> None:
        """Tells that asking has ended: the last state of it would say for as long as grading takes that it goes on."""
        if self._last is not None:
            none = Progress(0, 0, 0, 0, self._last.usd)
            self.tell(replace(none, suite=self.suite, phase=Phase.GRADING, budget_usd=self.budget_usd))

    def __call__(self, progress: Progress) -> None:
        """Tells one state of the engine."""
        self._usd = progress.usd
        self._last = replace(
            progress,
            usd=self._before_usd + progress.usd,
            suite=self.suite,
            phase=self._phase,
            total=self._total,
            budget_usd=self.budget_usd,
        )
        self.tell(self._last)


@dataclass(slots=True)
class GradingTold:
    """Tells how many answers are graded, where that takes longer than a few seconds. Times are those of `clock`."""

    suite: str
    total: int
    tell: Callable[[Progress], None] | None
    clock: Callable[[], float] = time.monotonic
    _graded: int = 0
    _began: float | None = None

    def add(self, answers: int) -> None:
        """So many more are graded."""
        now = self.clock()
        self._began = now if self._began is None else self._began
        self._graded = min(self.total, self._graded + answers)
        if self.tell is not None and now - self._began >= QUIET_S:
            self.tell(Progress(self._graded, 0, 0, 0, 0.0, suite=self.suite, phase=Phase.GRADING, total=self.total))


def open_telling(
    stored: StoredRun, budget_usd: float | None, tell: Callable[[Progress], None] | None, *, countable: bool
) -> Telling | None:
    """What tells of a run; None where nobody listens. Not `countable`: nobody knows how many answers will be asked."""
    if tell is None:
        return None
    telling = Telling(stored.header.suite, budget_usd, tell)
    telling.begin(Phase.ANSWERS, unasked(stored) if countable else None)
    return telling


def unasked(stored: StoredRun) -> int:
    """How many answers are still to be asked one by one."""
    batched = {variant.name for variant in stored.header.variants if variant.batch}
    if not batched:
        return stored.open_count()
    return sum(call.variant not in batched for call in stored.open_calls())
