"""The pytest plugin: suites as test items, and fixtures for tests of one's own. Off unless it is asked for.

Loaded by every pytest of an environment that has Snapdrift in it, so this module imports pytest and nothing else; what
the rest of the plugin needs is imported once there is something to do. `docs/design/pytest.md` says how it works.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

    from snapdrift.api import Run, Standin
    from snapdrift.pytest_plugin.collecting import SuiteFile
    from snapdrift.pytest_plugin.sharing import SharedRuns

MARKER = "snapdrift"
WARNING = "snapdrift.pytest_plugin.VerdictWarning"
RUNS = pytest.StashKey["SharedRuns"]()


class VerdictWarning(pytest.PytestWarning):
    """What a gate lets pass and a person should see: an inconclusive comparison, a warning of the decision."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the options and the settings of the configuration file."""
    from snapdrift.pytest_plugin.settings import add_options

    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Declares the marker; where the plugin is on, has suites collected and their warnings shown as warnings."""
    config.addinivalue_line("markers", f"{MARKER}: an item of a suite (all of them have it); needs --snapdrift")
    if not is_on(config):
        return
    from snapdrift.pytest_plugin.settings import add_folders

    add_folders(config)
    # `filterwarnings = error` is about one's own code; `-W error` on the command line still wins.
    if not any(WARNING in line for line in config.getini("filterwarnings")):
        config.addinivalue_line("filterwarnings", f"default::{WARNING}")


def is_on(config: pytest.Config) -> bool:
    """Whether suites are to be collected, and models may be asked."""
    return bool(config.getoption("snapdrift") or config.getini("snapdrift"))


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> SuiteFile | None:
    """A suite in one of the folders, or one that was named; nothing while the plugin is off."""
    if not is_on(parent.config) or file_path.suffix not in (".yaml", ".yml"):
        return None
    from snapdrift.pytest_plugin.collecting import SuiteFile, is_suite

    named = parent.session.isinitpath(file_path)
    return SuiteFile.from_parent(parent, path=file_path) if is_suite(file_path, parent.config, named=named) else None


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Says of each run what was decided, and where its report is."""
    if is_on(terminalreporter.config):
        from snapdrift.pytest_plugin.summary import write_summary

        write_summary(terminalreporter)


def runs_of(config: pytest.Config) -> SharedRuns:
    """The runs of this session."""
    if RUNS not in config.stash:
        from snapdrift.pytest_plugin.sharing import SharedRuns

        config.stash[RUNS] = SharedRuns.of(config)
    return config.stash[RUNS]


@pytest.fixture(scope="session")
def snapdrift_run(pytestconfig: pytest.Config) -> Callable[..., Run]:
    """Runs a suite for a test: `snapdrift_run("evals/triage.yaml", gate="pr", standin=True)` gives a `snapdrift.Run`.

    The path is relative to pytest's root, or else to where pytest was started. Settings are those of `snapdrift.run`;
    where to ask and what it may cost is as on the command line, unless it is said, and never more than is left of the
    session's ceilings. The same call is one run for the whole session, all workers included. Without `--snapdrift`, and
    in a session on the stand-in, a test that asks anybody else is skipped, so that no model is asked by accident. Where
    nothing need be asked (`changed`, `failed`, a baseline from git) it is, too.
    """
    from snapdrift.errors import NothingFailed, NothingToAsk
    from snapdrift.pytest_plugin.settings import settings_for_call, why_not_asked

    def run(suite: str | Path, **settings: Any) -> Run:
        asked = settings_for_call(pytestconfig, settings)
        if why := why_not_asked(pytestconfig, asked, on=is_on(pytestconfig)):
            pytest.skip(f"{suite}: {why}")
        started = pytestconfig.invocation_params.dir / suite
        path = pytestconfig.rootpath / suite
        try:
            return runs_of(pytestconfig).run(path if path.is_file() or not started.is_file() else started, asked)
        except (NothingToAsk, NothingFailed) as settled:
            pytest.skip(f"not asked: {settled}")

    return run


@pytest.fixture(scope="session")
def standin() -> Iterator[Standin]:
    """A running stand-in for the session: `base_url`, `api_key`, and a `label`, for its answers are simulated."""
    from snapdrift.api import start_standin

    with start_standin() as running:
        yield running
