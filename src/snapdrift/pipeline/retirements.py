"""What will be shut down, or was, of the models that suites ask: a sentence a day, not one for each use of a model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from snapdrift.pipeline.suite_graders import judges_of

if TYPE_CHECKING:
    from snapdrift.model import Variant
    from snapdrift.openai_api.catalog import Catalog
    from snapdrift.suites.resolved import Suite

Use = tuple["Suite", "Iterable[Variant]"]
"""A suite, whose judges are asked, and the variants that are."""


def retirements(uses: Iterable[Use], catalog: Catalog) -> tuple[str, ...]:
    """The shutdowns of all models that are compared and of those that judge, as the catalogue's sentences."""
    compared: list[str] = []
    judged: dict[str, dict[str, None]] = {}
    for suite, variants in uses:
        compared += [variant.model for variant in variants if variant.endpoint.over_http]
        for grader in judges_of(suite):
            for judge in grader.judges:
                judged.setdefault(judge.model, {})[grader.name] = None
    remarks: dict[str, list[str]] = {model: [] for model in compared}
    for model, graders in judged.items():
        also = "also " if model in remarks else ""
        remarks.setdefault(model, []).append(f"{also}judges {', '.join(graders)}")
    return catalog.shutdown_warnings(remarks)
