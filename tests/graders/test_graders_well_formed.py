"""`well_formed`: XML, YAML, CSV and JSON that a reader takes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from snapdrift.graders.base import Grader
from snapdrift.graders.well_formed import WellFormed
from snapdrift.model import CallKey, Case, Outcome, Reason, Response, Score
from snapdrift.suites.registry import InvalidEntryError

Parse = Callable[..., Grader]
Scored = Callable[..., Score]
LAUGHS = "<!DOCTYPE l [<!ENTITY a 'ha'>" + "".join(
    f"<!ENTITY {name} '{f'&{before};' * 10}'>" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
YAML_LAUGHS = "a: &a [x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("form", "text", "why"),
    [
        ("xml", '<a b="1"><c/>é &amp; &#65;</a>', ""),
        ("xml", '\n<?xml version="1.0" encoding="UTF-16"?>\n<a>é</a>\n', ""),
        ("xml", "<a><b></a>", "mismatched tag at line 1 column 9"),
        ("xml", "<a/><b/>", "junk after document element"),
        ("xml", "no markup", "syntax error at line 1 column 1"),
        ("xml", "```xml\n<a/>\n```", "not well-formed (invalid token) at line 1 column 1"),
        ("xml", "<a>&b;</a>", "undefined entity"),
        ("xml", "<!DOCTYPE a SYSTEM 'file:///etc/hostname'><a/>", "it has a DTD (<!DOCTYPE), which is not read"),
        ("xml", LAUGHS + "]><l>&i;</l>", "it has a DTD"),
        ("xml", "<a>\ud800</a>", "half a surrogate pair"),
        ("xml", "<a>\x00</a>", "invalid token"),
        ("xml", "", "no element found"),
        ("xml", "<a>" * 300_000, "no element found"),
        ("xml", "<a>" * 300_000 + "</a>" * 300_000, ""),
        ("yaml", "a: 1\nb: [x, {c: 2}]\n", ""),
        ("yaml", "- a\n- &b c\n- *b\n", ""),
        ("yaml", YAML_LAUGHS, ""),
        ("yaml", "Sorry, I cannot do that.", "a single value instead of a mapping or a list at line 1"),
        ("yaml", "a: 1\na: 2\n", 'the key "a" a second time at line 2'),
        ("yaml", "- {a: {a: 1}}\n- {a: 2}\n", ""),
        ("yaml", "? [a, b]\n: 1\n? [a, b]\n: 2\n", ""),
        ("yaml", "a: *b\n", "nothing is called &b at line 1"),
        ("yaml", "a: 1\n---\nb: 2\n", "a second document begins at line 2"),
        ("yaml", "a:\tb: c", "mapping values are not allowed"),
        ("yaml", "a: [1", "at line 2"),
        ("yaml", "", "there is nothing"),
        ("yaml", "# only a comment", "there is nothing"),
        ("yaml", "a: \x00", "unacceptable character"),
        ("yaml", "a: \ud800", "surrogates not allowed"),
        ("yaml", "[" * 200 + "]" * 200, "nested deeper than 100 levels"),
        ("yaml", "[" * 100_000, "nest"),
        ("yaml", "a: " + "x" * 1_000_000, "of which at most 1,000,000 are read"),
        ("csv", 'a,b\n1,"2,\n3"\n', ""),
        ("csv", "a,b\r\n1,2\r\n", ""),
        ("csv", "a,b\n1\n", "row 2 has 1 fields, not 2"),
        ("csv", "a,b\n\n1,2\n", "row 2 has 0 fields, not 2"),
        ("csv", 'a,b\n1,"2\n', "unexpected end of data at line 2"),
        ("csv", "Here is your table", "a row of one field"),
        ("csv", "", "there is nothing"),
        ("csv", "a," + "x" * 200_000, "field larger than field limit"),
        ("csv", "a,b\x0bc\n1,2\u2028\n", ""),
        ("json", '{"a": [1]}', ""),
        ("json", '{"a": NaN}', "NaN is not a JSON value"),
        ("json", "[" * 200 + "]" * 200, "nested deeper"),
    ],
    ids=lambda value: str(value)[:24],
)  # fmt: skip
def test_a_text_is_well_formed_or_says_what_is_wrong(form: str, text: str, why: str, score: Scored) -> None:
    found = score({"well_formed": form}, text)

    assert (found.passed, found.reason) == (not why, Reason.WRONG if why else Reason.PASSED)
    assert why in found.detail
    assert found.detail.startswith(f"not well-formed {form.upper()}: ") is bool(why)


@pytest.mark.parametrize(
    ("more", "text", "passed"),
    [
        ({"columns": ["a", "b"]}, "a,b\n1,2", True),
        ({"columns": ["b", "a"]}, "a,b\n1,2", False),
        ({"columns": ["a", "b"]}, "a,b\n1,2,3", False),
        ({"columns": ["a"]}, "a\n1", True),
        ({"delimiter": ";"}, "a;b\n1,5;2", True),
        ({"delimiter": "\t", "columns": ["a", "b"]}, "a\tb\n1\t2", True),
    ],
)
def test_a_table_has_the_columns_that_are_asked_for(more: Any, text: str, passed: bool, score: Scored) -> None:
    assert score({"well_formed": "csv", **more}, text).passed is passed


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"well_formed": "toml"}, "'xml', 'yaml', 'csv' or 'json'"),
        ({"well_formed": "xml", "columns": ["a"]}, "them with csv only"),
        ({"well_formed": "yaml", "delimiter": ";"}, "with csv only"),
        ({"well_formed": "csv", "columns": []}, "at least one item"),
        ({"well_formed": "csv", "delimiter": ", "}, "one character"),
        ({"well_formed": "csv", "delimiter": '"'}, "one character"),
    ],
)
def test_settings_that_make_no_sense_are_refused(entry: Any, message: str, parse: Parse) -> None:
    with pytest.raises(InvalidEntryError, match=message):
        parse(entry)


@pytest.mark.parametrize("text", ["```xml\n<a/>\n```", "~~~\n<a/>\n~~~\n", "<a/>"])
def test_one_fence_around_the_whole_answer_can_be_taken_off(text: str, score: Scored) -> None:
    assert score({"well_formed": "xml", "extract": "fenced"}, text).passed


def test_a_fence_with_words_around_it_stays(score: Scored) -> None:
    assert not score({"well_formed": "xml", "extract": "fenced"}, "Here:\n```xml\n<a/>\n```").passed


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8")),
    lambda each: st.lists(each) | st.dictionaries(st.text(st.characters(codec="utf-8")), each),
    max_leaves=10,
)


def passes(form: str, text: str) -> bool | None:
    response = Response(CallKey("c1", "v", 0), Outcome.OK, "m", text)
    return WellFormed.model_validate({"name": "w", "well_formed": form}).grade(Case("c1"), response)[0].passed


@settings(max_examples=40)
@given(st.lists(VALUES) | st.dictionaries(st.text(st.characters(codec="utf-8")), VALUES))
def test_what_a_writer_writes_is_well_formed(value: Any) -> None:
    assert passes("json", json.dumps(value))
    assert passes("yaml", yaml.safe_dump(value, allow_unicode=False))


FIELD = st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), min_size=1).filter(
    lambda text: text == text.strip()
)


@settings(max_examples=50)
@given(st.integers(2, 4).flatmap(lambda n: st.lists(st.lists(FIELD, min_size=n, max_size=n), min_size=1)))
def test_rows_of_one_length_are_a_table(rows: list[list[str]]) -> None:
    written = io.StringIO()
    csv.writer(written).writerows(rows)

    assert passes("csv", written.getvalue())
