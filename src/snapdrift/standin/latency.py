"""How long an answer takes: a fixed time, or drawn from a lognormal distribution."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

from snapdrift.errors import ConfigError
from snapdrift.standin.draws import draw

_P95 = NormalDist().inv_cdf(0.95)
_EXPECTED = 'milliseconds ("120") or "lognormal:MEDIAN,P95" in milliseconds'


@dataclass(frozen=True, slots=True)
class Latency:
    """Median and spread of the time to answer, in milliseconds; `sigma` 0 is a fixed time."""

    median_ms: float = 0.0
    sigma: float = 0.0

    @classmethod
    def parse(cls, text: str) -> Latency:
        """Reads `""` (none), `"120"` or `"lognormal:400,1500"` (median, 95th percentile); raises `ConfigError`."""
        kind, _, rest = text.partition(":")
        numbers = rest if kind == "lognormal" else text or "0"
        try:
            values = [float(number) for number in numbers.split(",")]
        except ValueError:
            values = []
        if len(values) != (2 if kind == "lognormal" else 1) or not all(0 <= v < math.inf for v in values):
            raise ConfigError(f"standin.latency: found {text!r}; expected {_EXPECTED}")
        if kind != "lognormal":
            return cls(values[0])
        median, p95 = values
        if not 0 < median <= p95:
            raise ConfigError(f"standin.latency: found {text!r}; expected a median above 0 and not above the P95")
        return cls(median, math.log(p95 / median) / _P95)

    def seconds(self, *parts: object) -> float:
        """The time that what is identified by the parts takes."""
        if not self.sigma:
            return self.median_ms / 1000
        z = NormalDist().inv_cdf(max(draw("latency", *parts), 1e-9))
        return self.median_ms / 1000 * math.exp(self.sigma * z)
