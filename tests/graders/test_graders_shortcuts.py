"""What is not done twice changes no score: the short ways of grading against the long ones."""

from __future__ import annotations

import copy
import dataclasses
import json
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from pydantic import Field

from snapdrift.graders import json_text
from snapdrift.graders.base import Grader
from snapdrift.graders.comparers import NamedComparer, NumberComparer, TextComparer, Tolerances
from snapdrift.graders.json_text import JsonMode, read_json
from snapdrift.graders.made_scores import made_score
from snapdrift.graders.marks import CannotGradeError, InvalidJsonError, Mark
from snapdrift.graders.normalise import normalised
from snapdrift.graders.numerals import as_number, close
from snapdrift.graders.paths import ABSENT, look_up, parse_path
from snapdrift.graders.registry import Registry
from snapdrift.graders.values import KEPT_LIMIT, kept, scrubbed, shortened, text_of
from snapdrift.model import Case, NormaliseStep, Reason, Response, Score

Parse = Callable[..., Grader]
Answered = Callable[..., Response]

ENTRIES: tuple[dict[str, Any], ...] = (
    {"exact": "{{ expected.queue }}", "extract": {"json": "queue", "mode": "fenced"}},
    {"exact": ["{{ expected.queue }}", "x"], "normalise": ["casefold", "number"]},
    {"schema": {"type": "object", "required": ["queue"], "properties": {"total": {"type": "number"}}}},
    {"json_equal": "{{ expected }}", "fields": {"queue": "casefold", "total": {"number": 0.1}, "due": "date"}},
    {"json_equal": "{{ expected }}"},
    {"choice": ["billing", "sales"], "expected": "{{ expected.queue }}", "extract": {"json": "queue"}},
)
EXPECTED = {"queue": "billing", "total": 3.5, "due": "2025-01-31", "lines": [{"n": 1}]}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(), max_size=8)
    | st.sampled_from(["billing", "BILLING", "3.50", 3.5, "31 January 2025", "2025-01-31", "\ud800", 0.1 + 0.2, -0.0]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["queue", "total", "\x00"]), inner),
    max_leaves=8,
)  # fmt: skip
OBJECTS = st.fixed_dictionaries(
    {}, optional={"queue": VALUES, "total": VALUES, "due": VALUES, "lines": VALUES, "more \udfff": VALUES}
)
TEXTS = (
    OBJECTS.map(json.dumps)
    | OBJECTS.map(lambda value: f"```json\n{json.dumps(value, ensure_ascii=False)}\n```")
    | st.text()
    | st.sampled_from(['{"queue": ' * 200, '{"queue": NaN}', "", "billing", '{"total": ' + "9" * 2_000 + "}"])
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=3))
def test_graders_that_share_their_work_score_as_graders_that_are_alone(
    parse: Parse, answer: Answered, texts: list[str]
) -> None:
    case = Case("c1", expected=EXPECTED)
    together = [parse(entry, [case]) for entry in ENTRIES]

    for text in texts:
        response = answer(text)
        for entry, grader in zip(ENTRIES, together, strict=True):
            json_text._document.cache_clear()
            alone = parse(entry, [case]).grade(copy.deepcopy(case), answer("".join(list(text))))
            assert repr(grader.grade(case, response)) == repr(alone)


class Changing(Grader):
    """A family that changes what it is given."""

    family: ClassVar[str] = "changing"
    reads_json: ClassVar[bool] = True
    templated: ClassVar[tuple[str, ...]] = ("changing",)

    changing: Any = Field(description="Anything.")

    def mark(self, case: Case, value: Any) -> Mark:
        """Passes when both are as they were, and leaves nothing as it was."""
        wanted = self.rendered("changing", case)
        same = wanted == value == case.expected
        wanted["lines"][0].clear()
        value["lines"].append("changed")
        return Mark.of(same)


