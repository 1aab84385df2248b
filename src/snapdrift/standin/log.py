"""The request log: what arrived and how it was answered, for people and tests to count."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from snapdrift.errors import ConfigError


class RequestLog:
    """JSON lines, each on disk's way before the server goes on; a log that exists is added to.

    Requests for answers have two lines (`event` is `received`, then `finished`) with `time` (ISO, UTC), `method`,
    `path`, `client_request_id`, `run`, `case`, `variant`, `repeat`, `step`, `model`, `endpoint`, `call`
    (case/variant/repeat), `arrival` and `attempt` (which request of its call and step it is, from 0 and from 1); a
    finished one adds `status` (0 where the connection was dropped), `source`, `fault` and `error` (the error's code or
    message). A line of a batch is logged likewise, with the path of batches. Requests that look at something have one
    line, `served`, with `method`, `path` and `status`.
    """

    def __init__(self, path: Path | None) -> None:
        self._file: TextIO | None = None
        if path is not None:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._file = path.open("a", encoding="utf-8")
            except OSError as error:
                raise ConfigError(f"standin.log: {path} cannot be written ({error.strerror})") from error

    def write(self, event: str, fields: dict[str, Any]) -> None:
        """Adds one line and flushes it, so that it is there even when the server is killed next."""
        if self._file is None:
            return
        line = {"event": event, "time": datetime.now(UTC).isoformat(timespec="milliseconds"), **fields}
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Nothing can be written afterwards."""
        if self._file is not None:
            self._file.close()
            self._file = None
