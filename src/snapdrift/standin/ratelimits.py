"""Account limits by minute and day, as token buckets, and the headers that tell what is left of a minute's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from snapdrift.standin.api_errors import rate_limited, request_too_large
from snapdrift.standin.config import Limits

_UNLIMITED = {"requests": 30_000, "tokens": 150_000_000}
"""What the headers say where nothing is enforced."""


_SECONDS = {"min": 60, "day": 86_400}


@dataclass(slots=True)
class _Bucket:
    """Fills up at `limit` in `span` seconds, and holds `size` at most."""

    limit: int
    span: int
    size: float
    left: float
    at: float

    def refill(self, now: float) -> None:
        self.left = min(self.size, self.left + (now - self.at) * self.limit / self.span)
        self.at = now

    def seconds_until(self, amount: float) -> float:
        return max(0.0, (min(amount, self.size) - self.left) * self.span / self.limit)


@dataclass(frozen=True, slots=True)
class _Rule:
    """A limit: of what, in which span; `told` says that headers tell of it, `burst` that it is one in slices."""

    what: str
    span: str
    limit: int | None
    amount: int
    told: bool = False
    burst: int | None = None


class RateLimiter:
    """Buckets by model and kind. `clock` gives seconds that only go up."""

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self._limits, self._clock = limits, clock
        self._buckets: dict[tuple[str, str, str, bool], _Bucket] = {}

    def take(self, model: str, tokens: int, images: int = 0) -> dict[str, str]:
        """Counts a request, its tokens and images; returns the headers, raises the 429 `ApiError` at a limit.

        A request that is refused for its tokens has still used up one request, as with OpenAI. One that asks for more
        than a whole limit is refused however long it waits.
        """
        now = self._clock()
        headers: dict[str, str] = {}
        for rule in self._rules(tokens, images):
            if rule.limit is None:
                if rule.told:
                    most = _UNLIMITED[rule.what]
                    headers |= _headers(rule.what, most, most - rule.amount, 0.0)
                continue
            bucket = self._bucket(model, rule, rule.limit, now)
            bucket.refill(now)
            wait = bucket.seconds_until(rule.amount)
            too_large = rule.amount > rule.limit
            if too_large or wait > 0:
                if too_large:
                    error = request_too_large(model, rule.what, rule.limit, rule.amount, rule.span)
                else:
                    error = rate_limited(model, rule.what, rule.limit, wait, rule.span)
                error.headers |= headers | (_told(rule, bucket) if rule.told else {})
                if not self._limits.headers:
                    error.headers = {}
                raise error
            bucket.left -= rule.amount
            headers |= _told(rule, bucket) if rule.told else {}
        return headers if self._limits.headers else {}

    def _rules(self, tokens: int, images: int) -> tuple[_Rule, ...]:
        limits = self._limits
        sliced = limits.rpm if limits.burst is not None else None
        return (
            _Rule("requests", "min", sliced, 1, burst=limits.burst),
            _Rule("requests", "min", limits.rpm, 1, told=True),
            _Rule("requests", "day", limits.rpd, 1),
            _Rule("images", "min", limits.ipm, images),
            _Rule("tokens", "min", limits.tpm, tokens, told=True),
            _Rule("tokens", "day", limits.tpd, tokens),
        )

    def _bucket(self, model: str, rule: _Rule, limit: int, now: float) -> _Bucket:
        size = float(limit if rule.burst is None else rule.burst)
        key = (model, rule.what, rule.span, rule.burst is not None)
        return self._buckets.setdefault(key, _Bucket(limit, _SECONDS[rule.span], size, size, now))


def _told(rule: _Rule, bucket: _Bucket) -> dict[str, str]:
    return _headers(rule.what, bucket.limit, bucket.left, bucket.seconds_until(bucket.limit))


def _headers(what: str, limit: int, left: float, reset_seconds: float) -> dict[str, str]:
    return {
        f"x-ratelimit-limit-{what}": str(limit),
        f"x-ratelimit-remaining-{what}": str(max(0, int(left))),
        f"x-ratelimit-reset-{what}": go_duration(reset_seconds),
    }


def go_duration(seconds: float) -> str:
    """A time as Go writes it, to the millisecond: `6ms`, `8.64s`, `1s`, `6m0s`, `1h0m0s`."""
    milliseconds = max(0, round(seconds * 1000))
    if milliseconds < 1000:
        return f"{milliseconds}ms" if milliseconds else "0s"
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    text = f"{rest / 1000:.3f}".rstrip("0").rstrip(".") + "s"
    if hours:
        return f"{hours}h{minutes}m{text}"
    return f"{minutes}m{text}" if minutes else text
