"""Importing the SDK ahead of time: it takes about a second, which nobody should spend while requests are in flight."""

from __future__ import annotations

from importlib import import_module

_TAKEN = ("openai", "openai.resources.responses", "openai.resources.chat.completions", "openai.types.responses")


def load_sdk() -> None:
    """Imports what asking takes of the SDK; the modules that it would import on first use among it."""
    for name in _TAKEN:
        import_module(name)
