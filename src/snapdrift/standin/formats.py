"""The form of answer that a request asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from snapdrift.model import Endpoint
from snapdrift.standin.api_errors import ApiError, invalid
from snapdrift.standin.messages import check_value
from snapdrift.standin.strict_schemas import check_schema


class FormatKind(StrEnum):
    """What form of answer was asked for."""

    TEXT = "text"
    JSON_OBJECT = "json_object"
    JSON_SCHEMA = "json_schema"


@dataclass(frozen=True, slots=True)
class AnswerFormat:
    """The form asked for; `schema` only with `JSON_SCHEMA`."""

    kind: FormatKind = FormatKind.TEXT
    name: str = ""
    schema: Mapping[str, Any] | None = None
    strict: bool = False
    description: str | None = None


def read_format(endpoint: Endpoint, body: Mapping[str, Any], *, knows_schemas: bool) -> AnswerFormat:
    """The form that a body asks for. Raises the API's error, also for a schema where the model knows none."""
    place = "response_format" if endpoint is Endpoint.CHAT else "text.format"
    raw = body.get("response_format") if endpoint is Endpoint.CHAT else (body.get("text") or {}).get("format")
    if raw is None:
        return AnswerFormat()
    kind = raw.get("type") if isinstance(raw, Mapping) else raw
    check_value(f"{place}.type", kind, tuple(FormatKind))
    if kind != FormatKind.JSON_SCHEMA:
        return AnswerFormat(FormatKind(str(kind)))
    if not knows_schemas:
        message = f"Invalid parameter: '{place}' of type 'json_schema' is not supported with this model."
        raise invalid(message, param=place)
    if endpoint is Endpoint.CHAT:
        place, raw = f"{place}.json_schema", raw.get("json_schema")
        if not isinstance(raw, Mapping):
            raise _missing(place)
    for name in ("name", "schema"):
        if not raw.get(name):
            raise _missing(f"{place}.{name}")
    strict, description = bool(raw.get("strict")), raw.get("description")
    what = f"response_format '{raw['name']}'"
    check_schema(what, raw["schema"], f"{place}.schema", "invalid_json_schema", strict=strict)
    return AnswerFormat(FormatKind.JSON_SCHEMA, raw["name"], raw["schema"], strict, description)


def refuse_json_object(endpoint: Endpoint, prompt_key: str) -> ApiError:
    """The error for JSON mode when the word does not occur in the messages."""
    if endpoint is Endpoint.CHAT:
        where, asked = "'messages'", "'response_format' of type 'json_object'"
    else:
        where, asked = "Response input messages", "'text.format' of type 'json_object'"
    return invalid(f"{where} must contain the word 'json' in some form, to use {asked}.", param=prompt_key)


def _missing(place: str) -> ApiError:
    return invalid(f"Missing required parameter: '{place}'.", param=place, code="missing_required_parameter")
