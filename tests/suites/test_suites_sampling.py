from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapdrift.errors import UsageError
from snapdrift.model import Case
from snapdrift.suites.sampling import Sample, draw

CASES = tuple(Case(f"c-{n}", {"language": "de" if n % 4 == 0 else "en"}, {"queue": n % 3}) for n in range(100))


def ids(cases: Sequence[Case], sample: Sample) -> set[str]:
    return {case.id for case in draw(cases, sample)}


seeds = st.integers(0, 50)
sizes = st.integers(1, 100)


@given(sizes, seeds, st.sampled_from([None, "language", "expected.queue"]), st.randoms())
def test_a_sample_does_not_depend_on_the_order_of_the_rows(
    n: int, seed: int, path: str | None, order: random.Random
) -> None:
    shuffled = list(CASES)
    order.shuffle(shuffled)
    sample = Sample(n, seed, path)
    assert ids(shuffled, sample) == ids(CASES, sample)


@given(st.integers(1, 99), seeds, st.sampled_from([None, "language"]))
def test_a_smaller_sample_is_part_of_a_larger_one(n: int, seed: int, path: str | None) -> None:
    assert ids(CASES, Sample(n, seed, path)) < ids(CASES, Sample(n + 1, seed, path))


@given(sizes, seeds)
def test_a_sample_has_as_many_cases_as_asked_in_the_order_of_the_dataset(n: int, seed: int) -> None:
    drawn = draw(CASES, Sample(n, seed))
    assert [case for case in CASES if case in drawn] == list(drawn)
    assert len(drawn) == n


@given(sizes, seeds)
def test_strata_are_represented_in_proportion_to_within_one_case(n: int, seed: int) -> None:
    drawn = Counter(case.variables["language"] for case in draw(CASES, Sample(n, seed, "language")))
    assert abs(drawn["de"] - n / 4) <= 1


@given(st.integers(2, 100), seeds)
def test_adding_a_row_changes_at_most_one_sampled_case(n: int, seed: int) -> None:
    before = ids(CASES, Sample(n, seed))
    after = ids((*CASES, Case("new")), Sample(n, seed))
    assert len(before - after) <= 1


def test_another_seed_draws_another_sample() -> None:
    assert draw(CASES, Sample(20, 1)) != draw(CASES, Sample(20, 2))


def test_a_sample_larger_than_the_dataset_is_an_error() -> None:
    with pytest.raises(UsageError, match="found a sample of 101 cases; expected at most the dataset's 100"):
        draw(CASES, Sample(101))
