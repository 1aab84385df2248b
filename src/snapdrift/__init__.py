"""Snapdrift tells whether a prompt, or a GPT-4o snapshot, got worse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snapdrift.api import (
        Case,
        Response,
        Run,
        RunComparison,
        RunSettings,
        Score,
        Standin,
        Suite,
        arun,
        compare,
        load_suite,
        open_run,
        run,
        start_standin,
    )

__version__ = "0.1.0"
__all__ = [
    "Case",
    "Response",
    "Run",
    "RunComparison",
    "RunSettings",
    "Score",
    "Standin",
    "Suite",
    "__version__",
    "arun",
    "compare",
    "load_suite",
    "open_run",
    "run",
    "start_standin",
]


def __getattr__(name: str) -> Any:
    """The Python API, loaded once it is asked for: the command line does without it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from snapdrift import api

    return getattr(api, name)


def __dir__() -> list[str]:
    """What completion offers: the API's names too, which are not loaded yet."""
    return sorted({*globals(), *__all__})
