"""One limit of an account: so much within a minute or a day. Pure bookkeeping; times are readings of a clock.

What was taken is kept apart in two ways, and both have to leave room. A sliding window, in slices of 1/240 of the
span, counts exactly, so that in no window more is taken than the limit. A leaky bucket (the generic cell rate
algorithm, ITU-T I.371) spreads requests evenly, for a provider may enforce a minute's limit in slices of a second.
What headers say of the rest comes on top: others may share the account.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

MINUTE = 60.0
DAY = 86_400.0
MARGIN = 0.99
"""Of a limit that is used: a bucket at the provider that was drained by jitter has to fill up again."""
_SLICES = 240
_DAY_RESET = 90.0
"""A limit that needs longer than this to be whole again is one of the day, whatever its name says."""


@dataclass(slots=True)
class Taken:
    """What was taken in one slice of the window, and when that is over."""

    ends: float
    amount: float


_NOTHING = Taken(float("-inf"), 0.0)


class Meter:
    """One limit. `burst_s` is how many seconds' worth may be taken at once; None: it is not spread at all.

    `catch_up_s` is how far behind its time, in seconds, it may be (the machine was busy) and still make up for it.
    """

    def __init__(self, what: str, span: float, limit: int | None, burst_s: float | None) -> None:
        self.what = what
        self.span = span
        self.burst_s = burst_s
        self.catch_up_s = 0.0
        self.taken = 0.0
        self._own = limit
        self._told: int | None = None
        self.limit = limit
        self._due = 0.0
        self._total = 0.0
        self._slices: deque[Taken] = deque()
        self._left: float | None = None
        self._left_at = 0.0
        self._read_at = float("-inf")

    @property
    def rate(self) -> float | None:
        """What may be taken in a second, None without a limit."""
        return None if self.limit is None else MARGIN * self.limit / self.span

    @property
    def name(self) -> str:
        """The limit in words: `3,000 requests a minute`."""
        return f"{self.limit or 0:,} {self.what} a {'day' if self.span == DAY else 'minute'}"

    def wait(self, amount: float, now: float) -> float:
        """Seconds until there is room for an amount; one beyond the limit needs all of it."""
        if self.limit is None or not amount:
            return 0.0
        most = min(amount, self.limit)
        return max(self._spread(now), self._window(most, self.limit, now), self._rest(most, now))

    def take(self, amount: float, now: float) -> Taken:
        """Takes an amount; what is returned is for `correct`."""
        if not amount or (self.limit is None and self.span == DAY):
            return _NOTHING
        rate = self.rate
        if rate is not None:
            self._due = max(self._due, now - self.catch_up_s) + amount / rate
        if self._left is not None and self._told is not None:
            self._left, self._left_at = self._refilled(self._left, self._told, now) - amount, now
        self._expire(now)
        if not self._slices or self._slices[-1].ends <= now + self.span:
            self._slices.append(Taken(now + self.span * (1 + 1 / _SLICES), 0.0))
        self._slices[-1].amount += amount
        self._total += amount
        self.taken += amount
        return self._slices[-1]

    def pause(self, until: float) -> None:
        """Nothing is taken until then, and nothing of that is made up for."""
        self._due = max(self._due, until)

    def correct(self, taken: Taken, by: float, now: float) -> None:
        """Adds to what was taken once it is known better (negative: gives back)."""
        if taken is _NOTHING:
            return
        if taken.ends > now:
            taken.amount += by
            self._total += by
        if self.rate is not None:
            self._due += by / self.rate
        if self._left is not None:
            self._left -= by
        self.taken += by

    def tell(self, limit: int, remaining: int | None, taken_then: float, at: float, now: float) -> None:
        """What headers say: the limit, and what of it was left for the request that started `at` a moment.

        `taken_then` is the reading of `taken` when it did; what was taken since and what has come back is reckoned in.
        """
        self._told = limit
        self.limit = limit if self._own is None else min(self._own, limit)
        if remaining is not None and at >= self._read_at:
            self._read_at = at
            refilled = (now - at) * limit / self.span
            self._left, self._left_at = min(limit, remaining - (self.taken - taken_then) + refilled), now

    @property
    def told(self) -> int | None:
        """The limit that headers told."""
        return self._told

    def forget(self) -> None:
        """What headers told was not about this limit."""
        self._told, self._left = None, None
        self.limit = self._own

    def lately(self, seconds: float, now: float) -> float:
        """What was taken in the last seconds, by slices."""
        since = now - seconds + self.span
        return sum(slice_.amount for slice_ in self._slices if slice_.ends > since)

    def _spread(self, now: float) -> float:
        rate = self.rate
        if self.burst_s is None or rate is None:
            return 0.0
        return self._due - max(0.0, self.burst_s - 1.0 / rate) - now

    def _window(self, amount: float, limit: float, now: float) -> float:
        self._expire(now)
        excess = self._total + amount - limit
        if excess <= 1e-9:
            return 0.0
        for slice_ in self._slices:
            excess -= slice_.amount
            if excess <= 1e-9:
                return slice_.ends - now
        return 0.0

    def _rest(self, amount: float, now: float) -> float:
        if self._left is None or self._told is None:
            return 0.0
        return (min(amount, self._told) - self._refilled(self._left, self._told, now)) * self.span / self._told

    def _refilled(self, left: float, limit: float, now: float) -> float:
        return min(limit, left + (now - self._left_at) * limit / self.span)

    def _expire(self, now: float) -> None:
        while self._slices and self._slices[0].ends <= now:
            self._total -= self._slices.popleft().amount


def is_of_a_day(reset_s: float | None) -> bool:
    """Whether headers of requests speak of a day's limit: one of a minute is whole again within a minute.

    Of tokens they always speak of a minute's: `6m0s` is what OpenAI's documentation shows for those.
    """
    return reset_s is not None and reset_s > _DAY_RESET
