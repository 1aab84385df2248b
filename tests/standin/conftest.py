"""Stand-in servers for tests: real sockets, in a thread of this process."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import openai
import pytest
from uvicorn import Server

from snapdrift.standin.config import StandinConfig
from snapdrift.standin.server import serve

Start = Callable[..., str]
Connect = Callable[..., openai.OpenAI]


@pytest.fixture(scope="module")
def start() -> Iterator[Start]:
    """Starts a server for the fields of a `StandinConfig`; returns its base URL."""
    with ExitStack() as stack:

        def starter(**fields: Any) -> str:
            started = threading.Event()
            urls: list[str] = []
            servers: list[Server] = []

            def announce(base_url: str) -> None:
                urls.append(base_url)
                started.set()

            thread = threading.Thread(target=serve, args=(StandinConfig.checked(fields), 0, announce, servers.append))
            thread.start()

            def end() -> None:
                servers[0].should_exit = True
                thread.join(timeout=30)

            stack.callback(end)
            assert started.wait(timeout=30)
            return urls[0]

        yield starter


@pytest.fixture(scope="module")
def connect() -> Iterator[Connect]:
    """The official SDK's client for a base URL, its own retries off."""
    with ExitStack() as stack:

        def connecter(base_url: str, **settings: Any) -> openai.OpenAI:
            fields = {"api_key": "sk-test", "max_retries": 0, "timeout": 30, **settings}
            return stack.enter_context(openai.OpenAI(base_url=base_url, **fields))

        yield connecter


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    """A JSONL file (compressed when its name ends in .gz) of the rows."""
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.fixture(scope="session")
def rows_file() -> Callable[[Path, list[dict[str, Any]]], Path]:
    """Writes JSONL."""
    return write_rows
