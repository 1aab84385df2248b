"""The tolerant reading of a stored run: what it looks up, and that every command explains a run alike."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from snapdrift.graders.registry import Registry
from snapdrift.model import CallKey, FormatCause, Reading, Reason
from snapdrift.pipeline.rereading import tolerant_reading
from snapdrift.store import open_run
from snapdrift.suites.resolved import suite_from_stored

NOVEMBER = "gpt-4o-2024-11-20"
RUN = ("run", "evals/capitals.yaml", "--recordings", "datasets/recordings.jsonl")


def fence_answers(root: Path, count: int) -> None:
    """Puts the first answers of one model, as recorded, in code fences."""
    path = root / "datasets" / "recordings.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in [row for row in rows if row["model"] == NOVEMBER][:count]:
        row["output"] = f"```\n{row['output']}\n```"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def attributions(text: str) -> Any:
    return json.loads(text)["attributions"]


def test_run_compare_grade_and_report_explain_alike(workspace, snapdrift):
    root = workspace(wrong={NOVEMBER: 4})
    fence_answers(root, 16)
    assert snapdrift(*RUN, cwd=root).returncode == 1
    reports = root / "reports" / "capitals" / "latest"
    told = attributions((reports / "verdict.json").read_text())
    (one,) = told
    assert [(part["cause"], len(part["worse"])) for part in one["causes"]] == [("content", 4), ("code_fence", 12)]
    assert one["reread"] == 12

    run = next((root / ".snapdrift" / "runs").glob("*.db")).stem
    assert attributions(snapdrift("compare", run, "--json", cwd=root).stdout) == told
    for command in ("grade", "report"):
        snapdrift(command, run, cwd=root)
        assert attributions((reports / "verdict.json").read_text()) == told
    summary = (reports / "summary.md").read_text()
    assert "mostly format: 12 of the 16 (code fence), 4 are content" in summary
    assert "Town" not in summary
    assert "No idea" not in summary


def test_only_answers_that_could_read_otherwise_are_looked_up_and_each_but_once(workspace, snapdrift, monkeypatch):
    root = workspace(cases=20, max_blind=0.6)
    fence_answers(root, 3)
    snapdrift(*RUN, cwd=root)
    (path,) = (root / ".snapdrift" / "runs").glob("*.db")
    with open_run(path) as stored:
        suite = suite_from_stored(stored.suite, stored.cases(), Registry())
        looked_up: list[CallKey] = []
        answer = type(stored).answer

        def noting(self, key):
            looked_up.append(key)
            return answer(self, key)

        monkeypatch.setattr(type(stored), "answer", noting)
        tolerant = tolerant_reading(stored, suite)
        readings = [tolerant(score) for score in (*stored.scores(), *stored.scores())]
    assert [key.variant for key in looked_up] == ["november"] * 3
    fence = Reading(1.0, passed=True, cause=FormatCause.CODE_FENCE)
    assert [one for one in readings if one] == [fence] * 6


def test_a_score_whose_answer_is_not_stored_stays_as_it_is(workspace, snapdrift):
    root = workspace(cases=20, max_blind=0.6)
    snapdrift(*RUN, cwd=root)
    (path,) = (root / ".snapdrift" / "runs").glob("*.db")
    with open_run(path) as stored:
        tolerant = tolerant_reading(stored, suite_from_stored(stored.suite, stored.cases(), Registry()))
        wrong = replace(stored.scores()[0], repeat=9, value=0.0, passed=False, reason=Reason.WRONG)
        assert tolerant(wrong) is None


def test_what_an_answer_says_is_read_without_its_raw_body(workspace, snapdrift):
    root = workspace(cases=20, max_blind=0.6)
    snapdrift(*RUN, cwd=root)
    (path,) = (root / ".snapdrift" / "runs").glob("*.db")
    with open_run(path) as stored:
        for whole in stored.responses():
            said = stored.answer(whole.call)
            assert said is not None
            assert whole.raw
            assert said.raw == ""
            assert (said.outcome, said.text, said.refusal, said.tool_calls) == (
                whole.outcome, whole.text, whole.refusal, whole.tool_calls,
            )  # fmt: skip
        assert stored.answer(CallKey("nowhere", "august", 0)) is None
