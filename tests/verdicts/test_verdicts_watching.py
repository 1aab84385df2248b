"""The canaries of `watch` together: their rate of false alarms, and when evidence is carried on."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from snapdrift.store.watch_state import CarriedCanary
from snapdrift.verdicts.watching import Watched, WatchedCanary, carried_on, fed, key_of, require_sound

NIGHTS, LIVES, CASES = 40, 100, 10
ALPHA = 0.1
WATCHED = [Watched(metric, "pinned", "alias", {"models": "a b"}) for metric in ("queue", "urgency")]


def night(generator: np.random.Generator, drop: float = 0.0) -> dict[str, NDArray[np.float64]]:
    """Differences of two metrics that err together: the snapshot is right at 0.9, the alias at 0.9 - drop."""
    luck = generator.random((2, CASES))
    own = generator.random((2, CASES)) < 0.2
    metrics = [luck, np.where(own, generator.random((2, CASES)), luck)]
    rates = [0.9 - drop, 0.9]
    return {
        key_of(one): (draws[0] < rates[0]).astype(float) - (draws[1] < rates[1]).astype(float)
        for one, draws in zip(WATCHED, metrics, strict=True)
    }


def one_life(seed: int, nights: int, drop: float = 0.0) -> int | None:
    """The night of the first alarm of any canary, None without one; carried through the form that is stored."""
    generator = np.random.default_rng([7, seed])
    canaries = carried_on(WATCHED, [], ALPHA)
    for number in range(nights):
        canaries = fed(canaries, night(generator, drop))
        if any(one.canary.alarmed for one in canaries):
            return number + 1
    return None


def test_all_canaries_together_raise_a_false_alarm_no_more_often_in_their_whole_life_than_is_said() -> None:
    alarms = sum(one_life(seed, NIGHTS) is not None for seed in range(LIVES))

    assert alarms <= LIVES * ALPHA + 3 * (LIVES * ALPHA * (1 - ALPHA)) ** 0.5


def test_a_drop_of_thirty_points_is_seen_by_every_canary_within_forty_nights() -> None:
    nights = [one_life(seed, NIGHTS, drop=0.3) for seed in range(20)]

    assert None not in nights


def test_evidence_is_carried_on_exactly() -> None:
    generator = np.random.default_rng(1)
    canaries = carried_on(WATCHED, [], ALPHA)
    for _ in range(3):
        canaries = fed(canaries, night(generator))
    again = carried_on(WATCHED, [one.to_stored() for one in canaries], ALPHA)

    assert [one.canary for one in again] == [one.canary for one in canaries]
    assert [one.why_new for one in again] == ["", ""]


def test_each_canary_has_its_share_and_a_third_metric_starts_all_anew_for_the_bar_is_another() -> None:
    canaries = carried_on(WATCHED, [], ALPHA)
    more = carried_on([*WATCHED, Watched("tone", "pinned", "alias", {})], stored(canaries), ALPHA)

    assert [one.canary.alpha for one in canaries] == [0.05, 0.05]
    assert [one.why_new for one in more] == ["the false-alarm rate changed"] * 2 + ["it was not watched before"]


def test_what_changed_is_named() -> None:
    canaries = carried_on(WATCHED, [], ALPHA)
    moved = [Watched(one.metric, one.baseline, one.candidate, {"models": "a c"}) for one in WATCHED]

    assert {one.why_new for one in carried_on(moved, stored(canaries), ALPHA)} == {"the models changed"}


def test_a_damaged_wealth_is_refused() -> None:
    (first, *_) = carried_on(WATCHED, [], ALPHA)
    kept = first.to_stored()
    broken = type(kept)(kept.metric, kept.baseline, kept.candidate, kept.identity, {**kept.state, "log_lower": [0.0]})

    with pytest.raises(ValueError, match="damaged"):
        require_sound([broken])


def stored(canaries: tuple[WatchedCanary, ...]) -> list[CarriedCanary]:
    return [one.to_stored() for one in canaries]