def test_a_family_that_changes_what_it_is_given_changes_nothing_for_the_next(parse: Parse, answer: Answered) -> None:
    case = Case("c1", expected=EXPECTED)
    registry = Registry((Changing,))
    entry = {"changing": "{{ expected }}", "extract": {"json": "$"}}
    changing = registry.parse(entry, default_extract=None, read=lambda _: "", cases=[case])
    response = answer(json.dumps(EXPECTED))

    scores = [changing.grade(case, response)[0] for _ in range(3)]

    assert [score.passed for score in scores] == [True, True, True]
    assert parse({"json_equal": "{{ expected }}"}, [case]).grade(case, response)[0].passed
    assert case.expected == EXPECTED


def test_another_case_gets_its_own_argument(parse: Parse, answer: Answered) -> None:
    one, other = Case("c1", expected={"queue": "billing"}), Case("c1", expected={"queue": "sales"})
    grader = parse({"exact": "{{ expected.queue }}"}, [one, other])

    passed = [grader.grade(case, answer("sales"))[0].passed for case in (one, other, one)]

    assert passed == [False, True, False]


@given(TEXTS)
def test_a_text_read_again_is_the_same_value_and_not_the_same_object(text: str) -> None:
    def read() -> Any:
        try:
            return read_json(text, JsonMode.FENCED)
        except InvalidJsonError as error:
            return str(error)

    first, second = read(), read()

    assert repr(first) == repr(second)
    assert not isinstance(first, dict | list) or first is not second


NUMBERS = st.integers() | st.floats() | st.sampled_from(["1,200", "3.5 EUR", "1/3", "none", True, None])


@given(NUMBERS, NUMBERS, st.floats(0, 10), st.floats(0, 1))
@example(1e23, 10**23, 0.0, 0.0)
@example(0.1 + 0.2, 0.3, 0.0, 0.0)
@example(float("inf"), float("inf"), 0.0, 0.0)
def test_numbers_are_close_as_the_fractions_of_what_is_written(
    found: Any, wanted: Any, absolute: float, relative: float
) -> None:
    def long_way() -> bool | str:
        if found is None or wanted is None:
            return found is wanted
        target, value = written(wanted), written(found)
        if target is None:
            return "not a number"
        if value is None:
            return False
        tolerance = max(Fraction(repr(absolute)), Fraction(repr(relative)) * abs(target))
        return abs(value - target) <= tolerance or same_float(value, target)

    comparer = NumberComparer(number=Tolerances(absolute=absolute, relative=relative))
    try:
        short_way: bool | str = comparer.equal(found, wanted)
    except CannotGradeError:
        short_way = "not a number"

    assert short_way == long_way()


def written(value: Any) -> Fraction | None:
    if isinstance(value, float):
        return Fraction(repr(value)) if math.isfinite(value) else None
    return as_number(value)


def same_float(found: Fraction, wanted: Fraction) -> bool:
    try:
        return float(found) == float(wanted)
    except OverflowError:
        return False


@given(st.fractions(), st.floats(0, 1), st.floats(0, 1))
def test_a_number_is_close_to_itself_whatever_the_tolerance(value: Fraction, absolute: float, relative: float) -> None:
    assert close(value, value, absolute=absolute, relative=relative)


@given(st.text(), st.text(), st.lists(st.sampled_from(NormaliseStep), min_size=1))
def test_texts_are_equal_as_their_normal_forms_are(found: str, wanted: str, steps: list[NormaliseStep]) -> None:
    comparer = TextComparer(normalise=tuple(steps))

    assert comparer.equal(found, wanted) is (normalised(found, steps) == normalised(wanted, steps))
    assert comparer.equal(found, found)


@given(VALUES, VALUES)
def test_values_are_the_same_json_whatever_they_are(found: Any, wanted: Any) -> None:
    def plain(value: Any) -> Any:
        """The value with numbers and booleans told apart as JSON does."""
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        if isinstance(value, list):
            return [plain(item) for item in value]
        return ("boolean", value) if isinstance(value, bool) else value

    assert NamedComparer.EXACT.equal(found, wanted) is (plain(found) == plain(wanted))


