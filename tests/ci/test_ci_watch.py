"""Nights of watching as the watch action has them: one issue about what was found, and one when nothing is heard."""

from __future__ import annotations

import json
from datetime import UTC, datetime
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
    still_silent: Job
    heard: Job
    silence: dict[str, object]


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
    """A night on which the alias has moved, two days without any report for long, and one on which there is one."""
    place = hub.folder / "state"
    inputs = {**INPUTS, "state": str(place)}
    before = WatchState("capitals", "nightly", 1, "2026-11-01T02:00:00+00:00", {"alias": ("gpt-4o-2024-05-13",)})
    remember(place, before)
    alarm = hub.machine(event="schedule", payload={}).run(ACTION, inputs)
    (issue,) = hub.api.issues
    kept, comments = dict(issue), len(hub.api.comments)
    state = state_there(place)
    remember(place, WatchState("capitals", "nightly", state.nights + 1, "2026-11-02T02:00:00+00:00", state.models))

    def look() -> Job:
        return hub.machine(event="schedule", payload={}).run(ACTION, {**inputs, "ask": "false"})

    silent = [look(), look()]
    silence = dict(hub.api.issues[-1])
    now = datetime.now(UTC).isoformat(timespec="seconds")
    remember(place, WatchState("capitals", "nightly", state.nights + 2, now, state.models))
    return Nights(alarm, kept, comments, *silent, look(), silence)


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


def test_silence_of_three_days_is_one_issue_and_so_is_its_end(nights: Nights, hub: Hub) -> None:
    assert (nights.silent.outputs["exit-code"], nights.silent.failed) == ("3", True)
    assert "OVERDUE" in nights.silent.annotations("error")[0]
    assert nights.silence["title"] == "Snapdrift: no night has reported for 3d"
    assert "the last night that reported ended at 2026-11-02T02:" in str(nights.silence["body"])
    assert (nights.heard.outputs["exit-code"], nights.heard.failed) == ("0", False)
    assert [issue["title"] for issue in hub.api.issues[1:]] == ["Snapdrift: nights report again"]
    news = [one["body"].splitlines()[0] for one in hub.api.comments[nights.comments :]]
    assert news == ["**Snapdrift: nights report again**"]


def test_looking_at_the_nights_asks_nothing_and_leaves_nothing(nights: Nights) -> None:
    for job in (nights.silent, nights.still_silent):
        assert (job.steps["push"].outcome, job.steps["upload"].outcome) == ("skipped", "skipped")
        assert "night" not in json.dumps(job.steps["watch"].outputs)


def test_pull_requests_do_not_watch(hub: Hub) -> None:
    job = hub.machine(event="pull_request").run(ACTION, INPUTS)
    assert job.outputs["exit-code"] == "2"
    assert job.steps["watch"].outcome == "skipped"
