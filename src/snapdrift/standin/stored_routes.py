"""The routes of models, and of answers that were stored: retrieved, listed, changed and deleted."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from snapdrift.model import Endpoint
from snapdrift.standin.api_errors import ApiError, invalid
from snapdrift.standin.exchanges import check_key
from snapdrift.standin.http_replies import json_response
from snapdrift.standin.log import RequestLog
from snapdrift.standin.service import AnswerService

Answer = Callable[[Request, Any], Mapping[str, Any]]
_RESPONSE, _COMPLETION = "response", "chat.completion"
_LONGEST_PAGE = 100


class StoredDesk:
    """Handlers that look at what the service has; each is logged as `served`, with method, path and status."""

    def __init__(self, service: AnswerService, key: str | None, log: RequestLog) -> None:
        self._service, self._stored, self._key, self._log = service, service.stored, key, log

    def routes(self) -> list[Route]:
        """Everything that is served."""
        table: list[tuple[str, str, Answer]] = [
            ("GET", "/v1/models", self._models),
            ("GET", "/v1/models/{id:path}", self._model),
            ("POST", "/v1/responses/input_tokens", self._input_tokens),
            ("GET", "/v1/responses/{id}", self._response),
            ("DELETE", "/v1/responses/{id}", self._delete_response),
            ("GET", "/v1/responses/{id}/input_items", self._input_items),
            ("GET", "/v1/chat/completions", self._completions),
            ("GET", "/v1/chat/completions/{id}", self._completion),
            ("POST", "/v1/chat/completions/{id}", self._update_completion),
            ("DELETE", "/v1/chat/completions/{id}", self._delete_completion),
            ("GET", "/v1/chat/completions/{id}/messages", self._messages),
        ]
        by_path: dict[str, dict[str, Answer]] = {}
        for method, path, answer in table:
            by_path.setdefault(path, {})[method] = answer
        return [Route(path, self._handler(answers), methods=list(answers)) for path, answers in by_path.items()]

    def _handler(self, answers: Mapping[str, Answer]) -> Callable[[Request], Any]:
        async def handle(request: Request) -> Response:
            method = "GET" if request.method == "HEAD" else request.method
            raw = await request.body()
            status = 200
            try:
                check_key(request.headers, self._key)
                return json_response(answers[method](request, _read(raw)))
            except ApiError as error:
                status = error.status
                raise
            finally:
                self._log.write("served", {"method": request.method, "path": request.url.path, "status": status})

        return handle

    def _models(self, request: Request, body: Any) -> Mapping[str, Any]:  # noqa: ARG002  one shape for all
        models = self._service.models
        return {"object": "list", "data": [models.to_json(model) for model in models.ids()]}

    def _model(self, request: Request, body: Any) -> Mapping[str, Any]:  # noqa: ARG002
        return self._service.models.to_json(request.path_params["id"])

    def _input_tokens(self, request: Request, body: Any) -> Mapping[str, Any]:  # noqa: ARG002
        if not isinstance(body, Mapping):
            raise invalid("We could not parse the JSON body of your request.")
        question = self._service.read(Endpoint.RESPONSES, body)
        return {"object": "response.input_tokens", "input_tokens": self._service.input_tokens(question)}

    def _response(self, request: Request, body: Any) -> Mapping[str, Any]:  # noqa: ARG002
        return self._stored.get(request.path_params["id"], _RESPONSE).body

    def _delete_response(self, request: Request, body: Any) -> Mapping[str, Any]:  # noqa: ARG002
        self._stored.delete(request.path_params["id"], _RESPONSE)
        return {"id": request.path_params["id"], "object": "response", "deleted": True}

    def _input_items(self, request: Request, body: Any) -> Mapping[str, Any]:  # noqa: ARG002
        found = self._stored.get(request.path_params["id"], _RESPONSE)
        return _page(request, [shown_item(item) for item in found.sent], newest_first=True)

    def _completions(self, request: Request, body: Any) -> Mapping[str, Any]:  # noqa: ARG002
        bodies = [answer.body for answer in self._stored.all_of(_COMPLETION)]
        model = request.query_params.get("model")
        return _page(request, [found for found in bodies if model in (None, found["model"])])

    def _completion(self, request: Request, body: Any) -> Mapping[str, Any]:  # noqa: ARG002
        return self._stored.get(request.path_params["id"], _COMPLETION).body

    def _update_completion(self, request: Request, body: Any) -> Mapping[str, Any]:
        metadata = body.get("metadata") if isinstance(body, Mapping) else None
        if not isinstance(metadata, Mapping):
            raise invalid("Missing required parameter: 'metadata'.", param="metadata")
        return self._stored.replace_metadata(request.path_params["id"], _COMPLETION, metadata).body

    def _delete_completion(self, request: Request, body: Any) -> Mapping[str, Any]:  # noqa: ARG002
        self._stored.delete(request.path_params["id"], _COMPLETION)
        return {"id": request.path_params["id"], "object": "chat.completion.deleted", "deleted": True}

    def _messages(self, request: Request, body: Any) -> Mapping[str, Any]:  # noqa: ARG002
        found = self._stored.get(request.path_params["id"], _COMPLETION)
        return _page(request, [_shown_message(message) for message in found.sent])


def _read(raw: bytes) -> Any:
    try:
        return json.loads(raw) if raw else None
    except ValueError:
        return None


def _page(request: Request, entries: Sequence[Mapping[str, Any]], *, newest_first: bool = False) -> dict[str, Any]:
    """A list object: `limit` entries after the one named by `after`, in the `order` asked for."""
    order = request.query_params.get("order", "desc" if newest_first else "asc")
    if order not in ("asc", "desc"):
        raise invalid(f"Invalid value: '{order}'. Supported values are: 'asc', 'desc'.", param="order")
    limit = request.query_params.get("limit", "20")
    if not limit.isdigit() or not 1 <= int(limit) <= _LONGEST_PAGE:
        message = f"Invalid 'limit': expected an integer from 1 to {_LONGEST_PAGE}, but got '{limit}' instead."
        raise invalid(message, param="limit", code="invalid_value")
    listed = list(entries) if order == "asc" else list(reversed(entries))
    after = request.query_params.get("after")
    if after is not None:
        at = next((index for index, entry in enumerate(listed) if entry.get("id") == after), len(listed))
        listed = listed[at + 1 :]
    page = listed[: int(limit)]
    ends = {"first_id": page[0]["id"] if page else "", "last_id": page[-1]["id"] if page else ""}
    return {"object": "list", "data": page, **ends, "has_more": len(listed) > len(page)}


def shown_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """An input item as it is listed: a text as a part, images with their detail, everything with a status."""
    if item.get("type", "message") != "message":
        return {"status": "completed", **item}
    content = item.get("content")
    part = "output_text" if item.get("role") == "assistant" else "input_text"
    if isinstance(content, str):
        content = [{"type": part, "text": content}]
    shown = [_shown_part(entry) for entry in content or ()]
    return {"type": "message", "status": "completed", **item, "content": shown}


def _shown_part(part: Mapping[str, Any]) -> dict[str, Any]:
    defaults: dict[str, dict[str, Any]] = {
        "input_image": {"detail": "auto"},
        "output_text": {"annotations": [], "logprobs": []},
    }
    return {**defaults.get(str(part.get("type")), {}), **part}


def _shown_message(message: Mapping[str, Any]) -> dict[str, Any]:
    content = message.get("content")
    parts = content if isinstance(content, list) else None
    text = "".join(part.get("text", "") for part in parts) if parts is not None else content
    return {"refusal": None, **message, "content": text, "content_parts": parts}
