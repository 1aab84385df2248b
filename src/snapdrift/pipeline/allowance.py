"""What a command may spend: dollars and time, over all its suites, and the refusal to start without a ceiling."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from snapdrift.errors import CatalogError, UsageError
from snapdrift.model import Variant
from snapdrift.pipeline.options import Limits
from snapdrift.pipeline.targets import Target

if TYPE_CHECKING:
    from snapdrift.openai_api.catalog import Catalog
    from snapdrift.suites.resolved import Suite


OUTPUT_CAPS = ("max_output_tokens", "max_completion_tokens", "max_tokens")
"""What bounds the length of an answer, by endpoint and age of the host."""


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

    def budget(self, suite_usd: float | None, spent_usd: float = 0.0) -> float | None:
        """The ceiling for the next suite in dollars, counting `spent_usd`, which its run cost in earlier commands.

        The smaller of the suite's own budget, which is for the run as a whole, and what is left of the command's.
        """
        left = None if self.max_usd is None else spent_usd + self.max_usd
        limits = [usd for usd in (suite_usd, left) if usd is not None]
        return min(limits) if limits else None

    def spend(self, usd: float) -> None:
        """Takes what a suite was charged."""
        if self.max_usd is not None:
            self.max_usd = max(0.0, self.max_usd - usd)


@dataclass(frozen=True, slots=True)
class Spender:
    """A suite under a gate: the variants that it asks, and the judges of their answers."""

    suite: Suite
    gate: str
    variants: tuple[Variant, ...]
    judges: tuple[Variant, ...] = ()

    @property
    def asked(self) -> tuple[Variant, ...]:
        """Everything that is asked."""
        return (*self.variants, *self.judges)


def require_budget(spenders: Sequence[Spender], catalog: Catalog, target: Target, allowance: Allowance) -> None:
    """Raises `UsageError` when a real model is asked and nothing says how much that may cost.

    Raises `CatalogError` when there is a ceiling and what a model costs at most is not known. The stand-in that the
    command starts itself costs nothing; there only `--max-usd` counts.
    """
    for spender in spenders:
        limit = ceiling(spender.suite, spender.gate, target, allowance)
        require_prices(spender, catalog, limit)
        if limit is None and any(map(target.is_live, spender.asked)):
            raise UsageError(
                f"{spender.suite.path}: this run asks a real model and has no budget; "
                "set `budget: {usd: 5}` in the suite or pass --max-usd 5"
            )


def require_honest_judges(spender: Spender, target: Target, *, measured: bool | None = None) -> None:
    """Raises `UsageError` when a stand-in would judge answers of a real model: its verdicts would stand unlabelled.

    `measured` says whether there are such answers; None: if any variant is one that measures.
    """
    if measured is None:
        measured = any(map(target.is_live, spender.variants))
    made_up = [judge for judge in spender.judges if not target.is_live(judge)]
    if measured and made_up:
        raise UsageError(
            f"{spender.suite.path}: found a stand-in as {made_up[0].name} of a real model's answers; "
            "name a host whose judge is a model"
        )


def ceiling(suite: Suite, gate: str, target: Target, allowance: Allowance, spent_usd: float = 0.0) -> float | None:
    """What the suite's run may cost in dollars, the `spent_usd` of earlier commands included; None without a limit."""
    return allowance.budget(None if target.standin is not None else suite.budget_for(gate), spent_usd)


def require_prices(spender: Spender, catalog: Catalog, limit: float | None) -> None:
    """Raises `CatalogError` when there is a ceiling and what a model costs at most is not known."""
    for variant in spender.asked if limit is not None else ():
        cap = next((int(variant.request[name]) for name in OUTPUT_CAPS if name in variant.request), None)
        if catalog.worst_usd(variant.model, 1, cap) is None:
            raise CatalogError(
                f"{spender.suite.path}: what {variant.model} costs at most is not known, so the budget of ${limit:g} "
                f'cannot be kept; set its price under [models."{variant.model}".price] in snapdrift.toml, and '
                "max_output_tokens in the suite"
            )
