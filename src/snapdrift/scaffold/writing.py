"""Writing files without ever replacing one that nobody named."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from snapdrift.errors import UsageError


class Fate(StrEnum):
    """What became of a file."""

    WRITTEN = "wrote"
    REPLACED = "replaced"
    ADDED_TO = "added to"
    KEPT = "left as it is"


@dataclass(frozen=True, slots=True)
class Written:
    """A file that was to be written, and what became of it. `path` is as it is shown, `lines` how many it has got."""

    path: str
    fate: Fate
    lines: int = 0


def write_new(root: Path, files: Mapping[str, str], replace: frozenset[str]) -> tuple[Written, ...]:
    """Writes each file that is not there yet; of those that are, the ones in `replace`.

    All places are looked at before the first is written. Raises `UsageError` for a place that cannot be written, or
    that a link takes out of `root`.
    """
    for path in files:
        _require_place(root, path)
    return tuple(_write(root, path, text, replace=path in replace) for path, text in files.items())


def add_lines(path: Path, shown: str, lines: tuple[str, ...], head: str) -> Written:
    """Adds to a `.gitignore` the lines that it lacks, under a comment; the rest stays as it is, line ends too."""
    try:
        there = path.read_bytes().decode("utf-8", "surrogateescape") if path.exists() else ""
        present = {line.strip().strip("/") for line in there.splitlines()}
        missing = [line for line in lines if not _covered(line, present)]
        if not missing:
            return Written(shown, Fate.KEPT)
        end = "\r\n" if "\r\n" in there else "\n"
        gap = "" if not there else (end if there.endswith("\n") else end * 2)
        text = gap + end.join([head, *missing, ""])
        with path.open("ab") as file:
            file.write(text.encode("utf-8", "surrogateescape"))
    except OSError as error:
        raise UsageError(f"{shown}: cannot be written ({error.strerror})") from None
    return Written(shown, Fate.ADDED_TO if there else Fate.WRITTEN, len(missing))


def _covered(line: str, present: set[str]) -> bool:
    """Whether the line is there, or one for its whole folder: git looks at nothing inside of what is ignored whole."""
    folder = line.lstrip("!/").partition("/")[0]
    return line.strip("/") in present or folder in present


def _require_place(root: Path, path: str) -> None:
    place = root / path
    try:
        inside = place.parent.resolve().is_relative_to(root.resolve())
        blocked = next((parent for parent in place.parents if parent.exists() and not parent.is_dir()), None)
    except (OSError, RuntimeError):
        inside, blocked = False, None
    if not inside:
        raise UsageError(f"{path}: found a link that leads out of the folder; expected a folder of its own there")
    if blocked is not None:
        raise UsageError(
            f"{path}: found the file {blocked.name} where a folder is needed; move it, or name another folder"
        )
    if place.is_dir():
        raise UsageError(f"{path}: found a folder where a file is to be written; move it, or name another folder")


def _write(root: Path, path: str, text: str, *, replace: bool) -> Written:
    place, lines = root / path, text.count("\n")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        if replace and place.is_file():
            draft = place.with_name(f".{place.name}.{os.getpid()}.new")
            draft.write_text(text, encoding="utf-8")
            draft.replace(place)
            return Written(path, Fate.REPLACED, lines)
        with place.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError:
        return Written(path, Fate.KEPT)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror})") from None
    return Written(path, Fate.WRITTEN, lines)
