"""A bare endpoint for benchmarks: answers every request after a fixed time, in a process of its own.

python benchmarks/endpoint.py [--delay-ms 200] [--characters 200]

It speaks just enough HTTP/1.1 for `POST /v1/responses` and `GET /v1/models`, says in the stand-in's header that what it
answers is simulated, and costs some 0.05 ms of processor time a request, so that what is measured is the client. The
first line that it prints is its address.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO, cast

HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nx-snapdrift-standin: simulated\r\n"
    b"x-request-id: req_bench\r\nContent-Length: %d\r\n\r\n"
)
SENTENCE = "The parcel for order A-5521 has left the depot and will arrive on Tuesday before noon. "


def body_of(characters: int) -> bytes:
    """An answer of the Responses API with a text of so many characters."""
    text = (SENTENCE * (characters // len(SENTENCE) + 1))[:characters]
    content = [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}]
    message = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": content}
    usage = {
        "input_tokens": 40,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 50,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 90,
    }
    body = {
        "id": "resp_1",
        "object": "response",
        "created_at": 1_790_000_000,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "model": "gpt-4o-2024-08-06",
        "output": [message],
        "usage": usage,
        "service_tier": "default",
    }
    return json.dumps(body).encode()


class Exchange(asyncio.Protocol):
    """One connection. Requests come one after another; the answer to each is written after the delay."""

    def __init__(self, reply: bytes, delay: float) -> None:
        self._reply, self._delay = reply, delay
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps what answers are written to."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Takes the requests that are whole, and answers each when its time has come."""
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = self._received[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self._received) < end + 4 + length:
                return
            self._received = self._received[end + 4 + length :]
            delay = self._delay if head.startswith(b"post") else 0.0
            asyncio.get_running_loop().call_later(delay, self._answer)

    def _answer(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(self._reply)


async def serve(delay: float, characters: int) -> None:
    """Answers until the process is ended; prints the address first."""
    body = body_of(characters)
    reply = HEAD % len(body) + body
    server = await asyncio.get_running_loop().create_server(
        lambda: Exchange(reply, delay), "127.0.0.1", 0, backlog=2048
    )
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await server.serve_forever()


@contextmanager
def running(delay_ms: float = 200.0, characters: int = 200) -> Iterator[str]:
    """The address of an endpoint that runs in a process of its own, and ends with this."""
    command = [sys.executable, str(Path(__file__)), "--delay-ms", str(delay_ms), "--characters", str(characters)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield cast("TextIO", process.stdout).readline().strip()
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()


def main() -> None:
    """Serves with the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--delay-ms", type=float, default=200.0)
    parser.add_argument("--characters", type=int, default=200)
    options = parser.parse_args()
    asyncio.run(serve(options.delay_ms / 1000, options.characters))


if __name__ == "__main__":
    main()
