"""Which items of two lists belong together."""

from __future__ import annotations

from itertools import combinations, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapdrift.graders.matching import paired, paired_in_order

TABLES = st.integers(0, 4).flatmap(
    lambda found: st.lists(st.lists(st.booleans(), min_size=found, max_size=found), max_size=4)
)


def most_pairs(table: list[list[bool]], *, in_order: bool) -> int:
    """By trying all ways to pair them."""
    found = range(len(table[0]) if table else 0)
    choose = combinations if in_order else permutations
    return max(
        size
        for size in range(min(len(table), len(found)) + 1)
        for rows in combinations(range(len(table)), size)
        for places in choose(found, size)
        if all(table[row][place] for row, place in zip(rows, places, strict=True))
    )


@pytest.mark.parametrize("in_order", [False, True])
@given(table=TABLES)
def test_as_many_pairs_are_found_as_there_can_be(in_order: bool, table: list[list[bool]]) -> None:
    pair = paired_in_order if in_order else paired
    partners = pair(len(table), len(table[0]) if table else 0, lambda row, place: table[row][place])

    places = [place for place in partners if place is not None]
    assert all(table[row][place] for row, place in enumerate(partners) if place is not None)
    assert len(set(places)) == len(places) == most_pairs(table, in_order=in_order)
    assert not in_order or places == sorted(places)


def test_a_long_chain_of_exchanges_is_followed_to_its_end() -> None:
    size = 400
    partners = paired(size, size, lambda row, place: place in (row, row + 1) if row < size - 1 else place == 0)

    assert partners == [*range(1, size), 0]
