"""What a command may spend: dollars and time, over all its suites, and the refusal to start without a ceiling."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from snapdrift.errors import CatalogError, UsageError
from snapdrift.model import Endpoint, Request, Variant
from snapdrift.pipeline.options import Limits

if TYPE_CHECKING:
    from snapdrift.execution.budget import CommandLimit
    from snapdrift.openai_api.catalog import Catalog
    from snapdrift.pipeline.planning import SuitePlan
    from snapdrift.pipeline.prepare import Prepared
    from snapdrift.pipeline.targets import Target
    from snapdrift.suites.resolved import Suite


OUTPUT_CAPS = ("max_output_tokens", "max_completion_tokens", "max_tokens")
"""What bounds the length of an answer, by endpoint and age of the host."""


def output_cap(settings: Mapping[str, Any]) -> int | None:
    """The most output tokens that request settings, or a body, allow; None where they do not say."""
    return next((int(settings[name]) for name in OUTPUT_CAPS if settings.get(name) is not None), None)


def never(_: float) -> bool:
    """For `worst_cost`: no amount is small enough not to be counted exactly."""
    return False


def always(_: float) -> bool:
    """For `worst_cost`: no amount needs to be counted exactly."""
    return True


def worst_cost(
    catalog: Catalog, *, batched: bool = False, is_roomy: Callable[[float], bool] = always
) -> Callable[[Request], float | None]:
    """A function that bounds what a request can cost in dollars; None where a price or a bound is not known.

    Input is bounded by its bytes, images by their tiles, and everything by the model's context window: a prompt that
    is longer is refused and costs nothing. That also bounds files, whose pages cannot be counted. Where that bound is
    not `is_roomy`, texts are counted, if they can be.
    """
    from snapdrift.openai_api.tokens import COUNTED_FAMILIES, upper_bound_tokens

    def worst(request: Request) -> float | None:
        if not request.endpoint.over_http:
            return 0.0  # what an application spends is not ours to bound; what it says that it spent counts
        model, body = str(request.body.get("model", "")), request.body
        info = catalog.get(model)
        bound = upper_bound_tokens(body, info.image if info else None, info.context_window if info else None)
        tier, cap = body.get("service_tier"), output_cap(body)
        usd = catalog.worst_usd(model, bound, cap, service_tier=tier, batched=batched)
        if usd is None or info is None or not info.base.startswith(COUNTED_FAMILIES) or is_roomy(usd):
            return usd
        counted = upper_bound_tokens(body, info.image, info.context_window, counted=True)
        return catalog.worst_usd(model, counted, cap, service_tier=tier, batched=batched)

    return worst


@dataclass(frozen=True, slots=True)
class Ceiling:
    """What a run may cost in dollars, None: no limit; `command` says that it is what its command has left."""

    usd: float | None = None
    command: CommandLimit | None = None


@dataclass(slots=True)
class Allowance:
    """`--max-usd` (dollars), what is taken of it, and `--deadline` (of the monotonic clock), None: no limit.

    `called` is the limit in dollars as messages call it.
    """

    max_usd: float | None
    ends_at: float | None
    taken_usd: float = 0.0
    called: str = ""

    @classmethod
    def of(cls, limits: Limits) -> Allowance:
        """The allowance of a command that starts now."""
        seconds, usd = limits.deadline_s, limits.max_usd
        called = limits.max_usd_called or ("" if usd is None else f"--max-usd {usd:g}")
        return cls(usd, None if seconds is None else time.monotonic() + seconds, limits.taken_usd, called)

    @property
    def left_usd(self) -> float | None:
        """What there is still to be spent, None without a limit."""
        return None if self.max_usd is None else max(0.0, self.max_usd - self.taken_usd)

    def ceiling(self, suite_usd: float | None, spent_usd: float = 0.0) -> Ceiling:
        """That of the next suite, counting `spent_usd`, which its run cost in earlier commands.

        The smaller of the suite's own budget, which is for the run as a whole, and what is left of the command's.
        """
        from snapdrift.execution.budget import CommandLimit  # `check` reads this module, and asks nothing

        left = None if self.left_usd is None else spent_usd + self.left_usd
        if left is None or (suite_usd is not None and suite_usd <= left):
            return Ceiling(suite_usd)
        return Ceiling(left, CommandLimit(self.called, self.taken_usd, spent_usd))

    def spend(self, usd: float) -> None:
        """Takes what a suite was charged."""
        self.taken_usd += usd


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
        limit = ceiling(spender.suite, spender.gate, target, allowance).usd
        a_day = per_day(spender.suite, spender.gate, target)
        require_prices(spender, catalog, a_day if limit is None else limit)
        if limit is None and a_day is None and any(map(target.is_live, spender.asked)):
            raise UsageError(
                f"{spender.suite.path}: this run asks a real model and has no budget; "
                "set `budget: {usd: 5}` in the suite or pass --max-usd 5"
            )


def require_affordable(plans: Sequence[SuitePlan], target: Target, allowance: Allowance) -> None:
    """Raises `UsageError` when asking real models is expected to cost more than a suite, its day or the command may.

    A run that would end at its budget with half the answers is not started. What stand-ins answer is free.
    """
    total = 0.0
    for plan in plans:
        expected = plan.expected_usd(lambda variant: variant.endpoint.over_http and target.is_live(variant)) or 0.0
        if plan.budget_usd is not None and expected > plan.budget_usd:
            raise _too_dear(plan.path, expected, f"its budget of ${plan.budget_usd:g}", plans)
        if plan.day is not None and target.standin is None and expected > plan.day.left_usd:
            raise _too_dear(plan.path, expected, f"what is left of today's budget ({plan.day})", plans)
        total += expected
    if allowance.left_usd is not None and total > allowance.left_usd:
        taken = f", of which ${allowance.taken_usd:.4f} is taken" if allowance.taken_usd else ""
        raise _too_dear(", ".join(plan.path for plan in plans), total, f"{allowance.called}{taken}", plans)


def _too_dear(where: str, expected: float, limit: str, plans: Sequence[SuitePlan]) -> UsageError:
    estimates = [part.estimate for plan in plans for part in plan.variants if part.estimate is not None]
    guessed = any(not part.expected.run for part in estimates)
    basis = " (answers taken to be half as long as their cap)" if guessed else ""
    return UsageError(
        f"{where}: expected to cost about ${expected:,.2f}{basis}, more than {limit}; nothing was sent. "
        "Raise it, or ask less: --sample, fewer repeats, a smaller max_output_tokens, `batch: true`. "
        "`snapdrift plan` shows what costs how much"
    )


def require_honest_judges(spender: Spender, target: Target, *, measured: bool | None = None) -> None:
    """Raises `UsageError` when a stand-in would judge real answers, of a model or an application, unlabelled.

    `measured` says whether there are such answers; None: if any variant is one that measures.
    """
    if measured is None:
        # Kept answers say themselves where they are from: `Prepared` looks at that.
        asked = [variant for variant in spender.variants if variant.endpoint is not Endpoint.ARCHIVE]
        measured = any(not v.endpoint.over_http or target.is_live(v) for v in asked)
    made_up = [judge for judge in spender.judges if not target.is_live(judge)]
    if measured and made_up:
        raise UsageError(
            f"{spender.suite.path}: found a stand-in as {made_up[0].name} of real answers; "
            "name a host whose judge is a model"
        )


def ceiling(suite: Suite, gate: str, target: Target, allowance: Allowance, spent_usd: float = 0.0) -> Ceiling:
    """What the suite's run may cost, the `spent_usd` of earlier commands included."""
    return allowance.ceiling(None if target.standin is not None else suite.budget_for(gate), spent_usd)


