"""What a run says, as pages and files: `build_view` makes the view model, `write_reports` renders it.

Importing this package is quick: Jinja and rich are loaded by the renderer that needs them.
"""

from snapdrift.reports.build import build_view
from snapdrift.reports.data import Provenance, RunData
from snapdrift.reports.source import run_data
from snapdrift.reports.terminal import render_line, render_terminal
from snapdrift.reports.verdict_json import render_verdict, render_verdicts, verdict_document
from snapdrift.reports.view import View
from snapdrift.reports.write import ReportPaths, write_junit_and_summary, write_reports

__all__ = [
    "Provenance",
    "ReportPaths",
    "RunData",
    "View",
    "build_view",
    "render_line",
    "render_terminal",
    "render_verdict",
    "render_verdicts",
    "run_data",
    "verdict_document",
    "write_junit_and_summary",
    "write_reports",
]
