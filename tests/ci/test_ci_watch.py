"""Nights of watching as the watch action has them: one issue about what was found, and one when nothing is heard."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
from tests.ci.conftest import Hub
from tests.ci.github_actions import ROOT, Job

from snapdrift.store.watch_state import WatchState, locked_state, watch_path

ACTION = ROOT / "ci" / "watch" / "action.yml"
INPUTS = {
    "suites": "evals/capitals.yaml",
    "gate": "nightly",
    "install": "false",
    "standin": "true",
    "cases": "5",
}


class Nights(NamedTuple):
    alarm: Job
    issue: dict[str, object]
    comments: int
    silent: Job


def remember(place: Path, state: WatchState) -> None:
    """Puts a state of watching into a folder that jobs pull from and push to."""
    (place / "watch").mkdir(parents=True, exist_ok=True)
    with locked_state(watch_path(place, "capitals", "nightly"), "capitals", "nightly") as file:
        file.write(state)


def state_there(place: Path) -> WatchState:
    with locked_state(watch_path(place, "capitals", "nightly"), "capitals", "nightly") as file:
        return file.read()


@pytest.fixture(scope="module")
def nights(hub: Hub) -> Nights:
    """A night on which the alias has moved, and a look when nothing has been heard for long."""
    place = hub.folder / "state"
    inputs = {**INPUTS, "state": str(place)}
    before = WatchState("capitals", "nightly", 1, "2026-11-01T02:00:00+00:00", {"alias": ("gpt-4o-2024-05-13",)})
    remember(place, before)
    alarm = hub.machine(event="schedule", payload={}).run(ACTION, inputs)
    (issue,) = hub.api.issues
    kept, comments = dict(issue), len(hub.api.comments)
    state = state_there(place)
    remember(place, WatchState("capitals", "nightly", state.nights + 1, "2026-11-02T02:00:00+00:00", state.models))
    silent = hub.machine(event="schedule", payload={}).run(ACTION, {**inputs, "ask": "false"})
    return Nights(alarm, kept, comments, silent)


def test_an_alias_that_moved_opens_one_issue_that_says_what_tripped(nights: Nights, hub: Hub) -> None:
    assert nights.issue["title"] == "Snapdrift: a watched alias moved or changed"
    body = str(nights.issue["body"])
    assert body.startswith("<!-- snapdrift-watch:ci ")
    assert "`alias` is answered by gpt-4o-2024-08-06, last night by gpt-4o-2024-05-13" in body
    assert "### capitals" in body
    assert [issue["body"] for issue in hub.api.issues if "snapdrift-watch:ci" in issue["body"]] == [body]


def test_the_night_ends_with_what_the_suite_came_to_and_leaves_its_evidence(nights: Nights, hub: Hub) -> None:
    assert (nights.alarm.outputs["exit-code"], nights.alarm.outputs["decision"]) == ("0", "passed")
    assert "`alias` is answered by" in nights.alarm.annotations("warning")[0]
    assert "### Watched aliases" in nights.alarm.summary
    assert "reports/capitals" in nights.alarm.steps["upload"].inputs["path"]
    assert list((hub.folder / "state" / "runs").glob("*.db"))


def test_silence_of_three_days_is_said_by_a_job_that_asks_nothing(nights: Nights, hub: Hub) -> None:
    assert (nights.silent.outputs["exit-code"], nights.silent.failed) == ("3", True)
    assert "OVERDUE" in nights.silent.annotations("error")[0]
    assert [issue["title"] for issue in hub.api.issues[1:]] == ["Snapdrift: no night has reported for 3d"]
    assert "the last night that reported ended at 2026-11-02T02:" in hub.api.issues[1]["body"]
    assert len(hub.api.comments) == nights.comments
    steps = nights.silent.steps
    assert (steps["push"].outcome, steps["upload"].outcome) == ("skipped", "skipped")
    assert "run-id" not in steps["watch"].outputs


def test_pull_requests_do_not_watch(hub: Hub) -> None:
    job = hub.machine(event="pull_request").run(ACTION, INPUTS)
    assert job.outputs["exit-code"] == "2"
    assert job.steps["watch"].outcome == "skipped"
