"""The steps in order, and the only place that knows them all.

suite + dataset -> `prepare` -> plan -> `ask` -> grade -> compare -> decide -> render; every step after `ask` can be
repeated from the store with no network (`regrade_run`, `compare_run`, `report_run`).
"""

from __future__ import annotations

from collections.abc import Sequence

from snapdrift.model import ExitCode, combine_exit_codes
from snapdrift.pipeline.again import compare_run, regrade_run, report_runs
from snapdrift.pipeline.calibrating import Calibrated, calibrate_run
from snapdrift.pipeline.demo import Demo, run_demo
from snapdrift.pipeline.drawing import DrawnSheet, DrawRequest, draw_sheet
from snapdrift.pipeline.explaining import explain_case
from snapdrift.pipeline.exporting import Exported, export_run
from snapdrift.pipeline.history import read_history
from snapdrift.pipeline.indexing import index_runs
from snapdrift.pipeline.merging import merge_runs
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
from snapdrift.pipeline.planning import SuitePlan, check_suites, plan_suites
from snapdrift.pipeline.running import resume_run, run_suites
from snapdrift.pipeline.watching import Night, WatchOptions, watch_suites

__all__ = [
    "BatchOptions",
    "Calibrated",
    "Demo",
    "DrawRequest",
    "DrawnSheet",
    "EngineOptions",
    "Exported",
    "Limits",
    "Night",
    "Output",
    "RunOptions",
    "RunOutcome",
    "Selection",
    "Shard",
    "SuitePlan",
    "TargetOptions",
    "WatchOptions",
    "calibrate_run",
    "check_suites",
    "compare_run",
    "draw_sheet",
    "exit_code_of",
    "explain_case",
    "export_run",
    "index_runs",
    "merge_runs",
    "plan_suites",
    "read_history",
    "regrade_run",
    "report_runs",
    "resume_run",
    "run_demo",
    "run_suites",
    "watch_suites",
]


def exit_code_of(outcomes: Sequence[RunOutcome]) -> ExitCode:
    """What a command over these runs ends with."""
    return combine_exit_codes([outcome.exit_code for outcome in outcomes])
