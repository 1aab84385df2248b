"""`compare`: a run concluded from again, or two runs side by side."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, overload

from snapdrift.api.runs import Run

if TYPE_CHECKING:
    import pandas as pd

    from snapdrift.pipeline.across import Across


class RunComparison:
    """Two runs side by side: nothing is decided, it is for looking. `compare(earlier, later)` makes them.

    `labels` are those that either run bears (`simulated`). `added`, `removed` and `changed` are ids of cases that are
    not compared: asked by one of the runs only, or asking or expecting something else. `regraded` are metrics that are
    not, because their grader changed in between.
    """

    def __init__(self, earlier: Run, later: Run, across: Across) -> None:
        """The runs, and what they say of each other."""
        self.earlier, self.later = earlier.id, later.id
        self.labels = tuple(dict.fromkeys((*earlier.labels, *later.labels)))
        self.paired, self.repeats = across.paired, across.repeats
        self.added, self.removed, self.changed = across.added, across.removed, across.changed
        self.regraded = across.regraded
        self._across = across

    @cached_property
    def comparisons(self) -> pd.DataFrame:
        """As `Run.comparisons`: the earlier run is the baseline, variants are named `VARIANT@RUN`."""
        from snapdrift.api.frames import comparisons_frame
        from snapdrift.reports.verdict_json import comparison_document

        return comparisons_frame([comparison_document(one) for one in self._across.comparisons])

    def __repr__(self) -> str:
        words = ", ".join(f"{one.metric}: {one.verdict.value}" for one in self._across.comparisons)
        labels = "".join(f" [{label}]" for label in self.labels)
        return f"<RunComparison {self.later} against {self.earlier}{labels}, {self.paired} cases paired: {words}>"

    def _repr_html_(self) -> str:
        """The table of verdicts and what was not compared, for a notebook; everything is escaped."""
        from snapdrift.api.notebook import across_html

        return across_html(self, self._across)


@overload
def compare(run: Run | str | Path, *, workspace: str | Path | None = None) -> Run: ...
@overload
def compare(
    run: Run | str | Path,
    later: Run | str | Path,
    *,
    pairs: Sequence[tuple[str, str]] | None = None,
    workspace: str | Path | None = None,
) -> RunComparison: ...
def compare(
    run: Run | str | Path,
    later: Run | str | Path | None = None,
    *,
    pairs: Sequence[tuple[str, str]] | None = None,
    workspace: str | Path | None = None,
) -> Run | RunComparison:
    """Compares and decides again from the stored scores of a run; with a `later` one, that run against this.

    Runs are named as in `open_run`. Of two, each variant is compared with its namesake, or as `pairs` of (earlier,
    later) names say, on the cases that both asked alike; margins and confidence are the later run's. Nothing is asked
    or written. Raises `StoreError`, and `UsageError` where there is nothing to compare.
    """
    from snapdrift import pipeline

    cwd, options = Path(workspace or Path.cwd()), pipeline.RunOptions()
    if later is None:
        compared = pipeline.compare_run(_named(run), options, cwd)
        read = pipeline.read_run(_named(run), options, cwd)
        return Run(compared.view, read.path, read.report)
    one, other = (pipeline.read_run(_named(each), options, cwd) for each in (run, later))
    across = pipeline.compare_runs(one, other, pairs)
    earlier_run, later_run = (Run(read.view, read.path, read.report) for read in (one, other))
    return RunComparison(earlier_run, later_run, across)


def _named(run: Run | str | Path) -> str:
    return str(run.path if isinstance(run, Run) else run)
