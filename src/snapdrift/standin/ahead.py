"""The stand-in's process, which can be started before it is known what it will answer.

Loading itself takes it two seconds of a core; a command that will need one starts it first and loads its own parts
meanwhile. This module loads nothing that is not loaded anyway.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO


@dataclass(frozen=True, slots=True)
class Server:
    """A process that waits for its configuration on standard input, and the file that it says its errors into."""

    process: subprocess.Popen[str]
    said: IO[bytes]

    def discard(self) -> None:
        """Ends a process that nobody waits for."""
        self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        self.process.wait()
        self.said.close()


_AHEAD: list[Server] = []
"""What was started ahead and not yet taken, of this process."""


def start_server(environment: dict[str, str], said: IO[bytes]) -> subprocess.Popen[str]:
    """The server's process; it reads its configuration from standard input and says its errors into `said`."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "snapdrift.standin"],  # -P: no module of the folder that the command runs in
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=said,
        text=True,
        encoding="utf-8",
        env=environment,
        start_new_session=True,  # the terminal's Ctrl-C is for this process, which may still be asking
    )


def take() -> Server:
    """The server that was started ahead, else a new one. Who takes it ends it."""
    return _AHEAD.pop() if _AHEAD else _started()


@contextmanager
def started_ahead(*, wanted: bool) -> Iterator[None]:
    """Where it is wanted, starts a server that the first `take` inside gets; one that nobody took is ended."""
    if not wanted:
        yield
        return
    server = _started()
    _AHEAD.append(server)
    try:
        yield
    finally:
        if server in _AHEAD:
            _AHEAD.remove(server)
            server.discard()


def _started() -> Server:
    # What the command has of keys and addresses is not for the server.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI_")}
    said = tempfile.TemporaryFile()  # noqa: SIM115  whoever takes the server closes it; a pipe could fill up
    try:
        return Server(start_server(environment, said), said)
    except BaseException:
        said.close()
        raise
