"""Endpoint parity: variants that ask the same model the same in different ways, and whether it makes a difference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from snapdrift.conclusions import Parity, ParityMetric
from snapdrift.model import Variant, canonical_json
from snapdrift.verdicts.evidence import ROUNDING
from snapdrift.verdicts.score_tables import BoolArray, MetricScores, ScoreTables

_TRANSPORT = ("store", "previous_response_id")
"""Settings that say how a conversation is carried, not what the model is asked."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Cases scored on all of several variants: which they are, and the ids of those whose scores differ."""

    scored: BoolArray
    differing: tuple[str, ...]


def agreement(scores: MetricScores, variants: Sequence[int], case_ids: Sequence[str]) -> Agreement:
    """Compares the case means of several variants; repeats are averaged, rounding errors do not count."""
    means = np.array([scores.case_means(variant) for variant in variants])
    scored = ~np.isnan(means).any(axis=0)
    spread = np.where(scored, means.max(axis=0) - means.min(axis=0), 0.0)
    return Agreement(scored, tuple(case_ids[int(index)] for index in np.flatnonzero(spread > ROUNDING)))


def find_parity(variants: Sequence[Variant], tables: ScoreTables) -> tuple[Parity, ...]:
    """The parity groups of a run: variants with the same model, prompt and request, asked in different ways."""
    groups: dict[str, list[Variant]] = {}
    for variant in variants:
        if variant.endpoint.over_http:
            groups.setdefault(_asked(variant), []).append(variant)
    return tuple(_parity(members, tables) for members in groups.values() if len(members) > 1)


def way_of(variant: Variant) -> str:
    """How a variant is asked: `responses`, `chat batch`, `responses stream on my-proxy`."""
    words = [variant.endpoint.value]
    words += ["by id"] if variant.request.get("previous_response_id") is True else []
    words += ["stream"] if variant.stream else []
    words += ["batch"] if variant.batch else []
    words += [f"on {variant.host}"] if variant.host else []
    return " ".join(words)


def _asked(variant: Variant) -> str:
    request = {key: value for key, value in variant.request.items() if key not in _TRANSPORT}
    return canonical_json([variant.model, dict(variant.prompt), request, variant.max_steps])


def _parity(members: Sequence[Variant], tables: ScoreTables) -> Parity:
    places = [tables.variants[variant.name] for variant in members]
    asked = tables.planned[places].any(axis=2).all(axis=0)
    compared = asked & (tables.measured[places] | ~tables.planned[places]).all(axis=(0, 2))
    metrics = []
    for name, scores in tables.metrics.items():
        if scores.spec.pairwise:  # of a candidate against its baseline: two ways of asking have no score each
            continue
        agreed = agreement(scores, places, tables.case_ids)
        means = [scores.case_means(place)[agreed.scored] for place in places]
        levels = {v.name: float(m.mean()) if m.size else None for v, m in zip(members, means, strict=True)}
        metrics.append(ParityMetric(name, int(agreed.scored.sum()), levels, agreed.differing))
        compared &= ~scores.unmeasured[places].any(axis=(0, 2))
    return Parity(
        ways={variant.name: way_of(variant) for variant in members},
        cases=int(asked.sum()),
        compared=int(compared.sum()),
        metrics=tuple(metrics),
        outcomes_differ=_differing_outcomes(places, tables),
    )


def _differing_outcomes(places: Sequence[int], tables: ScoreTables) -> tuple[str, ...]:
    """Ids of the cases whose measured calls ended differently on some member; the order of repeats does not matter."""
    ends = np.sort(tables.outcomes[places], axis=2)
    compared = tables.measured[places].all(axis=(0, 2))
    differ = compared & (ends != ends[0]).any(axis=(0, 2))
    return tuple(tables.case_ids[int(case)] for case in np.flatnonzero(differ))
