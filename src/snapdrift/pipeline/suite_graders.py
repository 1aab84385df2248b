"""The graders of a suite, and the judges among them; apart from grading, for `check` asks for no more."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from snapdrift.model import Variant

if TYPE_CHECKING:
    from snapdrift.graders.base import Grader
    from snapdrift.suites.resolved import Suite


def judge_variants(suite: Suite, *, batched: bool = False) -> tuple[Variant, ...]:
    """The judges of a suite as something to call, one by one or by batch (which has a price of its own)."""
    judges = (variant for grader in judges_of(suite) for variant in grader.judges)
    return tuple(replace(judge, batch=batched) for judge in judges)


def judges_of(suite: Suite) -> tuple[Grader, ...]:
    """The graders of a suite that have a model asked."""
    return tuple(grader for grader in graders_of(suite) if grader.judges)


def graders_of(suite: Suite) -> tuple[Grader, ...]:
    """The graders of a suite: it knows only what its registry promises of them."""
    return cast("tuple[Grader, ...]", suite.graders)
