"""How git is called, wherever it is: so that nothing that a checkout holds can have it run anything.

Git reads a repository's configuration before it does what it is asked for, and that can name programs. The `.git` of a
clone holds what its owner wrote. But git also takes a folder for a repository that looks like a bare one, and such a
folder can be committed like any other: then its configuration is a stranger's.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

_ALWAYS = (
    *("--no-optional-locks", "--literal-pathspecs"),
    *("-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}"),
    *("-c", "safe.bareRepository=explicit"),
)
_POINTERS = (
    *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY"),
    *("GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_NAMESPACE", "GIT_EXTERNAL_DIFF", "GIT_CEILING_DIRECTORIES"),
)
"""Variables that a hook of git sets for itself: with them git would look at another repository than the workspace's."""


class BareRepositoryError(OSError):
    """The folder, or one that it is in, looks like a bare repository; the message names it."""


def git_command(folder: Path, *arguments: str) -> list[str]:
    """The command that asks the repository around a folder. Raises `BareRepositoryError`."""
    _require_work_tree(folder)
    return ["git", "-C", str(folder), *_ALWAYS, *arguments]


def git_environment(env: Mapping[str, str]) -> dict[str, str]:
    """The environment that such a command runs in: it asks nobody anything, and its words are in English."""
    inherited = {name: value for name, value in env.items() if name not in _POINTERS}
    return {**inherited, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}


def _require_work_tree(folder: Path) -> None:
    """Looks where git will look. Git before 2.38 does not know `safe.bareRepository`, and later ones look here too."""
    start = folder.resolve()
    for place in (start, *start.parents):
        if (place / ".git").exists():
            return
        if _looks_bare(place):
            raise BareRepositoryError(
                f"{place}: found a bare git repository among the files (HEAD, objects, refs), whose configuration git "
                "would obey; expected none: rename or remove its HEAD"
            )


def _looks_bare(place: Path) -> bool:
    """As git tells it: a HEAD, with objects and refs here or where `commondir` says."""
    if not os.path.lexists(place / "HEAD"):
        return False
    return (place / "commondir").exists() or ((place / "objects").is_dir() and (place / "refs").is_dir())
