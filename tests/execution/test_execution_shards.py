"""Dealing cases to shards: everything once, clusters whole, and alike on every machine."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapdrift.execution.shards import deal_cases
from snapdrift.model import Case

CASES = st.lists(st.sampled_from([None, "a", "b", "c"]), min_size=8, max_size=40).map(
    lambda clusters: [Case(f"c{number}", cluster=cluster) for number, cluster in enumerate(clusters)]
)


def units(cases: list[Case]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for case in cases:
        found.setdefault(case.cluster or case.id, []).append(case.id)
    return found


@given(CASES, st.integers(1, 4), st.integers(0, 9))
def test_every_case_is_in_one_shard_and_clusters_stay_together(cases, count, seed):
    shards = deal_cases(cases, min(count, len(units(cases))), seed)

    assert sorted(case_id for shard in shards for case_id in shard) == sorted(case.id for case in cases)
    assert all(any(shard.issuperset(unit) for shard in shards) for unit in units(cases).values())


@given(CASES, st.integers(1, 4), st.randoms())
def test_the_order_of_the_dataset_moves_nothing_and_no_shard_is_much_larger(cases, count, random):
    count = min(count, len(units(cases)))
    shards = deal_cases(cases, count, 7)
    mixed = random.sample(cases, len(cases))

    assert deal_cases(mixed, count, 7) == shards
    sizes = [len(shard) for shard in shards]
    assert max(sizes) - min(sizes) <= max(map(len, units(cases).values()))


@pytest.mark.parametrize("seed", range(5))
def test_beside_a_large_cluster_the_other_shards_share_the_rest_alike(seed):
    cases = [Case(f"c{number}", cluster="large" if number < 60 else None) for number in range(100)]

    assert sorted(map(len, deal_cases(cases, 4, seed))) == [13, 13, 14, 60]


def test_a_shard_that_would_be_empty_is_an_error():
    with pytest.raises(ValueError, match="2 clusters of cases make no 3 shards"):
        deal_cases([Case("a"), Case("b", cluster="x"), Case("c", cluster="x")], 3, 0)
