"""The parts that are not over: what is known of each in this process, and how much of a queue they take."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from snapdrift.execution.batch_records import BatchSettings, PartProgress
from snapdrift.execution.budget import Budget, Reservation
from snapdrift.execution.clock import Clock
from snapdrift.openai_api.batches import BatchMistake, RemoteBatch
from snapdrift.store.batches import BatchJournal, Part, PartSize, PartState

QUEUE_FULL = "token_limit_exceeded"
"""The code of a batch that failed because the account's queue has no room for it."""
_NAMED_LIMIT = re.compile(r"\blimit:?\s*([\d,]*\d)", re.IGNORECASE)


@dataclass(slots=True)
class Tracked:
    """A part that is not over. `due` is when to look at it, a reading of the monotonic clock; `pause` the wait after.

    `uncertain` says that an earlier process may have done more than is known.
    """

    part: Part
    size: PartSize
    uncertain: bool
    due: float
    pause: float
    reservation: Reservation | None = None
    remote: RemoteBatch | None = None

    @property
    def created(self) -> bool:
        """Whether its batch is known to be at the provider."""
        return self.part.state is PartState.CREATED

    @property
    def progress(self) -> PartProgress:
        """Where it is."""
        status = self.part.status if self.created else self.part.state.value
        counts = (self.remote.completed, self.remote.failed) if self.remote else (0, 0)
        return PartProgress(self.part.number, self.part.model, status, self.size.calls, *counts)


class Tracking:
    """The open parts of a run by number, as its file has them, and what each holds of the budget."""

    def __init__(self, journal: BatchJournal, budget: Budget, clock: Clock, settings: BatchSettings) -> None:
        self._journal, self._budget, self._clock, self._settings = journal, budget, clock, settings
        self._parts: dict[int, Tracked] = {}

    @property
    def parts(self) -> tuple[Tracked, ...]:
        """All that are open, in order."""
        return tuple(self._parts[number] for number in sorted(self._parts))

    async def refresh(self, *, uncertain: bool) -> None:
        """Reads from the run file which parts are open and how large they are; new ones are due at once."""
        for part in await self._journal.parts():
            if part.state is PartState.ENDED:
                self._parts.pop(part.number, None)
                continue
            size = await self._journal.size(part)
            known = self._parts.get(part.number)
            if known is None:
                now, pause = self._clock.monotonic(), self._settings.first_look
                self._parts[part.number] = Tracked(part, size, uncertain, now, pause)
            else:
                known.part, known.size = part, size

    async def take_up(self) -> None:
        """The parts of earlier processes. What is, or may be, with the provider already counts against the budget."""
        for part in await self._journal.parts():
            if part.state is PartState.FILLING:
                empty = not (await self._journal.size(part)).calls
                await self._journal.put(replace(part, state=PartState.ENDED if empty else PartState.PLANNED))
        await self.refresh(uncertain=True)
        for one in self._parts.values():
            if one.part.state is not PartState.PLANNED:
                one.reservation = self._budget.under_way(one.size.worst_usd)

    async def put(self, one: Tracked, part: Part) -> None:
        """Stores what is known of a part now."""
        one.part = await self._journal.put(part)

    async def end(self, one: Tracked) -> None:
        """The part is over."""
        self.release(one)
        await self.put(one, replace(one.part, state=PartState.ENDED))
        self._parts.pop(one.part.number, None)

    def reservation(self, one: Tracked) -> Reservation:
        """What a part holds of the budget."""
        if one.reservation is None:
            one.reservation = self._budget.under_way(one.size.worst_usd)
        return one.reservation

    def leave(self) -> None:
        """Nothing is collected any more: what open parts hold of the budget stays counted, and nobody waits for it."""
        for one in self.parts:
            if one.reservation is not None:
                self._budget.leave(one.reservation)

    def release(self, one: Tracked) -> None:
        """Gives back what a part still holds of the budget."""
        if one.reservation is not None:
            self._budget.settle(one.reservation, 0.0)
            one.reservation = None


class Queues:
    """How many tokens the account may have waiting or running, by host and model: as configured, and as learned."""

    def __init__(self, settings: BatchSettings) -> None:
        self._settings = settings
        self._learned: dict[tuple[str, str], int] = {}
        self._not_before: dict[tuple[str, str], float] = {}

    def has_room(self, wanted: Tracked, all_parts: Sequence[Tracked], now: float) -> bool:
        """Whether a part may be submitted beside those that are at the provider; one alone always may."""
        queue = wanted.part.queue
        if now < self._not_before.get(queue, 0.0):
            return False
        running, limit = self.running(wanted, all_parts), self.limit(wanted.part)
        return limit is None or not running or running + wanted.size.tokens <= limit

    def limit(self, part: Part) -> int | None:
        """The limit of a part's queue, None where none is known."""
        known = [limit for limit in (self._settings.token_limit(part.model), self._learned.get(part.queue)) if limit]
        return min(known) if known else None

    def learn(self, full: Tracked, all_parts: Sequence[Tracked], mistakes: Sequence[BatchMistake]) -> None:
        """Takes from a refusal what it says of the limit: by its number, else that it is less than what was there."""
        said = " ".join(mistake.message for mistake in mistakes if mistake.code == QUEUE_FULL)
        named = _NAMED_LIMIT.search(said)
        running = self.running(full, all_parts)
        if named is not None:
            self._learned[full.part.queue] = max(1, int(named[1].replace(",", "")))
        elif running:
            self._learned[full.part.queue] = running + full.size.tokens - 1

    def pause(self, part: Part, until: float) -> None:
        """Leaves a queue alone until then."""
        self._not_before[part.queue] = until

    def resume_at(self, part: Part) -> float:
        """Until when a part's queue is left alone."""
        return self._not_before.get(part.queue, 0.0)

    @staticmethod
    def running(beside: Tracked, all_parts: Sequence[Tracked]) -> int:
        """The estimated tokens of the other parts that are at the provider in the same queue."""
        others = (one for one in all_parts if one is not beside and one.created and one.part.queue == beside.part.queue)
        return sum(one.size.tokens for one in others)
