"""pytest as its users start it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from tests.conftest import clean_environment

Pytest = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def run_pytest() -> Pytest:
    """Runs `pytest ARGUMENTS` in a folder, as a process of its own."""
    installed = any(entry.name == "snapdrift" for entry in entry_points(group="pytest11"))
    plugin = [] if installed else ["-p", "snapdrift.pytest_plugin"]  # an environment that was made before it was there

    def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "pytest", *plugin, "-p", "no:cacheprovider", *arguments]
        env = {name: value for name, value in clean_environment().items() if not name.startswith("PYTEST_")}
        return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=300, check=False)

    return run
