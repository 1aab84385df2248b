"""A run that is killed anywhere: its file opens, nothing that was committed is lost, little is asked twice.

`SNAPDRIFT_KILLS` is how many kills at random moments there are: 10, and 100 in `nox -s kills`.
"""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.faults.conftest import Fated, requests_of

from snapdrift.model import CallKey
from snapdrift.store import RunState, open_run

KILLS = int(os.environ.get("SNAPDRIFT_KILLS", "10"))
SEED = 20261127
CASES, CONCURRENCY = 40, 8
PLANNED = 2 * CASES
JUDGED = CASES
"""Both models say the same, so that an answer's judgement serves the other's too."""
COMMIT_GROUP = CONCURRENCY
"""One commit holds at most what waits for it: one response of each worker."""

Answers = dict[CallKey, str]


def run_file(root: Path) -> Path | None:
    found = list((root / ".snapdrift" / "runs").glob("*.db"))
    assert len(found) <= 1
    return found[0] if found else None


def answers(root: Path) -> Answers:
    """What is stored of measured answers, judges' among them; the file opens and every response in it is read."""
    path = run_file(root)
    if path is None:
        return {}
    with open_run(path) as run:
        return {one.call: one.raw for one in run.responses() if one.outcome.measured}


def told_as_stored(path: Path) -> set[CallKey]:
    """The calls of which the writer said that they are durable."""
    whole, _, _ = path.read_text().rpartition("\n") if path.exists() else ("", "", "")
    return {CallKey(*json.loads(line)[1:5]) for line in whole.splitlines()}


class Killing:
    """One run of a workspace, started again and again until it came to its end."""

    def __init__(self, root: Path, url: str, log: Path, fated: Fated) -> None:
        self.root, self._log, self._fated = root, log, fated
        self._told = root / "told.jsonl"
        self._command = ("run", "evals/capitals.yaml", "--base-url", url, "--concurrency", str(CONCURRENCY), "--quiet")
        self._before: Answers = {}
        self._asked_before = requests_of(log)
        self.kills = 0

    def start(self, *fates: Any) -> int:
        told = ["told what is stored", [str(self._told)]]
        return self._fated.start(*self._command, cwd=self.root, fates=[told, *fates])

    def killed(self) -> bool:
        """Waits for the end; says whether the command was killed, in which case what must hold is looked at."""
        ended = self._fated.wait()
        if ended.code != -signal.SIGKILL:
            assert ended.code == 0, ended.err
            return False
        self.kills += 1
        after = answers(self.root)
        assert told_as_stored(self._told) <= after.keys()
        assert {key: after.get(key) for key in self._before} == self._before
        self._before = after
        return True

    def come_to_its_end(self) -> None:
        """The last start: nothing is missing, and what was asked twice is bounded."""
        self.start()
        assert not self.killed()
        path = run_file(self.root)
        assert path is not None
        with open_run(path) as run:
            assert run.state is RunState.FINISHED
            assert run.evaluation is not None
            assert [variant.outcomes for variant in run.evaluation.variants] == [{"ok": CASES}] * 2
        assert answers(self.root).items() >= self._before.items()
        asked = requests_of(self._log) - self._asked_before
        assert asked.total() - PLANNED - JUDGED <= self.kills * (CONCURRENCY + COMMIT_GROUP)
        assert not list(path.parent.glob("*.draft*"))
        assert (self.root / "reports" / "capitals" / "latest" / "verdict.json").is_file()


@pytest.fixture
def killing(judged: Callable[..., Path], standin: tuple[str, Path], fated: Fated) -> Callable[[], Killing]:
    root = judged(cases=CASES)

    def begin() -> Killing:
        for name in (".snapdrift", "reports"):
            for path in sorted((root / name).rglob("*"), reverse=True):
                path.unlink() if path.is_symlink() or not path.is_dir() else path.rmdir()
        (root / "told.jsonl").unlink(missing_ok=True)
        return Killing(root, *standin, fated)

    return begin


def test_kills_at_random_moments_lose_nothing_that_was_committed(killing):
    rng, run, kills = random.Random(SEED), killing(), 0
    began = time.monotonic()
    run.come_to_its_end()
    whole = time.monotonic() - began
    run = killing()
    while kills < KILLS:
        pid = run.start()
        time.sleep(rng.uniform(0.0, whole))
        os.kill(pid, signal.SIGKILL)  # one that has ended is not waited for yet, so that the id is still its own
        if run.killed():
            kills += 1
        else:
            run.come_to_its_end()
            run = killing()
    run.come_to_its_end()


INTO_CALLS, INTO_RESPONSES = "^INSERT INTO calls", "^INSERT OR REPLACE INTO responses"
POINTS = {
    "planning": ("statement", INTO_CALLS, 30),
    "the plan is in its draft": ("rename", r"\.db$", 1),
    "asking, before a commit": ("statement", INTO_RESPONSES, 25),
    "judging": ("statement", INTO_RESPONSES, PLANNED + 10),
    "grading": ("statement", "^INSERT.* INTO scores", 30),
    "concluding": ("statement", "INTO meta.*'evaluation'", 1),
    "marking it as finished": ("statement", "INTO meta.*'finished_at'", 1),
    "writing its page": ("rename", r"capitals/[^/]*/index\.html$", 1),
    "writing its verdict": ("rename", r"capitals/[^/]*/verdict\.json$", 1),
    "refreshing the list of runs": ("rename", r"reports/index\.html$", 1),
}


@pytest.mark.parametrize("point", POINTS)
def test_a_run_that_is_killed_in_any_phase_goes_on_to_the_full_result(killing, point):
    name, pattern, times = POINTS[point]
    run = killing()
    run.start([name, [pattern, times, signal.SIGKILL]])
    assert run.killed()
    run.come_to_its_end()


