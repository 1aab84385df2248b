"""Whole runs by the Batch API: killed on the way, left and collected, beside live variants, judged by batch."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from uvicorn import Server

from snapdrift import pipeline
from snapdrift.errors import CatalogError, LeftRunning, UsageError
from snapdrift.exit_codes import ExitCode
from snapdrift.model import Endpoint, Outcome, Variant
from snapdrift.openai_api.hosts import Host
from snapdrift.pipeline.batching import require_batch_hosts
from snapdrift.pipeline.targets import Target
from snapdrift.standin.config import StandinConfig
from snapdrift.standin.server import serve
from snapdrift.store import RunState, open_run

KILLER = Path(__file__).with_name("batch_killer.py")
PYTHONPATH = os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")]))
CASES = 100

JUDGED = """\
suite: judged
dataset: datasets/capitals.jsonl
prompt: {input: "What is the capital of {{ country }}?"}
request: {max_output_tokens: 64}
variants:
  august: {model: gpt-4o-2024-08-06, batch: true}
  november: {model: gpt-4o-2024-11-20}
graders:
  - name: helpful
    judge:
      model: gpt-4o-2024-11-20
      question: "{{ country }}"
      criteria: [It names a town.]
      allow_retiring: true
      scale: {pass: 1, fail: 0}
gates:
  default: {baseline: {variant: august}, candidates: [november], metrics: {helpful: {margin: 0.2}}, max_blind: 0.9}
"""


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Starts a stand-in in a thread with these settings and gives its URL; it logs to `requests.jsonl`."""
    with ExitStack() as stack:

        def start(**fields: Any) -> str:
            config = StandinConfig.checked({"log": tmp_path / "requests.jsonl", **fields})
            started, urls, servers = threading.Event(), list[str](), list[Server]()

            def announce(url: str) -> None:
                urls.append(url)
                started.set()

            thread = threading.Thread(target=serve, args=(config, 0, announce, servers.append))
            thread.start()

            def end() -> None:
                servers[0].should_exit = True
                thread.join(timeout=30)

            stack.callback(end)
            assert started.wait(timeout=30)
            return urls[0]

        yield start


def recorded(root: Path) -> dict[str, Any]:
    return {"profiles": [{"suite": "*", "recordings": [str(root / "datasets" / "recordings.jsonl")]}]}


def events(tmp_path: Path, kind: str) -> list[dict[str, Any]]:
    whole, _, _ = (tmp_path / "requests.jsonl").read_text().rpartition("\n")
    return [event for event in map(json.loads, whole.splitlines()) if event["event"] == kind]


def submitted(tmp_path: Path) -> Counter[str]:
    return Counter(event["client_request_id"] for event in events(tmp_path, "submitted"))


def options(url: str, **batch: Any) -> pipeline.RunOptions:
    return pipeline.RunOptions(
        target=pipeline.TargetOptions(base_url=url), batch=pipeline.BatchOptions(**{"all": True, **batch})
    )


def run_file(root: Path) -> Path:
    return next((root / ".snapdrift" / "runs").glob("*.db"))


# -------------------------------------------------------------------------------------------------------------- killed


