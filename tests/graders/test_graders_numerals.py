"""Numbers in text, and the normalisation steps."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapdrift.graders.normalise import normalised
from snapdrift.graders.numerals import as_number, canonical_number, close, first_number, written
from snapdrift.model import NormaliseStep

step_lists = st.lists(st.sampled_from(list(NormaliseStep)), max_size=6)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("18", "18"),
        ("-3.50 degrees", "-3.5"),
        ("− 3", "3"),
        ("−3", "-3"),
        ("$70,000 in all", "70000"),
        ("-$1,234.50", "-1234.5"),
        ("$-5", "-5"),
        ("€ 12", "12"),
        ("1'000'000", "1000000"),
        ("12,34,567 rupees", "1234567"),
        ("1\u202f234", "1234"),
        ("1, 2 and 3", "1"),
        ("1,5", "1"),
        ("1/2", "1/2"),
        ("1 1/2 cups", "3/2"),
        ("24 / 8 = 3", "3"),
        ("5/12/2024", "5"),
        ("1/0", None),
        (".25", "1/4"),
        ("3e8 m/s", "300000000"),
        ("1.5E-3", "0.0015"),
        ("10-5", "10"),
        ("about 50%", "50"),
        ("- 5 apples", "5"),
        ("none", None),
        ("NaN", None),
        ("Infinity", None),
        ("", None),
        ("1e999999", None),
        ("9" * 1_000_000, None),
    ],
)
def test_the_first_number_of_a_text(text: str, value: str | None) -> None:
    assert first_number(text) == (None if value is None else Fraction(value))


def test_a_percentage_is_a_hundredth_where_that_is_asked_for() -> None:
    assert first_number("12.5 %", percent=True) == Fraction(1, 8)


def test_a_decimal_comma_is_read_where_that_is_asked_for() -> None:
    assert first_number("1.234,50 EUR", decimal=",") == Fraction("1234.5")


@pytest.mark.parametrize("value", [True, None, [1], {"a": 1}, float("nan"), float("inf")])
def test_what_is_not_a_number_is_none(value: Any) -> None:
    assert as_number(value) is None


def test_a_tolerance_holds_exactly_at_its_edge() -> None:
    assert [close(Fraction(x), Fraction("2.68"), absolute=0.005) for x in ("2.675", "2.6749")] == [True, False]


def test_a_relative_tolerance_is_a_share_of_the_expected_number() -> None:
    assert [close(Fraction(x), Fraction(-200), relative=0.01) for x in (-202, -203)] == [True, False]


def test_numbers_that_only_floats_hold_equal_are_equal() -> None:
    assert close(Fraction(1, 3), Fraction(repr(1 / 3)))


def test_numbers_beyond_floats_are_still_compared() -> None:
    assert not close(Fraction(10**500), Fraction(10**500 + 1))


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_that_is_written_out_is_read_back(value: float) -> None:
    assert as_number(repr(value)) == as_number(value)


@given(st.integers(-(10**15), 10**15))
def test_thousands_marks_do_not_change_a_number(value: int) -> None:
    assert first_number(f"{value:,}") == value


@given(st.fractions(max_denominator=1000))
def test_a_number_in_its_one_form_stays_as_it_is(value: Fraction) -> None:
    assert canonical_number(written(value)) == written(value)


@pytest.mark.parametrize(
    ("text", "form"),
    [("1,200.0", "1200"), ("$0.50", "0.5"), ("2/4", "0.5"), ("5 €", "5"), ("50%", "50%"), ("5 cats", "5 cats")],
)
def test_the_number_step_rewrites_texts_that_are_numbers_only(text: str, form: str) -> None:
    assert canonical_number(text) == form


@pytest.mark.parametrize(
    ("step", "text", "result"),
    [
        ("strip", " a ", "a"),
        ("casefold", "STRASSE ß", "strasse ss"),
        ("whitespace", " a\n\t b ", "a b"),
        ("punctuation", "“Yes!”, (really)", "Yes really"),
        ("unicode", "ﬁne ①", "fine 1"),
        ("number", "1,000", "1000"),
    ],
)
def test_a_normalisation_step_does_what_its_name_says(step: str, text: str, result: str) -> None:
    assert normalised(text, [NormaliseStep(step)]) == result


@given(st.text(), step_lists)
def test_normalising_twice_changes_nothing_more(text: str, steps: list[NormaliseStep]) -> None:
    once = normalised(text, steps)

    assert normalised(once, steps) == once


@given(st.text())
def test_no_step_leaves_the_text_alone(text: str) -> None:
    assert normalised(text, []) == text
