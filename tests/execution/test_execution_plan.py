from __future__ import annotations

from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapdrift.execution.plan import plan_calls, plan_units
from snapdrift.model import Case, Endpoint, Variant

names = st.lists(st.text(min_size=1, max_size=6), min_size=1, max_size=6, unique=True)
seeds = st.integers(min_value=0, max_value=2**32)


def cases_of(ids: list[str]) -> list[Case]:
    return [Case(id=case_id) for case_id in ids]


def variants_of(ids: list[str]) -> list[Variant]:
    return [Variant(name, "gpt-4o", Endpoint.RESPONSES, {}, {}) for name in ids]


@given(names, names, st.integers(1, 4), seeds)
def test_every_case_variant_and_repeat_is_planned_exactly_once(
    case_ids: list[str], variant_names: list[str], repeats: int, seed: int
) -> None:
    calls = plan_calls(cases_of(case_ids), variants_of(variant_names), repeats, seed)
    keys = [(call.key.case_id, call.key.variant, call.key.repeat) for call in calls]
    assert sorted(keys) == sorted((c, v, r) for c in case_ids for v in variant_names for r in range(repeats))


@given(names, names, seeds)
def test_positions_count_from_zero_in_the_order_of_the_plan(
    case_ids: list[str], variant_names: list[str], seed: int
) -> None:
    calls = plan_calls(cases_of(case_ids), variants_of(variant_names), 2, seed)
    assert [call.position for call in calls] == list(range(len(calls)))


@given(names, names, st.integers(1, 3), seeds)
def test_the_variants_of_a_case_and_repeat_stand_next_to_each_other(
    case_ids: list[str], variant_names: list[str], repeats: int, seed: int
) -> None:
    calls = plan_calls(cases_of(case_ids), variants_of(variant_names), repeats, seed)
    groups = [key for key, _ in groupby((call.key.repeat, call.key.case_id) for call in calls)]
    assert len(groups) == len(set(groups))


@given(names, names, st.integers(1, 3), seeds)
def test_a_repeat_begins_when_the_one_before_is_through(
    case_ids: list[str], variant_names: list[str], repeats: int, seed: int
) -> None:
    calls = plan_calls(cases_of(case_ids), variants_of(variant_names), repeats, seed)
    rounds = [call.key.repeat for call in calls]
    assert rounds == sorted(rounds)


@given(names, names, seeds)
def test_the_order_depends_on_the_seed_and_not_on_how_the_cases_are_listed(
    case_ids: list[str], variant_names: list[str], seed: int
) -> None:
    one = plan_calls(cases_of(case_ids), variants_of(variant_names), 2, seed)
    other = plan_calls(cases_of(sorted(case_ids)), variants_of(variant_names[::-1]), 2, seed)
    assert one == other


@given(names, names, seeds)
def test_leaving_out_a_case_moves_no_two_others(case_ids: list[str], variant_names: list[str], seed: int) -> None:
    whole = plan_calls(cases_of(case_ids), variants_of(variant_names), 2, seed)
    part = plan_calls(cases_of(case_ids[1:]), variants_of(variant_names), 2, seed)
    assert [call.key for call in part] == [call.key for call in whole if call.key.case_id != case_ids[0]]


def test_another_seed_gives_another_order() -> None:
    cases, variants = cases_of([str(number) for number in range(50)]), variants_of(["a", "b"])
    assert plan_calls(cases, variants, 1, 1) != plan_calls(cases, variants, 1, 2)


def test_which_variant_of_a_case_is_asked_first_is_even() -> None:
    calls = plan_calls(cases_of([str(number) for number in range(2000)]), variants_of(["a", "b"]), 1, 5)
    first = sum(call.key.variant == "a" for call in calls[::2])
    assert 900 < first < 1100


def test_two_cases_of_one_id_are_refused() -> None:
    with pytest.raises(ValueError, match="'same' is there twice"):
        plan_calls(cases_of(["same", "same"]), variants_of(["a"]), 1, 0)


def test_a_plan_without_repeats_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        plan_calls(cases_of(["a"]), variants_of(["a"]), 0, 0)


