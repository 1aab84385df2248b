"""What there is, read and nothing more: a suite as its file is, a finished run as it was concluded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from snapdrift.errors import UsageError
from snapdrift.pipeline.options import RunOptions

if TYPE_CHECKING:
    from snapdrift.reports.view import View
    from snapdrift.suites.resolved import Suite
    from snapdrift.suites.workspace import Workspace


@dataclass(frozen=True, slots=True)
class ReadRun:
    """A finished run: its file, the workspace it is looked at from, and its view. `report` is its page, where it is."""

    path: Path
    workspace: Workspace
    view: View
    report: Path | None


def read_run(text: str, options: RunOptions, cwd: Path) -> ReadRun:
    """The run that `text` names as it was concluded; nothing is asked, compared or written. Raises `StoreError`."""
    from snapdrift.pipeline.concluding import load_stored_suite, require_finished, stored_data
    from snapdrift.pipeline.run_files import locate_run
    from snapdrift.pipeline.strange_runs import taken_from
    from snapdrift.reports import build_view
    from snapdrift.store import open_run

    workspace, path = locate_run(text, options, cwd)
    with taken_from(path), open_run(path) as stored:
        require_finished(stored)
        suite, catalog = load_stored_suite(stored, workspace, code=options.code)
        view = build_view(stored_data(stored, suite, catalog))
        page = workspace.root / "reports" / suite.name / stored.header.run_id / "index.html"
    return ReadRun(path, workspace, view, page if page.is_file() else None)


def read_suite(path: Path, *, code: bool = True) -> Suite:
    """A suite as `run` would load it, before any gate is chosen. Raises `SnapdriftError`.

    Without `code` no package that brings a grader family is imported.
    """
    from snapdrift.graders.registry import Registry
    from snapdrift.pipeline.own_code import refusal
    from snapdrift.pipeline.prepare import workspace_catalog
    from snapdrift.suites.loader import load_suite
    from snapdrift.suites.workspace import find_workspace

    if not path.is_file():
        raise UsageError(f"found no suite file {path}; expected the path of a YAML file, usually in evals/")
    workspace = find_workspace(path)
    registry = Registry(refusal=refusal(workspace, allowed=code))
    return load_suite(path, workspace, registry, workspace_catalog(workspace))
