"""A stored run whose baseline is kept answers, graded again: they are in its file, under the name they had then."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from snapdrift.errors import UsageError
from snapdrift.model import OUTSIDE, Response
from snapdrift.pipeline.frozen_scores import hidden_in
from snapdrift.pipeline.kept_scores import baseline_of, kept_of
from snapdrift.pipeline.suite_graders import graders_of

if TYPE_CHECKING:
    from snapdrift.store import StoredRun
    from snapdrift.suites.resolved import Suite


@dataclass(frozen=True, slots=True)
class StoredPairing:
    """Of a stored run whose baseline is kept answers: the cases that pair, and the most answers that one has."""

    cases: frozenset[str]
    repeats: int


def stored_pairing(stored: StoredRun) -> StoredPairing | None:
    """What pairs in a run with the kept answers that it has; None where its baseline was asked. Raises `StoreError`."""
    facts = baseline_of(stored)
    if facts is None or facts.kept is None:
        return None
    calls = [key for key in stored.calls() if key.variant == facts.name and not key.grader]
    return StoredPairing(frozenset(key.case_id for key in calls), max((key.repeat for key in calls), default=0) + 1)


def with_stored_baseline(suite: Suite, stored: StoredRun) -> Suite:
    """The suite as it is now, with the gate of the run comparing with the kept answers that the run has.

    Raises `UsageError` where the gate names others now, and where they can no longer be graded.
    """
    name = stored.header.gate
    gate = suite.gates.get(name)
    if gate is None or gate.outside is None:
        return suite
    facts = baseline_of(stored)
    if facts is None or facts.kept is None:
        if gate.outside.fallback is None:
            raise UsageError(f"the gate {name} compares with kept answers now, and the run did not; run the suite")
        # The baseline was asked, whether or not there was a fallback then: its answers are in the run.
        return replace(suite, gates={**suite.gates, name: replace(gate, outside=None)})
    named = gate.outside.archive or gate.outside.fallback
    if named is not None and named != facts.kept.where:
        raise UsageError(f"the gate {name} compares with {named} now, the run with {facts.kept.where}; run the suite")
    of = OUTSIDE if gate.outside.fallback is None else facts.of
    pairs = tuple(replace(pair, baseline=facts.name) if pair.baseline == of else pair for pair in gate.pairs)
    _require_gradable(suite, stored, facts.name, texts=facts.kept.answers)
    return replace(suite, gates={**suite.gates, name: replace(gate, pairs=pairs, outside=None)})


def _require_gradable(suite: Suite, stored: StoredRun, name: str, *, texts: bool) -> None:
    """Where what a grader looks at was left out, the scores of then count: of graders and of expectations of then."""
    then, now = {case.id: case.hash for case in stored.each_case()}, {case.id: case for case in suite.cases}
    changed = [case_id for case_id, case in now.items() if then.get(case_id, case.hash) != case.hash]
    (variant,) = (variant for variant in stored.header.variants if variant.name == name)
    hidden = hidden_in(variant, _answers(stored, name), answers=texts)
    kept = kept_of(stored, graders_of(suite))
    gated = {entry.metric for entry in suite.gates[stored.header.gate].metrics}
    for grader in graders_of(suite):
        lacking = hidden.to(grader)
        if not lacking or gated.isdisjoint(metric.name for metric in grader.metrics):
            continue
        if changed:
            raise UsageError(
                f"case {changed[0]} expects something else now, and `{name}` has no {lacking}, to grade by it; run the "
                "suite"
            )
        calls = (response.call for response in _answers(stored, name) if response.outcome.measured)
        if any(kept.of(call, grader) is None for call in calls if grader.applies(now[call.case_id])):
            raise UsageError(
                f"the grader {grader.name} is another now than the one whose scores `{name}` has, and there are no "
                f"{lacking}, to grade again; put it back, or take its metrics out of the gate"
            )


def _answers(stored: StoredRun, name: str) -> Iterator[Response]:
    return (response for response in stored.responses() if response.call.variant == name and not response.call.grader)
