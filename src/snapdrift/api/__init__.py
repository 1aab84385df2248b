"""What `import snapdrift` offers: suites and runs from Python, and the types that a workspace's own graders use.

`docs/python.md` shows it in use, `docs/design/python.md` says why it is as it is.
"""

from __future__ import annotations

from snapdrift.api.across import RunComparison, compare
from snapdrift.api.running import arun, run
from snapdrift.api.runs import Run, open_run
from snapdrift.api.settings import RunSettings
from snapdrift.api.standins import Standin, start_standin
from snapdrift.api.suites import Suite, load_suite
from snapdrift.graders.user_scores import Score
from snapdrift.model import Case, Response

__all__ = [
    "Case",
    "Response",
    "Run",
    "RunComparison",
    "RunSettings",
    "Score",
    "Standin",
    "Suite",
    "arun",
    "compare",
    "load_suite",
    "open_run",
    "run",
    "start_standin",
]
