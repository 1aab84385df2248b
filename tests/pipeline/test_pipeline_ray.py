"""`--engine ray` on a real Ray of two workers: what one engine stores, also where a worker or the command is killed.

Ray takes most of a minute to start and several hundred megabytes, so all tests share one; `nox -s ray` installs it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import clean_environment
from tests.pipeline.test_pipeline_kill import asked, run_file
from tests.pipeline.test_pipeline_sharding import NOVEMBER, ROOT, SUITE, options, records, verdict

from snapdrift import pipeline
from snapdrift.errors import UsageError
from snapdrift.execution.engine import Progress
from snapdrift.exit_codes import ExitCode
from snapdrift.model import Outcome
from snapdrift.store import open_run

ray = pytest.importorskip("ray", reason="NO RAY: `ray` is not installed, so --engine ray was not tested; `nox -s ray`")
pytestmark = pytest.mark.filterwarnings(
    "default::ResourceWarning", "default::FutureWarning", "default::DeprecationWarning"
)
RAY = pipeline.EngineOptions(ray=True)


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[str]:
    """A Ray of two cores; gives its address."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_worker_niceness", "0")  # on a busy machine the polite are never served
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
        context = ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=100 * 2**20)
        yield str(context.address_info["gcs_address"])
        ray.shutdown()


def run(root: Path, name: str, suite: Path = SUITE, **more: Any) -> pipeline.RunOutcome:
    (outcome,) = pipeline.run_suites([root / suite], options(root, name, **more))
    return outcome


def test_two_workers_give_the_verdict_and_the_answers_of_the_local_engine(workspace):
    root, told = workspace(wrong={NOVEMBER: 12}), list[str]()
    local = run(root, "local")
    fleet = run(root, "fleet", engine=RAY, notice=told.append)

    assert any(text.startswith("--engine ray: 2 workers") for text in told)
    assert verdict(fleet) == verdict(local)
    assert records(fleet.run_path) == records(local.run_path)
    assert fleet.exit_code is ExitCode.REGRESSION


def test_a_worker_that_is_killed_halfway_loses_no_answer_and_changes_no_verdict(workspace):
    root, told, killed = workspace(cases=100, wrong={NOVEMBER: 25}), list[str](), list[int]()
    local = run(root, "local")

    def kill_one(progress: Progress) -> None:
        if progress.answered >= 100 and not killed:
            pids = re.findall(r"worker-\d is process (\d+)", " ".join(told))
            killed.append(int(pids[0]))
            os.kill(killed[0], signal.SIGKILL)

    fleet = run(root, "fleet", engine=RAY, notice=told.append, progress=kill_one)

    assert len(killed) == 1
    assert verdict(fleet) == verdict(local)
    assert records(fleet.run_path)["responses"] == records(local.run_path)["responses"]
    with open_run(fleet.run_path) as stored:
        responses = list(stored.responses())
    assert {response.outcome for response in responses} == {Outcome.OK}
    lost = [one.attempts[0].failure for one in responses if len(one.attempts) > 1]
    assert all(failure is not None and failure.may_have_run for failure in lost)


