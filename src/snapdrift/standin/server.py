"""Serves the application on loopback, and announces where."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from snapdrift.errors import ConfigError
from snapdrift.standin.config import StandinConfig

if TYPE_CHECKING:
    from uvicorn import Server

LOOPBACK = "127.0.0.1"
_KEEP_ALIVE_SECONDS = 75
"""Longer than clients keep idle connections (the SDK: 5 s), so that the server is never the one to close first."""
_BACKLOG = 1024
_GRACE_SECONDS = 1


def announcement(base_url: str) -> str:
    """The line of JSON that says where a server listens."""
    return json.dumps({"base_url": base_url})


def listen(port: int) -> socket.socket:
    """A socket that listens on loopback, on a free port when `port` is 0; raises `ConfigError` when it is taken."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
        listener.listen(_BACKLOG)
    except (OSError, OverflowError) as error:
        listener.close()
        raise ConfigError(f"port {port} of {LOOPBACK}: {error}; expected a free port (0 picks one)") from error
    return listener


def make_server(config: StandinConfig, on_started: Callable[[], None]) -> Server:
    """A uvicorn server for the configuration; `on_started` is called once it answers. Raises `ConfigError`."""
    from uvicorn import Config, Server
    from uvicorn.protocols.http.h11_impl import H11Protocol

    from snapdrift.standin.app import create_app
    from snapdrift.standin.failing import end_connection
    from snapdrift.standin.surroundings import Surroundings

    class AnnouncingServer(Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets=sockets)
            on_started()

    def drop(scope: object, reset: bool) -> None:  # noqa: FBT001  the shape of `failing.Drop`
        client = scope["client"]  # type: ignore[index]
        for connection in server.server_state.connections:
            if isinstance(connection, H11Protocol) and connection.client == client:
                end_connection(connection.transport, reset=reset)
                return

    settings = Config(
        create_app(config, Surroundings(drop)),
        log_config=None,
        log_level="critical",
        access_log=False,
        lifespan="on",
        http=H11Protocol,
        ws="none",
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    server = AnnouncingServer(settings)
    return server


def serve(
    config: StandinConfig,
    port: int = 0,
    announce: Callable[[str], None] | None = None,
    on_server: Callable[[Server], None] | None = None,
) -> None:
    """Serves until a signal ends it.

    `announce` is called with the base URL (`http://127.0.0.1:PORT/v1`) once it answers. `on_server` is handed the
    server before it starts: setting `should_exit` ends it. Raises `ConfigError` when the port is taken or a file of
    the configuration cannot be used.
    """
    listener = listen(port)
    base_url = f"http://{LOOPBACK}:{listener.getsockname()[1]}/v1"
    try:
        server = make_server(config, lambda: announce(base_url) if announce else None)
        if on_server is not None:
            on_server(server)
        server.run(sockets=[listener])
    finally:
        listener.close()
