"""The cases that programs write are what those write, and what they expect follows from what they show."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from snapdrift.graders.comparers import read_date

ROOT = Path(__file__).parents[2]
MADE = {
    "handbook.jsonl": ("make_handbook.py", "handbook_parts.yaml"),
    "returns.jsonl": ("make_returns.py", "parcels.jsonl"),
    "invitations.jsonl": ("make_invitations.py",),
}


def rows_of(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (ROOT / "datasets" / name).read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("name", MADE)
def test_a_dataset_is_what_its_program_writes(name: str, tmp_path: Path) -> None:
    for part in MADE[name]:
        (tmp_path / part).write_bytes((ROOT / "datasets" / part).read_bytes())

    subprocess.run([sys.executable, tmp_path / MADE[name][0]], check=True)

    assert (tmp_path / name).read_bytes() == (ROOT / "datasets" / name).read_bytes()


# ---------------------------------------------------------------------------------------------------------- handbook


def test_the_answer_of_a_question_says_what_it_must() -> None:
    odd = [
        row["id"]
        for row in rows_of("handbook.jsonl")
        if not any(said.casefold() in row["expected"]["answer"].casefold() for said in row["expected"]["says"])
    ]
    assert odd == []


def test_a_question_is_shown_the_passages_that_it_cites_and_four_that_it_does_not_need_at_most() -> None:
    for row in rows_of("handbook.jsonl"):
        shown = {passage["id"] for passage in row["passages"]}
        assert shown == {"d1", "d2", "d3", "d4", "d5"}
        assert set(row["expected"]["cites"]) <= shown
        assert row["expected"]["marks"] == " ".join(f"[{one}]" for one in row["expected"]["cites"])


def test_the_place_of_a_needed_passage_says_nothing() -> None:
    places = Counter(one for row in rows_of("handbook.jsonl") for one in row["expected"]["cites"])
    assert len(places) == 5
    assert min(places.values()) >= 8


def test_the_provenance_note_counts_the_kinds_of_questions() -> None:
    kinds = Counter(tag for row in rows_of("handbook.jsonl") for tag in row["tags"])
    note = (ROOT / "datasets" / "README.md").read_text(encoding="utf-8")
    assert f"{kinds['one-source']} are answered by one passage" in note
    assert f"{kinds['two-sources']} need two" in note
    assert f"{kinds['not-there']} have no answer there" in note


# ------------------------------------------------------------------------------------------------------ returns desk


def test_a_return_is_started_where_the_order_came_at_most_thirty_days_ago() -> None:
    for row in rows_of("returns.jsonl"):
        (first, *_) = row["tool_results"]["find_order"]
        days = first.get("returns", {}).get("days_since_delivery")
        outcome = "unknown_order" if days is None else "return_started" if days <= 30 else "too_late"
        names = [call["name"] for call in row["expected"]["tool_calls"]]
        assert row["expected"]["outcome"] == outcome
        assert names == ["find_order", "start_return"][: 2 if outcome == "return_started" else 1]


def test_a_customer_names_the_order_or_shows_its_label() -> None:
    labels = {row["photo"]: row["expected"]["order"] for row in rows_of("parcels.jsonl") if "photo" in row}
    for row in rows_of("returns.jsonl"):
        order = row["expected"]["order"]
        assert (order in row["message"]) is ("photo" not in row)
        assert "photo" not in row or labels[row["photo"]] == order


def test_every_reason_is_given_at_least_five_times() -> None:
    calls = [call for row in rows_of("returns.jsonl") for call in row["expected"]["tool_calls"]]
    reasons = Counter(call["arguments"]["reason"] for call in calls if call["name"] == "start_return")
    assert set(reasons) == {"damaged", "wrong_item", "not_wanted"}
    assert min(reasons.values()) >= 5


# ------------------------------------------------------------------------------------------------------- invitations


def test_expected_meetings_are_valid_under_the_schema() -> None:
    schema = json.loads((ROOT / "graders" / "meeting.schema.json").read_text(encoding="utf-8"))
    validator = jsonschema_rs.Draft202012Validator(schema)
    assert [row["id"] for row in rows_of("invitations.jsonl") if not validator.is_valid(row["expected"])] == []


def test_a_mail_names_the_place_the_people_and_the_tasks_that_are_expected() -> None:
    for row in rows_of("invitations.jsonl"):
        expected, mail = row["expected"], row["mail"]
        said = [expected["title"], *expected["people"], *[task["what"] for task in expected["tasks"]]]
        said += [] if expected["place"] is None else [expected["place"]]
        assert [text for text in said if text not in mail] == []
        assert ("no-place" in row["tags"]) is (expected["place"] is None)


def test_a_task_is_due_before_the_meeting_and_given_to_somebody_who_is_invited() -> None:
    for row in rows_of("invitations.jsonl"):
        meeting = read_date(row["expected"]["date"])
        assert meeting is not None
        for task in row["expected"]["tasks"]:
            due = read_date(task["due"])
            assert due is None or due < meeting
            assert task["who"] in row["expected"]["people"]
