"""What a shell is offered when Tab is pressed: gates, variants, cases, tags, runs, models, hosts, behaviours.

Each function is called with what was typed so far, on every Tab: it reads as little as it can, within bounds, and never
raises, for a shell has nowhere to show an error.
"""

from __future__ import annotations


def models(incomplete: str) -> list[str]:
    """The models of the catalogue."""
    from snapdrift.openai_api.catalog import load_catalog

    return [info.name for info in load_catalog().models() if info.name.startswith(incomplete)]


def templates(incomplete: str) -> list[str]:
    """The kinds of task that `init` can start with."""
    return [name for name in ("classify", "extract", "chat") if name.startswith(incomplete)]
