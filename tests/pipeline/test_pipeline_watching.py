"""Nights of watching an alias, against a stand-in: what trips, what does not, and what is carried on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from snapdrift import pipeline
from snapdrift.errors import RunBusyError, StoreError, UsageError
from snapdrift.exit_codes import ExitCode
from snapdrift.pipeline import Night
from snapdrift.pipeline.reruns import known_verdicts
from snapdrift.standin.config import StandinConfig
from snapdrift.standin.launch import StandinProcess
from snapdrift.store import list_runs, open_run
from snapdrift.store.watch_state import locked_state

AUGUST, NOVEMBER = "gpt-4o-2024-08-06", "gpt-4o-2024-11-20"
SUITE = """\
suite: capitals
dataset: datasets/capitals.jsonl
prompt: {input: "What is the capital of {{ country }}?"}
request: {temperature: 0, max_output_tokens: 64}
variants:
  pinned: {model: gpt-4o-2024-11-20}
  alias: {model: gpt-4o}
graders:
  - {name: capital, exact: "{{ expected }}"}
gate:
  baseline: {variant: pinned}
  candidates: [alias]
  metrics: {capital: {margin: 0.05}}
  max_blind: 0.3
  discordance: 0.02
"""
CASES = 60
JUDGED = """\
graders:
  - {name: helpful, judge: graders/helpful.yaml}
gate:
  baseline: {variant: pinned}
  candidates: [alias]
  metrics: {helpful: {margin: 0.05}}
"""
RUBRIC = """\
model: gpt-4o-2024-11-20
question: "{{ country }}"
criteria: [It names a town.]
allow_retiring: true
scale: pass_fail
"""


def lay_out(root: Path) -> Path:
    for folder in ("evals", "datasets", "graders"):
        (root / folder).mkdir(parents=True)
    (root / "snapdrift.toml").write_text("")
    (root / "evals" / "capitals.yaml").write_text(SUITE)
    (root / "graders" / "helpful.yaml").write_text(RUBRIC)
    rows = [{"id": f"c{n}", "country": f"Land {n}", "expected": f"Town {n}"} for n in range(CASES)]
    (root / "datasets" / "capitals.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return lay_out(tmp_path / "workspace")


Start = Callable[..., str]


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts a stand-in whose `gpt-4o` answers by a behaviour, once for all tests, and gives its URL."""
    root = lay_out(tmp_path_factory.mktemp("answers") / "workspace")
    running: dict[str, StandinProcess] = {}

    def begin(alias: str = NOVEMBER, behaviour: str = "right", **others: Any) -> str:
        name = repr((alias, behaviour, others))
        if name not in running:
            settings = {
                "alias": {"gpt-4o": alias},
                "behaviours": {
                    "right": {"wrong": 0.1, "wrong_share_common": 1.0},
                    "broken": {"wrong": 1.0},
                    "judge": {"judge_fails": 0.0},
                },
                "suites": {
                    "capitals": {
                        "answers": ["datasets/capitals.jsonl"],
                        "fallback": "judge",
                        "variants": {"pinned": "right", "alias": behaviour},
                    }
                },
            }
            process = StandinProcess(StandinConfig.from_settings(settings, root=root, **others))
            running[name] = process.__enter__()
        return running[name].base_url

    yield begin
    for process in running.values():
        process.__exit__(None, None, None)


def watch(root: Path, url: str, *, cases: int = 10, **others: Any) -> Night:
    options = pipeline.RunOptions(
        target=pipeline.TargetOptions(base_url=url), output=pipeline.Output(out_dir=root / "out"), **others
    )
    (night,) = pipeline.watch_suites([root / "evals" / "capitals.yaml"], options, pipeline.WatchOptions(cases))
    return night


def state_file(root: Path) -> Path:
    return root / ".snapdrift" / "watch" / "capitals.default.json"


def wealth(root: Path) -> Any:
    return [canary["state"]["log_lower"] for canary in json.loads(state_file(root).read_text())["canaries"]]


def edit(root: Path, old: str, new: str) -> None:
    path = root / "evals" / "capitals.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


