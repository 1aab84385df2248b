"""The demo runs whole, and says where a bundled suite does not show what it is built to show."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace
from typing import Any

import pytest

from snapdrift.exit_codes import ExitCode
from snapdrift.model import DecisionWord, Verdict
from snapdrift.pipeline.demo import _surprises
from snapdrift.reports.case_views import MustPassStatus

BUILT = {
    "decision": "regression",
    "exit_code": 1,
    "verdicts": {"valid:chat": "regressed"},
    "must_pass": True,
}


def outcome(
    word: DecisionWord = DecisionWord.REGRESSION,
    code: ExitCode = ExitCode.REGRESSION,
    verdict: Verdict = Verdict.REGRESSED,
    status: MustPassStatus = MustPassStatus.PASSED,
) -> Any:
    compared = SimpleNamespace(metric="valid", candidate="chat", verdict=verdict)
    evaluation = SimpleNamespace(decision=SimpleNamespace(word=word, exit_code=code), comparisons=[compared])
    return SimpleNamespace(evaluation=evaluation, view=SimpleNamespace(must_pass=[SimpleNamespace(status=status)]))


def test_a_suite_that_shows_what_it_is_built_to_show_surprises_nobody():
    assert _surprises(outcome(), BUILT) == ()


def test_another_decision_is_a_surprise():
    found = _surprises(outcome(DecisionWord.PASSED, ExitCode.PASSED), BUILT)
    assert found == ("expected the decision regression (1), found passed (0)",)


def test_another_verdict_is_a_surprise():
    found = _surprises(outcome(verdict=Verdict.NO_WORSE), BUILT)
    assert found == ("expected valid:chat to be regressed, found no_worse",)


def test_a_comparison_that_was_not_made_is_a_surprise():
    found = _surprises(outcome(), {**BUILT, "verdicts": {"queue:chat": "no_worse"}})
    assert found == ("expected queue:chat to be no_worse, found no such comparison",)


def test_must_pass_cases_that_do_otherwise_are_a_surprise():
    assert _surprises(outcome(status=MustPassStatus.FAILED), BUILT) == (
        "expected must-pass cases to pass, found otherwise",
    )
    assert _surprises(outcome(), {**BUILT, "must_pass": False}) == (
        "expected must-pass cases to fail, found otherwise",
    )


@pytest.fixture(scope="module")
def demo(snapdrift, tmp_path_factory):
    """The demo, run once for all tests: how it ended, and where its reports are."""
    root = tmp_path_factory.mktemp("demo")
    return SimpleNamespace(done=snapdrift("demo", "--quiet", cwd=root), reports=root / "reports" / "demo")


def explained(demo: Any, suite: str) -> dict[tuple[str, str], Any]:
    """What `verdict.json` attributes each difference of a suite to, by metric and candidate."""
    written = json.loads((demo.reports / suite / "verdict.json").read_text(encoding="utf-8"))
    return {(one["metric"], one["candidate"]): one for one in written["attributions"]}


def test_the_demo_ends_with_0_and_nine_reports_that_say_simulated(demo):
    done = demo.done
    assert done.returncode == 0, done.stdout + done.stderr
    reports = sorted(demo.reports.glob("*/index.html"))
    assert len(reports) == 9
    for path in reports:
        assert f"reports/demo/{path.parent.name}/index.html" in done.stdout
        assert "simulated" in path.read_text(encoding="utf-8")
    assert "NOT as built" not in done.stdout
    assert done.stderr == "" or "warning" in done.stderr


def test_the_list_of_the_demos_runs_leads_to_each_report_and_labels_it(demo):
    page = (demo.reports / "index.html").read_text(encoding="utf-8")
    links = set(re.findall(r'<a href="([^"]+)">', page))
    assert links == {f"{path.parent.name}/index.html" for path in demo.reports.glob("*/index.html")}
    assert page.count('<span class="label">simulated</span>') >= 9


def test_the_drop_of_the_older_triage_client_is_code_fences_and_nothing_else(demo):
    found = explained(demo, "ticket-triage")["valid", "chat"]
    content, fence = found["causes"]
    assert found["difference"] < -0.3
    assert found["format"] == found["difference"]
    assert (found["content"], content["worse"], content["better"]) == (0, [], [])
    assert (fence["cause"], fence["amount"]) == ("code_fence", found["difference"])
    assert len(fence["worse"]) == found["reread"] == round(-found["difference"] * found["n"])


def test_what_the_explicit_invoice_prompt_mends_is_content_where_the_brief_one_says_nothing(demo):
    found = explained(demo, "invoice-fields")
    tags = {"fields.date": [["month-first"]], "fields.total": [["second-total"]]}
    for metric, expected in tags.items():
        one = found[metric, "explicit"]
        assert (one["format"], one["content"]) == (0, one["difference"])
        assert [piece["tags"] for piece in one["slices"] if piece["concentrated"]] == expected
    both = [tag for piece in found["fields", "explicit"]["slices"] if piece["concentrated"] for tag in piece["tags"]]
    assert sorted(both) == ["month-first", "second-total"]


def test_the_summary_of_the_triage_says_that_it_is_mostly_format_and_quotes_no_ticket(demo):
    summary = (demo.reports / "ticket-triage" / "summary.md").read_text(encoding="utf-8")
    assert "mostly format: " in summary
    assert "code fence" in summary
    assert "```" not in summary
    assert "urgency\\" not in summary


def test_refusals_of_the_safety_suite_are_format_and_its_worse_replies_content(demo):
    found = explained(demo, "safety-replies")
    assert [part["cause"] for part in found["safe", "november"]["causes"]] == ["content", "refused"]
    assert found["safe", "november"]["content"] == 0
    assert found["helpful", "november"]["format"] == 0
