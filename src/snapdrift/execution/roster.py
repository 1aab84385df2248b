"""Which workers there are, what each does, and which work is suspected of ending them.

Whatever a lost worker had under way is suspect: any of it may have been the reason. Suspect work is done alone on its
worker, so a second loss tells: work that lost workers while it was alone is given up, and its neighbours never are. It
serves attempts and calls for grading, which come from event loops of two threads. `docs/design/fleet.md` has the rules.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from threading import Lock
from typing import TypeVar

T = TypeVar("T")
MOST_ALONE = 2
"""How many workers a case may lose while it is alone on them. One may be chance: machines are lost close together."""


@dataclass(frozen=True, slots=True)
class Work:
    """Something a worker does, and what case it is about: the work of one case is suspected and given up together."""

    key: Hashable
    case: Hashable


@dataclass(frozen=True, slots=True)
class Loss:
    """That a worker was lost with some work: whether that is news, and whether the work is given up."""

    first: bool
    given_up: bool


@dataclass(slots=True)
class _Member:
    """A worker; `kept` is the work that it does alone, or will once what it does has ended."""

    name: str
    live: bool = True
    kept: Work | None = None
    doing: set[Hashable] = field(default_factory=set)


class Roster:
    """The workers by their names. Every method may be called from any thread."""

    def __init__(self, names: Iterable[str]) -> None:
        self._members = {name: _Member(name) for name in names}
        self._suspects: dict[Hashable, set[Hashable]] = {}
        self._alone: Counter[Hashable] = Counter()
        self._given_up: set[Hashable] = set()
        self._to_keep: Counter[Hashable] = Counter()
        self._waiting: list[Future[None]] = []
        self._lock = Lock()

    def live(self) -> list[str]:
        """Those that are there."""
        return [one.name for one in self._members.values() if one.live]

    def open(self) -> list[str]:
        """Those that take any work."""
        return [one.name for one in self._members.values() if one.live and one.kept is None]

    def is_suspect(self, work: Work) -> bool:
        """Whether work of the same case was on a lost worker, and has not ended since."""
        return work.case in self._suspects

    def is_given_up(self, work: Work) -> bool:
        """Whether work of this case ended the workers that did it."""
        return work.case in self._given_up

    def begin(self, name: str, work: Work) -> bool:
        """Notes that a worker begins some work; False where it may not, for it is lost or kept for other work."""
        with self._lock:
            member = self._members[name]
            alone = member.kept is not None
            if not member.live or (alone and member.kept != work) or (not alone and work.case in self._suspects):
                return False
            member.doing.add(work.key)
            return True

    def end(self, name: str, work: Work, *, cleared: bool) -> None:
        """Notes that work is over. `cleared`: it came to an end, so it is suspect no more."""
        with self._lock:
            self._members[name].doing.discard(work.key)
            if cleared and work.case in self._suspects:
                self._suspects[work.case].discard(work.key)
                if not self._suspects[work.case]:
                    del self._suspects[work.case]
                    self._alone.pop(work.case, None)
            self._wake()

    def lose(self, name: str, work: Work) -> Loss:
        """Notes that a worker was lost with some work under way: it gets no more."""
        with self._lock:
            member = self._members[name]
            first, member.live = member.live, False
            member.doing.discard(work.key)
            self._suspects.setdefault(work.case, set()).add(work.key)
            if member.kept == work:
                self._alone[work.case] += 1
                if self._alone[work.case] >= MOST_ALONE or not self.live():
                    self._given_up.add(work.case)
            self._wake()
            return Loss(first, work.case in self._given_up)

    async def some_open(self) -> None:
        """Returns when there is a worker that takes any work, or none is left."""
        await self._until(lambda: True if self.open() or not self.live() else None)

    async def keep(self, work: Work, weight: Callable[[str], bytes], *, last: bool) -> str | None:
        """Keeps a worker for suspect work, and returns its name once it does nothing else; to be `release`d.

        Of those with least to do the one with the highest `weight`. None where the case is given up, where no worker is
        left, and where one is that other work needs: `last` says that there is no other work.
        """

        def is_over() -> bool:
            live = len(self.live())
            return live == 0 or (live == 1 and not last) or work.case in self._given_up

        def kept() -> _Member | bool | None:
            return False if is_over() else self._kept(work, weight)

        def alone(member: _Member) -> bool | None:
            if is_over() or not member.live:
                return False
            return None if member.doing else True

        while isinstance(member := await self._until_kept(work, kept), _Member):
            is_alone = False
            try:
                is_alone = await self._until(partial(alone, member))
            finally:
                if not is_alone:
                    self.release(member.name)
            if is_alone:
                return member.name
        return None

    def release(self, name: str) -> None:
        """A worker is kept no longer."""
        with self._lock:
            self._members[name].kept = None
            self._wake()

    async def _until_kept(self, work: Work, kept: Callable[[], _Member | bool | None]) -> _Member | bool:
        with self._lock:
            self._to_keep[work.case] += 1
        try:
            return await self._until(kept)
        finally:
            with self._lock:
                self._to_keep[work.case] -= 1
                self._to_keep += Counter()  # without those of which none is left
                self._wake()

    def _kept(self, work: Work, weight: Callable[[str], bytes]) -> _Member | None:
        """A worker that is kept for work from now on; None where it has to wait.

        Of each case one work at a time, so that it cannot end several at once; and half of the workers go on with other
        work. The last one is kept only once it does nothing, and first for those that lost none while they were alone.
        """
        live = [one for one in self._members.values() if one.live]
        kept = [one.kept for one in live if one.kept is not None]
        if len(kept) >= max(1, len(live) // 2) or any(one.case == work.case for one in kept):
            return None
        if len(live) == 1 and any(self._alone[case] < self._alone[work.case] for case in self._to_keep):
            return None
        free = [one for one in live if one.kept is None and (len(live) > 1 or not one.doing)]
        member = max(free, key=lambda one: (-len(one.doing), weight(one.name)), default=None)
        if member is not None:
            member.kept = work
        return member

    async def _until(self, found: Callable[[], T | None]) -> T:
        """What is found, tried anew after every change, under the lock."""
        while True:
            with self._lock:
                got = found()
                if got is not None:
                    return got
                waiting: Future[None] = Future()
                self._waiting.append(waiting)
            await asyncio.wrap_future(waiting)

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            if one.set_running_or_notify_cancel():
                one.set_result(None)
