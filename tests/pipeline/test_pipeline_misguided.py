"""A checklist judge with three votes on real recorded answers, its verdicts replayed from another model's judgement."""

from __future__ import annotations

import gzip
import json
import re
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from snapdrift.model import Reason
from snapdrift.store import open_run, run_path

pytestmark = [pytest.mark.shared, pytest.mark.xdist_group("misguided")]

SUITE = """\
suite: misguided
description: Misleading riddles; what each answer should and should not say is judged criterion by criterion.
dataset: datasets/cases.jsonl.gz
prompt: {input: "{{ prompt }}"}
request: {max_output_tokens: 2048}
repeats: 5
variants:
  november: {model: gpt-4o-2024-11-20}
graders:
  - name: notices
    judge: graders/notices.yaml
gate:
  metrics:
    notices: {at_least: 0.2}
    notices.should: {at_least: 0.2}
"""
RUBRIC = """\
mode: checklist
criteria:
  should: "{{ criteria.should }}"
  should_not: "{{ criteria.should_not }}"
sees: [question, answer]
votes: 3
request: {temperature: 1}
model: gpt-4o-2024-11-20
allow_retiring: true
"""


class Ran(NamedTuple):
    output: str
    verdict: dict[str, Any]
    page: str
    run: Path


@pytest.fixture(scope="module")
def ran(shared: Path, snapdrift: Any, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """One run of the suite by the command, shared by the tests of this module."""
    root = tmp_path_factory.mktemp("misguided")
    for folder in ("evals", "datasets", "graders"):
        (root / folder).mkdir()
    (root / "snapdrift.toml").write_text("")
    (root / "evals" / "misguided.yaml").write_text(SUITE)
    (root / "graders" / "notices.yaml").write_text(RUBRIC)
    for name in ("cases.jsonl.gz", "recordings.jsonl.gz"):
        shutil.copy(shared / "real" / "misguided" / name, root / "datasets")
    done = snapdrift(
        "run", "evals/misguided.yaml", "--standin", "--recordings", "datasets/recordings.jsonl.gz", cwd=root
    )
    assert done.returncode == 0, done.stderr
    reports = root / "reports" / "misguided" / "latest"
    verdict, page = json.loads((reports / "verdict.json").read_text()), (reports / "index.html").read_text()
    return Ran(done.stdout, verdict, page, run_path(verdict["run"]["id"], root / ".snapdrift" / "runs"))


@pytest.fixture(scope="module")
def recorded(shared: Path) -> list[dict[str, Any]]:
    """The recordings' rows."""
    with gzip.open(shared / "real" / "misguided" / "recordings.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(text) for text in lines]


def test_every_score_is_the_share_that_the_recorded_judgement_gives(ran: Ran, recorded: list[dict[str, Any]]) -> None:
    shares = []
    for row in recorded:
        good = [entry["met"] for entry in row["judge"]["expected_behavior"]]
        good += [not entry["made"] for entry in row["judge"]["common_mistakes"]]
        if "lighting one rope on one end (1x 60 minutes) OR" not in str(row["judge"]):
            shares.append(sum(good) / len(good))
    with open_run(ran.run) as stored:
        scores = [score for score in stored.scores() if score.metric == "notices"]

    assert sorted(score.value for score in scores if score.value is not None) == pytest.approx(sorted(shares))


def test_the_one_answer_of_which_a_criterion_was_not_judged_is_a_grader_error_and_no_fail(ran: Ran) -> None:
    with open_run(ran.run) as stored:
        (error,) = [one for one in stored.scores() if one.metric == "notices" and one.reason is Reason.GRADER_ERROR]
    (metric,) = [one for one in ran.verdict["metrics"] if one["metric"] == "notices"]

    assert (error.case_id, error.repeat, error.value) == ("rope_burning_easy", 2, None)
    assert "does not have the criterion" in error.detail
    assert (metric["grader_errors"], metric["unmeasured"]) == (1, 1)


def test_each_different_answer_is_judged_by_three_votes_that_are_replayed(ran: Ran) -> None:
    with open_run(ran.run) as stored:
        judged = [response for response in stored.responses() if response.call.grader]
        answers = {(r.call.case_id, r.text) for r in stored.responses() if not r.call.grader}

    assert {response.call.grader for response in judged} == {"notices.1", "notices.2", "notices.3"}
    assert len(judged) == 3 * len(answers)
    assert {response.source.value for response in judged if response.outcome.measured} == {"recorded"}


def test_agreement_and_the_cost_of_judging_are_in_the_report(ran: Ran) -> None:
    (variant,) = ran.verdict["variants"]
    votes = {one["metric"]: one for one in ran.verdict["votes"]}

    assert votes.keys() == {"notices", "notices.should", "notices.should_not"}
    assert (votes["notices"]["votes"], votes["notices"]["agreement"], votes["notices"]["alpha"]) == (3, 1.0, 1.0)
    assert votes["notices"]["unanimous"] == votes["notices"]["answers"] > 60
    assert variant["judge_usd"] > 0
    section = re.search(r'<section class="votes".*?</section>', ran.page, re.DOTALL)
    assert section is not None
    assert f"${variant['judge_usd']:.2f}" in section[0]
    assert "votes: notices, `november`: 3 votes on" in " ".join(ran.output.split())
