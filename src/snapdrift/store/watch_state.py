"""What one night of watching hands to the next: a small JSON file, written whole or not at all, by one process."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from snapdrift.errors import RunBusyError, StoreError
from snapdrift.store import codec
from snapdrift.store.lock import RunLock
from snapdrift.store.own_files import open_own

FORMAT = "snapdrift.watch-state/1"


@dataclass(frozen=True, slots=True)
class CarriedCanary:
    """The canary of one metric and pair: `identity` says what it watches, part by part, `state` is its wealth.

    `answered` is the run by which its alarm was answered: then the next night begins anew.
    """

    metric: str
    baseline: str
    candidate: str
    identity: Mapping[str, str]
    state: Mapping[str, Any]
    answered: str = ""


@dataclass(frozen=True, slots=True)
class WatchState:
    """Everything that is carried. `nights` were begun, whatever came of them: each draws cases of its own.

    `models` are those that answered each alias when it was last found quiet, or decided on; `last_night` when the
    last night ended that counted for something, `first_night` when the first began (ISO 8601; empty: not known).
    """

    suite: str
    gate: str
    nights: int = 0
    last_night: str = ""
    models: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    canaries: tuple[CarriedCanary, ...] = ()
    first_night: str = ""


def watch_path(state_dir: Path, suite: str, gate: str) -> Path:
    """Where the state of a suite under a gate is kept."""
    return state_dir / "watch" / f"{suite}.{gate}.json"


@contextmanager
def locked_state(path: Path, suite: str, gate: str) -> Iterator[WatchFile]:
    """The state file, this process's alone for as long as the context lasts.

    Raises `RunBusyError` when another process watches, and `StoreError` when the file cannot be used.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = RunLock.take(path)
    except RunBusyError as error:
        who = str(error).partition(": ")[2].partition(" is working")[0]
        raise RunBusyError(f"{path}: {who} is watching this suite; wait for it or end it") from None
    except OSError as error:
        raise StoreError(f"{path.parent}: cannot be written; check its permissions ({error})") from error
    try:
        yield WatchFile(path, suite, gate)
    finally:
        lock.release()


class WatchFile:
    """The state file of one suite and gate while its lock is held."""

    def __init__(self, path: Path, suite: str, gate: str) -> None:
        self.path = path
        self._of = (suite, gate)

    def read(self) -> WatchState:
        """The state, that of the first night where there is no file.

        Raises `StoreError` for a damaged file and one of another suite: evidence is never thrown away unasked.
        """
        try:
            text = self.path.read_bytes()
        except FileNotFoundError:
            return WatchState(*self._of)
        except OSError as error:
            raise StoreError(f"{self.path}: cannot be read; check its permissions ({error})") from error
        try:
            state = parse_watch_state(text, self.path)
        except StoreError as error:
            raise StoreError(f"{error}; {self.start_anew}") from error
        if (state.suite, state.gate) != self._of:
            raise StoreError(
                f"{self.path}: found the state of suite {state.suite}, gate {state.gate}; {self.start_anew}"
            )
        return state

    def write(self, state: WatchState) -> None:
        """Puts the state in the file's place, on disk when it returns. Raises `StoreError`."""
        draft = self.path.with_suffix(".draft")
        text = json.dumps({"format": FORMAT, **codec.to_json(state)}, indent=1, allow_nan=False) + "\n"
        try:
            descriptor = open_own(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self.path)
        except OSError as error:
            raise StoreError(f"{self.path}: cannot be written; check the folder and the disk ({error})") from error

    @property
    def start_anew(self) -> str:
        """What to do about a file that cannot be carried on."""
        return f"restore it, or move {self.path.name} away to start anew (what it knew is lost)"


def parse_watch_state(text: bytes, path: Path) -> WatchState:
    """The state that a file's text is; `path` is for messages. Raises `StoreError` for what is none."""
    data = codec.parse(text, str(path))
    found = data.get("format") if type(data) is dict else None
    if found != FORMAT:
        raise StoreError(f"{path}: found the format {found!r}, expected {FORMAT!r}")
    return codec.from_json(WatchState, data, str(path))
