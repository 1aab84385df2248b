"""Finding out how many requests a second a provider takes that does not say so, from what it refuses.

The rate doubles quickly until something is refused. From then on a refusal means that the provider's bucket is empty,
so what it took between two refusals, by the time between them, is its rate; in between the rate grows a little with
each request, until the next refusal. Pure bookkeeping; times are readings of a clock. See `docs/design/pace.md`.
"""

from __future__ import annotations

import math

BURST_S = 0.05
"""Seconds' worth of requests that may start at once: some providers enforce a minute's limit in short slices."""
_BLIND_RATE = 10.0
_BLIND_BURST_S = 0.7
"""Requests a second until anything came back, after eight at once: nothing is known, not even how soon it would be."""
FIRST_RATE = 50.0
_FIRST_BURST_S = 0.06
"""Requests a second from then on, if still no limit is known; four may start at once."""
_RAMP = 3.5
"""Requests a second that each request adds before anything was refused: the rate doubles in about 0.2 s."""
_GROWTH = 0.0005
"""Share by which a request raises the rate after a refusal; after 50 more it is twice that, after 150 ten times."""
_GROWS_UNTIL = 150
_GROWTH_S = 0.005
_RECOVERY_S = 0.05
_LONG_ROW = 5
"""It raises it by no less than this share a second: 0.5%, or 5% after a long row of refusals, which was no limit."""
_LOWEST = 1.0 / 30.0
"""Requests a second that are asked whatever is refused: less would not notice that the trouble is over."""
_IDLE_S = 1.0
_RETURN = 0.05
_KEPT = 0.7
"""A rate far below one that was measured returns to this share of it in steps of `_RETURN` of it."""
_ENOUGH = 10
"""Requests taken between two refusals that tell a rate."""
_TRUST = 0.8
_SOON = 3


class Throttle:
    """The rate at which requests start. `known` says that the limit is: nothing is to be found out until a refusal.

    `catch_up_s` is how far behind its time it may be and still make up for it, as of a `Meter`.
    """

    def __init__(self, now: float, *, known: bool) -> None:
        self.rate = math.inf if known else _BLIND_RATE
        self.refused_at = -math.inf
        self.in_a_row = 0
        self._ramping = not known
        self._answered = False
        self._taken = 0
        self._since = self._started_at = now
        self._measured = 0.0
        self._due = now
        self.catch_up_s = 0.0
        self._held_rate = math.inf
        self.held_until = now

    def wait(self, now: float) -> float:
        """Seconds until the next request may start."""
        rate = self.rate_at(now)
        if rate == math.inf:
            return 0.0
        return self._due - self._burst_s(rate) - now

    def rate_at(self, now: float) -> float:
        """Requests a second that may start, what holds it down included; infinite where nothing does."""
        return self.rate if now >= self.held_until else min(self.rate, self._held_rate)

    def hold(self, rate: float, until: float) -> None:
        """No more than `rate` requests a second start until then."""
        self._held_rate, self.held_until = rate, until

    def start(self, now: float) -> None:
        """A request starts. Only one that follows closely on others says that a higher rate would be used."""
        rate = self.rate_at(now)
        if now - self._started_at > max(_IDLE_S, 5.0 / rate):
            self._taken, self._since = 0, now  # what is not asked for tells nothing of what could be had
        self._started_at = now
        self._taken += 1
        if rate == math.inf:
            return
        pressed = self._due >= now - 1.0 / rate
        self._due = max(self._due, now if self._ramping else now - self.catch_up_s) + 1.0 / rate
        if not pressed or rate < self.rate or (self._ramping and not self._answered):
            return
        if self._ramping:
            self.rate += _RAMP
        elif self.rate < _KEPT * self._measured:
            self.rate += _RETURN * self._measured
        else:
            share = _GROWTH * (1.0 + (min(self._taken, _GROWS_UNTIL) / 50.0) ** 2)
            least = (_RECOVERY_S if self.in_a_row > _LONG_ROW else _GROWTH_S) / rate
            self.rate *= 1.0 + min(1.0, max(share, least))

    def take_back(self) -> None:
        """A request was not sent after all, or was refused: it does not count among those that were taken."""
        self._taken -= 1

    def answered(self, now: float) -> None:
        """Something came back: had there been headers that tell the limit, they would be known now."""
        if self._ramping and not self._answered:
            self.rate, self._due = FIRST_RATE, now
        self._answered = True

    def refused(self, at: float, now: float, ceiling: float | None, *, told_when: bool = False) -> bool:
        """A request that started `at` a moment was refused; says whether that is news.

        Of all that were under way when the bucket ran empty the first says it. `ceiling` is the known limit;
        `told_when` says that the host named a pause, which then does what a very low rate would.
        """
        self.take_back()
        if at < self.refused_at:
            return False
        if self.rate == math.inf and ceiling is not None:
            self.rate = ceiling
        before = self.rate
        self._lower(now)
        if told_when:
            self.rate = max(self.rate, min(before, _BLIND_RATE))
        self.refused_at = now
        return True

    def pause(self, until: float) -> None:
        """Nothing starts until then, and nothing of that is made up for."""
        self._due = max(self._due, until)

    def cap(self, rate: float) -> None:
        """The limit became known, or is lower than thought: what was found out by trying is not needed any more."""
        self._ramping = False
        if self.rate > rate or self.refused_at == -math.inf:
            self.rate = math.inf

    def _burst_s(self, rate: float) -> float:
        if self._ramping:
            return _FIRST_BURST_S if self._answered else _BLIND_BURST_S
        return max(0.0, BURST_S - 1.0 / rate)

    def _lower(self, now: float) -> None:
        """From refusal to refusal the bucket went from empty to empty: what it let through in between is its rate."""
        soon = self._taken < _SOON
        self.in_a_row = self.in_a_row + 1 if soon and not self._ramping else 1
        if self._ramping and not self._answered:
            # It was too many at once, which says nothing of the rate.
            self._answered = True
            self.rate = 0.5 * FIRST_RATE
        elif self._ramping:
            self._ramping = False
            self.rate *= 0.5
        elif self._taken >= _ENOUGH:
            self._measured = self._taken / max(now - self._since, 1e-3)
            self.rate = min(self.rate, _TRUST * self._measured + (1.0 - _TRUST) * self.rate)
        else:
            self.rate *= 0.7 if soon else 0.85
            self._measured *= 0.85
        self.rate = max(_LOWEST, self.rate)
        self._taken, self._since = 0, now
