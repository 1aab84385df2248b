"""Files of what judges were found to be: `calibrations/<suite>.<metric>.json` in the state folder.

They hold what was measured, never an answer or a label. A file of another machine is read by the same function, and
what it knows is added to what is known here.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from snapdrift.calibrations import JudgeCalibration, JudgeStatus
from snapdrift.errors import StoreError
from snapdrift.store import codec
from snapdrift.store.own_files import open_own

FOLDER = "calibrations"
FORMAT = "snapdrift.calibration/1"
KEPT = 20
"""Calibrations of one metric that are kept, the newest."""


@dataclass(frozen=True, slots=True)
class CalibrationRecords:
    """What is known of the judge of one metric of a suite, the newest first."""

    suite: str
    metric: str
    records: tuple[JudgeCalibration, ...] = ()

    def with_those_of(self, other: CalibrationRecords) -> CalibrationRecords:
        """Both together, the newest `KEPT`. Of one comparison of a run the later record stays, of equals this one."""
        found: dict[tuple[str, tuple[str, str, str]], JudgeCalibration] = {}
        for one in (*self.records, *other.records):
            key = (one.of_run, one.comparison)
            if key not in found or (one.made_at, one.labelled) > (found[key].made_at, found[key].labelled):
                found[key] = one
        newest = sorted(found.values(), key=lambda one: (one.made_at, one.of_run, one.comparison), reverse=True)
        return CalibrationRecords(self.suite, self.metric, tuple(newest[:KEPT]))

    def to_json(self) -> str:
        """As a file keeps it."""
        calibrations = codec.to_json(self.records)
        document = {"format": FORMAT, "suite": self.suite, "metric": self.metric, "calibrations": calibrations}
        return json.dumps(document, indent=1) + "\n"


def calibrations_path(directory: Path, suite: str, metric: str) -> Path:
    """The file of a judged metric's calibrations in the folder of them."""
    return directory / f"{suite}.{quote(metric, safe=' ')}.json"


def parse_calibrations(text: bytes, path: Path) -> CalibrationRecords:
    """What a file's text is; `path` is for messages, and its name has to be that of the suite and metric inside.

    Raises `StoreError` for anything else: the records decide whether a judge's verdict counts.
    """
    data = codec.parse(text, str(path))
    found = data.get("format") if type(data) is dict else None
    if found != FORMAT:
        raise StoreError(f"{path}: found the format {found!r}, expected {FORMAT!r}")
    of = codec.from_json(tuple[str, str], [data.get("suite"), data.get("metric")], str(path))
    if calibrations_path(path.parent, *of) != path:
        raise StoreError(f"{path}: found the calibrations of suite {of[0]!r}, metric {of[1]!r}, under another's name")
    records = codec.from_json(tuple[JudgeCalibration, ...], data.get("calibrations"), str(path))
    if any(one.metric != of[1] or one.status is not JudgeStatus.CALIBRATED for one in records):
        raise StoreError(f"{path}: found a record of another metric or status, expected calibrations of {of[1]!r}")
    try:
        json.dumps(codec.to_json(records), allow_nan=False)
    except ValueError as error:
        raise StoreError(f"{path}: found a number that is not finite; expected what was measured") from error
    return CalibrationRecords(*of, records)


def read_calibrations(path: Path) -> CalibrationRecords:
    """The records in a file. Raises `StoreError` where it cannot be read, or is none."""
    try:
        return parse_calibrations(path.read_bytes(), path)
    except OSError as error:
        raise StoreError(f"{path}: cannot be read ({error.strerror})") from error


def add_calibrations(path: Path, news: CalibrationRecords, *, over_unreadable: bool = False) -> bool:
    """Adds records to a file, which is made where there is none; False where it knew them all.

    Raises `StoreError` where there is a file that cannot be read, but with `over_unreadable`, and `OSError`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _alone_in(path.parent):
        before = _known(path, over_unreadable=over_unreadable)
        now = news if before is None else news.with_those_of(before)
        if now == before:
            return False
        draft = path.with_name(f"{path.name}.{os.getpid()}.draft")
        try:
            with os.fdopen(open_own(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "w", encoding="ascii") as file:
                file.write(now.to_json())
            draft.replace(path)
        except OSError:
            draft.unlink(missing_ok=True)
            raise
        return True


def _known(path: Path, *, over_unreadable: bool) -> CalibrationRecords | None:
    """What a file holds, None where there is none, or none that can be read and may be written over."""
    try:
        return read_calibrations(path) if path.exists() else None
    except StoreError:
        if over_unreadable:
            return None
        raise


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Of processes that add to a folder's files one after the other, so that neither loses what the other found."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
