"""Starts the stand-in as a process of its own, and ends it."""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import threading
from collections.abc import Callable
from types import TracebackType
from typing import IO, Self, TextIO, cast

from snapdrift.errors import ConfigError
from snapdrift.standin import ahead
from snapdrift.standin.config import StandinConfig

_START_SECONDS = 60.0
_END_SECONDS = 10.0


class StandinProcess:
    """A context manager around a stand-in server. Inside, `base_url` is where it answers.

    The server also ends when this process is killed: it reads from a pipe whose other end only this process holds.
    """

    def __init__(
        self,
        config: StandinConfig,
        start_seconds: float = _START_SECONDS,
        meanwhile: Callable[[], object] = lambda: None,
    ) -> None:
        """`meanwhile` is done while the server starts, which takes a core of its own about a second."""
        self._config, self._start_seconds, self._meanwhile = config, start_seconds, meanwhile
        self._process: subprocess.Popen[str] | None = None
        self._said: IO[bytes]
        self.base_url = ""

    @property
    def pid(self) -> int | None:
        """The server's process id while it runs."""
        return self._process.pid if self._process else None

    def __enter__(self) -> Self:
        """Starts the server and waits until it answers; raises `ConfigError` with what it said when it does not."""
        server = ahead.take()
        self._process, self._said = server.process, server.said
        try:
            self.base_url = self._handshake(self._process)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends the server."""
        self._end()

    def let_end(self) -> None:
        """Has the server end by itself, which takes it a third of a second, while this process goes on."""
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()

    def _handshake(self, process: subprocess.Popen[str]) -> str:
        stdin, stdout = cast("TextIO", process.stdin), cast("TextIO", process.stdout)
        lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=lambda: lines.put(stdout.readline()), daemon=True).start()
        try:
            stdin.write(self._config.to_json() + "\n")
            stdin.flush()
            self._meanwhile()
            line = lines.get(timeout=self._start_seconds)
        except (queue.Empty, BrokenPipeError):
            line = ""
        if line:
            return str(json.loads(line)["base_url"])
        raise ConfigError(self._why_not_started(process))

    def _why_not_started(self, process: subprocess.Popen[str]) -> str:
        """The sentence for a server that announced nothing: it ended with an error, or it took too long."""
        try:
            # It that closed its standard output has ended, or is about to.
            code: int | None = process.wait(timeout=0.5)
        except subprocess.TimeoutExpired:
            code = None
            process.kill()
            process.wait()
        self._said.seek(0)
        said = self._said.read().decode("utf-8", "replace").strip() or "it said nothing"
        if code is None:
            return f"the stand-in did not start within {self._start_seconds:g} s: {said}"
        return f"the stand-in did not start: {said}" + ("" if code == ConfigError.exit_code else f" (exit code {code})")

    def _end(self) -> None:
        """Lets the server end by itself, by the end of its standard input; kills it when it takes too long."""
        process, self._process = self._process, None
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        try:
            process.wait(timeout=_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._said.close()
