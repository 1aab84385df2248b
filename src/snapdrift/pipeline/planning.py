"""`plan` and `check`: what a run would ask, cost and be able to show. Nothing is sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snapdrift.errors import UsageError
from snapdrift.model import CallKey, Request, Sufficiency, Usage, Variant
from snapdrift.pipeline.asking import worst_cost
from snapdrift.pipeline.options import RunOptions
from snapdrift.pipeline.prepare import Prepared, prepare_all, require_sufficient

if TYPE_CHECKING:
    from snapdrift.openai_api.catalog import Catalog

NOWHERE = "http://nowhere.invalid/v1"
"""Where requests would go that are only looked at."""


@dataclass(frozen=True, slots=True)
class VariantPlan:
    """What a variant would be asked. Tokens and dollars are of input only but for `worst_usd`; None: price not known.

    `exact` says whether input tokens were counted or estimated.
    """

    variant: Variant
    calls: int
    input_tokens: int
    exact: bool
    input_usd: float | None
    worst_usd: float | None


@dataclass(frozen=True, slots=True)
class SuitePlan:
    """What a suite would ask under a gate, what that costs, and what the gate could see."""

    suite: str
    path: str
    gate: str
    cases: int
    repeats: int
    judges: tuple[str, ...]
    budget_usd: float | None
    variants: tuple[VariantPlan, ...]
    sufficiency: tuple[Sufficiency, ...]
    warnings: tuple[str, ...]

    @property
    def worst_usd(self) -> float | None:
        """The most that the answers can cost in dollars (judges apart), None where a price is not known."""
        known = [plan.worst_usd for plan in self.variants if plan.worst_usd is not None]
        return sum(known) if len(known) == len(self.variants) else None


@dataclass(frozen=True, slots=True)
class Explained:
    """The exact request of a case to a variant; `added` are the places in `body` that Snapdrift put there."""

    variant: str
    endpoint: str
    body: Mapping[str, Any]
    added: tuple[str, ...]


def check_suites(paths: Sequence[Path], options: RunOptions) -> tuple[Prepared, ...]:
    """Validates suites as `run` would before it sends anything. Raises `SnapdriftError` with every mistake."""
    prepared = prepare_all(paths, options)
    for one in prepared:
        require_sufficient(one)
    return prepared


def plan_suites(paths: Sequence[Path], options: RunOptions) -> tuple[SuitePlan, ...]:
    """What running the suites would take and could show; a gate that could never tell is told, not raised."""
    return tuple(_plan(one) for one in prepare_all(paths, options))


def explain_case(paths: Sequence[Path], case_id: str, options: RunOptions) -> tuple[Explained, ...]:
    """The requests that a case would make. Raises `UsageError` when no suite has the case."""
    from snapdrift.openai_api.requests import added_keys

    found = []
    for one in prepare_all(paths, options):
        for request, variant in _requests(one, only=case_id):
            added = tuple(sorted(added_keys(variant)))
            found.append(Explained(variant.name, variant.endpoint.value, request.body, added))
    if not found:
        raise UsageError(f"--explain: found no case {case_id!r} in the suites; expected one of their ids")
    return tuple(found)


def _plan(one: Prepared) -> SuitePlan:
    from snapdrift.graders.judge import JudgeGrader

    plans = [_variant_plan(one, variant) for variant in one.variants]
    return SuitePlan(
        suite=one.suite.name,
        path=one.suite.path,
        gate=one.gate.name,
        cases=len(one.cases),
        repeats=one.repeats,
        judges=tuple(grader.name for grader in one.suite.graders if isinstance(grader, JudgeGrader)),
        budget_usd=one.suite.budget_for(one.gate.name),
        variants=tuple(plans),
        sufficiency=one.sufficiency,
        warnings=one.suite.warnings,
    )


def _variant_plan(one: Prepared, variant: Variant) -> VariantPlan:
    from snapdrift.openai_api.tokens import estimate_input_tokens

    worst = worst_cost(one.catalog)
    tokens, exact, dollars = 0, True, 0.0
    known = True
    for request, _ in _requests(one, variants=(variant,)):
        count = estimate_input_tokens(request.body)
        tokens, exact = tokens + count.tokens, exact and count.exact
        most = worst(request)
        known, dollars = known and most is not None, dollars + (most or 0.0)
    input_usd = _input_usd(one.catalog, variant.model, tokens * one.repeats)
    return VariantPlan(
        variant=variant,
        calls=len(one.cases) * one.repeats,
        input_tokens=tokens * one.repeats,
        exact=exact,
        input_usd=input_usd,
        worst_usd=dollars * one.repeats if known else None,
    )


def _input_usd(catalog: Catalog, model: str, tokens: int) -> float | None:
    return catalog.usd(model, Usage(input_tokens=tokens))


def _requests(
    one: Prepared, *, variants: Sequence[Variant] = (), only: str | None = None
) -> Iterator[tuple[Request, Variant]]:
    """The first repeat of each call, as it would be sent."""
    from snapdrift.openai_api.requests import build_request
    from snapdrift.suites.prompts import render

    for case in one.suite.cases if only is not None else one.cases:
        if only is not None and case.id != only:
            continue
        for variant in variants or one.variants:
            conversation = render(variant.prompt, case)
            yield (
                build_request(CallKey(case.id, variant.name, 0), variant, conversation, one.suite.name, NOWHERE),
                variant,
            )
