"""Seeded samples of a dataset that do not depend on the order of its rows."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from snapdrift.errors import UsageError
from snapdrift.model import Case, canonical_json


@dataclass(frozen=True, slots=True)
class Sample:
    """How many cases to take, the seed, and the path of the value that strata have in common (None: no strata)."""

    n: int
    seed: int = 0
    stratify: str | None = None

    def to_stored(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"n": self.n, "seed": self.seed, "stratify": self.stratify}


def draw(cases: Sequence[Case], sample: Sample) -> tuple[Case, ...]:
    """The sampled cases, in the order of the dataset. Raises `UsageError` when there are not enough.

    Every case has a rank from the hash of seed and id, so adding, removing or moving rows moves nothing else, and a
    smaller sample is part of a larger one. With strata each case's key is (position in its stratum + 1/2) / size of
    the stratum; taking the smallest keys is the Sainte-Laguë apportionment, which is proportional and has both
    properties too.
    """
    if sample.n > len(cases):
        raise UsageError(f"found a sample of {sample.n} cases; expected at most the dataset's {len(cases)}")
    ranked = sorted(cases, key=lambda case: _rank(case, sample.seed))
    if sample.stratify is not None:
        ranked = _apportioned(ranked, sample.stratify)
    chosen = {case.id for case in ranked[: sample.n]}
    return tuple(case for case in cases if case.id in chosen)


def stratum_of(case: Case, path: str) -> Any:
    """The value at a dotted path (`language`, `expected.queue`) of a case. Raises `KeyError` when there is none."""
    value: Any = case.context()
    for part in path.split("."):
        if not isinstance(value, Mapping):
            raise KeyError(path)
        value = value[part]
    return value


def _rank(case: Case, seed: int) -> str:
    return hashlib.sha256(f"{seed}:{case.id}".encode("utf-8", "surrogatepass")).hexdigest()


def _apportioned(ranked: list[Case], path: str) -> list[Case]:
    strata: dict[str, list[Case]] = defaultdict(list)
    for case in ranked:
        strata[canonical_json(stratum_of(case, path))].append(case)
    keyed = [
        ((2 * position + 1) / (2 * len(members)), name, case)
        for name, members in strata.items()
        for position, case in enumerate(members)
    ]
    return [case for _, _, case in sorted(keyed, key=lambda item: item[:2])]
