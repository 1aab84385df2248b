"""What is known beforehand of the rate limits of accounts, and which models share theirs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

PoolKey = tuple[str, str]
"""Who counts what together for one account: a host's base URL, and a name for the models that it adds up."""


@dataclass(frozen=True, slots=True)
class RateLimits:
    """Requests and tokens a minute and a day, images a minute. None: not known, or there is none."""

    rpm: int | None = None
    tpm: int | None = None
    rpd: int | None = None
    tpd: int | None = None
    ipm: int | None = None

    def or_else(self, other: RateLimits) -> RateLimits:
        """These limits, and those of `other` where there is none here."""
        pairs = [(getattr(self, one.name), getattr(other, one.name)) for one in fields(self)]
        return RateLimits(*(pair[1] if pair[0] is None else pair[0] for pair in pairs))


@dataclass(frozen=True, slots=True)
class KnownLimits:
    """Limits of one account by host (base URL) and model as it is asked; where there are several, each has them.

    `together` names the model whose limits another shares.
    """

    limits: Mapping[PoolKey, RateLimits] = field(default_factory=dict)
    together: Mapping[PoolKey, str] = field(default_factory=dict)

    def pool(self, base_url: str, model: str) -> PoolKey:
        """What a request to this model counts towards. By default each model by its name has limits of its own."""
        return base_url, self.together.get((base_url, model), model)

    def of(self, pool: PoolKey) -> RateLimits:
        """The limits of a pool as far as they are known."""
        return self.limits.get(pool, RateLimits())

    def and_also(self, other: KnownLimits) -> KnownLimits:
        """What both know; of what both speak about, the other's word counts."""
        return KnownLimits({**self.limits, **other.limits}, {**self.together, **other.together})
