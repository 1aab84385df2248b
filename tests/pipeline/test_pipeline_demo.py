"""The demo runs whole, and says where a bundled suite does not show what it is built to show."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from snapdrift.model import DecisionWord, ExitCode, Verdict
from snapdrift.pipeline.demo import _surprises
from snapdrift.reports.view import MustPassStatus

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


def test_the_demo_ends_with_0_and_six_reports_that_say_simulated(snapdrift, tmp_path):
    done = snapdrift("demo", "--quiet", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    reports = sorted((tmp_path / "reports" / "demo").glob("*/index.html"))
    assert len(reports) == 6
    for path in reports:
        assert f"reports/demo/{path.parent.name}/index.html" in done.stdout
        assert "simulated" in path.read_text(encoding="utf-8")
    assert "NOT as built" not in done.stdout
    assert done.stderr == "" or "warning" in done.stderr
