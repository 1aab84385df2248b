"""What a decision needs to know of a run besides its results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from snapdrift.verdicts.looks import Looks


@dataclass(frozen=True, slots=True)
class RunFacts:
    """How the run went.

    `seed` draws sign flips where they cannot be enumerated; `partial` when only some cases or variants were asked
    for; `stopped_early` is a sentence (budget, deadline, provider) or None; `previous_models` and `previous_judges` say
    which models each variant's (each judge's, by grader) answers named last time. `looks` says how far a run went whose
    gate was looked at while it grew, None for a run of a fixed number of cases.
    """

    seed: int = 0
    partial: bool = False
    stopped_early: str | None = None
    previous_models: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    previous_judges: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    looks: Looks | None = None