# ------------------------------------------------------------------------------------------- signals that ask to end


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_asks_to_end_lets_what_is_in_flight_come_and_says_how_to_go_on(
    judged, standin, fated: Fated, number
):
    url, log = standin
    root = judged(cases=CASES)
    before = requests_of(log)
    fate = ["statement", [INTO_RESPONSES, 20, number]]
    command = ("run", "evals/capitals.yaml", "--base-url", url, "--concurrency", str(CONCURRENCY), "--quiet")
    ended = fated.run(*command, cwd=root, fates=[fate])
    assert ended.code == 130, ended.err
    path = run_file(root)
    assert path is not None
    (said,) = (line for line in ended.err.splitlines() if line.startswith("interrupted"))
    assert f"snapdrift resume {path.stem}" in said
    assert not (root / "reports").exists()
    assert len(answers(root)) == (requests_of(log) - before).total()  # nothing in flight was given up
    with open_run(path) as run:
        assert run.state is RunState.INTERRUPTED
    done = fated.run("resume", "latest", "--quiet", cwd=root)
    assert done.code == 0, done.err
    assert set((requests_of(log) - before).values()) == {1}


@pytest.mark.parametrize(
    ("point", "go_on"),
    [("grading", "resume"), ("concluding", "resume"), ("writing its page", "report")],
)
def test_a_signal_between_the_steps_of_a_run_says_how_to_go_on(judged, standin, fated: Fated, point, go_on):
    root = judged(cases=CASES)
    name, pattern, times = POINTS[point]
    command = ("run", "evals/capitals.yaml", "--base-url", standin[0], "--concurrency", str(CONCURRENCY), "--quiet")
    ended = fated.run(*command, cwd=root, fates=[[name, [pattern, times, signal.SIGTERM]]])
    assert ended.code == 130, ended.err
    path = run_file(root)
    assert path is not None
    (said,) = (line for line in ended.err.splitlines() if line.startswith("interrupted"))
    assert f"`snapdrift {go_on} {path.stem}`" in said
    done = fated.run(go_on, path.stem, "--quiet", cwd=root)
    assert done.code == 0, done.err
    assert (root / "reports" / "capitals" / path.stem / "verdict.json").is_file()


@pytest.mark.parametrize(("point", "go_on"), [("concluding", "resume"), ("writing its page", "report")])
def test_a_signal_while_shards_are_merged_says_how_to_go_on_with_the_whole(workspace, fated: Fated, point, go_on):
    root = workspace(cases=40)
    for number in (1, 2):
        made = fated.run("run", "evals/capitals.yaml", "--standin", "--shard", f"{number}/2", "--quiet", cwd=root)
        assert made.code == 0, made.err
    shards = sorted(path.stem for path in (root / ".snapdrift" / "runs").glob("*.db"))
    name, pattern, times = POINTS[point]
    ended = fated.run("merge", *shards, "--quiet", cwd=root, fates=[[name, [pattern, times, signal.SIGTERM]]])

    assert ended.code == 130, ended.err
    (whole,) = (path.stem for path in (root / ".snapdrift" / "runs").glob("*.db") if path.stem not in shards)
    (said,) = (line for line in ended.err.splitlines() if line.startswith("interrupted"))
    assert f"`snapdrift {go_on} {whole}`" in said
    done = fated.run(go_on, whole, "--quiet", cwd=root)
    assert done.code == 0, done.err


def test_a_signal_before_the_shards_are_one_says_that_they_are_as_they_were(workspace, fated: Fated):
    root = workspace(cases=40)
    for number in (1, 2):
        fated.run("run", "evals/capitals.yaml", "--standin", "--shard", f"{number}/2", "--quiet", cwd=root)
    shards = sorted(path.stem for path in (root / ".snapdrift" / "runs").glob("*.db"))
    fates = [["statement", [INTO_RESPONSES, 20, signal.SIGTERM]]]
    ended = fated.run("merge", *shards, "--quiet", cwd=root, fates=fates)

    assert (ended.code, "interrupted: nothing is merged" in ended.err) == (130, True), ended.err
    assert sorted(path.stem for path in (root / ".snapdrift" / "runs").iterdir() if path.suffix == ".db") == shards


def test_a_second_signal_ends_at_once_and_keeps_what_was_answered(judged, proxy, fated: Fated):
    from tests.faults.cutting_proxy import Cut

    root, last = judged(cases=CASES), 20
    sent: Counter[str] = Counter()

    def choose(_request: str, _times: int) -> Cut | None:
        sent["asked"] += 1
        return Cut.STALL if sent["asked"] > last else None

    proxy.choose = choose
    command = ("run", "evals/capitals.yaml", "--base-url", proxy.base_url, "--concurrency", str(CONCURRENCY))
    pid = fated.start(*command, cwd=root)
    while sent["asked"] < last + CONCURRENCY:  # all workers wait for what does not come
        time.sleep(0.01)
    os.kill(pid, signal.SIGTERM)
    time.sleep(0.3)
    os.kill(pid, signal.SIGINT)
    ended = fated.wait()
    assert ended.code == 130, ended.err
    assert "Traceback" not in ended.err
    path = run_file(root)
    assert path is not None
    assert f"go on with `snapdrift resume {path.stem}`" in ended.err
    assert len(answers(root)) == last
    with open_run(path) as run:
        failures = [response.failure for response in run.responses() if not response.outcome.measured]
    assert len(failures) == CONCURRENCY
    assert all(
        failure is not None and failure.may_have_run for failure in failures
    )  # a resumed run counts what they may have cost
