"""What the page of a real run says of one case: its judges, its price, and a command that asks it again."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from snapdrift.model import CallKey, Outcome, Response, Source, Usage
from snapdrift.openai_api.catalog import load_catalog
from snapdrift.pipeline.concluding import load_stored_suite, stored_data
from snapdrift.pipeline.pricing import price_sentences
from snapdrift.reports import build_view
from snapdrift.store import open_run
from snapdrift.suites.workspace import find_workspace

if TYPE_CHECKING:
    from playwright.sync_api import Browser

Make = Callable[..., Path]
Command = Callable[..., Any]
USAGE = Usage(1000, 400, 100)


def test_what_judges_wrote_and_the_price_of_a_call_go_into_the_report(workspace: Make, snapdrift: Command) -> None:
    root = workspace(cases=2)
    (root / "graders").mkdir()
    rubric = "model: gpt-4o-2024-11-20\ncriteria: [The answer names a town.]\nallow_retiring: true\n"
    (root / "graders" / "kind.yaml").write_text(rubric)
    (root / "snapdrift.toml").write_text(
        '[standin.suites.capitals]\nrecordings = "datasets/recordings.jsonl"\nfallback = "desk"\n'
        '[standin.behaviours.desk]\nextends = "judge"\n'
    )
    suite = root / "evals" / "capitals.yaml"
    suite.write_text(
        suite.read_text().partition("gates:")[0]
        + "  - {name: kind, judge: graders/kind.yaml}\ngate: {metrics: {kind: {at_least: 0.0}}}\n"
    )
    done = snapdrift("run", "evals/capitals.yaml", "--standin", cwd=root)
    assert done.returncode in (0, 1, 3, 4, 5), done.stderr
    with open_run(max((root / ".snapdrift" / "runs").glob("*.db"))) as stored:
        found = find_workspace(root)
        view = build_view(stored_data(stored, *load_stored_suite(stored, found)))
    answers = [answer for case in view.cases for answer in case.answers]
    # Both models say the same, so that the judge is asked once and its reply is of both answers.
    assert [[reply.call.judge for reply in answer.judged] for answer in answers] == [["kind"]] * 4
    assert len({reply.call for answer in answers for reply in answer.judged}) == 2
    assert {"verdict", "reason"} == set(json.loads(answers[0].judged[0].text))
    assert {answer.price.partition(":")[0] for answer in answers} == {
        f"$2.50 in, $1.25 cached, $10.00 out per 1,000,000 tokens of {model}"
        for model in ("gpt-4o-2024-08-06", "gpt-4o-2024-11-20")
    }
    assert all("(2026-" in answer.price for answer in answers)


def priced(usd: float | None, overrides: dict[str, Any] | None = None, **more: Any) -> str | None:
    key = CallKey("a", "b", 0)
    response = Response(key, Outcome.OK, "gpt-4o", usage=USAGE, usd=usd, **more)
    return price_sentences(load_catalog(overrides or {}))(response)


def cost(model: str, overrides: dict[str, Any] | None = None, **way: Any) -> float:
    usd = load_catalog(overrides or {}).usd(model, USAGE, **way)
    assert usd is not None
    return usd


def test_a_price_is_that_of_the_model_that_answered() -> None:
    told = priced(cost("gpt-4o-2024-05-13"), returned_model="gpt-4o-2024-05-13")
    assert told is not None
    assert "tokens of gpt-4o-2024-05-13: " in told


def test_a_price_by_batch_and_of_a_tier_says_so() -> None:
    batch = priced(cost("gpt-4o", batched=True), batched=True)
    tier = priced(cost("gpt-4o", service_tier="priority"), service_tier="priority")
    assert batch is not None
    assert "$1.25 in, $5.00 out per 1,000,000 tokens of gpt-4o by the Batch API" in batch
    assert tier is not None
    assert "gpt-4o in the tier priority" in tier


def test_a_price_that_does_not_give_the_stored_cost_is_not_named() -> None:
    assert priced(cost("gpt-4o") * 1.01) is None
    assert priced(None) is None


def test_a_price_of_the_runs_own_is_not_told_as_the_catalogues() -> None:
    own = {"gpt-4o": {"price": {"input": 7, "cached": 3, "output": 9}}}
    assert priced(cost("gpt-4o", own), own) == (
        "$7.00 in, $3.00 cached, $9.00 out per 1,000,000 tokens of gpt-4o: figures that the run was made "
        "with, which are not those of this version's catalogue"
    )


def test_what_an_application_says_that_it_cost_has_no_price() -> None:
    assert priced(cost("gpt-4o"), source=Source.PYTHON) == "said by the application"


@pytest.mark.browser
def test_the_command_that_a_page_gives_asks_the_case_again(
    workspace: Make, snapdrift_process: Command, chromium: Browser
) -> None:
    root = workspace(cases=3)
    first = snapdrift_process("run", "evals/capitals.yaml", "--standin", "--variant", "november", cwd=root)
    assert first.returncode in (0, 1, 3, 4, 5), first.stderr
    page = chromium.new_page()
    page.goto((root / "reports" / "capitals" / "latest" / "index.html").resolve().as_uri() + "#case=c1")
    page.wait_for_selector(".rerun")
    program, *arguments = shlex.split(page.locator(".rerun code").inner_text())
    page.close()
    assert program == "snapdrift"
    again = snapdrift_process(*arguments, cwd=root)
    assert again.returncode in (0, 1, 3, 4, 5), again.stderr
    newest = max((root / ".snapdrift" / "runs").glob("*.db"))
    with open_run(newest) as run:
        assert {(call.case_id, call.variant) for call in run.calls()} == {("c1", "november")}
        assert {response.source for response in run.responses()} <= {Source.RECORDED, Source.SIMULATED}