@given(OBJECTS | VALUES | st.dictionaries(st.text(), st.text(max_size=600) | st.floats(), max_size=6))
def test_what_a_score_keeps_is_what_can_be_written_and_is_not_too_long(value: Any) -> None:
    text = text_of(value)
    wanted: Any
    if value is None or isinstance(value, bool | int | float):
        wanted = value
    elif len(text) > KEPT_LIMIT:
        wanted = scrubbed(shortened(text, KEPT_LIMIT))
    elif isinstance(value, str):
        wanted = scrubbed(value)
    else:
        wanted = value if scrubbed(text) == text else json.loads(scrubbed(text))

    assert repr(kept(value)) == repr(wanted)


@pytest.mark.parametrize("count", [4, 8, 9, 10])
def test_an_object_about_as_long_as_is_kept_is_kept_or_shortened_by_its_length(count: int) -> None:
    value = {f"key {number:02}": '"' * 100 for number in range(count)}

    assert isinstance(kept(value), str) is (len(text_of(value)) > KEPT_LIMIT)


@given(
    st.floats(0, 1e6), st.floats(-3, 3), st.sampled_from([0.0, 0.005, 0.1, 1e-9, 1e300]), st.sampled_from([0, 0.01, 2])
)
@example(100.0, 1.0, 0.005, 0.0)
@example(0.3, 0.0, 0.0, 0.0)
def test_numbers_about_a_tolerance_apart_are_close_as_they_are_written(
    wanted: float, times: float, absolute: float, relative: float
) -> None:
    found = wanted + times * max(absolute, relative * wanted)
    comparer = NumberComparer(number=Tolerances(absolute=absolute, relative=relative))
    target, value = written(wanted), written(found)
    if target is not None and value is not None:
        exact = close(value, target, absolute=absolute, relative=relative)
        assert comparer.equal(found, wanted) is exact


MADE = ("c1", "a", 0, "m", 0.5, False, Reason.WRONG, "a detail", {"n": 1}, 0, ("so",), "exact/1:0", {"label": "x"})


def test_a_score_made_fast_is_a_score_like_any_other() -> None:
    made, plain = made_score(*MADE), Score(*MADE)

    assert len(MADE) == len(dataclasses.fields(Score))
    assert (type(made), made, repr(made)) == (Score, plain, repr(plain))
    assert copy.deepcopy(made) == dataclasses.replace(made) == plain
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.value = 1.0  # type: ignore[misc]


FIELDS = {"queue": "casefold", "total": {"number": 0.1}, "due": "date", "lines[0].n": "exact", "more": "exact"}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(OBJECTS, OBJECTS)
@example(EXPECTED, EXPECTED)
@example({"queue": "", "lines": [{}]}, {"queue": None, "total": 0, "due": False, "lines": [], "more": {}})
def test_fields_are_marked_as_each_of_them_alone(
    parse: Parse, answer: Answered, expected: dict[str, Any], found: dict[str, Any]
) -> None:
    assume("Infinity" not in json.dumps(found))  # that is no JSON
    case = Case("c1", expected=expected)
    grader = parse({"name": "all", "json_equal": "{{ expected }}", "fields": FIELDS})
    response = answer(json.dumps(found))
    scores = {score.metric: score for score in grader.grade(case, response)}

    alone = {}
    for field, way in FIELDS.items():
        one = parse({"name": "all", "json_equal": "{{ expected }}", "fields": {field: way}})
        alone[field] = one.grade(case, response)[1]
    values = [score.value for score in alone.values()]
    wrong = [score for score in alone.values() if score.passed is False]

    assert [(s.metric, s.value, s.reason, s.detail) for s in alone.values()] == [
        (f"all.{field}", scores[f"all.{field}"].value, scores[f"all.{field}"].reason, scores[f"all.{field}"].detail)
        for field in FIELDS
    ]
    if None in values:
        assert scores["all"].reason is Reason.GRADER_ERROR
    else:
        assert scores["all"].value == pytest.approx(sum(value or 0.0 for value in values) / len(FIELDS))
        assert scores["all"].passed is not bool(wrong)
    empty = [field for field in FIELDS if holds_nothing(look_up(expected, parse_path(field)))]
    filled = [field for field in empty if not holds_nothing(look_up(found, parse_path(field)))]
    assert scores["all.invented"].value == (len(filled) / len(empty) if empty else 0.0)


def holds_nothing(value: Any) -> bool:
    return value is ABSENT or value is None or value in ("", [], {})
