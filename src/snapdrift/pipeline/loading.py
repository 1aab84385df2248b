"""What a run loads before its first request and after its last, loaded at once where there is time: beside a start."""

from __future__ import annotations

from importlib import import_module

from snapdrift.openai_api.loading import load_sdk

_AFTERWARDS = (
    "snapdrift.pipeline.looking",
    "snapdrift.pipeline.rereading",
    "snapdrift.pipeline.offering",
    "snapdrift.verdicts.evaluation",
    "snapdrift.reports",
    "snapdrift.reports.runs_html",
    "snapdrift.reports.results_parquet",
)


def load_run() -> None:
    """Imports the SDK, and what grades, concludes and reports: half a second that a server takes to start anyway."""
    load_sdk()
    for name in _AFTERWARDS:
        import_module(name)
