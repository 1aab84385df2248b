"""`snapdrift ARGUMENTS` in processes of their own that meet a fate: killed at a point, or on a disk that fails.

Run as a program it reads orders from standard input, a line of JSON each, and forks a process for each that has the
imports behind it. It answers with the process id, and with the exit code once it has ended (minus a signal's number).
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import re
import resource
import signal
import sqlite3
import sys
import threading
from collections.abc import Callable
from typing import Any

from tests.nursery import load_program

CAP_DAC_OVERRIDE = 1
"""By which root writes where nobody may; `capabilities(7)`."""
_CAPABILITY_VERSION_3 = 0x20080522


def on_statement(pattern: str, times: int, number: int) -> None:
    """This process gets a signal when SQLite is about to run a matching statement for the n-th time."""
    wanted, connect, lock, seen = re.compile(pattern), sqlite3.connect, threading.Lock(), [0]

    def look(statement: str) -> None:
        with lock:
            seen[0] += bool(wanted.search(statement))
            if seen[0] == times:
                seen[0] += 1
                os.kill(os.getpid(), number)

    def traced(*arguments: Any, **named: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*arguments, **named)
        connection.set_trace_callback(look)
        return connection

    sqlite3.connect = traced  # type: ignore[assignment]


def on_rename(pattern: str, times: int, number: int) -> None:
    """This process gets a signal when it is about to give a matching path to a file for the n-th time."""
    wanted, seen = re.compile(pattern), [0]

    def look(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "os.rename" and wanted.search(str(arguments[1])):
            seen[0] += 1
            if seen[0] == times:
                os.kill(os.getpid(), number)

    sys.addaudithook(look)


def bounded_files(largest: int) -> None:
    """No file takes more bytes than so many: a write fails there, as on a full disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))


def bound_by_permissions() -> None:
    """Root may write only where it has the permission, as everybody else."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; twice, for 64 capabilities
    if libc.capget(header, sets) != 0:
        raise OSError(ctypes.get_errno(), "capget")
    sets[0] &= ~(1 << CAP_DAC_OVERRIDE)
    if libc.capset(header, sets) != 0:
        raise OSError(ctypes.get_errno(), "capset")


def told_what_is_stored(path: str) -> None:
    """Writes the key of each response to a file, a line each, once the run file's writer said that it is durable."""
    from snapdrift.store import RunWriter

    record = RunWriter.record
    out = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def told(self: RunWriter, response: Any, request: Any) -> asyncio.Future[None]:
        def tell(stored: asyncio.Future[None]) -> None:
            key = response.call
            if response.outcome.measured and not stored.cancelled() and stored.exception() is None:
                line = json.dumps([self.path.name, key.case_id, key.variant, key.repeat, key.grader, len(response.raw)])
                os.write(out, f"{line}\n".encode())

        storing = record(self, response, request)
        storing.add_done_callback(tell)
        return storing

    RunWriter.record = told  # type: ignore[method-assign]


FATES: dict[str, Callable[..., None]] = {
    "statement": on_statement,
    "rename": on_rename,
    "bounded files": bounded_files,
    "bound by permissions": bound_by_permissions,
    "told what is stored": told_what_is_stored,
}


def live(order: dict[str, Any]) -> None:
    """In the fork: one command to its end."""
    code = 2
    try:
        os.chdir(order["cwd"])
        for number, name in ((0, os.devnull), (1, order["out"]), (2, order["err"])):
            opened = os.open(name, os.O_RDWR | os.O_CREAT | (os.O_TRUNC if number else 0), 0o644)
            os.dup2(opened, number)
            os.close(opened)
        sys.stdout = os.fdopen(1, "w", encoding="utf-8")
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", buffering=1)
        for name, arguments in order["fates"]:
            FATES[name](*arguments)
        sys.argv = ["snapdrift", *order["arguments"]]
        from snapdrift.cli import main

        main()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1
    except BaseException as error:
        print(f"{type(error).__name__} came out of main: {error}", file=sys.stderr)
        code = 99
    try:
        sys.stdout.flush()
    except OSError:
        code = 120  # as the interpreter ends that cannot flush
    os._exit(code)


def main() -> None:
    """Takes orders until there are none."""
    load_program()  # once for all
    child = 0
    for line in sys.stdin:
        order = json.loads(line)
        if child:
            os.waitpid(child, 0)
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            live(order)
        print(json.dumps(child), flush=True)
        # It keeps its process id until the next order, so that whoever kills it late kills nobody else.
        ended = os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
        assert ended is not None
        code = ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
        print(json.dumps(code), flush=True)


if __name__ == "__main__":
    main()
