"""A TCP proxy that breaks connections in every way in which they break between a program and a provider."""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from enum import StrEnum, auto
from types import TracebackType
from typing import Self


class Cut(StrEnum):
    """How the way back of a request breaks. The host has answered each time: what it costs is owed."""

    RESET_BEFORE_HEADERS = auto()
    RESET_IN_HEADERS = auto()
    RESET_IN_BODY = auto()
    CLOSED_BEFORE_HEADERS = auto()
    CLOSED_IN_BODY = auto()
    STALL = auto()
    STALL_IN_BODY = auto()
    DRIP = auto()
    """The whole answer, in pieces with pauses between them."""
    CLOSED_WHEN_IDLE = auto()
    """The whole answer, and then the connection ends that was promised to stay."""


Chooser = Callable[[str, int], Cut | None]
"""What happens to a request: the id that the client gave it, and how often it was seen before (from 0)."""

PIECES = 20
PAUSE_S = 0.01


class CuttingProxy:
    """A context manager: forwards HTTP from `port` on loopback to a host, one thread a connection.

    `choose` cuts the way back of answering requests (POST); `before` is called with the number of each, from 1, before
    it is forwarded. `seen` counts them by the id that the client gave.
    """

    def __init__(self, base_url: str) -> None:
        found = re.fullmatch(r"http://([\d.]+):(\d+)(/.*)", base_url)
        assert found is not None
        self._upstream, self._path = (found[1], int(found[2])), found[3]
        self.choose: Chooser = lambda _id, _times: None
        self.before: Callable[[int], None] = lambda _number: None
        self.seen: Counter[str] = Counter()
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._listener: socket.socket | None = None
        self.port = 0

    @property
    def base_url(self) -> str:
        """Where clients ask."""
        return f"http://127.0.0.1:{self.port}{self._path}"

    def __enter__(self) -> Self:
        self.listen()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self.refuse()

    def listen(self) -> None:
        """Takes connections, on the port that it had before."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(256)
        self.port, self._listener = listener.getsockname()[1], listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def refuse(self) -> None:
        """The host is gone: open connections are reset, further ones refused."""
        listener, self._listener = self._listener, None
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits in `accept`
            listener.close()
        with self._lock:
            still_open = list(self._open)
        for connection in still_open:
            reset(connection)

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with self._lock:
                    self._open.add(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while (request := read_request(connection)) and self._answer(connection, request):
                pass
        with self._lock:
            self._open.discard(connection)
        connection.close()

    def _answer(self, connection: socket.socket, request: bytes) -> bool:
        """Sends one answer back, or what is to come of it; says whether the connection goes on."""
        cut = None
        if request.startswith(b"POST"):
            found = re.search(rb"(?i)\r\nx-client-request-id: *([^\r]*)", request)
            name = found[1].decode() if found else ""
            with self._lock:
                times, self.seen[name] = self.seen[name], self.seen[name] + 1
                number = self.seen.total()
            self.before(number)
            cut = self.choose(name, times)
        answer = self._forward(request)
        if cut is None:
            connection.sendall(answer)
            return True
        return self._break(connection, answer, cut)

    def _forward(self, request: bytes) -> bytes:
        """The host's whole answer. It is asked to close, which is how its end is known; the client is not told."""
        head, _, body = request.partition(b"\r\n\r\n")
        head = re.sub(rb"(?i)\r\nconnection:[^\r]*", b"", head) + b"\r\nConnection: close"
        with socket.create_connection(self._upstream) as upstream:
            upstream.sendall(head + b"\r\n\r\n" + body)
            pieces = list(iter(lambda: upstream.recv(65536), b""))
        head, _, body = b"".join(pieces).partition(b"\r\n\r\n")
        return re.sub(rb"(?i)\r\nconnection:[^\r]*", b"", head) + b"\r\n\r\n" + body

    def _break(self, connection: socket.socket, answer: bytes, cut: Cut) -> bool:
        head = answer.index(b"\r\n\r\n") + 4
        half = head + (len(answer) - head) // 2
        sent = {Cut.RESET_IN_HEADERS: head // 2, Cut.RESET_IN_BODY: half, Cut.CLOSED_IN_BODY: half}
        match cut:
            case Cut.DRIP:
                step = len(answer) // PIECES + 1
                for start in range(0, len(answer), step):
                    connection.sendall(answer[start : start + step])
                    time.sleep(PAUSE_S)
                return True
            case Cut.CLOSED_WHEN_IDLE:
                connection.sendall(answer)
            case Cut.STALL | Cut.STALL_IN_BODY:
                connection.sendall(answer[: half if cut is Cut.STALL_IN_BODY else 0])
                connection.recv(1)  # until the client hangs up
            case _:
                connection.sendall(answer[: sent.get(cut, 0)])
                if cut.startswith("reset"):
                    reset(connection)
        return False


def reset(connection: socket.socket) -> None:
    """Ends a connection with a reset, where closing would end it in order."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RD)  # wakes a thread that reads from it
        connection.close()


def read_request(connection: socket.socket) -> bytes:
    """The next request as it came, empty once the client has hung up."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return b""
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    found = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    missing = (int(found[1]) if found else 0) - len(body)
    while missing > 0:
        piece = connection.recv(missing)
        if not piece:
            return b""
        data, missing = data + piece, missing - len(piece)
    return data
