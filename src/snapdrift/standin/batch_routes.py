"""The routes of `/v1/files` and `/v1/batches`."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from snapdrift.standin.api_errors import invalid
from snapdrift.standin.batches import BatchStore
from snapdrift.standin.exchanges import check_key
from snapdrift.standin.failing import BAD_GATEWAY_PAGE, Drop, DroppedResponse
from snapdrift.standin.files import FileStore

Handler = Callable[[Request], Awaitable[Response]]
POLL_AFTER = "openai-poll-after-ms"
"""The header by which the API tells clients when to look again (SDK openai 3.54.0 follows it where it polls)."""


class BatchDesk:
    """Handlers over both stores. `headers` makes the headers that every response has; `key` is the one asked for."""

    def __init__(
        self,
        files: FileStore,
        batches: BatchStore,
        *,
        key: str | None,
        headers: Callable[[], dict[str, str]],
        drop: Drop,
        poll_after_ms: int | None,
    ) -> None:
        self._files, self._batches, self._key, self._headers, self._drop = files, batches, key, headers, drop
        self._poll = {} if poll_after_ms is None else {POLL_AFTER: str(poll_after_ms)}

    def routes(self) -> list[Route]:
        """Everything that is served."""
        table: list[tuple[str, str, Handler]] = [
            ("POST", "/v1/files", self._upload),
            ("GET", "/v1/files", self._list_files),
            ("GET", "/v1/files/{id}/content", self._content),
            ("GET", "/v1/files/{id}", self._file),
            ("DELETE", "/v1/files/{id}", self._delete_file),
            ("POST", "/v1/batches", self._create),
            ("GET", "/v1/batches", self._list_batches),
            ("GET", "/v1/batches/{id}", self._batch),
            ("POST", "/v1/batches/{id}/cancel", self._cancel),
        ]
        by_path: dict[str, dict[str, Handler]] = {}
        for method, path, handler in table:
            by_path.setdefault(path, {})[method] = handler
        return [Route(path, self._checked(handlers), methods=list(handlers)) for path, handlers in by_path.items()]

    def _checked(self, handlers: Mapping[str, Handler]) -> Handler:
        async def handle(request: Request) -> Response:
            check_key(request.headers, self._key)
            method = "GET" if request.method == "HEAD" else request.method
            return await handlers[method](request)

        return handle

    async def _upload(self, request: Request) -> Response:
        content_type = request.headers.get("content-type", "")
        return self._json(self._files.upload(content_type, await request.body()).to_json())

    async def _list_files(self, request: Request) -> Response:
        return self._json(self._files.page(request.query_params))

    async def _file(self, request: Request) -> Response:
        return self._json(self._files.get(request.path_params["id"]).to_json())

    async def _content(self, request: Request) -> Response:
        file = self._files.get(request.path_params["id"])
        return Response(file.content, headers=self._headers(), media_type="application/octet-stream")

    async def _delete_file(self, request: Request) -> Response:
        return self._json(self._files.delete(request.path_params["id"]))

    async def _create(self, request: Request) -> Response:
        batch = self._batches.create(_read(await request.body()))
        if batch.fate.created == "reset":
            return DroppedResponse(self._drop)
        if batch.fate.created == "bad_gateway":
            return Response(BAD_GATEWAY_PAGE, 502, headers=self._headers(), media_type="text/html")
        return self._json(self._batches.shown(batch), self._poll)

    async def _list_batches(self, request: Request) -> Response:
        return self._json(await self._batches.page(request.query_params))

    async def _batch(self, request: Request) -> Response:
        return self._json(self._batches.shown(await self._batches.get(request.path_params["id"])), self._poll)

    async def _cancel(self, request: Request) -> Response:
        return self._json(self._batches.shown(await self._batches.cancel(request.path_params["id"])), self._poll)

    def _json(self, body: dict[str, Any], more: Mapping[str, str] | None = None) -> Response:
        headers = {**self._headers(), **(more or {})}
        return Response(json.dumps(body), headers=headers, media_type="application/json")


def _read(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        raise invalid("We could not parse the JSON body of your request.") from None
