"""Faults on purpose: what fails is drawn from the seed and the number of the attempt, so that a run can be repeated."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from snapdrift.errors import ConfigError
from snapdrift.standin.draws import draw


class Fault(StrEnum):
    """A way to fail. The values are the names in a specification.

    Those that need a stream (`error_event`, `error_event_nested`, `no_end`), and `failed` on Chat, are a 500 where
    there is none.
    """

    RATE_LIMIT = "429"
    QUOTA = "quota"
    SERVER_ERROR = "500"
    HTML_BAD_GATEWAY = "html502"
    OVERLOADED = "503"
    RESET = "reset"
    STALL = "stall"
    MALFORMED = "malformed"
    WRONG_TYPE = "wrong_type"
    CUT = "truncate_stream"
    ERROR_EVENT = "error_event"
    FAILED = "failed"
    FORBIDDEN = "403"
    REQUEST_TIMEOUT = "408"
    CONFLICT = "409"
    TOO_LARGE = "413"
    UNPROCESSABLE = "422"
    SLOW_DOWN = "slow_down"
    SLOW_BODY = "slow"
    NESTED_ERROR_EVENT = "error_event_nested"
    NO_END = "no_end"


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """Which attempts fail, and how.

    `rates` are shares of all attempts; `first` is what the first attempts of every call get, in order. `retry_after`
    (seconds) goes with every 429 and 503, and is left out when None. A stalled one is dropped after `stall_seconds`, a
    slow body takes `slow_seconds`.
    """

    rates: tuple[tuple[Fault, float], ...] = ()
    first: tuple[Fault, ...] = ()
    retry_after: float | None = None
    stall_seconds: float = 600.0
    slow_seconds: float = 5.0

    @classmethod
    def parse(cls, text: str) -> FaultPlan:
        """Reads `429=0.02,500=0.01,first=429+reset,retry_after=2,stall_seconds=5`; raises `ConfigError`.

        `first=429*3` is short for `first=429+429+429`. Names are those of `Fault`; rates add up to at most 1.
        """
        rates: dict[Fault, float] = {}
        first: tuple[Fault, ...] = ()
        seconds: dict[str, float] = {}
        for entry in filter(None, (part.strip() for part in text.split(","))):
            name, _, value = (piece.strip() for piece in entry.partition("="))
            if name == "first":
                first = _script(value)
            elif name in ("retry_after", "stall_seconds", "slow_seconds"):
                seconds[name] = _number(entry, value)
            else:
                rates[_fault(name)] = _number(entry, value, highest=1.0)
        if sum(rates.values()) > 1.0 + 1e-9:
            raise ConfigError(f"standin.faults: the rates in {text!r} add up to more than 1")
        stall = seconds.get("stall_seconds", 600.0)
        slow = seconds.get("slow_seconds", 5.0)
        return cls(tuple(rates.items()), first, seconds.get("retry_after"), stall, slow)

    def strike(self, seed: int, call: str, attempt: int) -> Fault | None:
        """What the attempt (numbered from 0) of a call gets instead of its answer."""
        if attempt < len(self.first):
            return self.first[attempt]
        if not self.rates:
            return None
        chance = draw("fault", seed, call, attempt)
        for fault, rate in self.rates:
            if chance < rate:
                return fault
            chance -= rate
        return None


def _fault(name: str) -> Fault:
    try:
        return Fault(name)
    except ValueError:
        known = ", ".join(fault.value for fault in Fault)
        expected = f"{known}, first, retry_after, stall_seconds or slow_seconds"
        raise ConfigError(f"standin.faults: found {name!r}; expected one of {expected}") from None


def _script(value: str) -> tuple[Fault, ...]:
    script: list[Fault] = []
    for piece in value.split("+"):
        name, _, times = piece.strip().partition("*")
        if times and not times.isdigit():
            raise ConfigError(f"standin.faults: found {piece!r}; expected a fault and how often, as in 429*3")
        script += [_fault(name)] * int(times or 1)
    return tuple(script)


def _number(entry: str, value: str, highest: float = 86_400.0) -> float:
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0.0 <= number <= highest:
        raise ConfigError(f"standin.faults: found {entry!r}; expected a number from 0 to {highest:g}")
    return number
