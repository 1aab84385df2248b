"""A small HTTP server on loopback that answers every request with what the test says, and keeps what it was sent."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


@dataclass
class Reply:
    status: int = 200
    body: str | bytes = ""
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    # "reset": closes without an answer; "cut": closes in the middle of the body; "stall": never answers; "stall in the
    # middle": never goes on; "gibberish": speaks another protocol
    fault: str = ""
    pieces: list[bytes] | None = None  # a body that is sent in chunks


@dataclass
class Sent:
    method: str
    path: str
    headers: dict[str, str]
    body: Any
    peer: Any = None  # address and port that it came from: one a connection


def streamed(*events: Any, **settings: Any) -> Reply:
    """A reply whose events are sent one by one; a mapping with a `type` is named by it, as the Responses API does."""
    return Reply(pieces=[_event(event) for event in events], **{"content_type": "text/event-stream", **settings})


def _event(event: Any) -> bytes:
    if isinstance(event, bytes):
        return event
    name = f"event: {event['type']}\n" if "type" in event else ""
    return f"{name}data: {json.dumps(event)}\n\n".encode()


class LoopbackHost:
    """The server. `script` is what it answers with first, `reply` from then on; `sent` is what it got."""

    def __init__(self) -> None:
        self.reply = Reply()
        self.script: list[Reply] = []
        self.sent: list[Sent] = []
        self.received = threading.Event()
        self.released = threading.Event()
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        self.base_url = f"http://127.0.0.1:{self._server.server_port}/v1"

    def take(self, sent: Sent) -> Reply:
        """Keep what was sent; says what it is answered with."""
        self.sent.append(sent)
        self.received.set()
        return self.script.pop(0) if self.script else self.reply

    def answers(self, body: Any, **settings: Any) -> None:
        """From now on, answers with `body` (JSON, or text as it is)."""
        self.reply = Reply(body=body if isinstance(body, str | bytes) else json.dumps(body), **settings)

    def streams(self, *events: Any, **settings: Any) -> None:
        """From now on, answers with these events, each JSON or bytes as they are."""
        self.reply = streamed(*events, **settings)

    def close(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, host: LoopbackHost) -> None:
        self.host = host
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # the faults break connections on purpose


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        text = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = json.loads(text) if text else None
        reply = self.server.host.take(Sent(self.command, self.path, headers, body, self.client_address))
        if reply.fault == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        elif reply.fault == "stall":
            self.server.host.released.wait(30)
        elif reply.fault == "gibberish":
            self.wfile.write(b"220 mail.example ready\r\n\r\n")
        elif reply.pieces is not None:
            self._send_pieces(reply, reply.pieces)
        else:
            self._send_whole(reply)
        self.close_connection = self.close_connection or bool(reply.fault)

    def _send_whole(self, reply: Reply) -> None:
        body = reply.body.encode() if isinstance(reply.body, str) else reply.body
        self._send_head(reply, {"content-length": str(len(body) + (100 if reply.fault == "cut" else 0))})
        self.wfile.write(body)

    def _send_pieces(self, reply: Reply, pieces: list[bytes]) -> None:
        """In chunks, each flushed; of a body that is cut, or that stalls, the last one is missing."""
        self._send_head(reply, {"transfer-encoding": "chunked"})
        for piece in pieces:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.flush()
        if reply.fault == "stall in the middle":
            self.server.host.released.wait(30)
        if not reply.fault:
            self.wfile.write(b"0\r\n\r\n")

    def _send_head(self, reply: Reply, length: dict[str, str]) -> None:
        self.send_response(reply.status)
        for name, value in {"content-type": reply.content_type, **length, **reply.headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_args: Any) -> None:
        pass


@pytest.fixture
def loopback() -> Iterator[LoopbackHost]:
    host = LoopbackHost()
    yield host
    host.close()
