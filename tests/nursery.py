"""Processes that are born warm: one process has imported everything, and commands and stand-ins are forks of it.

A command that is started as a process of its own takes seconds of imports, and so does the stand-in that it starts.
Forked they are as real (a process, a folder, an environment, sockets and an end of their own) without them. How the
program itself starts is tested in `tests/cli/test_cli_main.py` and `tests/standin/test_standin_launch.py`.

Orders come by a socket, with the three files that the process is to have: `WarmProcess` gives them from Python, and
from anywhere else a script that runs this file (`command_script`). The answer is the process's id and, later, its exit
code. Whoever goes away without waiting for that has the process killed.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from typing import IO, TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

READY = "ready"
_LONGEST_ORDER = 2**22


def _order(address: str, kind: str, arguments: list[str], environment: dict[str, str], files: list[int]) -> Any:
    """Has a process made; returns the connection by which it tells of it."""
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(address)
    order = {"kind": kind, "arguments": arguments, "environment": environment, "cwd": os.getcwd()}  # noqa: PTH109
    text = json.dumps(order).encode("ascii")
    first = socket.send_fds(connection, [len(text).to_bytes(4, "big")], files)
    assert first == 4
    connection.sendall(text)
    return connection


# ------------------------------------------------------------------------------------------------- who asks for one


class WarmProcess:
    """A stand-in, as much of `subprocess.Popen` as `StandinProcess` uses."""

    def __init__(self, environment: dict[str, str], said: IO[bytes]) -> None:
        theirs_in, ours_in = os.pipe()
        ours_out, theirs_out = os.pipe()
        self._told = _order(address(), "standin", [], environment, [theirs_in, theirs_out, said.fileno()])
        for fd in (theirs_in, theirs_out):
            os.close(fd)
        self._lines = self._told.makefile("r", encoding="ascii")
        self.pid = int(self._lines.readline())
        self.stdin = os.fdopen(ours_in, "w", encoding="utf-8")
        self.stdout = os.fdopen(ours_out, encoding="utf-8")
        self._code: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once it has ended."""
        import subprocess
        from select import select

        if self._code is None:
            if not select([self._told], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("stand-in", timeout or 0.0)
            self._code = int(self._lines.readline())
            self._lines.close()
            self._told.close()
        return self._code

    def kill(self) -> None:
        """Ends it at once."""
        if self._code is None:
            os.kill(self.pid, signal.SIGKILL)


def command_script(path: Path) -> Path:
    """Writes a `snapdrift` for scripts and for other processes: its command is carried out by a warm process."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Nothing of the environment and no installed package is of use to what only hands on.
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "{__file__}" "{address()}" "$@"\n')
    path.chmod(0o755)
    return path


def run_command(address: str, arguments: list[str]) -> int:
    """What that script does: one command with this process's files, folder and environment, to its end."""
    told = _order(address, "command", arguments, dict(os.environ), [0, 1, 2])
    lines = told.makefile("r", encoding="ascii")
    pid = int(lines.readline())
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda got, _: os.kill(pid, got))
    code = int(lines.readline())
    if code < 0:  # it was killed, and so is whoever stands for it
        signal.signal(-code, signal.SIG_DFL) if -code != signal.SIGKILL else None
        os.kill(os.getpid(), -code)
    return code


_STARTED: dict[int, tuple[subprocess.Popen[bytes], str]] = {}
"""The nursery of a process, by its id: a fork of this one has none yet."""


def address() -> str:
    """Where orders are taken; the first call of a process starts the nursery, which ends with it."""
    import atexit
    import subprocess
    import tempfile
    from pathlib import Path

    if os.getpid() not in _STARTED:
        folder = tempfile.mkdtemp(prefix="nursery-")
        path = f"{folder}/socket"
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.nursery", path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[1],
            start_new_session=True,  # Ctrl-C is for those who wait for its processes
        )
        assert process.stdin is not None
        assert process.stdout is not None
        if process.stdout.readline().decode().strip() != READY:
            raise RuntimeError("the nursery of warm processes did not start")
        _STARTED[os.getpid()] = (process, path)

        def end() -> None:
            cast("IO[bytes]", process.stdin).close()
            process.wait(60)
            cast("IO[bytes]", process.stdout).close()

        atexit.register(end)
    return _STARTED[os.getpid()][1]


# ------------------------------------------------------------------------------------------------------ the nursery


