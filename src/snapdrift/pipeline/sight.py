"""What a gate could see: sufficiency by the cases that really count, those that pair and are not accepted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from snapdrift.model import Case, Gate
from snapdrift.pipeline.accepting import with_left_out_told, without_accepted
from snapdrift.pipeline.prepare import applicable_cases

if TYPE_CHECKING:
    from snapdrift.conclusions import Sufficiency
    from snapdrift.stats.sequential import StoppingRule
    from snapdrift.suites.resolved import Suite


class Pairing(Protocol):
    """Kept answers that are a baseline: the cases that pair with them, and how many answers a case has at most."""

    @property
    def cases(self) -> frozenset[str]:
        """The ids of the cases."""

    @property
    def repeats(self) -> int:
        """The most answers that a case has."""


def sight(
    suite: Suite,
    gate: Gate,
    cases: Sequence[Case],
    repeats: int,
    rule: StoppingRule | None = None,
    frozen: Pairing | None = None,
) -> tuple[Sufficiency, ...]:
    """What a gate can see by these cases, each asked `repeats` times; `frozen` are kept answers that are the baseline.

    `rule` is by what a run may be ended early. Statistics are loaded only where something is claimed: floors are
    observed values.
    """
    from snapdrift.verdicts.measured_entries import metric_entries

    entries = metric_entries(gate, [metric.name for metric in suite.metrics])
    if not any(entry.gates and entry.margin is not None for entry in entries.values()):
        return ()
    from snapdrift.verdicts import sufficiency

    applicable = applicable_cases(suite, cases)
    compared = without_accepted(suite, gate, applicable)
    if frozen is not None:  # what does not pair shows nothing
        cases, repeats = tuple(case for case in cases if case.id in frozen.cases), max(repeats, frozen.repeats)
    found = sufficiency(gate, suite.metrics, cases, compared, repeats, rule)
    return with_left_out_told(found, applicable, compared, (case.id for case in cases))
