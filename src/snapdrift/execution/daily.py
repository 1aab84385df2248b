"""What one run may take of its suite's day: small leases of the ledger that all processes of a machine share.

Requests are asked within what is leased, without a look at the file; a lease is drawn before it is needed and is small
beside the day's limit, so that little lies idle with one process while another wants it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from snapdrift.store.ledger import NANO, Closing, Entry, Ledger, Standing, me

LEASES_A_DAY = 100
"""A lease is this part of the limit, or one request's worst case where that is more."""
PATIENCE_S = 20.0
"""How long a run with nothing in flight waits for what other processes have leased and may give back."""
_LOOK_EVERY_S = 0.25
_LOOK_AGAIN_S = 1.0


@dataclass(slots=True, eq=False)
class DayLease:
    """What is leased of one day in billionths of a dollar: `held` by requests in flight, `spent`, `left` unsettled.

    `inherited` was leased by a process that ended: what is not claimed of it counts as spent, for nobody knows better.
    """

    owner: str
    day: str
    leased: int = 0
    held: int = 0
    spent: int = 0
    left: int = 0
    inherited: bool = False

    @property
    def free(self) -> int:
        """What is leased and not in use."""
        return self.leased - self.held - self.spent - self.left

    def closing(self) -> Closing:
        """How it ends. What is still held may have been billed."""
        unclaimed = max(0, self.free) if self.inherited else 0
        return Closing(self.owner, self.day, self.spent + self.held + unclaimed, self.left)


@dataclass(slots=True)
class DayShare:
    """The leases of one run. `limit` is what the suite may spend a day, by all processes together, in billionths."""

    ledger: Ledger
    suite: str
    run: str
    limit: int
    owner: str = field(default_factory=me)
    tight: Standing | None = None
    """What the day had come to when it had no room the last time."""
    _leases: dict[str, DayLease] = field(default_factory=dict)
    _inherited: list[DayLease] = field(default_factory=list)
    _drawing: asyncio.Task[None] | None = None
    _looked: Standing | None = None
    _looked_at: float = 0.0

    def __post_init__(self) -> None:
        heir = f"{self.owner}:heir"
        for entry in self.ledger.take_over(heir, self.run):
            self._inherited.append(DayLease(heir, entry.day, leased=entry.nano, inherited=True))

    @property
    def limit_usd(self) -> float:
        """The limit in dollars."""
        return self.limit / NANO

    async def hold(self, worst: int) -> DayLease | None:
        """Room for an attempt in today's lease, which grows where it has to; None where the day has none left."""
        while True:
            lease = self._today()
            if lease.free >= worst:
                lease.held += worst
                return lease
            if self._drawing is None:
                self._drawing = asyncio.ensure_future(self._draw(lease, worst - lease.free))
            drawing = self._drawing
            # To its end: what a draw leased and nobody knows of would count for the rest of the day.
            await asyncio.shield(drawing)
            if self.tight is not None and lease.free < worst:
                return None

    async def may_come(self, worst: int) -> bool:
        """Waits, with nothing of this run in flight, for what others have leased; whether there is room then.

        What this run has leased and does not use it gives back first: two runs never wait for each other.
        """
        for lease in self._leases.values():
            self._give_back(lease)
        for _ in range(round(PATIENCE_S / _LOOK_EVERY_S)):
            standing = await asyncio.to_thread(self.ledger.standing, self.suite)
            if self.limit - standing.counted >= worst:
                return True
            self.tight = standing
            if not standing.held or self.limit - standing.counted + standing.held < worst:
                return False
            await asyncio.sleep(_LOOK_EVERY_S)
        return False

    def fits(self, worst: int) -> bool:
        """Whether there seems to be room for so much. Looks into the file, not more than once a second."""
        lease = self._today()
        if lease.free >= worst:
            return True
        standing, now = self._looked, time.monotonic()
        if standing is None or now - self._looked_at > _LOOK_AGAIN_S:
            standing = self._looked = self.ledger.standing(self.suite)
            self._looked_at = now
        if self.limit - standing.counted + lease.free >= worst:
            return True
        self.tight = standing
        return False

    def hold_anyway(self, worst: int) -> DayLease:
        """Room for what an earlier process has begun: out of what it had leased, else beyond any limit."""
        for lease in self._inherited:
            if lease.free >= worst:
                lease.held += worst
                return lease
        lease = self._today()
        lease.held += worst
        self._cover(lease)
        return lease

    def settle(self, lease: DayLease, held: int, spent: int) -> None:
        """Ends what an attempt held. A bill beyond its worst case goes into the file at once."""
        lease.held -= held
        lease.spent += spent
        if lease.inherited:
            lease.leased += spent - held
        self._cover(lease)

    def leave(self, lease: DayLease, held: int) -> None:
        """What this process will not settle: kept for who goes on with the run."""
        lease.held -= held
        lease.left += held

    def exceeded(self) -> int:
        """By how much more counts today than the limit, what this run leased and does not use left out."""
        idle = sum(max(0, lease.free) for lease in self._leases.values())
        return max(0, self.ledger.standing(self.suite).counted - idle - self.limit)

    def close(self) -> None:
        """Puts what was spent in the place of the leases. Once, at the end."""
        leases = [*self._leases.values(), *self._inherited]
        self.ledger.settle(self.suite, self.run, [lease.closing() for lease in leases])

    def _today(self) -> DayLease:
        day = self.ledger.today()
        if day not in self._leases:
            self._leases[day] = DayLease(self.owner, day)
        return self._leases[day]

    async def _draw(self, lease: DayLease, need: int) -> None:
        try:
            asked = Entry(lease.day, self.suite, self.run, need)
            want = max(need, self.limit // LEASES_A_DAY)
            found = await asyncio.to_thread(self.ledger.draw, self.owner, asked, self.limit, want)
            if isinstance(found, Standing):
                self.tight = found
            else:
                self.tight = None
                lease.leased += found
        finally:
            self._drawing = None

    def _give_back(self, lease: DayLease) -> None:
        """Leaves in the lease what is in flight alone. In one step, so that nobody takes in between what goes."""
        idle, spent = max(0, lease.free), lease.spent
        if idle or spent:
            self.ledger.give_back(lease.owner, Entry(lease.day, self.suite, self.run, spent), idle)
            lease.leased -= idle + spent
            lease.spent = 0

    def _cover(self, lease: DayLease) -> None:
        short = -lease.free
        if short > 0:
            self.ledger.force(lease.owner, Entry(lease.day, self.suite, self.run, short))
            lease.leased += short


@contextmanager
def day_share(state_dir: Path, suite: str, run: str, limit_usd: float | None) -> Iterator[DayShare | None]:
    """The run's share of the suite's day, None without a limit. At the end what it spent is in the ledger."""
    if limit_usd is None:
        yield None
        return
    with Ledger(state_dir) as ledger:
        share = DayShare(ledger, suite, run, int(limit_usd * NANO))
        try:
            yield share
        finally:
            share.close()
