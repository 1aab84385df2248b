"""Whether a gate could tell by its fallback: tried while the baseline is still asked, so that nothing breaks later."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from snapdrift.errors import UsageError
from snapdrift.model import Case
from snapdrift.pipeline.options import RunOptions
from snapdrift.pipeline.prepare import require_enough
from snapdrift.pipeline.sight import sight

if TYPE_CHECKING:
    from snapdrift.pipeline.frozen import Based


def require_fallback_would_do(based: Based, cases: Sequence[Case], options: RunOptions) -> None:
    """Raises `SnapdriftError` for what would end a run on the day on which the kept answers of `based` stand in.

    `cases` are those of the gate. Of a part of the suite, which is not gated, nothing is asked.
    """
    frozen, selection = based.frozen, options.selection
    if frozen is None or selection.picks_cases or selection.variants:
        return
    if options.shard is not None:
        raise UsageError("kept answers cannot be cut into shards")
    repeats = selection.repeats or based.suite.repeats_for(based.gate.name)
    require_enough(based.suite, based.gate, sight(based.suite, based.gate, cases, repeats, frozen=frozen))