def test_a_run_that_is_killed_at_every_step_submits_no_call_twice_and_loses_none(workspace, serving, tmp_path):
    root = workspace(cases=CASES)
    url = serving(**recorded(root))
    resume = ["resume", "latest"]
    deaths = [
        ("after upload", ["run", "evals/capitals.yaml", "--batch", "--base-url", url]),
        ("before create", resume),
        ("after create", resume),
        ("before the first look", resume),
        ("while downloading", resume),
    ]
    done = subprocess.run(
        [sys.executable, str(KILLER), json.dumps(deaths)],
        cwd=root,
        env={**os.environ, "PYTHONPATH": PYTHONPATH},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert json.loads(done.stdout) == [-signal.SIGKILL] * len(deaths), done.stderr
    with open_run(run_file(root)) as stored:
        assert 0 < len(stored.answered_keys()) < CASES

    outcome = pipeline.resume_run("latest", options(url, all=False), root)

    assert [dict(summary.outcomes) for summary in outcome.evaluation.variants] == [{"ok": CASES}, {"ok": CASES}]
    assert sorted(submitted(tmp_path).values()) == [1] * (2 * CASES)
    assert len({event["batch"] for event in events(tmp_path, "batch")}) == 2
    assert len([event for event in events(tmp_path, "file") if event["purpose"] == "batch"]) == 2


def test_ctrl_c_says_what_is_with_the_provider_and_how_to_collect_it(workspace, serving, tmp_path):
    root = workspace(cases=60)
    url = serving(**recorded(root), batches={"fates": [{"stuck": True}] * 2})
    process = subprocess.Popen(
        [sys.executable, "-m", "snapdrift", "run", "evals/capitals.yaml", "--batch", "--base-url", url],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while sum(event["status"] == "in_progress" for event in events_so_far(tmp_path)) < 2:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "0 of 120 calls are stored; 120 calls with the provider in 2 batches" in said
    assert f"collect them with `snapdrift resume {run_file(root).stem}`" in said
    assert "batches: 2 in progress (120 calls)" in said


def events_so_far(tmp_path: Path) -> list[dict[str, Any]]:
    return events(tmp_path, "batch") if (tmp_path / "requests.jsonl").exists() else []


# ------------------------------------------------------------------------------------------------- left and collected


def test_a_run_that_is_not_waited_for_is_collected_from_another_process(workspace, serving, tmp_path):
    root = workspace(cases=60)
    url = serving(**recorded(root))
    with pytest.raises(LeftRunning, match="120 calls with the provider in 2 batches") as left:
        pipeline.run_suites([root / "evals" / "capitals.yaml"], options(url, wait=False))
    assert left.value.exit_code == ExitCode.INCOMPLETE
    assert not (root / "reports" / "capitals").exists()
    with open_run(run_file(root)) as stored:
        assert stored.state is RunState.INTERRUPTED

    for _ in range(2):  # in progress, finalizing
        with pytest.raises(LeftRunning):
            pipeline.resume_run("latest", options(url, all=False, wait=False), root)
    outcome = pipeline.resume_run("latest", options(url, all=False, wait=False), root)
    assert outcome.exit_code == ExitCode.PASSED
    assert set(submitted(tmp_path).values()) == {1}


def test_the_command_ends_with_3_and_says_how_to_collect(workspace, serving, snapdrift):
    root = workspace(cases=60)
    url = serving(**recorded(root))
    done = snapdrift("run", "evals/capitals.yaml", "--batch", "--no-wait", "--base-url", url, cwd=root)
    assert done.returncode == 3, done.stderr
    assert done.stdout == ""
    assert f"collect them with `snapdrift resume {run_file(root).stem}`" in done.stderr


def test_batches_cost_half_and_answer_like_live_requests(workspace, serving):
    root = workspace(cases=60, wrong={"gpt-4o-2024-11-20": 2})
    url = serving(**recorded(root))
    suite = [root / "evals" / "capitals.yaml"]
    (live,) = pipeline.run_suites(suite, options(url, all=False))
    (batched,) = pipeline.run_suites(suite, options(url))
    assert live.run_id != batched.run_id
    assert live.evaluation.metrics == batched.evaluation.metrics
    assert live.evaluation.comparisons == batched.evaluation.comparisons
    for one, half in zip(live.evaluation.variants, batched.evaluation.variants, strict=True):
        assert (one.usd or 0) > 0
        assert half.usd == pytest.approx((one.usd or 0) / 2)
        assert half.latency_p50 is None
    with open_run(batched.run_path) as stored:
        assert all(response.batched for response in stored.responses())


def test_one_variant_goes_by_batch_while_the_other_is_asked_live_and_the_judge_by_batch_on_demand(
    workspace, serving, tmp_path
):
    root = workspace(cases=20)
    (root / "evals" / "judged.yaml").write_text(JUDGED)
    url = serving()
    (outcome,) = pipeline.run_suites([root / "evals" / "judged.yaml"], options(url, all=False))
    assert {summary.coverage for summary in outcome.evaluation.variants} == {1.0}
    with open_run(outcome.run_path) as stored:
        ways = {(r.call.grader or r.call.variant, r.batched) for r in stored.responses()}
    assert ways == {("august", True), ("november", False), ("helpful", False)}

    (outcome,) = pipeline.run_suites([root / "evals" / "judged.yaml"], options(url))
    with open_run(outcome.run_path) as stored:
        assert {response.batched for response in stored.responses()} == {True}
        assert len(list(stored.responses())) == 60  # both say the same to a case, which is judged once
    statuses = [event for event in events(tmp_path, "batch") if event["status"] == "completed"]
    assert sorted(event["requests"] for event in statuses) == [20, 20, 20, 20]


def test_verdicts_of_a_batch_that_cannot_be_read_are_asked_for_again_one_by_one_and_no_more_than_twice(
    workspace, serving
):
    root = workspace(cases=20)
    (root / "evals" / "judged.yaml").write_text(JUDGED)
    mute = {"behaviour": "mute", "variants": {"august": "plausible", "november": "plausible"}}
    url = serving(profiles=[mute], behaviours={"mute": {"extends": "judge", "refuse": 1.0}})

    (outcome,) = pipeline.run_suites([root / "evals" / "judged.yaml"], options(url))

    with open_run(outcome.run_path) as stored:
        replies = [response for response in stored.responses() if response.call.grader]
    assert {(reply.outcome, reply.batched, len(reply.attempts)) for reply in replies} == {(Outcome.REFUSED, False, 3)}
    assert all(metric.grader_errors == 20 for metric in outcome.evaluation.metrics)


def test_what_an_expired_batch_did_not_answer_is_missing_until_it_is_submitted_again(workspace, serving, tmp_path):
    root = workspace(cases=60)
    url = serving(**recorded(root), batches={"fates": [{"ends": "expired", "answered": 10}, {"lost": 5}]})
    (first,) = pipeline.run_suites([root / "evals" / "capitals.yaml"], options(url))
    assert first.exit_code == ExitCode.INCOMPLETE
    outcomes = Counter[str]()
    for summary in first.evaluation.variants:
        outcomes.update(dict(summary.outcomes))
    assert outcomes == {"ok": 65, "api_error": 50, "missing": 5}

    second = pipeline.resume_run(first.run_id, options(url, all=False, retry_missing=True), root)
    assert second.exit_code == ExitCode.PASSED
    assert Counter(submitted(tmp_path).values()) == {1: 65, 2: 55}


def test_a_run_with_its_own_stand_in_submits_again_what_that_forgot(workspace):
    root = workspace(cases=60)
    (root / "snapdrift.toml").write_text(
        '[standin.suites.capitals]\nrecordings = "datasets/recordings.jsonl"\n'
        "[standin.batches]\nfates = [{stuck = true}, {stuck = true}]\npoll_after_ms = 100\n"
    )
    standin = pipeline.TargetOptions(standin=True)
    limits = pipeline.Limits(deadline_s=3.0)
    batch = pipeline.BatchOptions(all=True)
    asked = pipeline.RunOptions(target=standin, limits=limits, batch=batch)
    (first,) = pipeline.run_suites([root / "evals" / "capitals.yaml"], asked)
    assert first.exit_code == ExitCode.INCOMPLETE
    assert any("The deadline came" in reason for reason in first.evaluation.decision.reasons)

    (root / "snapdrift.toml").write_text('[standin.suites.capitals]\nrecordings = "datasets/recordings.jsonl"\n')
    second = pipeline.resume_run(first.run_id, pipeline.RunOptions(target=standin), root)
    assert second.exit_code == ExitCode.PASSED


# ------------------------------------------------------------------------------------------------------------- refused


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (
            "{model: gpt-4o-2024-11-20}",
            "{model: gpt-4o-2024-11-20, stream: true}",
            "variant november has `stream: true`",
        ),
        (
            'input: "What is the capital of {{ country }}?"',
            'input: [{role: user, content: Hello.}, {role: assistant}, {role: user, content: "{{ country }}?"}]',
            "case c0 of variant august has answers that the conversation goes on from",
        ),
    ],
)
def test_what_cannot_go_by_batch_is_refused_before_anything_is_sent(workspace, before, after, said):
    root = workspace(cases=60)
    suite = root / "evals" / "capitals.yaml"
    text = suite.read_text()
    assert before in text
    suite.write_text(text.replace(before, after))
    with pytest.raises(UsageError) as refused:
        pipeline.run_suites([suite], options("http://127.0.0.1:9/v1"))
    assert said in str(refused.value)
    assert "leave --batch out" in str(refused.value)


