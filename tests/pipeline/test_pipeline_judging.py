"""Judges in whole runs: equal questions asked once, several votes, replies that cannot be read, models that retire."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from snapdrift import pipeline
from snapdrift.errors import SuiteError
from snapdrift.graders.registry import Registry
from snapdrift.model import CallKey, Outcome, Reason, Response
from snapdrift.openai_api.catalog import load_catalog
from snapdrift.pipeline.judgements import Reply, shared_with
from snapdrift.store import open_run
from snapdrift.suites.loader import load_suite
from snapdrift.suites.workspace import find_workspace

CASES = 6
RUBRIC = """\
model: gpt-4o-2024-11-20
criteria: [The answer names a town.]
sees: [question, answer]
request: {temperature: 1}
allow_retiring: true
"""
STANDIN = """\
[standin.suites.capitals]
recordings = "datasets/recordings.jsonl"
fallback = "desk"

[standin.behaviours.desk]
extends = "judge"
"""
Make = Callable[..., Path]
Command = Callable[..., Any]


@pytest.fixture
def judged(workspace: Make) -> Make:
    """Makes a workspace whose answers a rubric judges; both models say the same to every case."""

    def make(rubric: str = RUBRIC, flaws: str = "", **more: Any) -> Path:
        root = workspace(cases=CASES, **more)
        (root / "graders").mkdir()
        (root / "graders" / "kind.yaml").write_text(rubric)
        (root / "snapdrift.toml").write_text(STANDIN + flaws)
        suite = root / "evals" / "capitals.yaml"
        suite.write_text(
            suite.read_text().partition("gates:")[0]
            + "  - {name: kind, judge: graders/kind.yaml}\ngate: {metrics: {kind: {at_least: 0.0}}}\n"
        )
        return root

    return make


def run(root: Path, snapdrift: Command, *arguments: str) -> dict[str, Any]:
    done = snapdrift("run", "evals/capitals.yaml", "--standin", "--standin-log", "log.jsonl", *arguments, cwd=root)
    assert done.returncode in (0, 1, 3, 4), done.stderr
    return verdict(root)


def verdict(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((root / "reports" / "capitals" / "latest" / "verdict.json").read_text())
    return found


def judge_requests(root: Path) -> Counter[tuple[str, str]]:
    """How often each case had which vote asked for, of whichever variant, in the commands that had a log."""
    lines = [json.loads(line) for line in (root / "log.jsonl").read_text().splitlines()]
    asked = [line for line in lines if line["event"] == "received" and "?judge=" in (line["variant"] or "")]
    return Counter((line["case"], line["variant"].partition("?judge=")[2]) for line in asked)


def replies(root: Path) -> list[Response]:
    """The stored replies of judges."""
    with open_run(stored_run(root)) as stored:
        return [response for response in stored.responses() if response.call.grader]


def stored_run(root: Path) -> Path:
    (path,) = (root / ".snapdrift" / "runs").glob("*.db")
    return path


# ------------------------------------------------------------------------------------------------ equal questions


def test_equal_answers_to_a_case_are_judged_once_and_say_whose_verdict_they_have(
    judged: Make, snapdrift: Command
) -> None:
    root = judged()

    found = run(root, snapdrift)

    assert judge_requests(root) == {(f"c{number}", "kind"): 1 for number in range(CASES)}
    with open_run(stored_run(root)) as stored:
        scores = [score for score in stored.scores() if score.metric == "kind"]
        asked = {reply.call.case_id: reply.call.variant for reply in stored.responses() if reply.call.grader}
    assert {score.reason for score in scores} <= {Reason.PASSED, Reason.WRONG}
    for case, variant in asked.items():
        own, other = sorted((s for s in scores if s.case_id == case), key=lambda score: score.variant != variant)
        assert (other.value, other.facts, own.facts) == (own.value, {"verdict_of": f"{variant}/{case}/0"}, {})
        assert f"answer of {variant} to case {case}, repeat 0" in other.evidence[-1]
    paid = sum(reply.usd or 0.0 for reply in replies(root))
    assert paid > 0
    assert sum(variant["judge_usd"] for variant in found["variants"]) == pytest.approx(paid)


def test_votes_that_were_asked_about_two_equal_answers_are_of_one_of_them() -> None:
    one, other = CallKey("c1", "august", 0), CallKey("c1", "november", 0)

    def votes(*of: CallKey | None, judge: str = "") -> dict[str, Reply]:
        return {f"{judge}{n}": Reply(Response(one, Outcome.OK, "m"), key) for n, key in enumerate(of, 1)}

    assert shared_with(votes(None, other, None)) is None
    assert shared_with(votes(one, None, one)) == one
    assert shared_with({**votes(None, None, judge="kind."), **votes(other, other, judge="tone.")}) == other
    assert shared_with({}) is None


def test_grading_again_asks_nothing_that_was_asked_and_shares_as_before(judged: Make, snapdrift: Command) -> None:
    root = judged()
    before = run(root, snapdrift)
    asked = replies(root)
    with open_run(stored_run(root)) as stored:
        scores = stored.scores()

    graded = snapdrift("grade", "latest", "--standin", cwd=root)

    assert graded.returncode == 0, graded.stderr
    assert replies(root) == asked
    with open_run(stored_run(root)) as stored:
        assert stored.scores() == scores
    assert verdict(root)["metrics"] == before["metrics"]


def test_whichever_of_equal_answers_was_asked_about_a_resumed_run_asks_no_other(
    judged: Make, snapdrift: Command
) -> None:
    root = judged()
    run(root, snapdrift)
    first = {reply.call.case_id: reply.call.variant for reply in replies(root)}
    # As if the other answer had come first, which it may in a run that is looked at while it grows.
    swap = "UPDATE calls SET variant = CASE variant WHEN 'august' THEN 'november' ELSE 'august' END WHERE grader <> ''"
    with closing(sqlite3.connect(stored_run(root))) as connection, connection:
        connection.execute(swap)

    resumed = snapdrift("resume", "latest", cwd=root)

    assert resumed.returncode == 0, resumed.stderr
    asked = {reply.call.case_id: reply.call.variant for reply in replies(root)}
    assert len(replies(root)) == CASES
    assert all(asked[case] != variant for case, variant in first.items())
    with open_run(stored_run(root)) as stored:
        shared = {s.case_id: s.facts["verdict_of"] for s in stored.scores() if "verdict_of" in s.facts}
    assert shared == {case: f"{variant}/{case}/0" for case, variant in asked.items()}


def test_a_changed_rubric_asks_each_question_once_more(judged: Make, snapdrift: Command) -> None:
    root = judged()
    run(root, snapdrift)
    before = {reply.request_id for reply in replies(root)}
    (root / "graders" / "kind.yaml").write_text(RUBRIC.replace("names a town", "names a city"))

    graded = snapdrift("grade", "latest", "--standin", cwd=root)

    assert graded.returncode == 0, graded.stderr
    assert len(replies(root)) == CASES
    assert not before & {reply.request_id for reply in replies(root)}
    with open_run(stored_run(root)) as stored:
        assert all(score.value is not None for score in stored.scores() if score.metric == "kind")


# ------------------------------------------------------------------------------------------------------------- votes


def test_votes_are_asked_apart_and_their_agreement_is_told(judged: Make, snapdrift: Command) -> None:
    root = judged(RUBRIC + "votes: 3\n", "judge_fails = 0.5\njudge_fails_poor = 0.5\njudge_flips = 0.4\n")

    found = run(root, snapdrift)

    every = {(f"c{number}", f"kind.{vote}"): 1 for number in range(CASES) for vote in (1, 2, 3)}
    assert judge_requests(root) == every
    # What both variants share counts where it was asked.
    assert sum(votes["answers"] for votes in found["votes"]) == CASES
    assert {(votes["votes"], votes["ties"]) for votes in found["votes"]} == {(3, 0)}
    with open_run(stored_run(root)) as stored:
        own = [s.facts["votes"][0] for s in stored.scores() if "votes" in s.facts and "verdict_of" not in s.facts]
    agreeing = [len(set(labels)) == 1 for labels in own]
    assert sum(votes["unanimous"] for votes in found["votes"]) == sum(agreeing) < CASES
    agreement = sum(votes["agreement"] * votes["answers"] for votes in found["votes"]) / CASES
    assert agreement == pytest.approx(sum(1 if same else 1 / 3 for same in agreeing) / CASES)
    assert "Votes of judges" in (root / "reports" / "capitals" / "latest" / "index.html").read_text()


def test_every_vote_is_in_the_plan(judged: Make) -> None:
    root = judged(RUBRIC + "votes: 3\n")

    (plan,) = pipeline.plan_suites([root / "evals" / "capitals.yaml"], pipeline.RunOptions())

    (judge,) = plan.judges
    assert judge.estimate.calls == 3 * 2 * CASES
    assert judge.estimate.input_tokens > 3 * 2 * CASES * 100  # what was asked is shown, and counted


# ------------------------------------------------------------------------------------------ replies that cannot be read


def test_a_refused_verdict_is_asked_for_again_and_is_no_fail_and_resume_asks_once_more(
    judged: Make, snapdrift: Command
) -> None:
    root = judged(flaws="refuse = 1.0\n")

    found = run(root, snapdrift)

    assert set(judge_requests(root).values()) == {3}
    kinds = [metric for metric in found["metrics"] if metric["metric"] == "kind"]
    assert [(kind["grader_errors"], kind["unmeasured"], kind["mean"]) for kind in kinds] == [(CASES, CASES, None)] * 2
    assert found["decision"]["exit_code"] == 3

    (root / "snapdrift.toml").write_text(STANDIN)
    resumed = snapdrift("resume", "latest", cwd=root)

    assert resumed.returncode == 0, resumed.stderr
    with open_run(stored_run(root)) as stored:
        assert all(score.value is not None for score in stored.scores())
        assert {reply.outcome for reply in replies(root)} == {Outcome.OK}
        assert {len(reply.attempts) for reply in replies(root)} == {4}
        assert stored.superseded_usd() > 0


def test_a_verdict_that_is_refused_is_asked_for_again_while_a_run_is_looked_at(
    judged: Make, snapdrift: Command
) -> None:
    root = judged(flaws="refuse = 0.5\n")
    suite = root / "evals" / "capitals.yaml"
    gate = "gate: {baseline: {variant: august}, candidates: [november], metrics: {kind: {margin: 0.3}}, max_blind: 0.9}"
    suite.write_text(f"{suite.read_text().partition('gate:')[0]}early_stop: true\n{gate}\n")

    run(root, snapdrift)

    times = Counter(judge_requests(root).values())
    assert times.keys() == {1, 6}  # three times while it was looked at, and three when all had been answered
    with open_run(stored_run(root)) as stored:
        errors = [s for s in stored.scores() if s.reason is Reason.GRADER_ERROR]
    assert len(errors) == 2 * times[6]


# --------------------------------------------------------------------------------------------- what may judge, and how


def load(root: Path, today: date) -> Any:
    path = root / "evals" / "capitals.yaml"
    return load_suite(path, find_workspace(path), Registry(), load_catalog(today=today))


@pytest.mark.parametrize(
    ("today", "when"),
    [(date(2026, 12, 15), "in 30 days"), (date(2027, 1, 14), "shut gpt-4o-2024-11-20 down on 2027-01-14")],
)
def test_a_judge_that_is_about_to_be_shut_down_is_a_mistake_at_its_place(judged: Make, today: date, when: str) -> None:
    root = judged(RUBRIC.replace("allow_retiring: true\n", ""))

    with pytest.raises(SuiteError) as caught:
        load(root, today)

    (problem,) = caught.value.problems
    assert (problem.file, problem.line, problem.column) == ("graders/kind.yaml", 1, 8)
    assert when in problem.found
    assert "allow_retiring: true" in problem.expected


@pytest.mark.parametrize(
    ("rubric", "today"),
    [(RUBRIC, date(2027, 1, 14)), (RUBRIC.replace("allow_retiring: true\n", ""), date(2026, 12, 14))],
    ids=["allowed", "31 days before"],
)
def test_a_judge_that_may_retire_or_does_so_later_is_taken(judged: Make, rubric: str, today: date) -> None:
    assert load(judged(rubric), today).graders[1].name == "kind"


def test_a_retiring_judge_in_the_suite_itself_is_told_there(judged: Make) -> None:
    root = judged()
    suite = root / "evals" / "capitals.yaml"
    text = suite.read_text().replace("graders/kind.yaml", "{model: gpt-4o-2024-11-20, criteria: Kind.}")
    suite.write_text(text)
    line = next(number for number, written in enumerate(text.splitlines(), 1) if "name: kind" in written)

    with pytest.raises(SuiteError) as caught:
        load(root, date(2027, 1, 1))

    (problem,) = caught.value.problems
    assert (problem.file, problem.line) == ("evals/capitals.yaml", line)


def test_a_judge_that_is_shown_images_and_takes_none_is_a_mistake(judged: Make) -> None:
    rubric = RUBRIC.replace("[question, answer]", "[images, answer]").replace("gpt-4o-2024-11-20", "house-2026-01-01")
    path = judged(rubric) / "evals" / "capitals.yaml"
    catalog = load_catalog({"house-2026-01-01": {"input_modalities": ["text"]}}, date(2026, 6, 1))

    with pytest.raises(SuiteError, match=r"graders/kind.yaml:3:\d+: sees: .*house-2026-01-01, which takes text only"):
        load_suite(path, find_workspace(path), Registry(), catalog)


def test_a_checklist_cannot_be_required_to_be_calibrated(judged: Make) -> None:
    root = judged(RUBRIC + "mode: checklist\n")
    suite = root / "evals" / "capitals.yaml"
    suite.write_text(f"require_calibration: true\n{suite.read_text()}")

    with pytest.raises(SuiteError, match="several verdicts on an answer"):
        load(root, date(2026, 6, 1))


def test_a_judge_of_its_own_answers_and_votes_at_temperature_0_are_warned_about(
    judged: Make, snapdrift: Command
) -> None:
    root = judged(RUBRIC.replace("request: {temperature: 1}", "votes: 3"))

    checked = snapdrift("check", "evals/capitals.yaml", cwd=root)

    told = " ".join((checked.stdout + checked.stderr).split())
    assert "judge kind: gpt-4o-2024-11-20 judges its own answers (november)" in told
    assert "3 votes at temperature 0" in told


# ------------------------------------------------------------------------------------------------------- calibration


def test_a_label_judge_is_calibrated_by_pass_or_fail_and_a_checklist_is_refused(
    judged: Make, snapdrift: Command
) -> None:
    root = judged(RUBRIC + "mode: label\nlabels: [yes_it_does, no]\npass_on: yes_it_does\n")
    suite = root / "evals" / "capitals.yaml"
    gate = "gate: {baseline: {variant: august}, candidates: [november], metrics: {kind: {margin: 0.3}}, max_blind: 0.9}"
    suite.write_text(f"{suite.read_text().partition('gate:')[0]}{gate}\n")
    run(root, snapdrift)

    drawn = snapdrift("calibrate", "latest", "--draw", "3", "-o", "sheet.jsonl", cwd=root)

    assert drawn.returncode == 0, drawn.stderr
    rows = [json.loads(line) for line in (root / "sheet.jsonl").read_text().splitlines()]
    assert {json.dumps(row["scale"]) for row in rows} == {'{"yes_it_does": true, "no": false}'}

    shutil.rmtree(root / ".snapdrift")
    (root / "graders" / "kind.yaml").write_text(RUBRIC + "mode: checklist\n")
    run(root, snapdrift)
    refused = snapdrift("calibrate", "latest", "--draw", "3", "-o", "other.jsonl", cwd=root)

    assert refused.returncode == 2
    assert "several verdicts on an answer (mode checklist)" in " ".join(refused.stderr.split())
