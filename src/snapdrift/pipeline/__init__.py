"""The steps in order, and the only place that knows them all.

suite + dataset -> `prepare` -> plan -> `ask` -> grade -> compare -> decide -> render; every step after `ask` can be
repeated from the store with no network (`regrade_run`, `compare_run`, `report_runs`).

A step is loaded when it is asked for: checking a suite needs neither statistics nor reports.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snapdrift.pipeline.accepting import CheckedAcceptances, check_acceptances, suites_only
    from snapdrift.pipeline.across import Across, compare_runs
    from snapdrift.pipeline.again import compare_run, regrade_run, report_runs
    from snapdrift.pipeline.against import compare_with_run
    from snapdrift.pipeline.archive_command import Archived, ArchiveRequest, archive_run, archive_suite, show_archive
    from snapdrift.pipeline.archiving import ArchiveWords
    from snapdrift.pipeline.calibrating import Calibrated, calibrate_run
    from snapdrift.pipeline.checking import check_each
    from snapdrift.pipeline.checkup import Checkup, examine_machine
    from snapdrift.pipeline.demo import Demo, run_demo
    from snapdrift.pipeline.drawing import DrawnSheet, DrawRequest, draw_sheet
    from snapdrift.pipeline.explaining import explain_case
    from snapdrift.pipeline.exporting import Exported, export_run
    from snapdrift.pipeline.history import read_history
    from snapdrift.pipeline.indexing import index_runs
    from snapdrift.pipeline.merging import merge_runs
    from snapdrift.pipeline.migrating import Migration, migrate_suite
    from snapdrift.pipeline.options import (
        BatchOptions,
        EngineOptions,
        Limits,
        Output,
        RunOptions,
        RunOutcome,
        Selection,
        Shard,
        TargetOptions,
    )
    from snapdrift.pipeline.overdue import LastReport, last_reports
    from snapdrift.pipeline.planning import SuitePlan, plan_suites
    from snapdrift.pipeline.prepare import check_suites
    from snapdrift.pipeline.reading import ReadRun, read_run, read_suite
    from snapdrift.pipeline.running import resume_run, run_suites
    from snapdrift.pipeline.starting import Started, start_workspace
    from snapdrift.pipeline.state_pull import pull_state
    from snapdrift.pipeline.state_push import push_state
    from snapdrift.pipeline.state_sync import Synced
    from snapdrift.pipeline.two_runs import Sides
    from snapdrift.pipeline.watching import Night, WatchOptions, watch_suites

__all__ = [
    "Across",
    "ArchiveRequest",
    "ArchiveWords",
    "Archived",
    "BatchOptions",
    "Calibrated",
    "CheckedAcceptances",
    "Checkup",
    "Demo",
    "DrawRequest",
    "DrawnSheet",
    "EngineOptions",
    "Exported",
    "LastReport",
    "Limits",
    "Migration",
    "Night",
    "Output",
    "ReadRun",
    "RunOptions",
    "RunOutcome",
    "Selection",
    "Shard",
    "Sides",
    "Started",
    "SuitePlan",
    "Synced",
    "TargetOptions",
    "WatchOptions",
    "archive_run",
    "archive_suite",
    "calibrate_run",
    "check_acceptances",
    "check_each",
    "check_suites",
    "compare_run",
    "compare_runs",
    "compare_with_run",
    "draw_sheet",
    "examine_machine",
    "explain_case",
    "export_run",
    "index_runs",
    "last_reports",
    "merge_runs",
    "migrate_suite",
    "plan_suites",
    "pull_state",
    "push_state",
    "read_history",
    "read_run",
    "read_suite",
    "regrade_run",
    "report_runs",
    "resume_run",
    "run_demo",
    "run_suites",
    "show_archive",
    "start_workspace",
    "suites_only",
    "watch_suites",
]


_STEPS = {
    "accepting": ("CheckedAcceptances", "check_acceptances", "suites_only"),
    "across": ("Across", "compare_runs"),
    "against": ("compare_with_run",),
    "again": (
        "compare_run",
        "regrade_run",
        "report_runs",
    ),
    "archive_command": ("ArchiveRequest", "Archived", "archive_run", "archive_suite", "show_archive"),
    "archiving": ("ArchiveWords",),
    "calibrating": (
        "Calibrated",
        "calibrate_run",
    ),
    "checking": ("check_each",),
    "checkup": ("Checkup", "examine_machine"),
    "demo": (
        "Demo",
        "run_demo",
    ),
    "drawing": (
        "DrawnSheet",
        "DrawRequest",
        "draw_sheet",
    ),
    "explaining": ("explain_case",),
    "exporting": (
        "Exported",
        "export_run",
    ),
    "history": ("read_history",),
    "indexing": ("index_runs",),
    "merging": ("merge_runs",),
    "migrating": ("Migration", "migrate_suite"),
    "options": (
        "BatchOptions",
        "EngineOptions",
        "Limits",
        "Output",
        "RunOptions",
        "RunOutcome",
        "Selection",
        "Shard",
        "TargetOptions",
    ),
    "overdue": ("LastReport", "last_reports"),
    "planning": (
        "SuitePlan",
        "plan_suites",
    ),
    "prepare": ("check_suites",),
    "reading": ("ReadRun", "read_run", "read_suite"),
    "running": (
        "resume_run",
        "run_suites",
    ),
    "starting": ("Started", "start_workspace"),
    "state_pull": ("pull_state",),
    "state_push": ("push_state",),
    "state_sync": ("Synced",),
    "two_runs": ("Sides",),
    "watching": (
        "Night",
        "WatchOptions",
        "watch_suites",
    ),
}
_MODULE_OF = {name: module for module, names in _STEPS.items() for name in names}


def __getattr__(name: str) -> Any:
    """A step, from its module."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
