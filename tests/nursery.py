"""Stand-ins that are born warm: one process has imported everything, and each stand-in is a fork of it.

A command that is tested in this process starts a stand-in as a process of its own, which takes most of a second of
imports every time. Forked it is as real (its own process, socket and end) without them. How the program itself starts
one is tested in `tests/standin/test_standin_launch.py`.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from multiprocessing import get_context
from multiprocessing.connection import wait
from multiprocessing.reduction import DupFd
from multiprocessing.synchronize import Semaphore
from typing import IO, Any

_FORKING = get_context("forkserver")
_FORKING.set_forkserver_preload(["snapdrift.standin.__main__", "tests.preloaded"])


class WarmProcess:
    """As much of `subprocess.Popen` as `StandinProcess` uses."""

    def __init__(self, environment: dict[str, str], said: IO[bytes]) -> None:
        theirs_in, ours_in = os.pipe()
        ours_out, theirs_out = os.pipe()
        handed = [DupFd(fd) for fd in (theirs_in, theirs_out, said.fileno())]
        self._taken = _FORKING.Semaphore(0)
        self._process = _FORKING.Process(target=_serve, args=(handed, environment, self._taken), daemon=False)
        self._process.start()
        for fd in (theirs_in, theirs_out):
            os.close(fd)
        self.stdin = os.fdopen(ours_in, "w", encoding="utf-8")
        self.stdout = os.fdopen(ours_out, encoding="utf-8")
        self.pid = self._process.pid

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once it has ended."""
        if not wait([self._process.sentinel], timeout):
            raise subprocess.TimeoutExpired("stand-in", timeout or 0.0)
        self._process.join()
        return self._process.exitcode or 0

    def kill(self) -> None:
        """Ends it at once; but one that is just being handed its pipes only then, or a thread here would print that it
        lost whom it was speaking to, into whatever the test reads."""
        if self._taken.acquire(timeout=10):
            self._taken.release()
        self._process.kill()


def _serve(handed: list[Any], environment: dict[str, str], taken_all: Semaphore) -> None:
    """In the fork: become what `python -m snapdrift.standin` is."""
    os.setsid()
    for number, fd in enumerate(handed):
        taken = fd.detach()
        os.dup2(taken, number)
        os.close(taken)
    taken_all.release()
    os.environ.clear()
    os.environ.update(environment)
    sys.stdin = os.fdopen(0, encoding="utf-8")
    sys.stdout = os.fdopen(1, "w", encoding="utf-8")
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="replace", buffering=1)
    from snapdrift.standin.__main__ import main

    code = 1
    with contextlib.suppress(BaseException):
        code = main()
    sys.stderr.flush()
    os._exit(code)
