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
    fault: str = (
        ""  # "reset": closes without an answer; "cut": closes in the middle of the body; "stall": never answers
    )


@dataclass
class Sent:
    method: str
    path: str
    headers: dict[str, str]
    body: Any


class LoopbackHost:
    """The server. `reply` is what it answers with next and from then on; `sent` what it got."""

    def __init__(self) -> None:
        self.reply = Reply()
        self.sent: list[Sent] = []
        self.received = threading.Event()
        self.released = threading.Event()
        host = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self._answer()

            def do_GET(self) -> None:
                self._answer()

            def _answer(self) -> None:
                text = self.rfile.read(int(self.headers.get("content-length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                host.sent.append(Sent(self.command, self.path, headers, json.loads(text) if text else None))
                host.received.set()
                reply = host.reply
                if reply.fault == "reset":
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self.close_connection = True
                    self.connection.close()
                    return
                if reply.fault == "stall":
                    host.released.wait(30)
                    self.close_connection = True
                    return
                if reply.fault == "gibberish":
                    self.wfile.write(b"220 mail.example ready\r\n\r\n")
                    self.close_connection = True
                    return
                body = reply.body.encode() if isinstance(reply.body, str) else reply.body
                self.send_response(reply.status)
                self.send_header("content-type", reply.content_type)
                self.send_header("content-length", str(len(body) + (100 if reply.fault == "cut" else 0)))
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)
                self.close_connection = self.close_connection or reply.fault == "cut"

            def log_message(self, *_args: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass  # the faults above break connections on purpose

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        self.base_url = f"http://127.0.0.1:{self._server.server_port}/v1"

    def answers(self, body: Any, **settings: Any) -> None:
        """From now on, answers with `body` (JSON, or text as it is)."""
        self.reply = Reply(body=body if isinstance(body, str | bytes) else json.dumps(body), **settings)

    def close(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def loopback() -> Iterator[LoopbackHost]:
    host = LoopbackHost()
    yield host
    host.close()
