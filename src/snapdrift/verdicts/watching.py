"""The evidence of `watch`: which differences a night shows, and the canaries that carry them from night to night.

Each gating metric of each watched pair has a canary of its own, with an equal share of the false-alarm rate: whatever
their dependence, the chance that any of them is ever wrong is at most the sum of the shares.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snapdrift.model import Gate, Results, sha256
from snapdrift.stats.betting import Claim
from snapdrift.stats.canary import Canary, canary_from_json, new_canary, next_night
from snapdrift.store.watch_state import CarriedCanary
from snapdrift.verdicts.score_tables import build_score_tables

MEASURED_SHARE = 0.8
FEW_MISSING = 1
"""The share of a night's cases that must be scored on both sides, else the night counts for nothing; of the few cases
that some metrics apply to, so many may be missing."""
_WORDS = {
    "alpha": "the false-alarm rate",
    "ask": "what is asked",
    "grader": "the grader",
    "models": "the models",
    "seed": "the seed",
    "source": "where answers come from",
}


@dataclass(frozen=True, slots=True)
class Watched:
    """One metric of one alias against the snapshot that it is compared with, and what makes its evidence one.

    `identity` says what is watched, part by part: evidence is carried on only while all of it stays the same.
    """

    metric: str
    baseline: str
    candidate: str
    identity: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class WatchedCanary:
    """A canary and what it watches; `why_new` is the reason that it started anew, empty where it was carried on."""

    watched: Watched
    canary: Canary
    why_new: str = ""

    @property
    def wealth(self) -> float:
        """What a stake of 1 has come to."""
        return math.exp(min(self.canary.log_wealth, 700.0))

    @property
    def lower(self) -> bool:
        """Whether the evidence leans to the alias scoring lower."""
        return self.canary.leaning is Claim.BELOW

    def to_stored(self) -> CarriedCanary:
        """As the state file keeps it."""
        what = self.watched
        return CarriedCanary(what.metric, what.baseline, what.candidate, dict(what.identity), self.canary.to_json())


def carried_on(
    watched: Sequence[Watched], stored: Sequence[CarriedCanary], false_alarm: float
) -> tuple[WatchedCanary, ...]:
    """The canaries for what is watched, each with its share of the false-alarm rate, carried on where they can be."""
    share = false_alarm / len(watched)
    known = {(one.metric, one.baseline, one.candidate): one for one in stored}
    found = []
    for one in watched:
        of_share = Watched(one.metric, one.baseline, one.candidate, {**one.identity, "alpha": repr(share)})
        identity = sha256(dict(of_share.identity))
        before = known.get((one.metric, one.baseline, one.candidate))
        why = _why_new(of_share, before)
        if before is None or why:
            found.append(WatchedCanary(of_share, new_canary(identity, share), why))
        else:
            found.append(WatchedCanary(of_share, canary_from_json(before.state, identity)))
    return tuple(found)


def require_sound(stored: Sequence[CarriedCanary]) -> None:
    """Raises `ValueError` for a stored canary that is damaged, also where nothing would be carried on from it."""
    for one in stored:
        canary_from_json(one.state, str(one.state.get("identity")))


def _why_new(watched: Watched, before: CarriedCanary | None) -> str:
    """Why evidence cannot be carried on, empty where it can."""
    if before is None:
        return "it was not watched before"
    if before.answered:
        return f"run {before.answered} decided on what had tripped"
    changed = [name for name, value in watched.identity.items() if before.identity.get(name) != value]
    return f"{' and '.join(_WORDS.get(name, name) for name in changed)} changed" if changed else ""


def fed(canaries: Sequence[WatchedCanary], differences: Mapping[str, NDArray[np.float64]]) -> tuple[WatchedCanary, ...]:
    """The canaries after one more night; differences by `key_of`."""
    return tuple(
        WatchedCanary(one.watched, next_night(one.canary, differences[key_of(one.watched)]), one.why_new)
        for one in canaries
    )


def key_of(watched: Watched) -> str:
    """By which the differences of a metric and pair are known."""
    return sha256([watched.metric, watched.baseline, watched.candidate])


def night_differences(results: Results, gate: Gate, watched: Sequence[Watched]) -> Mapping[str, NDArray[np.float64]]:
    """For each metric and pair, by `key_of`: candidate minus baseline of each case, NaN where one was not scored."""
    tables = build_score_tables(results, gate)
    found = {}
    for one in watched:
        scores = tables.between(one.metric, one.baseline, one.candidate)
        old, new = (scores.case_means(tables.variants[side]) for side in (one.baseline, one.candidate))
        found[key_of(one)] = new - old
    return found


def shortfall(results: Results, gate: Gate, watched: Sequence[Watched]) -> str:
    """Why the night counts for nothing, empty where enough was measured on both sides of every pair."""
    tables = build_score_tables(results, gate)
    scored_at_all = False
    for one in watched:
        sides = [tables.variants[one.baseline], tables.variants[one.candidate]]
        scores = tables.between(one.metric, one.baseline, one.candidate)
        planned = scores.planned[sides].any(axis=-1).all(axis=0)
        scored = planned & ~np.isnan([scores.case_means(side) for side in sides]).any(axis=0)
        cases, missing = int(planned.sum()), int((planned & ~scored).sum())
        if missing > max(FEW_MISSING, (1 - MEASURED_SHARE) * cases):
            return f"{one.metric} was scored on both sides for {cases - missing} of {cases} cases"
        scored_at_all |= bool(scored.any())
    return "" if scored_at_all else "nothing was scored on both sides"
