"""The ceiling on what a run may spend: reserve the worst case, then settle for what it was."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass

_NANO = 1_000_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Reservation:
    """Room in a budget for one attempt, in billionths of a dollar."""

    worst_nano: int


class Budget:
    """Dollars, for all engines of one run together. Amounts are whole billionths inside, so that sums are exact.

    An attempt starts only if what is spent, the worst case of what is in flight and its own worst case fit the limit
    together. `spent_usd` starts with what an earlier process of the same run spent.
    """

    def __init__(self, limit_usd: float | None, spent_usd: float = 0.0) -> None:
        self._limit = None if limit_usd is None else math.floor(_checked(limit_usd) * _NANO)
        self._spent = math.ceil(_checked(spent_usd) * _NANO)
        self._open: dict[Reservation, int] = {}  # what each still holds, in billionths
        self._in_flight = 0
        self._changed = asyncio.Event()

    @property
    def limit_usd(self) -> float | None:
        """The ceiling, None without one."""
        return None if self._limit is None else self._limit / _NANO

    @property
    def spent_usd(self) -> float:
        """What is spent: known costs, and the worst case of attempts whose fate is unknown."""
        return self._spent / _NANO

    @property
    def in_flight_usd(self) -> float:
        """The worst case of what is being asked now."""
        return self._in_flight / _NANO

    async def reserve(self, worst_usd: float) -> Reservation | None:
        """Room for an attempt; waits for what is in flight where it does not fit yet. None: it will never fit."""
        worst = math.ceil(_checked(worst_usd) * _NANO)
        while self._limit is not None and self._spent + self._in_flight + worst > self._limit:
            if not self._open:
                return None
            await self._changed.wait()
        return self._hold(worst)

    def fits(self, worst_usd: float) -> bool:
        """Whether there is room for so much now, beside what is in flight."""
        return (
            self._limit is None or self._spent + self._in_flight + math.ceil(_checked(worst_usd) * _NANO) <= self._limit
        )

    def under_way(self, worst_usd: float) -> Reservation:
        """A reservation for what an earlier process has begun: it may cost so much, whether that fits or not."""
        return self._hold(math.ceil(_checked(worst_usd) * _NANO))

    def settle(self, reservation: Reservation, actual_usd: float | None) -> float:
        """Ends a reservation at its cost; None: unknown, so it is charged at its worst case. Only the first counts.

        Returns the dollars that it was charged.
        """
        if reservation not in self._open:
            return 0.0
        held = self._open.pop(reservation)
        charged = held if actual_usd is None else math.ceil(_checked(actual_usd) * _NANO)
        self._charge(held, charged)
        return charged / _NANO

    def leave(self, reservation: Reservation) -> None:
        """What this process will not settle any more (a batch that is left with the provider): counted as it stands.

        Nobody waits for it: a request that does not fit beside it never will.
        """
        if self._open.pop(reservation, None) is not None:
            self._wake()

    def settle_share(self, reservation: Reservation, worst_usd: float, actual_usd: float | None) -> None:
        """Ends the share of one call in a reservation for many; `actual_usd` as for `settle`."""
        if reservation in self._open:
            share = min(math.ceil(_checked(worst_usd) * _NANO), self._open[reservation])
            self._open[reservation] -= share
            self._charge(share, share if actual_usd is None else math.ceil(_checked(actual_usd) * _NANO))

    def _hold(self, worst: int) -> Reservation:
        reservation = Reservation(worst)
        self._open[reservation] = worst
        self._in_flight += worst
        return reservation

    def _charge(self, held: int, spent: int) -> None:
        self._in_flight -= held
        self._spent += spent
        self._wake()

    def _wake(self) -> None:
        # A new event for those who wait from now on: all who waited look again, whichever loop they are on.
        self._changed.set()
        self._changed = asyncio.Event()


def _checked(usd: float) -> float:
    if not (math.isfinite(usd) and usd >= 0):
        raise ValueError(f"{usd} is no amount of dollars")
    return usd
