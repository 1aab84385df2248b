"""Renderings held against files that somebody has read and accepted: `SNAPDRIFT_ACCEPT=1` writes them anew."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from snapdrift.reports.case_list import CaseList

GOLDEN = Path(__file__).parent / "golden"
ACCEPT = "SNAPDRIFT_ACCEPT"
WIDTH = 120


def assert_accepted(name: str, actual: str) -> None:
    """That a rendering is the one in `golden/`; with `SNAPDRIFT_ACCEPT` set it becomes that one."""
    golden = GOLDEN / name
    if os.environ.get(ACCEPT):
        golden.write_text(actual, encoding="utf-8")
    accepted = golden.read_text(encoding="utf-8") if golden.exists() else ""
    changed = list(
        difflib.unified_diff(accepted.splitlines(), actual.splitlines(), "accepted", "now", lineterm="", n=1)
    )
    assert actual == accepted, (
        f"golden/{name} is not what comes out now. Read the difference; if it is meant, accept it with "
        f"`nox -s accept` (or {ACCEPT}=1 pytest -k accepted tests/reports) and commit the file:\n"
        + "\n".join(changed[:60])
    )


def plain(value: Any) -> Any:
    """A value of records as JSON has it: every field of every record is in it; numbers have six digits.

    Raises `TypeError` for what is neither a record, a collection nor plain, so that nothing is left out unseen.
    """
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {" ".join(map(str, key)) if isinstance(key, tuple) else str(key): plain(v) for key, v in value.items()}
    if isinstance(value, AbstractSet):
        return sorted(plain(entry) for entry in value)
    if isinstance(value, tuple | list | CaseList):
        return [plain(entry) for entry in value]
    raise TypeError(f"no plain form of {type(value).__name__}")


def readable(value: Any, indent: int = 0) -> str:
    """JSON in which whatever fits a line stands on one, and short entries stand side by side."""
    flat = json.dumps(value, ensure_ascii=False)
    if len(flat) + indent <= WIDTH or not value or not isinstance(value, dict | list):
        return flat
    inner = indent + 1
    if isinstance(value, dict):
        parts = [f"{json.dumps(k, ensure_ascii=False)}: {readable(v, inner)}" for k, v in value.items()]
    else:
        parts = [readable(v, inner) for v in value]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    lines = _packed(parts, WIDTH - inner)
    return opening + "\n" + ",\n".join(" " * inner + text for text in lines) + "\n" + " " * indent + closing


def _packed(parts: list[str], width: int) -> list[str]:
    """Short entries side by side, as many as a line has room for: a record of twenty fields reads as a paragraph."""
    lines: list[str] = []
    for part in parts:
        packs = lines and "\n" not in lines[-1] + part and len(lines[-1]) + len(part) + 2 <= width
        if packs:
            lines[-1] += f", {part}"
        else:
            lines.append(part)
    return lines
