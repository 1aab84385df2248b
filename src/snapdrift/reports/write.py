"""Writes a run's reports: each file appears whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from snapdrift.reports.files import whole_file
from snapdrift.reports.html import render_html
from snapdrift.reports.junit import render_junit
from snapdrift.reports.markdown import render_markdown
from snapdrift.reports.results_files import write_results
from snapdrift.reports.verdict_json import render_verdict
from snapdrift.reports.view import View


@dataclass(frozen=True, slots=True)
class ReportPaths:
    """Where the reports of a run are."""

    html: Path
    verdict: Path
    junit: Path
    summary: Path


def write_reports(view: View, out_dir: Path, templates_dir: Path | None = None) -> ReportPaths:
    """Writes `index.html`, `verdict.json`, `junit.xml`, `summary.md`, `results.csv` and `results.parquet`.

    What can fail to be rendered is rendered before anything is written. Folders are made. Raises `ConfigError` for a
    template of `templates_dir` that cannot be rendered, `OSError` with the path that cannot be written.
    """
    paths = ReportPaths(
        html=out_dir / "index.html",
        verdict=out_dir / "verdict.json",
        junit=out_dir / "junit.xml",
        summary=out_dir / "summary.md",
    )
    texts = {
        paths.html: render_html(view, templates_dir),
        paths.junit: render_junit(view),
        paths.summary: render_markdown(view),
        paths.verdict: render_verdict(view),  # last: who waits for it finds the others there
    }
    write_results(view, out_dir)
    for path, text in texts.items():
        _write_whole(path, text)
    return paths


def write_junit_and_summary(views: Sequence[View], junit: Path | None, summary: Path | None) -> None:
    """Writes the runs of one command into one JUnit file and one summary, where these are wanted.

    Folders are made. Raises `OSError` with the path that cannot be written.
    """
    if junit is not None:
        _write_whole(junit, render_junit(*views))
    if summary is not None:
        _write_whole(summary, render_markdown(*views))


def _write_whole(path: Path, text: str) -> None:
    with whole_file(path) as draft:
        draft.write_text(text, encoding="utf-8", newline="\n")
