"""The application: what is served where, by whom."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from snapdrift.model import HTTP_ENDPOINTS
from snapdrift.standin.api_errors import ApiError, unknown_url, wrong_method
from snapdrift.standin.batch_answers import LineAnswerer
from snapdrift.standin.batch_routes import BatchDesk
from snapdrift.standin.batches import BatchStore
from snapdrift.standin.config import StandinConfig
from snapdrift.standin.desk import AnsweringDesk
from snapdrift.standin.exchanges import Reception
from snapdrift.standin.fault_scripts import Faults
from snapdrift.standin.faults import FaultPlan
from snapdrift.standin.files import FileStore
from snapdrift.standin.http_replies import json_response, standard_headers
from snapdrift.standin.latency import Latency
from snapdrift.standin.log import RequestLog
from snapdrift.standin.ratelimits import RateLimiter
from snapdrift.standin.service import AnswerService, endpoint_path
from snapdrift.standin.stored_routes import StoredDesk
from snapdrift.standin.surroundings import Surroundings


def create_app(config: StandinConfig, surroundings: Surroundings) -> Starlette:
    """The application for a configuration. Raises `ConfigError` when a file that it names cannot be used."""
    service = AnswerService(config, surroundings.clock)
    log = RequestLog(config.log)
    reception = Reception(log)
    faults = Faults(FaultPlan.parse(config.faults), config.fault_rules, config.seed)
    files = FileStore(log)
    service.find_file = partial(_content, files)
    answers = AnsweringDesk(
        config,
        surroundings,
        service,
        reception,
        RateLimiter(config.limits, surroundings.clock),
        faults,
        Latency.parse(config.latency),
    )
    lines = LineAnswerer(service, reception, faults, config.seed)
    batches = BatchDesk(
        files,
        BatchStore(config.batches, files, lines, log, surroundings.clock),
        key=config.key,
        headers=standard_headers,
        drop=surroundings.drop,
        poll_after_ms=config.batches.poll_after_ms,
    )
    looks = StoredDesk(service, config.key, log)

    asks = [(f"/v1{endpoint_path(endpoint)}", answers.answering(endpoint)) for endpoint in HTTP_ENDPOINTS]
    routes = [
        *(Route(path, handler, methods=["POST"]) for path, handler in asks),
        *looks.routes(),
        *batches.routes(),
    ]
    handlers: dict[Any, Any] = {404: _not_found, 405: _not_allowed, ApiError: _refused, Exception: _defect}
    return Starlette(routes=routes, exception_handlers=handlers, lifespan=partial(_closing, log))


@asynccontextmanager
async def _closing(log: RequestLog, _: Starlette) -> AsyncIterator[None]:
    try:
        yield
    finally:
        log.close()


def _content(files: FileStore, file_id: str) -> bytes | None:
    try:
        return files.get(file_id).content
    except ApiError:
        return None


async def _refused(_: Request, error: Exception) -> Response:
    if not isinstance(error, ApiError):
        raise error
    return json_response(error.body, error.headers, error.status)


async def _not_found(request: Request, _: HTTPException) -> Response:
    return await _refused(request, unknown_url(request.method, request.url.path))


async def _not_allowed(request: Request, _: HTTPException) -> Response:
    return await _refused(request, wrong_method(request.method, request.url.path))


async def _defect(request: Request, error: Exception) -> Response:
    text = f"The stand-in itself failed, {type(error).__name__}: {error}. This is a defect in snapdrift."
    return await _refused(request, ApiError(500, text, kind="server_error", code="standin_defect"))
