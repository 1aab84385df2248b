"""`snapdrift ARGUMENTS` in processes that are killed at named points of their way to a batch and back.

Run as `python batch_killer.py [[POINT, [ARGUMENT, ...]], ...]` (JSON); the points are the keys of `POINTS`. Each
command is a process of its own, forked off this one, which has the imports behind it. Prints how each ended.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from tests.nursery import load_program

from snapdrift.cli import main
from snapdrift.openai_api.batches import BatchClient

LINES_READ = 80
"""More than are stored in one transaction, fewer than there are."""


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def kill(method: str, *, after: bool) -> None:
    """Dies right before, or right after, the host does something."""
    original = getattr(BatchClient, method)

    async def fatal(self: BatchClient, *arguments: Any, **named: Any) -> Any:
        if after:
            await original(self, *arguments, **named)
        die()

    setattr(BatchClient, method, fatal)


def kill_while_downloading() -> None:
    original = BatchClient._lines

    async def fatal(self: BatchClient, chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes | None, None]:
        number = 0
        async for line in original(self, chunks):
            yield line
            number += 1
            if number == LINES_READ:
                die()

    BatchClient._lines = fatal  # type: ignore[method-assign]


POINTS = {
    "after upload": lambda: kill("upload", after=True),
    "before create": lambda: kill("create", after=False),
    "after create": lambda: kill("create", after=True),
    "before the first look": lambda: kill("retrieve", after=False),
    "while downloading": kill_while_downloading,
}


def ended(point: str, arguments: list[str]) -> int:
    """The exit code of a command in a process of its own; minus the signal that killed it."""
    child = os.fork()
    if child == 0:
        POINTS[point]()
        sys.argv = ["snapdrift", *arguments]
        main()
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    load_program()  # once for all
    print(json.dumps([ended(point, arguments) for point, arguments in json.loads(sys.argv[1])]))
