"""What a decision needs to know of a run besides its results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from snapdrift.acceptances import Acceptance
from snapdrift.calibrations import HumanLabel, JudgeCalibration, LabelDraw

if TYPE_CHECKING:
    from snapdrift.verdicts.looks import Looks


@dataclass(frozen=True, slots=True)
class JudgeScale:
    """How a judge's grader scores: its version, and the values that its labels have in [0, 1], sorted."""

    version: str
    levels: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class JudgingFacts:
    """What people said of a run's answers, and what is known of its judges from other runs.

    `labels` are only those of answers that are still the same; `stale` counts the others by metric. `records` are
    calibrations of other runs, the newest first. `scales` has the judge of each judged metric. `skipped` counts by
    comparison the rows of its sheet that were passed over. `required` is the suite's `require_calibration`.
    """

    required: bool = False
    run: str = ""
    draws: tuple[LabelDraw, ...] = ()
    labels: tuple[HumanLabel, ...] = ()
    stale: Mapping[str, int] = field(default_factory=dict)
    skipped: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
    records: tuple[JudgeCalibration, ...] = ()
    scales: Mapping[str, JudgeScale] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunFacts:
    """How the run went.

    `seed` draws sign flips where they cannot be enumerated; `partial` when only some cases or variants were asked
    for; `stopped_early` is a sentence (budget, deadline, provider) or None; `previous_models` and `previous_judges` say
    which models each variant's (each judge's, by grader) answers named last time; `judging` is about calibration.
    `looks` says how far a run went whose gate was looked at while it grew, None for a run of a fixed number of cases.
    `spending_notes` are sentences about money that went otherwise than the budget foresaw. `acceptances` are those of
    the suite.
    """

    seed: int = 0
    partial: bool = False
    stopped_early: str | None = None
    previous_models: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    previous_judges: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    judging: JudgingFacts = field(default_factory=JudgingFacts)
    looks: Looks | None = None
    spending_notes: tuple[str, ...] = ()
    acceptances: tuple[Acceptance, ...] = ()
