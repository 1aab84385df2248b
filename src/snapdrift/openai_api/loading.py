"""Importing the SDK ahead of time: it takes about a second, which nobody should spend while requests are in flight."""

from __future__ import annotations

from importlib import import_module

_TAKEN = ("openai", "snapdrift.openai_api.posting")
"""The SDK's typed methods, which it imports on first use, are not used for questions."""


def load_sdk() -> None:
    """Imports what asking takes of the SDK."""
    for name in _TAKEN:
        import_module(name)
    import httpx2

    # It imports the rest of itself when a transport is first made, which would be under a running event loop. This one
    # connects to nothing; not to verify spares it from reading the certificates.
    httpx2.HTTPTransport(verify=False).close()
