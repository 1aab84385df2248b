"""Kept answers under judges: verdicts of then count where the judge is the same, else it is asked about them again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.judged import SUITE, judged_workspace

from snapdrift.model import Step, ToolCall, ToolResult
from snapdrift.privacy import Privacy
from snapdrift.reports.redaction import Redactor
from snapdrift.store import StoredRun, open_run
from snapdrift.store.archives import finished, read_archive, write_archive

GATES = """\
gates:
  default:
    baseline: {variant: august}
    candidates: [november]
    metrics: {right: {margin: 0.10}}
    max_blind: 0.25
  kept: {extends: default, baseline: {archive: archives/august.jsonl.gz}}
"""
PLAN = ("plan", "evals/capitals.yaml", "--gate", "kept", "--json")


@pytest.fixture(scope="module")
def judged(snapdrift, tmp_path_factory) -> Path:
    root: Path = tmp_path_factory.mktemp("judged") / "workspace"
    judged_workspace(root, suite=SUITE[: SUITE.index("gate:")] + GATES)
    snapdrift("run", "evals/capitals.yaml", "--gate", "default", "--standin", "-q", cwd=root)
    done = snapdrift("archive", "latest", "-o", "archives/august.jsonl.gz", cwd=root)
    assert done.returncode == 0, done.stderr
    return root


def newest(root: Path) -> Path:
    return max((root / ".snapdrift" / "runs").glob("*.db"))


def judged_variants(stored: StoredRun) -> set[str]:
    return {key.variant for key in stored.calls() if key.grader}


def asked_of_judges(plan: str) -> int:
    """How many questions to judges a plan counts."""
    (suite,) = json.loads(plan)["suites"]
    return sum(judge["estimate"]["requests"] for judge in suite["judges"])


def means(path: Path) -> dict[str, float | None]:
    with open_run(path) as stored:
        assert stored.evaluation is not None
        return {level.variant: level.mean for level in stored.evaluation.metrics}


def test_verdicts_of_then_count_and_their_judge_is_asked_about_the_candidate_alone(judged, snapdrift):
    before = means(newest(judged))
    done = snapdrift("run", "evals/capitals.yaml", "--gate", "kept", "--standin", "--no-cache", "-q", cwd=judged)
    assert done.returncode in (0, 1), done.stderr
    with open_run(newest(judged)) as stored:
        assert judged_variants(stored) == {"november"}
    assert means(newest(judged))["august@archive"] == before["august"]
    page = (judged / "reports" / "capitals" / "latest" / "index.html").read_text()
    assert "Verdicts of then count for right" in page


def test_another_rubric_has_the_judge_asked_about_kept_answers_too_and_the_plan_counts_it(judged, snapdrift):
    path = judged / "evals" / "capitals.yaml"
    kept = path.read_text()
    try:
        path.write_text(kept.replace("It names {{ expected }}.", "It names {{ expected }} and no other town."))
        done = snapdrift("run", "evals/capitals.yaml", "--gate", "kept", "--standin", "--no-cache", "-q", cwd=judged)
        assert done.returncode in (0, 1), done.stderr
        with open_run(newest(judged)) as stored:
            assert judged_variants(stored) == {"november", "august@archive"}
        again = asked_of_judges(snapdrift(*PLAN, cwd=judged).stdout)
    finally:
        path.write_text(kept)
    assert again == 2 * asked_of_judges(snapdrift(*PLAN, cwd=judged).stdout) > 0


SHOWN = {
    "what was asked": ("question, answer", "holds no prompt, which this grader's judge is shown"),
    "results of tools": ("answer, tools", "holds no results of tools"),
}


@pytest.mark.parametrize(("sees", "told"), SHOWN.values(), ids=SHOWN)
def test_a_judge_that_is_shown_what_privacy_took_out_grades_nothing_again_and_nobody_is_asked(
    judged, snapdrift, sees, told
):
    archive = read_archive(judged / "archives" / "august.jsonl.gz")
    call = ToolCall("t1", "look_up", "{}")
    step = Step(0, tool_calls=(call,), results=(ToolResult("t1", "look_up", "Town 1"),))
    hidden = Redactor.of(Privacy(("prompt",)), (), ())
    case = archive.cases[0]
    response = hidden.response(replace(case.answers[0].response, tool_calls=(call,), steps=(step,)))
    first = replace(case, answers=(replace(case.answers[0], response=response),))
    header = replace(archive.header, variant=replace(archive.header.variant, prompt={}))
    write_archive(finished(header, (first, *archive.cases[1:])), judged / "archives" / "bare.jsonl.gz")
    path = judged / "evals" / "capitals.yaml"
    kept = path.read_text()
    try:
        path.write_text(kept.replace("archives/august", "archives/bare"))
        assert snapdrift("check", "evals/capitals.yaml", "--gate", "kept", cwd=judged).returncode == 0
        path.write_text(path.read_text().replace('question: "{{ country }}"', f"sees: [{sees}]"))
        done = snapdrift("check", "evals/capitals.yaml", "--gate", "kept", cwd=judged)
    finally:
        path.write_text(kept)
    assert (done.returncode, told in done.stderr, "put the grader back" in done.stderr) == (2, True, True)
