"""What the workspace says of the rate limits of the accounts that a command asks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from snapdrift.execution.limits import KnownLimits, PoolKey, RateLimits
from snapdrift.model import Variant
from snapdrift.openai_api.hosts import is_openai_host
from snapdrift.pipeline.targets import OPENAI

if TYPE_CHECKING:
    from snapdrift.openai_api.catalog import Catalog
    from snapdrift.openai_api.facts import UsageTier
    from snapdrift.pipeline.targets import Target
    from snapdrift.suites.config import Config, ModelLimits


@dataclass(frozen=True, slots=True)
class Account:
    """The limits of `snapdrift.toml`, and of the catalogue for the account's usage tier (None: that of the file)."""

    config: Config
    catalog: Catalog
    tier: UsageTier | None = None

    @property
    def usage_tier(self) -> UsageTier | None:
        """The tier that holds."""
        return self.config.limits.tier if self.tier is None else self.tier

    @property
    def names_limits(self) -> bool:
        """Whether the file names limits of models itself."""
        return bool(self.config.limits.models) or any(host.limits for host in self.config.hosts.values())

    def limits(self, host: str, model: str) -> RateLimits:
        """What may be asked of a model at a host: the host's own word first, then that for all hosts.

        `host` is its name, or its URL where that was given instead. Usage tiers are OpenAI's: other hosts have none.
        """
        own, general = self._entries(host, model)
        found = _rates(own).or_else(_rates(general))
        tier = self.catalog.limits(model, self.usage_tier) if self.usage_tier and self._is_openai(host) else None
        return found if tier is None else found.or_else(RateLimits(rpm=tier.rpm, tpm=tier.tpm))

    def shared_with(self, host: str, model: str) -> str:
        """The model whose limits another shares; its own name where it has limits of its own.

        The file's word counts first, and a model for which it names limits has them for itself. OpenAI adds up the
        snapshots of an alias; of other hosts that is not known.
        """
        entries = [entry for entry in self._entries(host, model) if entry is not None]
        named = next((entry.shared_with for entry in entries if entry.shared_with), None)
        if named is not None or entries or not self._is_openai(host):
            return named or model
        return self.catalog.counted_as(model)

    def _entries(self, host: str, model: str) -> tuple[ModelLimits | None, ModelLimits | None]:
        """What the file says of a model at this host, and at all hosts."""
        declared = self.config.hosts.get(host)
        return None if declared is None else declared.limits.get(model), self.config.limits.models.get(model)

    def _is_openai(self, host: str) -> bool:
        return host not in self.config.hosts and (host == OPENAI or is_openai_host(host))


def known_limits(account: Account, target: Target, variants: Iterable[Variant]) -> KnownLimits:
    """What is known of the limits of these variants' models, for the hosts that really are asked.

    The limits of the account are no concern of a stand-in that the command itself started.
    """
    if target.standin is not None:
        return KnownLimits()
    limits, together = dict[PoolKey, RateLimits](), dict[PoolKey, str]()
    for host, base_url, model in _asked(target, variants):
        name = account.shared_with(host, model)
        together[base_url, model] = name
        limits[base_url, name] = account.limits(host, name)
    return KnownLimits(limits, together)


def _asked(target: Target, variants: Iterable[Variant]) -> Iterator[tuple[str, str, str]]:
    for variant in variants:
        if variant.endpoint.over_http:
            host = target.host(variant)
            yield host.name, host.base_url, variant.model


def _rates(entry: ModelLimits | None) -> RateLimits:
    return RateLimits() if entry is None else RateLimits(entry.rpm, entry.tpm, entry.rpd, entry.tpd, entry.ipm)