# ---------------------------------------------------------------------------------------------------------- what trips


def test_an_unchanged_alias_is_quiet_night_after_night(root: Path, start: Start) -> None:
    nights = [watch(root, start(), cases=6) for _ in range(6)]

    assert {night.exit_code for night in nights} == {ExitCode.PASSED}
    assert [night.number for night in nights] == list(range(1, 7))
    assert nights[-1].canaries[0].canary.nights == 6
    assert nights[-1].canaries[0].canary.values == 36
    assert nights[-1].canaries[0].wealth < 1


def test_a_suite_that_stops_early_is_watched_like_any_other(root: Path, start: Start) -> None:
    edit(root, "graders:\n", "early_stop: true\ngraders:\n")

    night = watch(root, start(), cases=6)

    assert (night.exit_code, night.failed, night.asked) == (ExitCode.PASSED, "", 6)


def test_each_night_asks_other_cases_of_both_sides_afresh_in_partial_runs(root: Path, start: Start) -> None:
    for _ in range(2):
        watch(root, start())
    runs = [run for run in list_runs(root / ".snapdrift" / "runs") if run.partial]
    asked = []
    for run in runs:
        with open_run(run.path) as stored:
            asked.append((len(stored.calls()), frozenset(stored.case_ids())))
    canaries = [ids for calls, ids in asked if calls == 20]

    assert sorted(calls for calls, _ in asked) == [1, 1, 20, 20]
    assert len(runs) == len(list_runs(root / ".snapdrift" / "runs"))
    assert canaries[0] != canaries[1]
    assert known_verdicts(root / ".snapdrift" / "runs", "capitals") == ()


def test_an_alias_that_moves_is_seen_by_the_probe_and_the_suite_runs(root: Path, start: Start) -> None:
    watch(root, start())
    moved = watch(root, start(alias=AUGUST))
    after = watch(root, start(alias=AUGUST))

    assert moved.tripped == (f"`alias` is answered by {AUGUST}, last night by {NOVEMBER}",)
    assert moved.asked == 0
    assert moved.outcome is not None
    assert moved.outcome.evaluation.decision.word.value == "passed"
    assert len(moved.outcome.evaluation.comparisons) == 1
    assert after.tripped == ()
    assert after.canaries[0].why_new.endswith("decided on what had tripped")


def test_an_alias_that_changes_under_the_same_name_trips_by_wealth_and_ends_with_the_suites_code(
    root: Path, start: Start
) -> None:
    quiet = [watch(root, start()) for _ in range(2)]
    nights = []
    for _ in range(4):
        nights.append(watch(root, start(behaviour="broken")))
        if nights[-1].tripped:
            break
    again = watch(root, start(behaviour="broken"))

    assert not any(night.tripped for night in quiet)
    assert nights[-1].tripped[0].startswith("capital of `alias` has moved below that of `pinned`")
    assert nights[-1].exit_code is ExitCode.REGRESSION
    assert again.canaries[0].why_new.endswith("decided on what had tripped")
    assert again.canaries[0].canary.nights == 1


def test_an_alarm_that_no_run_has_answered_stands(root: Path, start: Start) -> None:
    watch(root, start())
    while not (night := watch(root, start(behaviour="broken"))).tripped:
        pass
    assert night.outcome is not None
    unanswered = state_file(root).read_text().replace(night.outcome.run_id, "")
    state_file(root).write_text(unanswered)

    standing = watch(root, start())

    assert standing.asked == 0
    assert standing.tripped[0].startswith("capital of `alias` has moved below")
    assert standing.exit_code is ExitCode.PASSED


def test_a_judged_metric_is_watched_with_judges_that_are_asked_afresh(root: Path, start: Start) -> None:
    text = (root / "evals" / "capitals.yaml").read_text()
    (root / "evals" / "capitals.yaml").write_text(text[: text.index("graders:")] + JUDGED + "  max_blind: 0.3\n")

    night = watch(root, start())

    assert night.failed == ""
    assert night.canaries[0].watched.metric == "helpful"
    assert night.canaries[0].canary.values == 10