@pytest.mark.parametrize(
    ("target", "batch", "said"),
    [
        (pipeline.TargetOptions(standin=True), pipeline.BatchOptions(all=True, wait=False), "found --standin"),
        (
            pipeline.TargetOptions(base_url="http://127.0.0.1:9/v1"),
            pipeline.BatchOptions(wait=False),
            "found no variant that goes by batch",
        ),
    ],
)
def test_not_waiting_is_refused_where_nothing_would_be_left_to_collect(workspace, target, batch, said):
    root = workspace(cases=60)
    asked = pipeline.RunOptions(target=target, batch=batch)
    with pytest.raises(UsageError, match=said):
        pipeline.run_suites([root / "evals" / "capitals.yaml"], asked)


def test_the_account_s_queue_is_read_from_the_workspace(workspace, serving, tmp_path):
    root = workspace(cases=60)
    (root / "snapdrift.toml").write_text("[batch]\nenqueued_tokens = 400\n")
    url = serving(**recorded(root), batches={"enqueued_tokens": 400})
    (outcome,) = pipeline.run_suites([root / "evals" / "capitals.yaml"], options(url))
    assert outcome.exit_code == ExitCode.PASSED
    statuses = Counter(event["status"] for event in events(tmp_path, "batch"))
    assert statuses["completed"] > 2
    assert statuses["failed"] == 0


