"""What is written reads back as what was meant."""

from __future__ import annotations

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from snapdrift.importers.made import Made, MadeSuite, suite_text, yaml_text
from snapdrift.importers.names import identifier
from snapdrift.importers.notes import Notes
from snapdrift.importers.retiring import with_retiring_judges
from snapdrift.openai_api.catalog import load_catalog
from snapdrift.suites.document import parse_document

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\t"), max_size=40)
LIKE_VALUES = st.sampled_from(["1e3", "007", "yes", "null", "~", "0x1F", "1_000", "12:30", "{{ a }}", "- x", "# y", ""])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT | LIKE_VALUES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT | LIKE_VALUES, inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(TEXT | LIKE_VALUES, VALUES, max_size=4))
def test_a_suite_reads_back_as_the_values_that_it_was_made_of(value):
    assert parse_document(yaml_text(value), "made.yaml").value == value


@given(TEXT)
def test_a_note_is_a_comment_whatever_it_holds(text):
    notes = Notes()
    notes.left_out(text, text, text)
    assert parse_document(suite_text({"suite": "x"}, text, notes), "made.yaml").value == {"suite": "x"}


@given(st.text(max_size=80))
def test_any_text_makes_a_name_that_graders_and_templates_take(text):
    assert identifier(text).isidentifier()


def test_a_judge_that_is_shut_down_soon_is_taken_and_told_wherever_it_stands():
    judge = {"judge": {"criteria": ["x"], "model": "gpt-4o-2024-11-20"}}
    suite = MadeSuite("s", {"graders": [{"name": "a", **judge}, {"name": "b", "all": [{"contains": "x"}, judge]}]})
    notes = Notes()
    made = with_retiring_judges(Made("x", (suite,), notes), load_catalog({}, today=date(2026, 12, 31)))
    allowed = {"judge": {**judge["judge"], "allow_retiring": True}}
    assert made.suites[0].entry["graders"] == [
        {"name": "a", **allowed},
        {"name": "b", "all": [{"contains": "x"}, allowed]},
    ]
    assert [note.what for note in notes.said] == ["the judge gpt-4o-2024-11-20"]
    luna = MadeSuite("s", {"graders": [{"name": "a", "judge": {"criteria": ["x"], "model": "gpt-6-luna"}}]})
    (grader,) = with_retiring_judges(Made("x", (luna,), Notes()), load_catalog({})).suites[0].entry["graders"]
    assert grader["judge"]["allow_alias"] is True, "it has no snapshot"
    assert grader["judge"]["request"] == {"temperature": None, "max_output_tokens": 2000}, "it reasons"
    early = with_retiring_judges(Made("x", (suite,), Notes()), load_catalog({}, today=date(2026, 11, 27)))
    assert early.suites[0].entry["graders"] == suite.entry["graders"]
