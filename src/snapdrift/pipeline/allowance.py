"""What a command may spend: dollars and time, over all its suites, and the refusal to start without a ceiling."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from snapdrift.errors import CatalogError, UsageError
from snapdrift.model import Variant
from snapdrift.pipeline.options import Limits
from snapdrift.pipeline.targets import Target

if TYPE_CHECKING:
    from snapdrift.openai_api.catalog import Catalog
    from snapdrift.suites.resolved import Suite


@dataclass(slots=True)
class Allowance:
    """What is left of `--max-usd` (dollars) and `--deadline` (a reading of the monotonic clock), None: no limit."""

    max_usd: float | None
    ends_at: float | None

    @classmethod
    def of(cls, limits: Limits) -> Allowance:
        """The allowance of a command that starts now."""
        seconds = limits.deadline_s
        return cls(limits.max_usd, None if seconds is None else time.monotonic() + seconds)

    def budget(self, suite_usd: float | None) -> float | None:
        """The ceiling for the next suite in dollars: the smaller of its own and what is left of the command's."""
        limits = [usd for usd in (suite_usd, self.max_usd) if usd is not None]
        return min(limits) if limits else None

    def spend(self, usd: float) -> None:
        """Takes what a suite was charged."""
        if self.max_usd is not None:
            self.max_usd = max(0.0, self.max_usd - usd)


@dataclass(frozen=True, slots=True)
class Spender:
    """A suite under a gate, and the models that it asks, judges included."""

    suite: Suite
    gate: str
    variants: tuple[Variant, ...]


def require_budget(spenders: Sequence[Spender], catalog: Catalog, target: Target, allowance: Allowance) -> bool:
    """Whether a real model is asked. Raises `UsageError` when one is and nothing says how much that may cost.

    Raises `CatalogError` when there is a ceiling and the price of a model that it is for is not known. The stand-in
    that the command starts itself costs nothing; there only `--max-usd` counts.
    """
    if target.is_own_standin:
        live = False
    else:
        live = asyncio.run(target.measures_a_model(v for spender in spenders for v in spender.variants))
    for spender in spenders:
        limit = ceiling(spender.suite, spender.gate, target, allowance)
        if limit is not None:
            _require_prices(spender, catalog, limit)
        elif live:
            raise UsageError(
                f"{spender.suite.path}: this run asks a real model and has no budget; "
                "set `budget: {usd: 5}` in the suite or pass --max-usd 5"
            )
    return live


def ceiling(suite: Suite, gate: str, target: Target, allowance: Allowance) -> float | None:
    """What asking the suite may cost in dollars, None without a limit."""
    return allowance.budget(None if target.is_own_standin else suite.budget_for(gate))


def _require_prices(spender: Spender, catalog: Catalog, limit: float) -> None:
    for model in _models(spender.variants):
        info = catalog.get(model)
        if info is None or info.price is None:
            raise CatalogError(
                f"{spender.suite.path}: the price of {model} is not known, so the budget of ${limit:g} cannot be kept; "
                f'set it under [models."{model}".price] in snapdrift.toml'
            )


def _models(variants: Iterable[Variant]) -> list[str]:
    return list(dict.fromkeys(variant.model for variant in variants))
