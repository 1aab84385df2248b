"""What is written reads back as what was meant."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from snapdrift.importers.made import suite_text, yaml_text
from snapdrift.importers.names import identifier
from snapdrift.importers.notes import Notes
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