# --------------------------------------------------------------------------------------------- what counts for nothing


def test_a_night_whose_calls_fail_changes_nothing_and_ends_with_3(root: Path, start: Start) -> None:
    watch(root, start())
    before = wealth(root)
    night = watch(root, start(limits={"quota_requests": 4}))

    assert night.exit_code is ExitCode.INCOMPLETE
    assert night.failed.startswith("the canary failed:")
    assert wealth(root) == before
    assert watch(root, start()).canaries[0].canary.nights == 2


def test_a_probe_that_fails_is_no_quiet_night(root: Path, start: Start) -> None:
    night = watch(root, start(limits={"quota_requests": 0}))

    assert night.exit_code is ExitCode.INCOMPLETE
    assert night.failed.startswith("the probe failed:")


def test_probe_canary_and_suite_share_the_commands_budget(root: Path, start: Start) -> None:
    night = watch(root, start(), limits=pipeline.Limits(max_usd=0.001))

    assert night.exit_code is ExitCode.INCOMPLETE
    assert "--max-usd 0.001 is used up" in night.failed
    assert night.usd <= 0.001


# ----------------------------------------------------------------------------------------------------- what is carried


def test_another_grader_or_seed_starts_a_new_canary_and_says_why(root: Path, start: Start) -> None:
    watch(root, start())
    edit(root, "discordance: 0.02", "discordance: 0.03")
    carried = watch(root, start())
    edit(root, 'exact: "{{ expected }}"', 'contains: "{{ expected }}"')
    graded = watch(root, start())
    edit(root, "temperature: 0", "temperature: 0.5")
    asked = watch(root, start())

    assert [night.canaries[0].why_new for night in (carried, graded, asked)] == [
        "",
        "the grader changed",
        "what is asked changed",
    ]
    assert [night.canaries[0].canary.nights for night in (carried, graded, asked)] == [2, 1, 1]


def test_another_false_alarm_rate_does_not_lower_the_bar_of_evidence_that_is_there(root: Path, start: Start) -> None:
    watch(root, start())
    options = pipeline.RunOptions(target=pipeline.TargetOptions(base_url=start()))
    (night,) = pipeline.watch_suites(
        [root / "evals" / "capitals.yaml"], options, pipeline.WatchOptions(cases=4, false_alarm=0.2)
    )

    assert night.canaries[0].why_new == "the false-alarm rate changed"
    assert night.canaries[0].canary.alpha == pytest.approx(0.2)


def test_metrics_share_the_false_alarm_rate(root: Path, start: Start) -> None:
    edit(
        root,
        '{name: capital, exact: "{{ expected }}"}',
        '{name: capital, exact: "{{ expected }}"}\n  - {name: town, contains: Town}',
    )
    edit(root, "capital: {margin: 0.05}", "capital: {margin: 0.05}, town: {margin: 0.05}")
    night = watch(root, start())

    assert [one.watched.metric for one in night.canaries] == ["capital", "town"]
    assert [one.canary.alpha for one in night.canaries] == pytest.approx([0.025, 0.025])


def test_a_second_process_is_refused_by_name(root: Path, start: Start) -> None:
    with (
        locked_state(state_file(root), "capitals", "default"),
        pytest.raises(RunBusyError, match=f"process {os.getpid()} is watching this suite"),
    ):
        watch(root, start())


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda text: text[:200], "expected JSON"),
        (lambda text: text.replace("snapdrift.watch-state/1", "other/9"), "found the format 'other/9'"),
        (lambda text: text.replace('"nights": 1,', '"nights": "many",'), "a whole number"),
        (lambda text: text.replace('"log_peak": 0', '"log_peak": -1'), "damaged"),
        (lambda text: text.replace('"suite": "capitals",\n "gate"', '"suite": "rivers",\n "gate"'), "of suite rivers"),
    ],
)
def test_a_damaged_state_is_an_error_that_says_how_to_start_anew(
    root: Path, start: Start, damage: Callable[[str], str], said: str
) -> None:
    watch(root, start(), cases=2)
    broken = damage(state_file(root).read_text())
    state_file(root).write_text(broken)

    with pytest.raises(StoreError, match=r"move capitals\.default\.json away to start anew") as caught:
        watch(root, start(), cases=2)

    assert said in str(caught.value)
    assert state_file(root).read_text() == broken


