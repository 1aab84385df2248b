"""The folders of a workspace that commands write into: no link in them may lead what is written to elsewhere.

Whoever can commit a link decides what it leads to, and a fork's author can. So what lies in these folders stays there,
and they stay in the workspace, unless `snapdrift.toml`, which is trusted, declares another place.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from snapdrift.errors import ConfigError

REPORTS = "reports"
_TEMPLATES = "templates"
"""Below the reports, and only read, unless a suite is called so: what may be linked there is asked by `--no-code`."""
_DEEP = 2
"""Folders below the reports that are made by suite and run; files are put into their place whole, as new ones."""


def require_own_folders(root: Path, state: Path, roots: Iterable[Path]) -> None:
    """Raises `ConfigError` for a link that leads out of the state folder or the reports, or one of these that does.

    `root` is the workspace's folder, resolved, `state` its state folder as the configuration names it, and `roots` are
    the further folders that it declares, resolved.
    """
    allowed = [root, *roots]
    require_way(root, state, allowed, "as `state`")
    require_way(root, root / REPORTS, allowed)
    kept, there = state.resolve(), (root / REPORTS).resolve()
    for link in _links(kept, None):
        if not _stays(link, [kept]):
            raise _leading_out(root, link, f"what is in {_shown(root, state)}/ to stay there: remove the link")
    for link in _links(there, _DEEP):
        is_read_only = link.is_relative_to(there / _TEMPLATES)
        if not is_read_only and not _stays(link, [there, *allowed[1:]]):
            raise _leading_out(root, link, f"what is in {REPORTS}/ to stay there: remove the link")


def require_way(root: Path, folder: Path, allowed: Sequence[Path], declared: str = "under `roots`") -> None:
    """Raises `ConfigError` where a link on the way from the root to a folder below it leads out of what is allowed.

    A folder that is named as one outside of the root is where it is said to be. `declared` is how `snapdrift.toml`
    can name where the link leads.
    """
    if not folder.is_relative_to(root):
        return
    place = root
    for part in folder.relative_to(root).parts:
        place = place / part
        if place.is_symlink() and not _stays(place, allowed):
            expected = f"a folder of the workspace; or declare where it leads {declared} in snapdrift.toml"
            raise _leading_out(root, place, expected)


def _links(folder: Path, deep: int | None) -> Iterator[Path]:
    """Every link in a folder, down to so many folders below it; all the way where `deep` is None."""
    waiting = [(str(folder), 0)]
    while waiting:
        path, depth = waiting.pop()
        try:
            with os.scandir(path) as entries:
                found = [(entry.path, entry.is_symlink(), entry.is_dir(follow_symlinks=False)) for entry in entries]
        except OSError:  # not there yet, or not to be read: whoever writes says so
            continue
        yield from (Path(one) for one, is_link, _ in found if is_link)
        if depth != deep:
            waiting += [(one, depth + 1) for one, _, is_folder in found if is_folder]


def _stays(link: Path, folders: Iterable[Path]) -> bool:
    """Whether a link leads into one of the folders, and there to nothing hidden: not into `.git`."""
    to = _resolved(link)
    for folder in folders:
        if to is not None and to.is_relative_to(folder):
            return not any(part.startswith(".") for part in to.relative_to(folder).parts)
    return False


def _resolved(link: Path) -> Path | None:
    """Where a link leads; None where it leads to itself, which Python 3.13 gives back and others raise."""
    try:
        to = link.resolve()
    except (OSError, RuntimeError):
        return None
    return None if to.is_symlink() else to


def _leading_out(root: Path, link: Path, expected: str) -> ConfigError:
    to = _resolved(link) or "itself"
    return ConfigError(f"{_shown(root, link)} is a link that leads to {to}; expected {expected}")


def _shown(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