# ------------------------------------------------------------------------------------------------------ shared prefixes

grouped = st.dictionaries(st.text(min_size=1, max_size=6), st.none() | st.sampled_from("xyz"), min_size=1, max_size=12)


@given(grouped, names, st.integers(1, 3), seeds)
def test_cases_of_one_prefix_run_back_to_back(
    prefixes: dict[str, str | None], variant_names: list[str], repeats: int, seed: int
) -> None:
    cases, variants = cases_of(list(prefixes)), variants_of(variant_names)
    calls = plan_calls(cases, variants, repeats, seed, lambda case: prefixes[case.id])
    groups = [key for key, _ in groupby((c.key.repeat, prefixes[c.key.case_id] or [c.key.case_id]) for c in calls)]
    assert all(groups.count(group) == 1 for group in groups)


@given(grouped, names, st.integers(1, 3), seeds)
def test_prefixes_change_the_order_and_nothing_else(
    prefixes: dict[str, str | None], variant_names: list[str], repeats: int, seed: int
) -> None:
    cases, variants = cases_of(list(prefixes)), variants_of(variant_names)
    free = plan_calls(cases, variants, repeats, seed)
    calls = plan_calls(cases, variants, repeats, seed, lambda case: prefixes[case.id])
    assert {call.key for call in calls} == {call.key for call in free}
    rounds = [call.key.repeat for call in calls]
    assert rounds == sorted(rounds)
    of_a_case = [key for key, _ in groupby((call.key.repeat, call.key.case_id) for call in calls)]
    assert len(of_a_case) == len(set(of_a_case))


@given(grouped, names, seeds)
def test_within_a_prefix_the_order_is_the_drawn_one(
    prefixes: dict[str, str | None], variant_names: list[str], seed: int
) -> None:
    cases, variants = cases_of(list(prefixes)), variants_of(variant_names)
    free = plan_calls(cases, variants, 2, seed)
    calls = plan_calls(cases, variants, 2, seed, lambda case: prefixes[case.id])
    for prefix in set(prefixes.values()) - {None}:
        members = [case_id for case_id, its in prefixes.items() if its == prefix]
        assert [c.key for c in calls if c.key.case_id in members] == [c.key for c in free if c.key.case_id in members]


@given(grouped, names, seeds)
def test_leaving_out_a_case_moves_no_two_others_of_any_prefix(
    prefixes: dict[str, str | None], variant_names: list[str], seed: int
) -> None:
    cases, variants = cases_of(list(prefixes)), variants_of(variant_names)
    whole = plan_calls(cases, variants, 2, seed, lambda case: prefixes[case.id])
    part = plan_calls(cases[1:], variants, 2, seed, lambda case: prefixes[case.id])
    assert [call.key for call in part] == [call.key for call in whole if call.key.case_id != cases[0].id]


def test_without_prefixes_the_order_is_as_if_nothing_was_said() -> None:
    cases, variants = cases_of([str(number) for number in range(30)]), variants_of(["a", "b"])
    assert plan_calls(cases, variants, 2, 3, lambda _: None) == plan_calls(cases, variants, 2, 3)


@given(names, names, st.integers(1, 4), seeds)
def test_by_units_every_call_of_a_case_stands_beside_the_others_in_the_order_of_the_units(
    case_ids: list[str], variant_names: list[str], repeats: int, seed: int
) -> None:
    units = [tuple(case_ids[:2]), *((case,) for case in case_ids[2:])]
    calls = plan_units(units, variants_of(variant_names), repeats, seed, first=7)

    assert [case for case, _ in groupby(call.key.case_id for call in calls)] == case_ids
    assert {call.key for call in calls} == {
        call.key for call in plan_calls(cases_of(case_ids), variants_of(variant_names), repeats, seed)
    }
    assert [call.position for call in calls] == list(range(7, 7 + len(calls)))


def test_by_units_no_variant_is_always_asked_first() -> None:
    calls = plan_units([(f"c{number}",) for number in range(40)], variants_of(["a", "b"]), 1, 3)
    assert {call.key.variant for call in calls[::2]} == {"a", "b"}
