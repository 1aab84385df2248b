"""The issues of watching over many nights: one for alarms, one for silence, and a comment only for what is new."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.ci.github_actions import ROOT
from tests.ci.github_api import BOT, TOKEN, GitHub, github_api

ALARM, SILENCE = "Snapdrift: a watched alias moved or changed", "Snapdrift: no night has reported for 3d"
AGAIN = "Snapdrift: nights report again"
Told = Callable[..., tuple[list[str], int]]


@pytest.fixture
def api() -> Iterator[GitHub]:
    with github_api() as github:
        yield github


@pytest.mark.parametrize(("method", "sent"), [("PATCH", 2), ("POST", 1)])
def test_what_may_have_been_made_is_not_made_again_and_anything_else_is_asked_again(
    api: GitHub, tmp_path: Path, method: str, sent: int
) -> None:
    api.add_issue({"title": "one"})
    api.down = 1
    (tmp_path / "body.json").write_text('{"title": "two"}')
    path = "/repos/acme/app/issues" + ("/500" if method == "PATCH" else "")
    script = f'source "{ROOT}/ci/lib.sh"; api {method} {path} "{tmp_path}/body.json"'
    env = {"PATH": os.environ["PATH"], "GITHUB_TOKEN": TOKEN, "GITHUB_API_URL": api.url}
    done = subprocess.run(["bash", "-c", script], env=env, capture_output=True, check=False)
    assert (done.returncode == 0, api.asked) == (method == "PATCH", [f"{method} {path}"] * sent)


@pytest.fixture
def told(api: GitHub, tmp_path: Path) -> Told:
    """Runs the step on what a night left; returns the titles of the issues and how many comments there are."""

    def night(late: str, tripped: int | None = None, reported: str = "- x", code: int = 0) -> tuple[list[str], int]:
        suite = {"suite": "s", "night": tripped, "tripped": ["moved"] if tripped else [], "verdict": None}
        (tmp_path / "night.json").write_text(json.dumps({"suites": [suite]}))
        (tmp_path / "night.md").write_text(f"- night {tripped} moved")
        (tmp_path / "reported.md").write_text(reported)
        env = {
            "GITHUB_API_URL": api.url,
            "GITHUB_OUTPUT": str(tmp_path / "output"),
            "GITHUB_REPOSITORY": "acme/app",
            "GITHUB_RUN_ID": "1",
            "GITHUB_SERVER_URL": "https://github.example",
            "GITHUB_TOKEN": TOKEN,
            "PATH": os.environ["PATH"],
            "SNAPDRIFT_AUTHOR": BOT,
            "SNAPDRIFT_FOLDER": str(tmp_path),
            "SNAPDRIFT_KEY": "ci",
            "SNAPDRIFT_OVERDUE": "3d",
            "WATCH_LATE": late,
        }
        done = subprocess.run(["bash", ROOT / "ci" / "issue.sh"], env=env, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        return [issue["title"] for issue in api.issues], len(api.comments)

    return night


def test_an_alarm_is_one_issue_and_the_next_alarm_a_comment_on_it(told: Told, api: GitHub) -> None:
    assert told("0") == ([], 0)
    assert told("0", 3) == ([ALARM], 0)
    assert told("0", 3) == ([ALARM], 0)
    assert told("0", 4) == ([ALARM], 1)
    assert "night 4 moved" in api.issues[0]["body"]
    assert told("0") == ([ALARM], 1)
    assert "night 4 moved" in api.issues[0]["body"]


def test_silence_is_an_issue_of_its_own_and_its_end_is_said_once(told: Told) -> None:
    told("0", 3)
    assert told("3", reported="- ended at 5, 4.0 days ago") == ([ALARM, SILENCE], 0)
    assert told("3", reported="- ended at 5, 5.0 days ago") == ([ALARM, SILENCE], 0)
    assert told("2") == ([ALARM, SILENCE], 0)
    assert told("0") == ([ALARM, AGAIN], 1)
    assert told("0") == ([ALARM, AGAIN], 1)
    assert told("3", reported="- ended at 9, 4.0 days ago") == ([ALARM, SILENCE], 2)


def test_a_marker_of_somebody_elses_issue_is_not_ours(told: Told, api: GitHub) -> None:
    api.add_issue({"title": "Mine", "body": "<!-- snapdrift-watch:ci over -->"}, author="mallory")
    assert told("0", 3) == (["Mine", ALARM], 0)


def test_an_alarm_that_cannot_be_told_is_no_quiet_night(told: Told, api: GitHub) -> None:
    api.writable = False
    assert told("0", 3, code=2) == ([], 0)
