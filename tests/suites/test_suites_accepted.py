"""The file of accepted losses: its form, what it may name, and when it is over."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from snapdrift.acceptances import Acceptance
from snapdrift.errors import AcceptancesError
from snapdrift.graders.registry import Registry
from snapdrift.suites.accepted import (
    accept,
    accepted_json_schema,
    is_accepted_file,
    read_accepted,
    suite_files,
)
from snapdrift.suites.loader import load_suite
from snapdrift.suites.resolved import suite_from_stored
from snapdrift.suites.workspace import find_workspace

TODAY = date(2026, 11, 27)
SUITE = """\
suite: letters
cases: [{id: a, tags: [golden]}, {id: b}, {id: c}]
prompt: {input: Hi}
variants: {old: {model: gpt-4o-2024-08-06}, new: {model: gpt-4o-2024-11-20}}
graders: [{name: polite, contains: please}]
gates:
  default: {baseline: {variant: old}, metrics: {polite: {margin: 0.5}}}
  strict: {extends: default, must_pass: {tag: golden}}
"""
EXPORTED = """\
- suite: "letters"
  case: "b"
  metric: "polite"
  why: "the fence is \\"stripped\\" downstream"
  by: "ada"
  until: 2027-02-20
"""


@pytest.fixture
def root(tmp_path):
    (tmp_path / "evals").mkdir()
    (tmp_path / "evals" / "letters.yaml").write_text(SUITE)
    return tmp_path


def read(root, text, today=TODAY, suites=None):
    (root / "evals" / "accepted.yaml").write_text(text)
    return read_accepted(find_workspace(root), today, suites)


def accepted(root, text, today=TODAY):
    workspace = find_workspace(root)
    suite = load_suite(root / "evals" / "letters.yaml", workspace, Registry(), None)
    return accept(suite, read(root, text, today), today)


def entry(**changed):
    said = {"suite": "letters", "case": "b", "metric": "polite", "why": "w", "by": "ada", "until": "2027-02-20"}
    return "- {" + ", ".join(f"{key}: {value}" for key, value in (said | changed).items()) + "}\n"


def test_what_the_page_exports_is_read_as_it_is(root):
    suite = accepted(root, EXPORTED)
    assert suite.accepted == (Acceptance("b", "polite", 'the fence is "stripped" downstream', "ada", "2027-02-20"),)


def test_acceptances_are_stored_with_the_suite_and_are_no_part_of_its_hash(root):
    suite = accepted(root, EXPORTED)
    plain = accepted(root, "")
    again = suite_from_stored(suite.to_stored(), suite.cases, Registry())
    assert again.accepted == suite.accepted != plain.accepted
    assert suite.hash == plain.hash


def test_the_last_day_counts_and_the_day_after_ends_with_how_to_mend_it(root):
    assert accepted(root, entry(), date(2027, 2, 20)).accepted
    with pytest.raises(AcceptancesError) as error:
        accepted(root, entry(), date(2027, 2, 21))
    (problem,) = error.value.problems
    assert (problem.file, problem.line, problem.path) == ("evals/accepted.yaml", 1, "[0].until")
    assert problem.found == "2027-02-20, which is over (today is 2027-02-21, UTC)"
    assert "date it anew, or take the entry out" in problem.expected


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({"case": "bb"}, 'no case "bb" in letters'),
        ({"metric": "pollite"}, 'no metric "pollite" in letters'),
        ({"case": "a"}, '"a", which must pass under the gate strict'),
    ],
)
def test_what_cannot_be_accepted_of_a_suite_is_told(root, changed, found):
    with pytest.raises(AcceptancesError) as error:
        accepted(root, entry(**changed))
    assert [problem.found for problem in error.value.problems] == [found]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("- suite: letters\n", ["missing"] * 5),
        (entry(wy="x"), ["unknown key"]),
        (entry(until="soon"), ['"soon"']),
        (entry(until="2027-02-30"), ['"2027-02-30"']),
        (entry(until="2027-11-29"), ['"2027-11-29"']),
        (entry(why='""'), ['""']),
        (entry() + entry(why="x"), ['"b" on polite again']),
        ("suite: letters\n", ["a mapping"]),
    ],
)
def test_a_file_of_another_form_is_refused_with_what_was_found(root, text, found):
    with pytest.raises(AcceptancesError) as error:
        read(root, text)
    assert [problem.found for problem in error.value.problems] == found


def test_a_day_a_year_ahead_is_the_last_that_may_be_set(root):
    assert len(read(root, entry(until="2027-11-28")).entries) == 1


def test_a_suite_that_is_not_there_is_told_with_the_nearest_name(root):
    with pytest.raises(AcceptancesError, match='no suite "leters"; did you mean "letters"'):
        read(root, entry(suite="leters"), suites=suite_files(find_workspace(root)).keys)


def test_mistakes_of_every_kind_are_told_at_once_in_the_order_of_their_lines(root):
    text = entry() + entry(wy="x") + entry(suite="leters") + entry(until="2027-02-30", case="c") + entry()
    with pytest.raises(AcceptancesError) as error:
        read(root, text, suites=lambda: ["letters"])
    found = [(problem.line, problem.found) for problem in error.value.problems]
    assert found == [(2, "unknown key"), (3, 'no suite "leters"'), (4, '"2027-02-30"'), (5, '"b" on polite again')]


def test_an_acceptance_with_a_hash_is_of_the_case_that_was_reviewed(root):
    suite = load_suite(root / "evals" / "letters.yaml", find_workspace(root), Registry(), None)
    digest = suite.cases[1].hash
    assert accepted(root, entry(hash=f'"{digest[:12]}"')).accepted == accepted(root, entry()).accepted
    with pytest.raises(AcceptancesError) as error:
        accepted(root, entry(hash='"00000000beef"'))
    (problem,) = error.value.problems
    assert problem.found == f'"00000000beef", and the case is "{digest[:12]}" now'
    assert problem.expected.endswith("look at it again")
    with pytest.raises(AcceptancesError, match="expected 8 to 64 hexadecimal digits in quotes"):
        read(root, entry(hash="short"))


def test_no_file_and_an_empty_one_accept_nothing(root):
    assert read_accepted(find_workspace(root), TODAY) is None
    assert accepted(root, "# nothing now\n").accepted == ()


def test_only_the_file_in_evals_is_the_workspaces(root):
    workspace = find_workspace(root)
    read(root, "")
    assert is_accepted_file(root / "evals" / ".." / "evals" / "accepted.yaml", workspace)
    assert not is_accepted_file(root / "accepted.yaml", workspace)
    assert list(suite_files(workspace)) == ["letters"]


def test_a_link_out_of_the_workspace_is_not_followed(root, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "a.yaml"
    outside.write_text(entry())
    (root / "evals" / "accepted.yaml").symlink_to(outside)
    with pytest.raises(AcceptancesError, match="leads out of the workspace"):
        read_accepted(find_workspace(root), TODAY)


def test_the_schema_in_the_repository_is_the_present_one():
    kept = Path(__file__).parents[2] / "evals" / "accepted.schema.json"
    assert json.loads(kept.read_text()) == accepted_json_schema()


def test_the_schema_for_editors_has_the_keys_of_an_entry():
    schema = accepted_json_schema()
    (name,) = schema["$defs"]
    assert set(schema["$defs"][name]["properties"]) == {"suite", "case", "metric", "why", "by", "until", "hash"}
    assert schema["$defs"][name]["additionalProperties"] is False
