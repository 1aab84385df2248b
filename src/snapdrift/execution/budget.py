"""The ceiling on what a run may spend: reserve the worst case, then settle for what it was."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from enum import Enum

from snapdrift.execution.daily import DayLease, DayShare

_NANO = 1_000_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Reservation:
    """Room in a budget for one attempt, in billionths of a dollar; `lease` is where it is of the day's."""

    worst_nano: int
    lease: DayLease | None = None


class LimitKind(Enum):
    """Whose limit it is: the suite's for a run, the command's for all that it asks, or the suite's for a day."""

    RUN = "run"
    COMMAND = "command"
    DAY = "day"


@dataclass(frozen=True, slots=True)
class CommandLimit:
    """That a run's limit is what is left of its command's; `called` is that one in messages, such as `--max-usd 2`.

    In dollars: `taken_usd` of it went before the run, and `earlier_usd` is what the run had cost in earlier commands,
    which counts against the run's limit and not against this one.
    """

    called: str
    taken_usd: float = 0.0
    earlier_usd: float = 0.0


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why there is no room: which limit it is (`of` says it in words), and what counts against it, in dollars.

    `called` is the limit's name where it is not the budget of so many dollars; `taken_usd` was spent before the run.
    """

    limit_usd: float
    spent_usd: float
    of: str = ""
    kind: LimitKind = LimitKind.RUN
    called: str = ""
    taken_usd: float = 0.0

    def __str__(self) -> str:
        called = self.called or f"the budget of ${self.limit_usd:g}"
        taken = f" (${self.taken_usd:.4f} of it before this run)" if self.taken_usd else ""
        return f"{called}{self.of} is used up: ${self.spent_usd:.4f} is spent{taken}"


class Budget:
    """Dollars, for all engines of one run together. Amounts are whole billionths inside, so that sums are exact.

    An attempt starts only if what is spent, the worst case of what is in flight and its own worst case fit the limit
    together. `spent_usd` starts with what an earlier process of the same run spent. With a `day` it must fit what the
    suite may spend today, too. `command` says that the limit is what a command has left.
    """

    def __init__(
        self,
        limit_usd: float | None,
        spent_usd: float = 0.0,
        day: DayShare | None = None,
        command: CommandLimit | None = None,
    ) -> None:
        self._limit = None if limit_usd is None else math.floor(_checked(limit_usd) * _NANO)
        self._spent = math.ceil(_checked(spent_usd) * _NANO)
        self._open: dict[Reservation, int] = {}  # what each still holds, in billionths
        self._in_flight = 0
        self._changed = asyncio.Event()
        self._day = day
        self._command = command
        self._kept = 0
        self._refused_by_day = False

    @property
    def is_limited(self) -> bool:
        """Whether there is any ceiling, for the run or for the day."""
        return self._limit is not None or self._day is not None

    def keep_for_later(self, share: float) -> None:
        """Keeps a share (0 to 1) of what is left of the run's limit out of reach, until it is said to be 0."""
        self._kept = 0 if self._limit is None else math.floor(max(0, self._limit - self._spent) * share)
        self._wake()

    @property
    def exceeded_usd(self) -> float:
        """By how much more is spent than the limit: by bills beyond the worst case of what was asked."""
        return 0.0 if self._limit is None else max(0, self._spent - self._limit) / _NANO

    @property
    def called(self) -> str:
        """The limit as messages call it, empty without one."""
        if self._limit is None:
            return ""
        return f"the budget of ${self._limit / _NANO:g}" if self._command is None else self._command.called

    @property
    def day(self) -> DayShare | None:
        """The run's share of its suite's day, None without one."""
        return self._day

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
        while True:
            while not self._fits_run(worst):
                if not self._open:
                    self._refused_by_day = False
                    return None
                await self._changed.wait()
            if self._day is None:
                return self._hold(worst, None)
            lease = await self._day.hold(worst)
            if lease is None:
                if self._open:
                    await self._changed.wait()
                elif not await self._day.may_come(worst) and not self._open:
                    self._refused_by_day = True
                    return None
            elif self._fits_run(worst):
                return self._hold(worst, lease)
            else:  # others were let in while the day's lease was drawn
                self._day.settle(lease, worst, 0)

    @property
    def refusal(self) -> Refusal:
        """Why the last reservation got no room."""
        day = self._day
        if day is None or day.tight is None or not self._refused_by_day:
            kept = f", ${self._kept / _NANO:.4f} of it kept for judges" if self._kept else ""
            limit, spent, command = self.limit_usd or 0.0, self.spent_usd, self._command
            if command is None:
                return Refusal(limit, spent, kept)
            taken = command.taken_usd
            spent += taken - command.earlier_usd
            return Refusal(limit, spent, kept, LimitKind.COMMAND, command.called, taken)
        held = f", ${day.tight.held / _NANO:.4f} is held by other processes" if day.tight.held else ""
        unsettled = f", ${day.tight.unsettled / _NANO:.4f} of it unsettled" if day.tight.unsettled else ""
        of = f" a day ({day.tight.day}, UTC{unsettled}{held})"
        return Refusal(day.limit_usd, (day.tight.spent + day.tight.unsettled) / _NANO, of, LimitKind.DAY)

    def fits(self, worst_usd: float) -> bool:
        """Whether there is room for so much now, beside what is in flight."""
        worst = math.ceil(_checked(worst_usd) * _NANO)
        if not self._fits_run(worst):
            self._refused_by_day = False
            return False
        self._refused_by_day = self._day is not None and not self._day.fits(worst)
        return not self._refused_by_day

    def is_roomy(self, worst_usd: float) -> bool:
        """Whether the run's own limit has room for so much ten times over: then nobody need know it more exactly.

        What is left of a day others use, too; there is no telling that it is roomy.
        """
        return self._day is None and self._fits_run(10 * math.ceil(_checked(worst_usd) * _NANO))

    def under_way(self, worst_usd: float) -> Reservation:
        """A reservation for what an earlier process has begun: it may cost so much, whether that fits or not."""
        worst = math.ceil(_checked(worst_usd) * _NANO)
        return self._hold(worst, None if self._day is None else self._day.hold_anyway(worst))

    def settle(self, reservation: Reservation, actual_usd: float | None) -> float:
        """Ends a reservation at its cost; None: unknown, so it is charged at its worst case. Only the first counts.

        Returns the dollars that it was charged.
        """
        if reservation not in self._open:
            return 0.0
        held = self._open.pop(reservation)
        charged = held if actual_usd is None else math.ceil(_checked(actual_usd) * _NANO)
        self._charge(reservation, held, charged)
        return charged / _NANO

    def leave(self, reservation: Reservation) -> None:
        """What this process will not settle any more (a batch that is left with the provider): counted as it stands.

        Nobody waits for it: a request that does not fit beside it never will.
        """
        held = self._open.pop(reservation, None)
        if held is not None:
            if self._day is not None and reservation.lease is not None:
                self._day.leave(reservation.lease, held)
            self._wake()

    def settle_share(self, reservation: Reservation, worst_usd: float, actual_usd: float | None) -> None:
        """Ends the share of one call in a reservation for many; `actual_usd` as for `settle`."""
        if reservation in self._open:
            share = min(math.ceil(_checked(worst_usd) * _NANO), self._open[reservation])
            self._open[reservation] -= share
            self._charge(reservation, share, share if actual_usd is None else math.ceil(_checked(actual_usd) * _NANO))

    def _fits_run(self, worst: int) -> bool:
        return self._limit is None or self._spent + self._in_flight + worst <= self._limit - self._kept

    def _hold(self, worst: int, lease: DayLease | None) -> Reservation:
        reservation = Reservation(worst, lease)
        self._open[reservation] = worst
        self._in_flight += worst
        return reservation

    def _charge(self, reservation: Reservation, held: int, spent: int) -> None:
        self._in_flight -= held
        self._spent += spent
        if self._day is not None and reservation.lease is not None:
            self._day.settle(reservation.lease, held, spent)
        self._wake()

    def _wake(self) -> None:
        # A new event for those who wait from now on: all who waited look again, whichever loop they are on.
        self._changed.set()
        self._changed = asyncio.Event()


def _checked(usd: float) -> float:
    if not (math.isfinite(usd) and usd >= 0):
        raise ValueError(f"{usd} is no amount of dollars")
    return usd