def load_program() -> None:
    """Imports whatever a command or a stand-in may import, so that what is forked of this process need not."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command line has it
    import gc
    import importlib
    import pkgutil

    import snapdrift

    for found in pkgutil.walk_packages(snapdrift.__path__, "snapdrift."):
        last = found.name.rpartition(".")[2]
        if last not in ("__main__", "pytest_plugin") and ".scaffold.workspace" not in found.name:
            importlib.import_module(found.name)
    used = "aiohttp anyio._backends._asyncio httpcore2 httpx2 jinja2.sandbox openai.resources.chat openai.resources"
    used += " openai.resources.responses openai.resources.files openai.resources.batches pandas pyarrow.parquet"
    used += " rich.console rich.table scipy.stats regex tomllib yaml xml.etree.ElementTree uvicorn"
    for name in used.split():
        importlib.import_module(name)
    from snapdrift.standin.loading import load_server

    load_server()
    gc.collect()
    gc.freeze()  # a fork's search for cycles would have all of it copied


class _Nursery:
    """Takes orders, forks, and tells how its forks ended."""

    def __init__(self, path: str) -> None:
        import selectors

        self._folder = os.path.dirname(path)  # noqa: PTH120
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen(64)
        self._woken, self._wake = os.pipe()
        for fd in (self._woken, self._wake):
            os.set_blocking(fd, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        self._selector = selectors.DefaultSelector()
        for source in (0, self._woken, self._listener):
            self._selector.register(source, selectors.EVENT_READ)
        self._waiting: dict[int, socket.socket] = {}  # by the id of the process that is waited for

    def serve(self) -> None:
        """Until standard input ends."""
        while True:
            for key, _ in self._selector.select():
                if key.fileobj == 0:
                    if not os.read(0, 64):
                        return self._end()
                elif key.fileobj == self._woken:
                    self._reap()
                elif key.fileobj is self._listener:
                    self._take()
                else:
                    self._lose(cast("socket.socket", key.fileobj))

    def _take(self) -> None:
        import selectors

        connection, _ = self._listener.accept()
        size, files, _, _ = socket.recv_fds(connection, 4, 3)
        if len(files) < 3:  # it has gone again
            connection.close()
            return
        wanted = min(int.from_bytes(size, "big"), _LONGEST_ORDER)
        order = json.loads(connection.recv(wanted, socket.MSG_WAITALL))
        pid = os.fork()
        if pid == 0:
            for held in (self._listener, connection, *self._waiting.values()):
                held.close()
            self._selector.close()
            os.close(self._woken)
            os.close(self._wake)
            _be(order, files)
        for fd in files:
            os.close(fd)
        self._waiting[pid] = connection
        self._selector.register(connection, selectors.EVENT_READ)
        self._tell(connection, pid)

    def _reap(self) -> None:
        os.read(self._woken, 4096)
        while self._waiting:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            connection = self._waiting.pop(pid)
            self._selector.unregister(connection)
            self._tell(connection, os.waitstatus_to_exitcode(status))
            connection.close()

    def _lose(self, connection: socket.socket) -> None:
        """Nobody waits for its process any more; it is told nothing when that has ended."""
        for pid, waiting in self._waiting.items():
            if waiting is connection:
                os.kill(pid, signal.SIGKILL)

    @staticmethod
    def _tell(connection: socket.socket, number: int) -> None:
        try:
            connection.sendall(f"{number}\n".encode("ascii"))
        except OSError:
            return  # it has gone

    def _end(self) -> None:
        import shutil

        for pid in self._waiting:
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self._folder, ignore_errors=True)


def _be(order: dict[str, Any], files: list[int]) -> None:
    """In the fork: become what was ordered."""
    import tempfile
    import traceback

    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.setsid()
        for number, fd in enumerate(files):
            os.dup2(fd, number)
            os.close(fd)
        os.environ.clear()
        os.environ.update(order["environment"])
        os.chdir(order["cwd"])
        tempfile.tempdir = None
        sys.argv, sys.path[0] = ["snapdrift", *order["arguments"]], order["cwd"]
        sys.stdin = os.fdopen(0, encoding="utf-8")
        sys.stdout = os.fdopen(1, "w", encoding="utf-8")
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="replace", buffering=1)
        code = _carry_out(order["kind"])
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1
    except BaseException:
        traceback.print_exc()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        code = 120  # as the interpreter ends that cannot flush
    os._exit(code)


def _carry_out(kind: str) -> int:
    if kind == "standin":
        from snapdrift.standin.__main__ import main as serve

        return serve()
    from snapdrift.cli import main as command
    from snapdrift.standin import ahead

    # Its own stand-in is a fork of the nursery too.
    ahead.start_server = WarmProcess  # type: ignore[assignment]
    _STARTED[os.getpid()] = (cast("Any", None), _OWN_ADDRESS)
    command()
    return 0


_OWN_ADDRESS = ""


if __name__ == "__main__":
    if __package__:
        _OWN_ADDRESS = sys.argv[1]
        load_program()
        nursery = _Nursery(_OWN_ADDRESS)
        print(READY, flush=True)
        nursery.serve()
    else:
        sys.exit(run_command(sys.argv[1], sys.argv[2:]))