def per_day(suite: Suite, gate: str, target: Target) -> float | None:
    """What all runs of the suite may cost on a day together, in dollars; None without a limit, and on the stand-in."""
    return None if target.standin is not None else suite.budget_per_day_for(gate)


def require_prices(spender: Spender, catalog: Catalog, limit: float | None) -> None:
    """Raises `CatalogError` when there is a ceiling and what a model costs at most is not known."""
    if limit is not None and (why := _unkept_budget(spender, catalog, limit)):
        raise CatalogError(f"{spender.suite.path}: {why}")


def host_obstacle(one: Prepared) -> str:
    """Why `run` would refuse to ask a host for a suite that is right otherwise; empty where it would not."""
    from snapdrift.pipeline.suite_graders import judge_variants

    gate = one.gate.name
    limit = one.suite.budget_for(gate)
    limit = one.suite.budget_per_day_for(gate) if limit is None else limit
    if limit is None or one.idle:
        return ""
    why = _unkept_budget(Spender(one.suite, gate, one.variants, judge_variants(one.suite)), one.catalog, limit)
    return f"cannot be run against a host, with --standin it can: {why}" if why else ""


def _unkept_budget(spender: Spender, catalog: Catalog, limit: float) -> str:
    """That a budget in dollars cannot be kept, because what a model costs at most is not known; else empty."""
    from snapdrift.openai_api.tokens import upper_bound_tokens

    for variant in spender.asked:
        tier, info = variant.request.get("service_tier"), catalog.get(variant.model)
        cap = output_cap(variant.request)
        bound = upper_bound_tokens(variant.request, None, info.context_window if info else None)
        worst = catalog.worst_usd(variant.model, bound, cap, service_tier=tier, batched=variant.batch)
        if variant.endpoint.over_http and worst is None:
            how = " by the Batch API" if variant.batch else f" in the service tier {tier}" if tier else ""
            return (
                f"what {variant.model} costs at most{how} is not known, so the budget of "
                f'${limit:g} cannot be kept; set its price under [prices."{variant.model}"] in snapdrift.toml'
                + (f', its context_window under [models."{variant.model}"]' if bound is None else "")
                + ", and max_output_tokens in the suite"
            )
    return ""
