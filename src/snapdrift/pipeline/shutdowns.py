"""When the models of suites are shut down: one sentence for each day, told last and once, for it is no result."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from snapdrift.model import Variant
from snapdrift.pipeline.suite_graders import judges_of

if TYPE_CHECKING:
    from snapdrift.openai_api.catalog import Catalog
    from snapdrift.suites.resolved import Suite


def asked_models(suite: Suite, variants: Iterable[Variant]) -> dict[str, tuple[str, ...]]:
    """The models that a suite has asked, each with the names of the graders that it judges for."""
    found: dict[str, tuple[str, ...]] = {one.model: () for one in variants if one.endpoint.over_http}
    for grader in judges_of(suite):
        for judge in grader.judges:
            found[judge.model] = tuple(dict.fromkeys((*found.get(judge.model, ()), grader.name)))
    return found


def shutdowns_last(told: Iterable[str], suite: Suite, variants: Iterable[Variant], catalog: Catalog) -> tuple[str, ...]:
    """The warnings of a suite, with those about shutdowns gathered behind the others."""
    models = asked_models(suite, variants)
    single = {text for model in models for text in catalog.shutdown_sentences({model: ()})}
    return tuple(dict.fromkeys((*(text for text in told if text not in single), *catalog.shutdown_sentences(models))))


def shutdowns_of(suites: Sequence[Suite], catalog: Catalog) -> tuple[str, ...]:
    """What is said about shutdowns of the suites of a command together."""
    models: dict[str, tuple[str, ...]] = {}
    for suite in suites:
        for model, judged in asked_models(suite, suite.variants.values()).items():
            models[model] = tuple(dict.fromkeys((*models.get(model, ()), *judged)))
    return catalog.shutdown_sentences(models)
