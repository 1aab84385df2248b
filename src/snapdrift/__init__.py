"""Snapdrift tells whether a prompt, or a GPT-4o snapshot, got worse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snapdrift.api import Case, Response, Score

__version__ = "0.1.0"
__all__ = ["Case", "Response", "Score", "__version__"]


def __getattr__(name: str) -> Any:
    """The Python API, loaded once it is asked for: the command line does without it."""
    if name not in ("Case", "Response", "Score"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from snapdrift import api

    return getattr(api, name)
