"""What the application needs of the world around it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from snapdrift.standin.failing import Drop


@dataclass(frozen=True, slots=True)
class Surroundings:
    """A clock in seconds, a way to wait, a way to drop a connection."""

    drop: Drop
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
