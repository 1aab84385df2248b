"""A finished run in Python: what was decided, and its tables."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from snapdrift.reports.view import View
    from snapdrift.store.reader import Frames


class Run:
    """A finished run, as it was concluded. `run`, `arun` and `open_run` make them.

    Tables are pandas frames, read from the run file when they are first asked for. They hold what the file holds: the
    suite's privacy rules are for reports and exports.
    """

    def __init__(self, view: View, path: Path, report: Path | None) -> None:
        """`path` is the run file, `report` its page, None where there is none."""
        self.view = view
        self.path = path
        self.report = report

    @property
    def id(self) -> str:
        """The run's id, by which every command knows it."""
        return self.view.run.run_id

    @property
    def suite(self) -> str:
        """The name of the suite."""
        return self.view.run.suite

    @property
    def gate(self) -> str:
        """The gate that decided."""
        return self.view.run.gate

    @property
    def decision(self) -> str:
        """`passed`, `regression`, `incomplete`, `inconclusive` or `not_gated`."""
        return self.view.decision.word.value

    @property
    def exit_code(self) -> int:
        """What `snapdrift run` ends with for such a run: 0, 1, 3, 4 or 5."""
        return int(self.view.decision.exit_code)

    @property
    def passed(self) -> bool:
        """Whether the gate let it through. A run that was not gated has not passed."""
        return self.exit_code == 0

    @property
    def headline(self) -> str:
        """The decision in one sentence, as reports say it."""
        return self.view.headline

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it was decided so, in sentences."""
        return self.view.reasons

    @property
    def notes(self) -> tuple[str, ...]:
        """What to know besides: warnings, and what was decided of the same before."""
        return self.view.notes

    @property
    def labels(self) -> tuple[str, ...]:
        """What the run bears wherever it appears: `simulated`, `recorded`, `uncalibrated judge`, ..."""
        return tuple(label.word for label in self.view.labels)

    @property
    def compared_with(self) -> tuple[str, ...]:
        """What the baseline is, in sentences, where it is of a git tree or kept answers; else none."""
        from snapdrift.reports.kept_baseline import kept_sentence

        kept = kept_sentence(self.view.baseline, self.view.run.started_at)
        return (*self.view.reference_sentences, *filter(None, (kept,)))

    @property
    def usd(self) -> float | None:
        """What the run cost in dollars, judges included; None where a price is not known."""
        return self.view.usd

    @cached_property
    def verdict(self) -> dict[str, Any]:
        """The document of `verdict.json` (format `snapdrift.verdict/1`)."""
        from snapdrift.reports.verdict_json import verdict_document

        return verdict_document(self.view)

    @cached_property
    def answers(self) -> pd.DataFrame:
        """A row for each planned call, judges' apart: how it ended, the text, tokens, dollars, milliseconds.

        A call that was not answered is there, with the outcome `missing` (or `not_needed`).
        """
        calls = self._frames.calls
        return calls[calls["grader"] == ""].drop(columns="grader").reset_index(drop=True)

    @cached_property
    def judgements(self) -> pd.DataFrame:
        """A row for each call of a judge, with the columns of `answers` and the grader that asked."""
        calls = self._frames.calls
        return calls[calls["grader"] != ""].reset_index(drop=True)

    @cached_property
    def scores(self) -> pd.DataFrame:
        """A row for each score: `value` from 0 to 1, `passed`, `reason`, what was extracted and by what."""
        return self._frames.scores

    @cached_property
    def cases(self) -> pd.DataFrame:
        """A row for each case: `id`, `group` (how it differs), `tags`, `cluster`, `expected`, and its variables."""
        from snapdrift.api.frames import cases_frame

        return cases_frame(self.view, self.path)

    @cached_property
    def comparisons(self) -> pd.DataFrame:
        """A row for each metric of each candidate: levels, difference, interval, p-values, verdict.

        Levels, differences, intervals and margins are in score units; `newly_failing` and `newly_passing` are ids;
        `accepted` those that are left out because their loss is accepted.
        """
        from snapdrift.api.frames import comparisons_frame

        return comparisons_frame(self.verdict["comparisons"])

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """A row for each metric of each variant: the mean of case means with its interval, and what was not graded."""
        from snapdrift.api.frames import metrics_frame

        return metrics_frame(self.verdict["metrics"])

    @cached_property
    def variants(self) -> pd.DataFrame:
        """A row for each variant: model, source, outcomes, coverage, tokens, dollars, latency in milliseconds."""
        from snapdrift.api.frames import variants_frame

        return variants_frame(self.verdict["variants"])

    @cached_property
    def operations(self) -> pd.DataFrame:
        """A row for each measure of calls (cost, latency, length) of each candidate: values, ratio, interval, limit."""
        from snapdrift.api.frames import operations_frame

        return operations_frame(self.verdict["operational"])

    @cached_property
    def changes(self) -> pd.DataFrame:
        """A row for each case that newly fails or passes a compared metric, with the failing side's reason code."""
        from snapdrift.api.frames import changes_frame

        return changes_frame(self.verdict["changes"])

    @cached_property
    def acceptances(self) -> pd.DataFrame:
        """A row for each accepted loss that concerns the run: by whom, why and until when, and what became of it."""
        from snapdrift.api.frames import acceptances_frame

        return acceptances_frame(self.verdict["acceptances"])

    @cached_property
    def _frames(self) -> Frames:
        from snapdrift.store import open_run as open_file

        with open_file(self.path) as stored:
            return stored.frames()

    def __repr__(self) -> str:
        labels = "".join(f" [{label}]" for label in self.labels)
        return f"<Run {self.id} of {self.suite}: {self.decision}{labels}: {self.headline}>"

    def _repr_html_(self) -> str:
        """The decision and the table of verdicts, for a notebook; everything in it is escaped."""
        from snapdrift.api.notebook import run_html

        return run_html(self)


def open_run(run: str | Path, *, workspace: str | Path | None = None, code: bool = True) -> Run:
    """A finished run from the store, as it was concluded: nothing is asked or written.

    `run` is an id, the beginning of one, `latest`, or the path of a run file; it is looked for in the workspace of the
    folder `workspace` (None: the current one). Without `code` no package that brings a grader family is imported.
    Raises `StoreError`, `NoWorkspaceError` where an id is given outside any workspace.
    """
    from snapdrift import pipeline

    read = pipeline.read_run(str(run), pipeline.RunOptions(code=code), Path(workspace or Path.cwd()))
    return Run(read.view, read.path, read.report)
