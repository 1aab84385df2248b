from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapdrift.stats.case_order import CaseBuffer, drawn_order

CASES = [f"case-{number}" for number in range(8)]
CALLS = [("old", 0), ("old", 1), ("new", 0), ("new", 1)]


def own_clusters(cases: list[str]) -> dict[str, str]:
    return {case: case for case in cases}


def pairs(count: int) -> dict[str, str]:
    return {f"case-{number}": f"cluster-{number // 2}" for number in range(2 * count)}


@given(st.permutations(CASES), st.integers(0, 1000))
def test_the_order_depends_on_the_seed_and_the_names_and_not_on_how_the_cases_are_listed(
    listed: list[str], seed: int
) -> None:
    assert drawn_order(own_clusters(listed), seed) == drawn_order(own_clusters(CASES), seed)


def test_another_seed_draws_another_order_of_the_same_cases() -> None:
    one, other = drawn_order(own_clusters(CASES), 1), drawn_order(own_clusters(CASES), 2)
    assert one != other
    assert sorted(one) == sorted(other)


def test_the_same_seed_draws_this_order_on_every_machine() -> None:
    assert drawn_order(own_clusters(["a", "b", "c", "d"]), 7) == (("a",), ("d",), ("c",), ("b",))


def test_every_case_comes_first_equally_often() -> None:
    first = [drawn_order(own_clusters(["a", "b", "c"]), seed)[0][0] for seed in range(900)]
    assert all(abs(first.count(case) - 300) < 4 * (900 * 2 / 9) ** 0.5 for case in "abc")


def test_cases_of_a_cluster_are_one_unit() -> None:
    assert sorted(drawn_order(pairs(2), 3)) == [("case-0", "case-1"), ("case-2", "case-3")]


def test_no_cases_have_an_empty_order() -> None:
    assert drawn_order({}, 0) == ()


def test_clusters_of_unequal_size_are_refused_with_their_sizes() -> None:
    with pytest.raises(ValueError, match=r"clusters of one size; 'small' has 1 cases and 'large' 2\. Make them equal"):
        drawn_order({"a": "large", "b": "large", "c": "small"}, 0)


@given(st.permutations([(case, call) for case in CASES for call in CALLS]), st.integers(1, 4))
def test_whole_units_leave_in_the_drawn_order_whatever_order_the_answers_come_back_in(
    arrivals: list[tuple[str, tuple[str, int]]], seed: int
) -> None:
    order = drawn_order(pairs(4), seed)
    buffer: CaseBuffer[str] = CaseBuffer(order, CALLS)
    released = [unit for case, call in arrivals for unit in buffer.put(case, call, f"{case} {call}")]
    assert [tuple(sorted(unit)) for unit in released] == list(order)
    assert all(unit[case] == {call: f"{case} {call}" for call in CALLS} for unit in released for case in unit)
    assert buffer.waiting_for == ()


def test_a_unit_is_held_until_the_ones_before_it_are_whole() -> None:
    buffer: CaseBuffer[int] = CaseBuffer([("a",), ("b",), ("c",)], ["old", "new"])
    assert buffer.put("b", "old", 1) == ()
    assert buffer.put("b", "new", 2) == ()
    assert buffer.put("a", "old", 3) == ()
    assert buffer.waiting_for == (("a", "new"),)
    assert buffer.put("a", "new", 4) == ({"a": {"old": 3, "new": 4}}, {"b": {"old": 1, "new": 2}})
    assert sorted(buffer.waiting_for) == [("c", "new"), ("c", "old")]


def test_a_cluster_waits_for_all_its_cases() -> None:
    buffer: CaseBuffer[int] = CaseBuffer([("a", "b")], ["new"])
    assert buffer.put("b", "new", 1) == ()
    assert buffer.put("a", "new", 0) == ({"a": {"new": 0}, "b": {"new": 1}},)


def test_a_buffer_goes_on_behind_the_units_that_were_fed_before() -> None:
    buffer: CaseBuffer[int] = CaseBuffer([("a",), ("b",)], ["new"], done=1)
    assert buffer.put("b", "new", 1) == ({"b": {"new": 1}},)
    with pytest.raises(ValueError, match="put already"):
        buffer.put("a", "new", 1)


def test_an_answer_that_is_put_twice_is_refused() -> None:
    buffer: CaseBuffer[int] = CaseBuffer([("a",), ("b",)], ["new"])
    buffer.put("b", "new", 1)
    with pytest.raises(ValueError, match="call 'new' of case 'b' has been put already"):
        buffer.put("b", "new", 1)


@pytest.mark.parametrize(("case", "call"), [("z", "new"), ("a", "other")])
def test_an_answer_from_outside_the_order_is_refused(case: str, call: str) -> None:
    buffer: CaseBuffer[int] = CaseBuffer([("a",)], ["new"])
    with pytest.raises(ValueError, match="not in the drawn order"):
        buffer.put(case, call, 1)


@pytest.mark.parametrize(
    ("order", "calls", "done"), [([("a",), ("a",)], ["new"], 0), ([("a",)], [], 0), ([("a",)], ["new"], 2)]
)
def test_a_buffer_without_a_proper_order_is_refused(order: list[tuple[str]], calls: list[str], done: int) -> None:
    with pytest.raises(ValueError, match="a buffer needs an order"):
        CaseBuffer(order, calls, done=done)