def test_tools_judges_and_scripted_turns_go_by_workers_too(tmp_path):
    for folder in ("evals", "datasets", "graders"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    shutil.copy(ROOT / "snapdrift.toml", tmp_path)
    path = Path("evals/returns-desk.yaml")
    (one,) = pipeline.check_suites([tmp_path / path], pipeline.RunOptions())
    selection = pipeline.Selection(cases=tuple(case.id for case in one.cases[:8]))

    local = run(tmp_path, "local", path, selection=selection)
    fleet = run(tmp_path, "fleet", path, selection=selection, engine=RAY)

    assert records(fleet.run_path)["steps"]
    assert records(fleet.run_path) == records(local.run_path)


OWN_CODE = """\
suite: capitals
dataset: datasets/capitals.jsonl
variants: {app: {python: "app.py:answer"}}
graders: [{name: graded, python: "app.py:grade"}]
gate: {metrics: {graded: {at_least: 0.5}}}
"""
APP = """\
import os
from snapdrift import Score

def answer(case):
    return f"{case['variables']['country']} by {os.getpid()}"

def grade(case, response):
    return Score(1.0, reason=f"graded by {os.getpid()}")
"""


def test_applications_and_python_graders_are_called_by_the_workers(workspace):
    root = workspace(cases=12)
    (root / "app.py").write_text(APP)
    (root / SUITE).write_text(OWN_CODE)
    told: list[str] = []
    outcome = run(root, "fleet", engine=RAY, notice=told.append)

    pids = set(re.findall(r"is process (\d+)", " ".join(told)))
    with open_run(outcome.run_path) as stored:
        answered = {pid for response in stored.responses() for pid in re.findall(r"by (\d+)", response.text)}
        graded = {pid for score in stored.scores() for pid in re.findall(r"graded by (\d+)", score.detail)}
    assert (answered | graded) <= pids
    assert graded
    assert len(answered) == 2


def test_the_budget_is_one_for_all_workers(workspace):
    root = workspace()
    outcome = run(root, "fleet", engine=RAY, limits=pipeline.Limits(max_usd=0.002))

    assert outcome.exit_code is ExitCode.INCOMPLETE
    assert "--max-usd 0.002 is used up" in " ".join(outcome.evaluation.decision.reasons)
    with open_run(outcome.run_path) as stored:
        assert 0 < stored.spent_usd(lambda _: 0.0) <= 0.002


def wait_for_answers(process: subprocess.Popen[bytes], log: Path, number: int) -> None:
    """Workers take long to start, on a busy machine minutes."""
    deadline = time.monotonic() + 300
    while sum(asked(log).values()) < number if log.exists() else True:
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)])
def test_a_command_that_is_ended_is_gone_on_with_by_the_local_engine(sent, code, workspace, standin, tmp_path, cluster):
    root, log = workspace(cases=150), tmp_path / "requests.jsonl"
    url = standin("--recordings", root / "datasets" / "recordings.jsonl", "--latency", "60", "--log", log)
    command = ["run", "evals/capitals.yaml", "--base-url", url, "--concurrency", "8"]
    process = subprocess.Popen(
        [sys.executable, "-m", "snapdrift", *command, "--engine", "ray", "--ray-address", cluster],
        cwd=root,
        env=clean_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_for_answers(process, log, 90)
    process.send_signal(sent)
    assert process.wait(timeout=60) == code

    with open_run(run_file(root)) as stored:
        committed = stored.answered_keys()
    assert 0 < len(committed) < 300
    done = subprocess.run(
        [sys.executable, "-m", "snapdrift", "resume", "latest", "--json"], cwd=root, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert [one["outcomes"] for one in json.loads(done.stdout)["variants"]] == [{"ok": 150}, {"ok": 150}]
    again = [request for request, times in asked(log).items() if times > 1]
    assert len(again) <= 2 * 8


def test_a_lost_worker_is_not_told_of_among_the_results(workspace, standin, tmp_path, cluster):
    root, log, said = workspace(cases=100), tmp_path / "requests.jsonl", tmp_path / "stderr.txt"
    url = standin("--recordings", root / "datasets" / "recordings.jsonl", "--latency", "60", "--log", log)
    command = ["run", "evals/capitals.yaml", "--base-url", url, "--concurrency", "8", "--json"]
    with said.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "snapdrift", *command, "--engine", "ray", "--ray-address", cluster],
            cwd=root,
            env=clean_environment(),
            stdout=subprocess.PIPE,
            stderr=stderr,
        )
        wait_for_answers(process, log, 60)
        os.kill(int(re.findall(r"worker-\d is process (\d+)", said.read_text())[0]), signal.SIGKILL)
        stdout, _ = process.communicate(timeout=300)

    assert process.returncode == 0, said.read_text()
    assert [one["outcomes"] for one in json.loads(stdout)["variants"]] == [{"ok": 100}, {"ok": 100}]
    assert "worker died" in said.read_text()


def test_a_worker_without_the_key_says_which_variable_it_misses(workspace, standin):
    root = workspace()
    wanted = options(root, "keyless", engine=RAY, env={"A_KEY_OF_ITS_OWN": "sk-here"})
    target = pipeline.TargetOptions(base_url=standin(), key_env="A_KEY_OF_ITS_OWN")

    with pytest.raises(UsageError, match="A_KEY_OF_ITS_OWN is not set where a worker runs") as caught:
        pipeline.run_suites([root / SUITE], replace(wanted, target=target))
    assert "sk-here" not in str(caught.value)
