"""Gates by occasion: each asks its own cases, as often, by its own policy and within its own budget."""

from __future__ import annotations

from pathlib import Path

import pytest

from snapdrift import pipeline
from snapdrift.errors import InsufficientError, UsageError
from snapdrift.model import Policy
from snapdrift.pipeline.checking import check_other_gates
from snapdrift.pipeline.options import RunOptions, TargetOptions
from snapdrift.pipeline.prepare import check_suites, prepare

ROOT = Path(__file__).parents[2]
GATES = """\
  pr: {extends: default, sample: {n: 24, seed: 7}, budget: {usd: 0.25}}
  nightly: {extends: default, sample: 30, repeats: 2, cache: never}
  release: {extends: default, policy: prove, budget: {usd: 2}}
"""


@pytest.fixture(scope="module")
def decided(module_workspace):
    """The run of each occasion on the stand-in, one after another, by the gate's name."""
    root = module_workspace(more=GATES)
    answers = '[standin.suites.capitals]\nanswers = "datasets/capitals.jsonl"\nbehaviour = "exact"\n'
    (root / "snapdrift.toml").write_text(answers)
    target = TargetOptions(standin=True)
    return {
        gate: pipeline.run_suites([root / "evals" / "capitals.yaml"], RunOptions(gate=gate, target=target))[0]
        for gate in ("pr", "nightly", "release")
    }


def test_each_occasion_asks_its_own_cases_as_often_as_it_says(decided):
    asked = {gate: [one.planned for one in run.evaluation.variants] for gate, run in decided.items()}
    assert asked == {"pr": [24, 24], "nightly": [60, 60], "release": [60, 60]}
    assert {gate: run.view.repeats for gate, run in decided.items()} == {"pr": 1, "nightly": 2, "release": 1}


def test_each_occasion_decides_by_its_own_policy(decided):
    assert {gate: run.evaluation.gate.policy.value for gate, run in decided.items()} == {
        "pr": "catch",
        "nightly": "catch",
        "release": "prove",
    }
    opened = {gate: run.view.headline.partition(":")[0] for gate, run in decided.items()}
    assert opened["pr"] == opened["nightly"] == "No regression shown"
    assert opened["release"] == "Shown to be no worse than the margin allows"


def test_a_night_reuses_nothing_of_the_day_and_a_release_does(decided):
    reused = {gate: [one.reused and one.reused.calls for one in r.evaluation.variants] for gate, r in decided.items()}
    assert (reused["pr"], reused["nightly"]) == ([None, None], [None, None])
    assert min(reused["release"]) >= 24  # those of the pull request, and of the night as far as they are others


@pytest.mark.parametrize(
    ("gate", "cases", "repeats", "policy", "usd", "per_day"),
    [
        ("default", 170, 1, Policy.CATCH, 2.0, None),
        ("pr", 60, 1, Policy.CATCH, 0.25, None),
        ("nightly", 170, 2, Policy.CATCH, 1.0, 1.0),
        ("release", 170, 3, Policy.PROVE, 2.0, None),
    ],
)
def test_the_bundled_tickets_have_a_gate_for_each_occasion(gate, cases, repeats, policy, usd, per_day):
    one = prepare(ROOT / "evals" / "ticket-triage.yaml", RunOptions(gate=gate))
    assert (len(one.cases), one.repeats, one.gate.policy) == (cases, repeats, policy)
    assert (one.suite.budget_for(gate), one.suite.budget_per_day_for(gate)) == (usd, per_day)
    assert one.gate.fresh is (gate == "nightly")


def test_check_holds_every_gate_to_be_able_to_tell(workspace):
    path = (
        workspace(more=GATES + "  weekly: {extends: default, sample: 5, max_blind: 0.05}\n") / "evals" / "capitals.yaml"
    )
    (one,) = check_suites([path], RunOptions())
    with pytest.raises(InsufficientError, match="gate weekly could never tell"):
        check_other_gates(one, RunOptions())


def test_a_gate_that_there_is_not_is_told_with_how_to_add_it(workspace):
    path = workspace() / "evals" / "capitals.yaml"
    with pytest.raises(
        UsageError, match=r"no gate 'pr'; expected --gate with one of default, or `pr: {extends: default}`"
    ):
        prepare(path, RunOptions(gate="pr"))
