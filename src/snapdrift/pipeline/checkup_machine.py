"""What `doctor` looks at of the machine: Python, SQLite, git, the packages that are needed and those that are extra."""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata

from snapdrift import __version__
from snapdrift.pipeline.checkup import Check, Level

SQLITE = (3, 37)
"""The run format uses STRICT tables, which SQLite has since 3.37 (sqlite.org/stricttables.html)."""
EXTRAS = {
    "tokens": ("bpe-openai", "exact token counts"),
    "vision": ("pillow", "sizes and thumbnails of images"),
    "parquet": ("pyarrow", "Parquet datasets and results"),
    "bleu": ("sacrebleu", "the measure bleu"),
    "ray": ("ray", "workers on a Ray cluster"),
}
"""Optional packages: the extra, the package that it brings, and what that is for."""
_NEED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?\s*([^;]*)(;.*)?$")
_BOUND = re.compile(r"(>=|<|==)\s*([0-9][0-9.]*)")


def machine_checks() -> Iterator[Check]:
    """What is found of the machine; nothing is sent."""
    yield Check("snapdrift", Level.OK, __version__)
    yield Check("python", Level.OK, f"{sys.version.split()[0]} ({sys.executable})")
    yield _sqlite()
    yield from _packages()
    yield _extras()
    yield _git()


def _sqlite() -> Check:
    if sqlite3.sqlite_version_info >= SQLITE:
        return Check("sqlite", Level.OK, sqlite3.sqlite_version)
    wanted = ".".join(map(str, SQLITE))
    return Check("sqlite", Level.BAD, sqlite3.sqlite_version, f"use a Python whose SQLite is {wanted} or newer")


def _packages() -> Iterator[Check]:
    """The packages that Snapdrift needs: one line where all are right, one for each that is not."""
    try:
        needs = metadata.requires("snapdrift") or []
    except metadata.PackageNotFoundError:
        yield Check("packages", Level.WARN, "not known: snapdrift is not installed here", "pip install snapdrift")
        return
    shown, wrong = [], []
    for need in needs:
        match = _NEED.match(need)
        if match is None or "extra ==" in (match[3] or ""):
            continue
        version = _version(match[1])
        if version is None:
            wrong.append(Check(match[1], Level.BAD, "not installed", f'pip install "{match[1]}{match[2].strip()}"'))
        elif not _fits(version, match[2]):
            mend = f'pip install "{match[1]}{match[2].strip()}"'
            wrong.append(Check(match[1], Level.BAD, f"{version}; {match[2].strip()} is needed", mend))
        else:
            shown.append(f"{match[1]} {version}")
    yield from wrong
    yield Check("packages", Level.OK, ", ".join(shown) if shown else "none")


def _extras() -> Check:
    there = [f"{name} ({_version(package)})" for name, (package, _) in EXTRAS.items() if _version(package)]
    lacking = [f"{name}: {what}" for name, (package, what) in EXTRAS.items() if not _version(package)]
    missing = f"; not installed: {'; '.join(lacking)}" if lacking else ""
    mend = 'where one is wanted: pip install "snapdrift[NAME]"' if lacking else ""
    return Check("extras", Level.OK, f"{', '.join(there) or 'none'}{missing}", mend)


def _git() -> Check:
    mend = "install git: runs say which commit they are of, and `state push --to git-branch` keeps them"
    program = shutil.which("git")
    if program is None:
        return Check("git", Level.WARN, "not found", mend)
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=10, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return Check("git", Level.WARN, f"{program} does not answer", mend)
    return Check("git", Level.OK, said.stdout.strip().removeprefix("git version ") or program)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _fits(version: str, bounds: str) -> bool:
    """Whether a version is within bounds such as `>=2.12,<3`; what is not understood counts as fulfilled."""
    found = _numbers(version)
    for sign, text in _BOUND.findall(bounds):
        wanted = _numbers(text)
        size = max(len(found), len(wanted))
        mine, theirs = (numbers + (0,) * (size - len(numbers)) for numbers in (found, wanted))
        if not {">=": mine >= theirs, "<": mine < theirs, "==": mine == theirs}[sign]:
            return False
    return True


def _numbers(version: str) -> tuple[int, ...]:
    leading = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(map(int, leading[0].split("."))) if leading else (0,)