def test_a_night_that_is_killed_leaves_what_was_known(root: Path, start: Start) -> None:
    watch(root, start(), cases=2)
    before = wealth(root)
    arguments = ["watch", "evals/capitals.yaml", "--base-url", start(latency="5000"), "--cases", "2"]
    process = subprocess.Popen(
        [sys.executable, "-m", "snapdrift", *arguments],
        cwd=root,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while json.loads(state_file(root).read_text())["nights"] != 2:
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()

    assert wealth(root) == before
    after = watch(root, start(), cases=2)
    assert (after.number, after.canaries[0].canary.nights) == (3, 2)


# ----------------------------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "alias: {model: gpt-4o}",
            "alias: {model: gpt-4o-2024-08-06}",
            "found no alias to watch; expected a candidate",
        ),
        ("pinned: {model: gpt-4o-2024-11-20}", "pinned: {model: gpt-4o-mini}", "found no alias to watch"),
        (
            "alias: {model: gpt-4o}",
            "alias: {model: gpt-4o, request: {temperature: 1}}",
            "alias and pinned differ in more than their models",
        ),
        ("{margin: 0.05}", "{margin: 0.05, severity: warn}", "found no gating metric to watch"),
    ],
)
def test_a_gate_without_an_alias_against_a_snapshot_says_what_is_expected(
    root: Path, old: str, new: str, said: str
) -> None:
    edit(root, old, new)

    with pytest.raises(UsageError, match=said):
        watch(root, "http://127.0.0.1:1/v1")
    assert not (root / ".snapdrift").exists()


def test_watching_a_real_model_needs_a_budget(root: Path) -> None:
    options = pipeline.RunOptions(env={"OPENAI_API_KEY": "sk-planted-for-this-test"})

    with pytest.raises(UsageError, match="no budget"):
        list(pipeline.watch_suites([root / "evals" / "capitals.yaml"], options, pipeline.WatchOptions()))
    assert not state_file(root).exists()


# --------------------------------------------------------------------------------------------------------- the command


def test_the_command_says_on_one_line_what_was_asked_and_what_it_promises(
    root: Path, start: Start, snapdrift: Callable[..., Any]
) -> None:
    arguments = ("watch", "evals/capitals.yaml", "--base-url", start(), "--cases", "4")
    done = snapdrift(*arguments, cwd=root)

    assert done.returncode == 0
    (line,) = done.stdout.splitlines()
    assert line.startswith(
        "capitals, gate default [simulated]: night 1 quiet: `alias` is answered by gpt-4o-2024-11-20"
    )
    for said in (
        "4 cases asked afresh of each side",
        ", alarm at 20 (1 night, 4 cases",
        "(not paid)",
        "at most 0.05 in its whole",
    ):
        assert said in line


def test_the_document_has_the_verdict_of_the_suite_that_ran(
    root: Path, start: Start, snapdrift: Callable[..., Any]
) -> None:
    watch(root, start(), cases=4)
    done = snapdrift("watch", "evals/capitals.yaml", "--base-url", start(alias=AUGUST), "--json", cwd=root)
    document = json.loads(done.stdout)
    (suite,) = document["suites"]

    assert document["format"] == "snapdrift.watch/1"
    assert suite["verdict"]["decision"]["exit_code"] == suite["exit_code"] == done.returncode
    assert suite["before"] == {"alias": [NOVEMBER]}
    assert suite["resolved"] == {"alias": [AUGUST]}


def test_a_false_alarm_rate_that_is_none_is_refused(root: Path, snapdrift: Callable[..., Any]) -> None:
    done = snapdrift("watch", "evals/capitals.yaml", "--standin", "--false-alarm", "1", cwd=root)

    assert done.returncode == 2
    assert "expected a chance between 0 and 1" in done.stderr
