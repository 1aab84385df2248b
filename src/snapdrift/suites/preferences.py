"""Graders that compare answers: what a suite has to have for them, and what they cannot go with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from snapdrift.suites.gates import ResolvedGate
from snapdrift.suites.loading import Loading
from snapdrift.suites.registry import ParsedGrader
from snapdrift.suites.suite import SuiteFile
from snapdrift.suites.wording import quoted


def check_preferences(
    entry: SuiteFile, gates: Mapping[str, ResolvedGate], graders: Sequence[ParsedGrader], loading: Loading
) -> None:
    """Complains about pairwise graders where no gate compares variants, and where their judge would need labels.

    People's labels are of single answers, so that they cannot show how a judge of two errs: under
    `require_calibration` such a metric could never be settled.
    """
    comparing = any(resolved.gate.pairs for resolved in gates.values())
    for grader in graders:
        metric = grader.metrics[0]
        if not metric.pairwise:
            continue
        if gates and not comparing and not loading.problems:
            found = f"the pairwise grader {quoted(grader.name)}, and no gate compares variants"
            loading.complain(("graders",), found, "expected a gate with a baseline, or compare", key=True)
        margins = [asked for one in gates.values() for asked in one.gate.metrics if asked.metric == metric.name]
        if entry.require_calibration and any(asked.margin is not None for asked in margins):
            found = f"require_calibration with a margin for the pairwise metric {quoted(metric.name)}"
            expected = "expected one of them: people label single answers, which says nothing of a judge of two"
            loading.complain(("require_calibration",), found, expected, key=True)
