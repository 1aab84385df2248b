"""Importing the SDK ahead of time: it takes about a second, which nobody should spend while requests are in flight."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module

_TAKEN = ("openai", "snapdrift.openai_api.posting")
"""The SDK's typed methods, which it imports on first use, are not used for questions."""


def load_sdk() -> None:
    """Imports what asking takes of the SDK."""
    for name in _TAKEN:
        import_module(name)
    # What httpx2 imports when a client is opened, and there is an event loop by then; it is its affair and may change.
    with suppress(ImportError):
        import_module("httpcore2")
