"""Writes a run's reports: each file appears whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from snapdrift.reports.html import render_html
from snapdrift.reports.junit import render_junit
from snapdrift.reports.markdown import render_markdown
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
    """Writes `index.html`, `verdict.json`, `junit.xml` and `summary.md`.

    Everything is rendered before anything is written. Folders are made. Raises `ConfigError` for a template of
    `templates_dir` that cannot be rendered, `OSError` with the path that cannot be written.
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
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        _replace(path, text)
    except OSError as error:  # which names the draft, a file that nobody asked for
        raise OSError(error.errno, error.strerror, str(path)) from error


def _replace(path: Path, text: str) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        temporary.chmod(0o644)  # mkstemp's 0600 would keep a CI's artefact step from reading it
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
