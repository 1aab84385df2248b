"""Cases kept as bytes: the same cases, however they are looked at."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapdrift.model import Case, sha256
from snapdrift.suites.case_list import CaseList
from snapdrift.suites.datasets import dataset_hash

TEXT = st.text(st.characters(exclude_categories=()), max_size=5)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
MAPPINGS = st.dictionaries(TEXT, PLAIN, max_size=3)
CASES = st.builds(
    Case,
    id=TEXT,
    variables=MAPPINGS,
    expected=PLAIN,
    tags=st.lists(TEXT, max_size=2).map(tuple),
    cluster=st.none() | TEXT,
    tool_results=st.none() | MAPPINGS,
)


@given(st.lists(CASES, max_size=5))
def test_a_list_of_cases_gives_back_what_was_put_in(cases: list[Case]) -> None:
    kept = CaseList(cases)
    assert tuple(kept) == tuple(cases)
    assert kept == tuple(cases)
    assert [kept[place] for place in range(-len(cases), len(cases))] == cases * 2
    assert tuple(kept[1:3]) == tuple(cases[1:3])


def test_a_place_beyond_the_end_is_an_error() -> None:
    with pytest.raises(IndexError, match="case 1 of 1"):
        CaseList([Case("a")])[1]


def test_lists_with_other_cases_differ() -> None:
    assert CaseList([Case("a"), Case("b")]) != CaseList([Case("b"), Case("a")])


@given(st.lists(CASES, max_size=4, unique_by=lambda case: case.id))
def test_the_hash_of_a_dataset_is_that_of_the_list_of_its_cases(cases: list[Case]) -> None:
    ordered = sorted(cases, key=lambda case: case.id)
    whole = [
        [c.id, dict(c.variables), c.expected, list(c.tags), c.cluster]
        + ([] if c.tool_results is None else [dict(c.tool_results)])
        for c in ordered
    ]
    assert dataset_hash(CaseList(cases)) == sha256(whole)
