"""One run of each suite for a whole session, whoever needs it first: items, fixtures, and the workers of pytest-xdist.

Workers meet in files of the state folder, named by xdist's id of the test run. Who has the lock runs the suite and
writes down how it ended; the others wait for the lock and read that. A lock is the kernel's, so that of a worker that
crashed is free, and the next one goes on with its run.
"""

from __future__ import annotations

import fcntl
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from snapdrift import errors
from snapdrift.api import Run, RunSettings, open_run
from snapdrift.api.running import run_with
from snapdrift.api.settings import options_of
from snapdrift.errors import Interrupted, SnapdriftError
from snapdrift.model import sha256

if TYPE_CHECKING:
    from snapdrift.pipeline import RunOptions

FOLDER = "pytest"
_KEPT_S = 24 * 3600.0
_NOTHING_SENT = (
    errors.NothingToAsk,
    errors.UsageError,
    errors.ConfigError,
    errors.CatalogError,
    errors.InsufficientError,
    errors.DocumentError,
    errors.RepositoryError,
)


class SharedRuns:
    """The runs of a session. `session` is what its workers have in common, None where there is one process.

    `max_usd` and `deadline` are what all its runs together may take, in dollars and seconds; a run may have bounds of
    its own within them.
    """

    def __init__(self, session: str | None, max_usd: float | None = None, deadline: float | None = None) -> None:
        self._session = session
        self._max_usd = max_usd
        self._deadline = deadline
        self._ended: dict[str, Run | SnapdriftError] = {}
        self._spent = 0.0
        self._began = time.monotonic()

    @classmethod
    def of(cls, config: pytest.Config) -> SharedRuns:
        """Those of a session, or of the worker of one."""
        worker: dict[str, Any] | None = getattr(config, "workerinput", None)
        ceilings = (config.getoption("snapdrift_max_usd"), config.getoption("snapdrift_deadline"))
        return cls(None if worker is None else str(worker["testrunuid"]), *ceilings)

    def run(self, path: Path, settings: RunSettings) -> Run:
        """The run of a suite with these settings, made if nobody made it yet. Raises `SnapdriftError`, each time."""
        key = sha256([str(path.resolve()), sorted((name, repr(value)) for name, value in settings.items())])
        if key not in self._ended:
            self._ended[key] = self._made(path, settings, key)
        ended = self._ended[key]
        if isinstance(ended, SnapdriftError):
            raise ended
        return ended

    def _made(self, path: Path, settings: RunSettings, key: str) -> Run | SnapdriftError:
        if self._session is None:
            return self._make(path, settings)
        try:
            folder = _folder(path, settings)
        except SnapdriftError as error:
            return error
        named = folder / f"{self._session}-{key[:16]}"
        money = folder / f"{self._session}-money.json"
        # What all suites together may cost is known while one is asked at a time only.
        lock = money if self._max_usd is not None else named
        with _locked(lock.with_suffix(".lock")):
            if (known := _read(named.with_suffix(".json"))) is not None:
                return _ended_as(known, path, code=settings.get("code", True))
            self._spent = float((_read(money) or {}).get("usd", 0.0))
            ended = self._make(path, settings)
            if lock is money:
                _write(money, {"usd": self._spent})
            _write(named.with_suffix(".json"), _record(ended))
            return ended

    def _make(self, path: Path, settings: RunSettings) -> Run | SnapdriftError:
        """Runs the suite with what is left of the session's money and time."""
        told: list[float] = []
        most = 0.0
        try:
            options = self._options(settings, told)
            most = options.limits.left_usd or 0.0
            return run_with(path, options)
        except Interrupted as error:
            pytest.exit(str(error), returncode=pytest.ExitCode.INTERRUPTED)
        except SnapdriftError as error:
            # Whatever ended it while it asked, what it spent is not known: then it is all that it might have spent.
            unknown = not told and not isinstance(error, _NOTHING_SENT)
            told += [most] if unknown else []
            return error
        finally:
            self._spent += sum(told)

    def _options(self, settings: RunSettings, told: list[float]) -> RunOptions:
        """The settings of a run, whose own bounds hold as far as the session's leave room for them."""
        asked = options_of(settings, "pytest")
        limits, seconds = asked.limits, asked.limits.deadline_s
        if self._max_usd is not None and (limits.max_usd is None or self._max_usd - self._spent < limits.max_usd):
            called = f"--snapdrift-max-usd {self._max_usd:g}"
            limits = replace(limits, max_usd=self._max_usd, taken_usd=self._spent, max_usd_called=called)
        if self._deadline is not None:
            rest = max(0.001, self._deadline - (time.monotonic() - self._began))
            seconds = rest if seconds is None else min(seconds, rest)
        return replace(asked, limits=replace(limits, deadline_s=seconds), charged=told.append)


def _folder(path: Path, settings: RunSettings) -> Path:
    """Where the workers meet; what sessions of other days left there is taken away."""
    from snapdrift.suites.workspace import find_workspace

    state = settings.get("state")
    folder = (find_workspace(path).state_dir if state is None else Path(state)) / FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.iterdir():
            if old.stat().st_mtime < time.time() - _KEPT_S:
                old.unlink(missing_ok=True)
    except OSError as error:
        raise errors.StoreError(
            f"{folder}: cannot be written; check the folder and its permissions ({error})"
        ) from None
    return folder


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _write(path: Path, record: dict[str, Any]) -> None:
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(record), encoding="utf-8")
    draft.replace(path)


def _record(ended: Run | SnapdriftError) -> dict[str, Any]:
    if isinstance(ended, SnapdriftError):
        return {"error": type(ended).__name__, "message": str(ended)}
    return {"run": str(ended.path), "report": None if ended.report is None else str(ended.report)}


def _ended_as(record: dict[str, Any], suite: Path, *, code: bool) -> Run | SnapdriftError:
    if "run" not in record:
        kind = getattr(errors, str(record.get("error")), SnapdriftError)
        plain = isinstance(kind, type) and issubclass(kind, SnapdriftError)
        plain = plain and not issubclass(kind, errors.DocumentError)
        return cast("SnapdriftError", (kind if plain else SnapdriftError)(str(record.get("message"))))
    try:
        run = open_run(record["run"], workspace=suite.parent, code=code)
    except SnapdriftError as error:
        return error
    return Run(run.view, run.path, Path(record["report"]) if record.get("report") else None)
