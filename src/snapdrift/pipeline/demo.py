"""`demo`: the bundled suites on the stand-in, and whether each gave the verdict that it is built to show."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from snapdrift.pipeline.options import Output, RunOptions, RunOutcome, TargetOptions
from snapdrift.pipeline.running import run_suites
from snapdrift.scaffold import bundled_workspace

EXPECTATIONS = Path("evals") / "demo.toml"


@dataclass(frozen=True, slots=True)
class Demo:
    """A bundled suite that was run: what it shows, and where that is not what it is built to show."""

    outcome: RunOutcome
    shows: str
    surprises: tuple[str, ...]


def run_demo(options: RunOptions, out_dir: Path) -> tuple[Demo, ...]:
    """Runs every bundled suite on the stand-in; reports and run files go under `out_dir`."""
    root = bundled_workspace()
    expected: dict[str, Any] = tomllib.loads((root / EXPECTATIONS).read_text(encoding="utf-8"))["suites"]
    options = replace(
        options,
        target=TargetOptions(standin=True),
        output=Output(out_dir=out_dir, state_dir=out_dir / ".snapdrift"),
        fresh=True,
    )
    outcomes = run_suites([root / "evals" / f"{name}.yaml" for name in expected], options)
    return tuple(
        Demo(outcome, expected[outcome.suite]["shows"], _surprises(outcome, expected[outcome.suite]))
        for outcome in outcomes
    )


def _surprises(outcome: RunOutcome, expected: Mapping[str, Any]) -> tuple[str, ...]:
    from snapdrift.reports.case_views import MustPassStatus

    found = outcome.evaluation.decision
    told = []
    if (found.word, int(found.exit_code)) != (expected["decision"], expected["exit_code"]):
        wanted = f"{expected['decision']} ({expected['exit_code']})"
        told.append(f"expected the decision {wanted}, found {found.word} ({int(found.exit_code)})")
    verdicts = {f"{c.metric}:{c.candidate}": c.verdict.value for c in outcome.evaluation.comparisons}
    for key, word in expected.get("verdicts", {}).items():
        if verdicts.get(key) != word:
            told.append(f"expected {key} to be {word}, found {verdicts.get(key, 'no such comparison')}")
    if "must_pass" in expected:
        passed = not any(check.status is MustPassStatus.FAILED for check in outcome.view.must_pass)
        if passed is not expected["must_pass"]:
            told.append(f"expected must-pass cases to {'pass' if expected['must_pass'] else 'fail'}, found otherwise")
    return tuple(told)
