"""`models`: the catalogue of a workspace, and how it differs from what a host lists."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from snapdrift.errors import IncompleteError, NoWorkspaceError
from snapdrift.model import Endpoint, Variant
from snapdrift.pipeline.options import TargetOptions
from snapdrift.pipeline.prepare import workspace_catalog
from snapdrift.pipeline.targets import open_target

if TYPE_CHECKING:
    from snapdrift.openai_api.catalog import Catalog
    from snapdrift.openai_api.client import ListedModel
    from snapdrift.openai_api.hosts import Host
    from snapdrift.suites.workspace import Workspace

_FAMILY = re.compile(r"(?:ft:)?(?:chat)?gpt-4o(?:[-:]|$)")
"""Which ids belong to the family that the catalogue is about; its own entries count besides."""

_NOBODY = Variant("models", "", Endpoint.RESPONSES, {}, {})


class DifferenceKind(StrEnum):
    """How a listing differs from the catalogue."""

    SHUTDOWN = "shutdown"
    NEW = "new"
    GONE = "gone"
    STILL_LISTED = "still_listed"


@dataclass(frozen=True, slots=True)
class Difference:
    """A model on which the catalogue and a host disagree; `ours` and `theirs` are shutdown dates, None: none told."""

    model: str
    kind: DifferenceKind
    ours: str | None
    theirs: str | None

    def __str__(self) -> str:
        match self.kind:
            case DifferenceKind.SHUTDOWN:
                return f"{self.model}: shut down on {self.theirs}; the catalogue has {self.ours or 'no date'}"
            case DifferenceKind.NEW:
                when = f", to be shut down on {self.theirs}" if self.theirs else ""
                return f"{self.model}: is listed{when}, but not in the catalogue"
            case DifferenceKind.GONE:
                return f"{self.model}: is not listed; the catalogue has it until {self.ours or 'further notice'}"
            case DifferenceKind.STILL_LISTED:
                return f"{self.model}: is still listed; the catalogue has it shut down on {self.ours}"

    @property
    def toml(self) -> str | None:
        """What to put into snapdrift.toml, None where nothing follows."""
        table = f'[models."{self.model}"]'
        if self.kind is DifferenceKind.NEW:
            date = f"shutdown = {self.theirs}\n" if self.theirs else ""
            return f"{table}\n{date}# a listing has no prices: price = {{input = ..., output = ...}}"
        return f"{table}\nshutdown = {self.theirs}" if self.kind is DifferenceKind.SHUTDOWN else None


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a host lists against the catalogue. `made_up` lists are of a stand-in and say nothing of OpenAI."""

    base_url: str
    made_up: bool
    listed: int
    differences: tuple[Difference, ...]


def catalog_at(cwd: Path) -> Catalog:
    """The catalogue as it holds in a folder, in a workspace or not."""
    return workspace_catalog(_workspace(cwd))


def refresh_models(options: TargetOptions, env: Mapping[str, str], cwd: Path) -> Refreshed:
    """Asks a host (OpenAI unless the options name another) for its models and compares the catalogue with them.

    Raises `UsageError` without a key, `IncompleteError` when there is no list.
    """
    workspace = _workspace(cwd)
    catalog = workspace_catalog(workspace)
    with open_target(options, workspace, env, [_NOBODY]) as target:
        host = target.host(_NOBODY)
        listed = asyncio.run(_listed(host))
        made_up = not target.is_live(_NOBODY)
    differences = _differences(catalog, listed, workspace.config.deployments)
    return Refreshed(host.base_url, made_up, len(listed), tuple(differences))


async def _listed(host: Host) -> tuple[ListedModel, ...]:
    from snapdrift.openai_api.client import OpenAIClient
    from snapdrift.openai_api.errors import AttemptFailed

    async with OpenAIClient(host) as client:
        try:
            return await client.list_models()
        except AttemptFailed as error:
            raise IncompleteError(
                f"{host.name} ({host.base_url}) gave no list of models: {error.failure.message}"
            ) from None


def _differences(
    catalog: Catalog, listed: Iterable[ListedModel], deployments: Container[str] = ()
) -> Iterable[Difference]:
    """Where the two disagree. `deployments` are names of other hosts, which this one need not list."""
    theirs = {model.id: model.shutdown_date and str(model.shutdown_date) for model in listed}
    for name, date in sorted(theirs.items()):
        info = catalog.get(name)
        ours = None if info is None or info.shutdown is None else info.shutdown.isoformat()
        if info is None:
            if _FAMILY.match(name):
                yield Difference(name, DifferenceKind.NEW, None, date)
        elif date is not None and date != ours:
            yield Difference(name, DifferenceKind.SHUTDOWN, ours, date)
        elif date is None and info.shutdown is not None and info.shutdown <= catalog.today:
            yield Difference(name, DifferenceKind.STILL_LISTED, ours, None)
    for info in catalog.models():
        gone = info.shutdown is not None and info.shutdown <= catalog.today
        own = info.name.startswith("ft:") or info.name in deployments
        if info.name not in theirs and not gone and not own:
            yield Difference(
                info.name, DifferenceKind.GONE, None if info.shutdown is None else str(info.shutdown), None
            )


def _workspace(cwd: Path) -> Workspace:
    from snapdrift.suites.config import Config
    from snapdrift.suites.workspace import Workspace, find_workspace

    try:
        return find_workspace(cwd)
    except NoWorkspaceError:
        return Workspace(cwd.resolve(), Config())
