"""The decision table as the program answers it: for each state, a run that is in it and the decision about it."""

from __future__ import annotations

from dataclasses import replace

from snapdrift.conclusions import AliasMove, Comparison, Decision
from snapdrift.model import Gate, MetricGate, OnInconclusive, Pair, Policy, Severity, Verdict
from snapdrift.verdicts.decision import Findings, decide
from snapdrift.verdicts.limits import Floor, MustPassCheck

GATE = Gate("default", (Pair("baseline", "candidate"),), (MetricGate("right", margin=0.05, at_least=0.9),))
GATES = (
    GATE,
    replace(GATE, inconclusive=OnInconclusive.FAIL),
    replace(GATE, policy=Policy.PROVE, inconclusive=OnInconclusive.FAIL),
)


def comparison(verdict: Verdict) -> Comparison:
    """A gating comparison with this verdict; its numbers decide nothing here."""
    return Comparison(
        metric="right",
        baseline="baseline",
        candidate="candidate",
        severity=Severity.FAIL,
        gating=True,
        n=200,
        baseline_mean=0.95,
        candidate_mean=0.95,
        difference=0.0,
        ci=(-0.02, 0.02),
        p_value=0.5,
        p_two_sided=1.0,
        p_mid=0.5,
        p_better=0.5,
        p_adjusted=0.5,
        p_no_worse=0.01,
        method="mcnemar_exact",
        margin=0.05,
        confidence=0.95,
        verdict=verdict,
    )


def findings(verdict: Verdict, gate: Gate = GATE) -> Findings:
    """What is known of a run whose only comparison has this verdict."""
    return Findings(gate, {}, comparisons=(comparison(verdict),))


def cells_of_verdicts() -> list[list[str]]:
    """A row for each verdict that a sufficient gate can end with: what it decides under each policy."""
    verdicts = [verdict for verdict in Verdict if verdict is not Verdict.INSUFFICIENT]
    return [[f"`{v.value}`", *(_said(decide(findings(v, gate))) for gate in GATES)] for v in verdicts]


def rows_of_states() -> list[list[str]]:
    """States with the decision about a run that is in it."""
    fine = findings(Verdict.NO_WORSE)
    failed = MustPassCheck("c-1", "candidate", Severity.FAIL, ("right",), (), graded=True)
    unmeasured = MustPassCheck("c-1", "candidate", Severity.FAIL, (), ("right",), graded=True)
    floor = Floor("right", "candidate", 0.9, 0.8, Severity.FAIL)
    moved = AliasMove("candidate", "gpt-4o", ("gpt-4o-2024-08-06",), ("gpt-4o-2024-11-20",))
    nothing_fails = replace(GATE, metrics=(replace(GATE.metrics[0], severity=Severity.WARN),))
    states = {
        "a part of the suite was asked for": replace(fine, partial=True),
        "nothing in the gate can fail: all is `warn`": replace(fine, gate=nothing_fails),
        "the observed mean is under `at_least`": replace(fine, floors=(floor,)),
        "a `must_pass` case failed": replace(fine, must_pass=(failed,)),
        "the alias moved, under `alias_moved: fail`": replace(
            fine, alias_moves=(moved,), gate=replace(GATE, alias_moved=Severity.FAIL)
        ),
        "the alias moved, under `alias_moved: warn`": replace(fine, alias_moves=(moved,)),
        "coverage is short": replace(fine, shortfalls=("Coverage is short.",)),
        "coverage is short, and what was measured regressed": replace(
            findings(Verdict.REGRESSED), shortfalls=("Coverage is short.",)
        ),
        "a `must_pass` case was not measured": replace(fine, must_pass=(unmeasured,)),
        "the budget or the deadline was reached": replace(fine, stopped_early="The budget is spent."),
        "a required calibration of a judge is missing": replace(fine, judge_doubts=("The judge is not calibrated.",)),
        "none of these": fine,
    }
    return [
        [state, f"`{d.word.value}`", str(int(d.exit_code))] for state, d in ((s, decide(f)) for s, f in states.items())
    ]


def _said(decision: Decision) -> str:
    return f"`{decision.word.value}`, {int(decision.exit_code)}" + (" with a warning" if decision.warnings else "")
