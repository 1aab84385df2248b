"""Facts about where and from what a run was made: git, versions, and the identity by which a run is taken up again."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from snapdrift import __version__
from snapdrift.git_calls import git_command, git_environment
from snapdrift.model import sha256

GIT_TIMEOUT_S = 10
RECORDED_DISTRIBUTIONS = (
    *("openai", "pydantic", "jinja2", "numpy", "scipy"),
    *("jsonschema-rs", "rapidfuzz", "sacrebleu", "bpe-openai"),
)
_CONCLUDES = ("numpy", "scipy")
"""What conclusions are computed with, and no answer, score or plan."""


@dataclass(frozen=True, slots=True)
class GitFacts:
    """The commit that the workspace is at, and whether files that git tracks differ from it."""

    commit: str | None
    dirty: bool | None


def git_facts(root: Path) -> GitFacts:
    """What git says of the workspace; unknown where there is no git or no commit."""
    commit = _git(root, "rev-parse", "HEAD")
    if commit is None:
        return GitFacts(None, None)
    status = _git(root, "status", "--porcelain", "--untracked-files=no", "--", ".")
    return GitFacts(commit, None if status is None else bool(status))


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603  fixed program and arguments
            git_command(root, *arguments),
            env=git_environment(os.environ),
            capture_output=True,
            text=True,
            timeout=GIT_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


@cache
def versions() -> Mapping[str, str]:
    """Versions of everything that can change a result; what is installed is looked up once."""
    found = {"snapdrift": __version__, "python": platform.python_version()}
    for name in RECORDED_DISTRIBUTIONS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def measuring_versions(found: Mapping[str, Any]) -> dict[str, Any]:
    """Of recorded versions those that answers, scores and the plan may depend on.

    Of Python that is the feature release: machines of CI get bug fixes of it from one day to the next.
    """
    kept = {name: version for name, version in found.items() if name not in _CONCLUDES}
    return {**kept, "python": ".".join(str(kept.get("python")).split(".")[:2])}


def concluding_versions() -> dict[str, str]:
    """Versions of what this process computes conclusions with."""
    return {name: version for name, version in versions().items() if name in _CONCLUDES}


def run_identity(*, commit: str | None, suite_hash: str, gate: str, selection: Any, target: Any) -> str:
    """What makes a second run the same as the first: commit, suite, gate, selection, source of the answers."""
    return sha256([commit, suite_hash, gate, selection, target])
