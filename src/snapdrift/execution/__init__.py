"""Asking: the order of calls, how many at once, when to try again, what may be spent, and when to stop.

`plan_calls` orders them, `Engine.run` asks them and hands each ending to the store.
"""

from __future__ import annotations

from snapdrift.execution.budget import Budget
from snapdrift.execution.clock import Clock, SystemClock
from snapdrift.execution.engine import Engine
from snapdrift.execution.plan import plan_calls, plan_units
from snapdrift.execution.records import EngineReport, EngineSettings, Progress, StopReason
from snapdrift.execution.responses import response_from_answer, response_from_failure
from snapdrift.execution.retry import RetryPolicy

__all__ = [
    "Budget",
    "Clock",
    "Engine",
    "EngineReport",
    "EngineSettings",
    "Progress",
    "RetryPolicy",
    "StopReason",
    "SystemClock",
    "plan_calls",
    "plan_units",
    "response_from_answer",
    "response_from_failure",
]
