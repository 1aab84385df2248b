"""The signals that end a process: Ctrl-C, a CI's SIGTERM, the SIGHUP of a terminal that was closed."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio

_ENDING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
Handler = Callable[..., Any] | int | None


@contextmanager
def ended_as_by_ctrl_c() -> Iterator[None]:
    """Inside, each of the signals raises `KeyboardInterrupt`: files are closed, children ended, and the code is 130.

    A signal that this process was started to ignore (`nohup`) stays ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _ENDING}
    try:
        for number, handler in before.items():
            if handler is signal.SIG_DFL:
                signal.signal(number, signal.default_int_handler)
        yield
    finally:
        _restore(before)


@contextmanager
def stopping_on_signals(cancel: asyncio.Event) -> Iterator[None]:
    """The first of the signals sets `cancel`: what is in flight may finish. The next does what it did before."""
    import asyncio  # which `--help` needs none of

    loop = asyncio.get_running_loop()
    before: dict[signal.Signals, Handler] = {}

    def restore() -> None:
        for number in before:
            loop.remove_signal_handler(number)
        _restore(before)
        before.clear()

    def stop() -> None:
        cancel.set()
        restore()

    for number in _ENDING:
        handler = signal.getsignal(number)
        if number != signal.SIGINT and handler is signal.SIG_IGN:
            continue
        try:
            loop.add_signal_handler(number, stop)
        except (NotImplementedError, RuntimeError, ValueError):  # not the main thread, or a platform without them
            break
        before[number] = handler
    try:
        yield
    finally:
        restore()


class StopRequest:
    """Asks a run in another thread to stop, as Ctrl-C asks one in the main thread: what is in flight may finish."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made = False
        self._tell: Callable[[], object] | None = None

    def make(self) -> None:
        """Asks it to, from any thread; more than once is as once."""
        with self._lock:
            self._made = True
            if self._tell is not None:
                self._tell()

    @contextmanager
    def setting(self, cancel: asyncio.Event) -> Iterator[None]:
        """Inside, which is in the event loop that asks, `cancel` is set once the request is made."""
        import asyncio

        loop = asyncio.get_running_loop()
        with self._lock:
            self._tell = lambda: loop.call_soon_threadsafe(cancel.set)
            if self._made:
                cancel.set()
        try:
            yield
        finally:
            with self._lock:
                self._tell = None


def _restore(handlers: dict[signal.Signals, Handler]) -> None:
    for number, handler in handlers.items():
        if handler is not None:  # of a handler that was not installed from Python
            signal.signal(number, handler)
