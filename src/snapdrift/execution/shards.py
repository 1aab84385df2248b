"""Which cases of a plan are whose, where several commands share it: a function of the cases and nothing else."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable

from snapdrift.model import Case, canonical_json


def deal_cases(cases: Iterable[Case], count: int, seed: int) -> tuple[frozenset[str], ...]:
    """The ids of the cases of each of `count` shards; every machine that has the same cases deals them alike.

    The cases of a cluster stay together. Clusters are dealt by their size, the largest first, those of one size in the
    order of the hashes of (seed, name), each to the shard that has fewest cases so far (the first of several). So the
    small ones fill up what the large ones leave uneven (longest processing time first: Graham, SIAM J. Appl. Math. 17,
    1969), and cases that stand together in a dataset are spread. Raises `ValueError` where a shard would be empty.
    """
    units: dict[str, list[str]] = {}
    for case in cases:
        units.setdefault(case.id if case.cluster is None else f"cluster {case.cluster}", []).append(case.id)
    if not 1 <= count <= len(units):
        raise ValueError(f"{len(units)} clusters of cases make no {count} shards")
    shards: list[list[str]] = [[] for _ in range(count)]
    fewest = [(0, index) for index in range(count)]
    for name in sorted(units, key=lambda name: (-len(units[name]), _draw(seed, name), name)):
        size, index = heapq.heappop(fewest)
        shards[index] += units[name]
        heapq.heappush(fewest, (size + len(units[name]), index))
    return tuple(map(frozenset, shards))


def _draw(seed: int, name: str) -> bytes:
    return hashlib.sha256(canonical_json([seed, "shard", name]).encode("utf-8", "surrogatepass")).digest()
