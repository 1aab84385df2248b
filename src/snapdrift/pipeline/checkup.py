"""`doctor`: what this machine, this workspace and this key can do, each thing looked at apart."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from snapdrift.errors import NoWorkspaceError, SnapdriftError
from snapdrift.exit_codes import ExitCode
from snapdrift.keys import redact
from snapdrift.pipeline.options import TargetOptions

if TYPE_CHECKING:
    from snapdrift.suites.workspace import Workspace


class Level(StrEnum):
    """How it is with one thing: all right, worth knowing, or in the way of a run."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: what was found, and (empty: nothing is to be done) how it is mended."""

    name: str
    level: Level
    found: str
    mend: str = ""


@dataclass(frozen=True, slots=True)
class Checkup:
    """All that was looked at, in the order in which it was."""

    checks: tuple[Check, ...]

    @property
    def exit_code(self) -> ExitCode:
        """0 where nothing is bad, else 2."""
        return ExitCode.ERROR if any(check.level is Level.BAD for check in self.checks) else ExitCode.PASSED


@dataclass(frozen=True, slots=True)
class CheckupOptions:
    """What to look at. With `spend` one tiny question is asked of `model`, which costs money.

    `env` is the process environment. Without `code` no command of `snapdrift.toml` is run for a key.
    """

    env: Mapping[str, str]
    target: TargetOptions = field(default_factory=TargetOptions)
    model: str = "gpt-4o"
    spend: bool = False
    code: bool = True


def examine_machine(options: CheckupOptions, cwd: Path) -> Checkup:
    """Looks at this machine, the workspace at `cwd` and the host that the options name, OpenAI without one.

    Nothing that it finds raises: what is wrong is a check that says so. Raises `UsageError` for two targets at once.
    """
    from snapdrift.pipeline.checkup_host import host_checks
    from snapdrift.pipeline.checkup_machine import machine_checks
    from snapdrift.pipeline.checkup_state import state_checks

    workspace, checks = _workspace(cwd)
    # Trying what can be written would itself write where a link of the folder leads.
    unusable = any(check.level is Level.BAD for check in checks)
    checks = [*machine_checks(), *checks, *([] if unusable else state_checks(workspace))]
    with ExitStack() as stack:
        checks += host_checks(options, workspace, stack)
    return Checkup(tuple(Check(one.name, one.level, redact(one.found), redact(one.mend)) for one in checks))


def _workspace(cwd: Path) -> tuple[Workspace, list[Check]]:
    """The workspace at a folder, or one without a configuration where there is none that can be read."""
    from snapdrift.suites.config import Config
    from snapdrift.suites.workspace import Workspace, find_workspace

    try:
        found = find_workspace(cwd)
    except NoWorkspaceError:
        none = Check("workspace", Level.WARN, f"none at {cwd}", "run it in a workspace, or start one: snapdrift init")
        return Workspace(cwd.resolve(), Config()), [none]
    except SnapdriftError as error:
        return Workspace(cwd.resolve(), Config()), [Check("workspace", Level.BAD, str(error), "mend the file")]
    return found, [Check("workspace", Level.OK, str(found.root))]
