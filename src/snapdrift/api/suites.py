"""A suite in Python: what it asks, of whom, and under which gates."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from snapdrift.api.running import arun, run
from snapdrift.api.runs import Run
from snapdrift.api.settings import RunSettings

if TYPE_CHECKING:
    import pandas as pd

    from snapdrift.suites.resolved import Suite as ResolvedSuite


class Suite:
    """A suite as its file was when it was loaded; `load_suite` makes them."""

    def __init__(self, resolved: ResolvedSuite, path: Path) -> None:
        """`path` is the suite's file."""
        self.resolved = resolved
        self.path = path

    @property
    def name(self) -> str:
        """The suite's name."""
        return self.resolved.name

    @property
    def description(self) -> str:
        """What it says of itself."""
        return self.resolved.description

    @property
    def variants(self) -> tuple[str, ...]:
        """The names of what is compared."""
        return tuple(self.resolved.variants)

    @property
    def gates(self) -> tuple[str, ...]:
        """The names of the gates, one of which a run is decided by."""
        return tuple(self.resolved.gates)

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of what is measured."""
        return tuple(metric.name for metric in self.resolved.metrics)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to know before it is run, in sentences."""
        return self.resolved.warnings

    @cached_property
    def cases(self) -> pd.DataFrame:
        """A row for each case of the whole dataset: `id`, `tags`, `cluster`, `expected`, and its variables."""
        from snapdrift.api.frames import dataset_frame

        return dataset_frame(self.resolved.cases)

    def run(self, **settings: Unpack[RunSettings]) -> Run:
        """Runs it, as `snapdrift.run` does; the file is read again."""
        return run(self, **settings)

    async def arun(self, **settings: Unpack[RunSettings]) -> Run:
        """Runs it, as `snapdrift.arun` does."""
        return await arun(self, **settings)

    def __repr__(self) -> str:
        told = f"{len(self.resolved.cases)} cases, variants {', '.join(self.variants)}, gates {', '.join(self.gates)}"
        return f"<Suite {self.name}: {told}>"

    def _repr_html_(self) -> str:
        """What is in it, for a notebook; everything is escaped."""
        from snapdrift.api.notebook import suite_html

        return suite_html(self)


def load_suite(path: str | Path, *, code: bool = True) -> Suite:
    """A suite, checked as `snapdrift check` does but for what a gate can see. Nothing is sent.

    Raises `SuiteError` with every mistake at its file, line and column (`SuiteError.problems`). Without `code` no
    package that brings a grader family is imported.
    """
    from snapdrift import pipeline

    return Suite(pipeline.read_suite(Path(path), code=code), Path(path))
