"""`snapdrift models`: the catalogue."""

from __future__ import annotations

from pathlib import Path

import typer


def models() -> None:
    """Show what is known of models: prices, limits, aliases and shutdown dates, with their sources.

    Example:
      snapdrift models
    """
    from snapdrift.cli import tables
    from snapdrift.errors import NoWorkspaceError
    from snapdrift.openai_api.catalog import load_catalog
    from snapdrift.suites.workspace import find_workspace

    try:
        overrides = find_workspace(Path.cwd()).config.catalog_overrides
    except NoWorkspaceError:
        overrides = {}
    typer.echo(tables.catalogue(load_catalog(overrides)), nl=False)