def test_a_judge_whose_price_by_batch_is_not_known_is_refused_before_anything_is_sent(workspace, serving, tmp_path):
    root = workspace(cases=20)
    prices = "max_output = 100\nprice = {input = 1.0, output = 1.0}\n"
    (root / "snapdrift.toml").write_text(f'[models."house-2026-01-01"]\n{prices}')
    asked = "      question: "
    judged = JUDGED.replace(f"      model: gpt-4o-2024-11-20\n{asked}", f"      model: house-2026-01-01\n{asked}")
    (root / "evals" / "judged.yaml").write_text(f"{judged}budget: {{usd: 5}}\n")
    with pytest.raises(CatalogError, match="what house-2026-01-01 costs at most by the Batch API is not known"):
        pipeline.run_suites([root / "evals" / "judged.yaml"], options(serving()))
    assert not list((root / ".snapdrift").glob("runs/*.db"))


def test_a_batch_for_azures_classic_form_is_refused_before_anything_is_sent() -> None:
    azure = Host("triage", "https://shop.openai.azure.com", "key", is_openai=False, api_version="2026-10-01")
    target = Target({"triage": azure})
    batched = Variant("a", "prod", Endpoint.RESPONSES, {}, {}, host="triage", batch=True)
    with pytest.raises(UsageError, match=r"variant a goes by batch to the host triage.*v1 form"):
        require_batch_hosts([batched], target)
    require_batch_hosts([replace(batched, batch=False)], target)
