"""`snapdrift models`: the catalogue, and whether a host's list agrees with it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from snapdrift.cli import completion as c
from snapdrift.cli import options as o
from snapdrift.errors import UsageError


def models(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Only these, with every figure's source.", metavar="[MODEL]...", autocompletion=c.models),
    ] = None,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Ask the host for its models (GET /v1/models) and show what differs.")
    ] = False,
    standin: o.Standin = False,
    host: o.HostName = None,
    base_url: o.BaseUrl = None,
    key_env: o.KeyEnv = None,
    json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Show what is known of models: prices, limits, capabilities, shutdown dates, each with source and date.

    Examples:
      snapdrift models
      snapdrift models gpt-4o-2024-11-20
      snapdrift models --refresh
    """
    from snapdrift.cli import catalogued
    from snapdrift.pipeline.refreshing import catalog_at, refresh_models
    from snapdrift.suites.wording import did_you_mean

    if refresh and names:
        raise UsageError("models: found names beside --refresh, which compares the whole list; leave them out")
    target = o.target(standin, None, None, host, base_url, key_env)
    if refresh:
        found = refresh_models(target, o.environment(), Path.cwd())
        typer.echo(catalogued.refreshed_json(found) if json else catalogued.refreshed(found), nl=False)
        return
    if standin or host or base_url or key_env:
        raise UsageError("models: found a host without --refresh, which is what asks one; add it or leave the host out")
    catalog = catalog_at(Path.cwd())
    unknown = [name for name in names or () if catalog.get(name) is None]
    if unknown:
        known = [info.name for info in catalog.models()]
        meant = did_you_mean(unknown[0], known, "expected one of " + ", ".join(known))
        raise UsageError(f"models: found {unknown[0]!r}, which is not in the catalogue; {meant}")
    if json:
        typer.echo(catalogued.catalogue_json(catalog, names or ()), nl=False)
        return
    typer.echo(catalogued.details(catalog, names) if names else catalogued.catalogue(catalog), nl=False)
