"""Whether a gate could tell by its fallback: tried while the baseline is still asked, so that nothing breaks later."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from snapdrift.errors import UsageError
from snapdrift.model import Case, Gate
from snapdrift.pipeline.accepting import without_accepted
from snapdrift.pipeline.options import RunOptions
from snapdrift.pipeline.prepare import applicable_cases, require_enough

if TYPE_CHECKING:
    from snapdrift.pipeline.frozen import Based, Frozen
    from snapdrift.suites.resolved import Suite


def require_fallback_would_do(based: Based, cases: Sequence[Case], options: RunOptions) -> None:
    """Raises `SnapdriftError` for what would end a run on the day on which the kept answers of `based` stand in.

    `cases` are those of the gate. Of a part of the suite, which is not gated, nothing is asked.
    """
    frozen, selection = based.frozen, options.selection
    if frozen is None or selection.picks_cases or selection.variants:
        return
    if options.shard is not None:
        raise UsageError("kept answers cannot be cut into shards")
    repeats = max(selection.repeats or based.suite.repeats_for(based.gate.name), frozen.repeats)
    _require_sight(based.suite, based.gate, frozen, cases, repeats)


def _require_sight(suite: Suite, gate: Gate, frozen: Frozen, cases: Sequence[Case], repeats: int) -> None:
    """What does not pair shows nothing: by the cases that do, the gate has to be able to tell."""
    from snapdrift.verdicts import sufficiency
    from snapdrift.verdicts.measured_entries import metric_entries

    entries = metric_entries(gate, [metric.name for metric in suite.metrics])
    if not any(entry.gates and entry.margin is not None for entry in entries.values()):
        return
    applicable = without_accepted(suite, gate, applicable_cases(suite, cases))
    paired = tuple(case for case in cases if case.id in frozen.cases)
    require_enough(suite, gate, sufficiency(gate, suite.metrics, paired, applicable, repeats))
