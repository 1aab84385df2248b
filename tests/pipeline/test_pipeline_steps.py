"""Calls of several requests on the stand-in, end to end: tools, scripted turns, chaining by id, a kill in between."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from snapdrift.model import Outcome, Response
from snapdrift.store import StoredRun, open_run

CONCURRENCY = 4
TOOL = (
    "{type: function, name: lookup_order, description: Look up an order, strict: true, parameters: {type: object, "
    "properties: {order: {type: string}}, required: [order], additionalProperties: false}}"
)
SUITE = """\
suite: desk
dataset: datasets/desk.jsonl
prompt:
{prompt}
request: {{temperature: 0, max_output_tokens: 100{request}}}
variants:
  responses: {{model: gpt-4o-2024-08-06}}
  chat: {{model: gpt-4o-2024-08-06, endpoint: chat}}
graders:
  - {{name: says, regex: "."}}
gate:
  baseline: {{variant: responses}}
  candidates: [chat]
  metrics: {{says: {{margin: 0.3}}}}
  max_blind: 0.9
  discordance: 0.05
"""
ASKS = '  input: "{{ message }}"'
TALKS = """\
  instructions: Be brief.
  input:
    - {role: user, content: "{{ message }}"}
    - {role: assistant}
    - {role: user, content: "And where is it now?"}
    - {role: assistant}
    - {role: user, content: "Thank you."}"""

Desk = Callable[..., Path]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Makes a workspace about orders."""
    return lambda **about: lay_out(tmp_path, **about)


@pytest.fixture(scope="module")
def answered_tools(snapdrift: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A workspace in which a suite with tools was run, and the stand-in's log of it."""
    root = lay_out(tmp_path_factory.mktemp("tools"), results=shipped)
    log = root / "log.jsonl"
    done = run(snapdrift, root, "--standin-log", str(log))
    assert done.returncode == 0, done.stderr
    return root, log


def lay_out(
    root: Path,
    *,
    cases: int = 8,
    prompt: str = ASKS,
    results: Callable[[str], Any] | None = None,
    request: str = "",
    tools: bool = True,
) -> Path:
    """A workspace about orders; `results` makes the tool results of an order, `tools` offers the tool."""
    for folder in ("evals", "datasets"):
        (root / folder).mkdir()
    (root / "snapdrift.toml").write_text("")
    rows = []
    for number in range(cases):
        order = f"SD-{1000 + number}"
        call = {"name": "lookup_order", "arguments": {"order": order}}
        row: dict[str, Any] = {"id": f"c{number}", "message": f"Where is order {order}?"}
        row["expected"] = {"tool_calls": [call]} if tools else f"Order {order} is on its way."
        rows.append(row if results is None else {**row, "tool_results": results(order)})
    text = SUITE.format(prompt=prompt, request=f"{request}, tools: [{TOOL}]" if tools else request)
    (root / "evals" / "desk.yaml").write_text(text)
    (root / "datasets" / "desk.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return root


def shipped(order: str) -> dict[str, Any]:
    return {"lookup_order": [{"args": {"order": order}, "returns": {"status": "shipped"}}]}


def stored(root: Path) -> StoredRun:
    return open_run(next((root / ".snapdrift" / "runs").glob("*.db")))


def responses(root: Path) -> list[Response]:
    with stored(root) as run:
        return list(run.responses())


def asked(log: Path) -> Counter[str]:
    """How often the stand-in was asked each request, by its own log."""
    whole, _, _ = log.read_text().rpartition("\n")
    lines = [json.loads(line) for line in whole.splitlines()]
    return Counter(line["client_request_id"] for line in lines if line["event"] == "received" and line.get("case"))


def run(snapdrift: Any, root: Path, *options: str) -> Any:
    return snapdrift("run", "evals/desk.yaml", "--standin", "--behaviour", "exact", *options, cwd=root)


def test_tools_are_answered_from_the_case_on_both_endpoints(answered_tools: tuple[Path, Path]) -> None:
    root, log = answered_tools
    for response in responses(root):
        assert (response.outcome, len(response.steps)) == (Outcome.OK, 1)
        assert [result.output for result in response.steps[0].results] == ['{"status": "shipped"}']
        assert response.text
    assert (len(asked(log)), set(asked(log).values())) == (32, {1})


def test_a_tool_call_that_the_case_does_not_know_is_unmatched_and_measured(desk: Desk, snapdrift: Any) -> None:
    root = desk(results=lambda _: {"lookup_order": [{"args": {"order": "SD-1"}, "returns": 1}]})
    done = run(snapdrift, root, "--json")
    assert [v["outcomes"] for v in json.loads(done.stdout)["variants"]] == [{"tool_unmatched": 8}] * 2
    assert "nearest is entry 1" in responses(root)[0].detail


def test_an_endless_caller_ends_at_the_step_limit(desk: Desk, snapdrift: Any) -> None:
    root = desk(results=lambda _: {"lookup_order": [{"otherwise": {"returns": "look again"}}]})
    done = snapdrift("run", "evals/desk.yaml", "--standin", "--behaviour", "endless", "--json", cwd=root)
    assert [v["outcomes"] for v in json.loads(done.stdout)["variants"]] == [{"step_limit": 8}] * 2
    assert {len(response.steps) for response in responses(root)} == {7}


def test_scripted_turns_are_carried_on_with_what_the_model_said(desk: Desk, snapdrift: Any) -> None:
    root = desk(prompt=TALKS, tools=False)
    done = run(snapdrift, root)
    assert done.returncode == 0, done.stderr
    for response in responses(root):
        assert [step.said for step in response.steps] == [("And where is it now?",), ("Thank you.",)]
        with stored(root) as opened:
            last = opened.request(response.call, 2)
        assert last is not None
        spoken = json.dumps(dict(last.body))
        assert all(json.dumps(step.text)[1:-1] in spoken for step in response.steps)


def test_turns_can_be_chained_by_the_id_of_the_answer(desk: Desk, snapdrift: Any) -> None:
    root = desk(prompt=TALKS, tools=False, request=", store: true, previous_response_id: true")
    suite = root / "evals" / "desk.yaml"
    suite.write_text(suite.read_text().replace(", endpoint: chat", ""))
    done = run(snapdrift, root)
    assert done.returncode == 0, done.stderr
    for response in responses(root):
        with stored(root) as opened:
            bodies = [opened.request(response.call, number).body for number in range(3)]  # type: ignore[union-attr]
        assert ["previous_response_id" in body for body in bodies] == [False, True, True]
        assert len(bodies[2]["input"]) == 1


def test_a_killed_run_goes_on_in_the_middle_of_its_calls_and_pays_for_no_answer_twice(
    desk: Desk, snapdrift: Any, standin: Callable[..., str], tmp_path: Path
) -> None:
    root, log = desk(cases=24, prompt=TALKS, tools=False), tmp_path / "log.jsonl"
    url = standin("--behaviour", "exact", "--latency", "150", "--log", log)
    command = ["run", "evals/desk.yaml", "--base-url", url, "--concurrency", str(CONCURRENCY)]
    process = subprocess.Popen(
        [sys.executable, "-m", "snapdrift", *command], cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while not log.exists() or sum(asked(log).values()) < 42:  # in the middle of calls: 12 requests make 4 of them
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=20)

    before = asked(log)
    with stored(root) as opened:
        kept = {(response.call, number) for number, response in opened.stored_steps()}
        kept |= {(response.call, len(response.steps)) for response in opened.responses()}
        paid = {request.client_request_id for call, n in kept if (request := opened.request(call, n))}
        unfinished = [call for call in opened.calls() if opened.begun(call) and call not in opened.answered_keys()]
    assert unfinished, "a kill in the middle of a call was wanted"

    done = snapdrift("resume", "latest", "--quiet", cwd=root)
    assert done.returncode == 0, done.stderr
    again = {request for request, times in asked(log).items() if times > 1}
    assert not again & paid
    assert len(again) <= CONCURRENCY
    assert sum(asked(log).values()) - sum(before.values()) == 3 * 48 - len(paid)
    assert all(len(response.steps) == 2 for response in responses(root))


def test_a_step_that_fails_is_asked_again_alone(desk: Desk, snapdrift: Any, tmp_path: Path) -> None:
    root, log = desk(cases=10, results=shipped), tmp_path / "log.jsonl"
    done = run(snapdrift, root, "--faults", "500=0.2", "--standin-log", str(log))
    assert done.returncode == 0, done.stderr
    assert {response.outcome for response in responses(root)} == {Outcome.OK}
    answered = [json.loads(line) for line in log.read_text().splitlines()]
    ok = Counter(line["client_request_id"] for line in answered if line.get("status") == 200 and line.get("case"))
    assert set(ok.values()) == {1}


def test_grading_again_refuses_tool_results_that_the_run_did_not_ask_with(
    answered_tools: tuple[Path, Path], snapdrift: Any
) -> None:
    root, _ = answered_tools
    dataset = root / "datasets" / "desk.jsonl"
    rows = [json.loads(line) for line in dataset.read_text().splitlines()]
    rows[0]["tool_results"] = {}
    dataset.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = snapdrift("grade", "latest", cwd=root)
    assert done.returncode == 2
    assert "case c0 asks something else now" in done.stderr
