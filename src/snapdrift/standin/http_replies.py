"""What every HTTP response of the stand-in has in common."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from snapdrift.model import Source

LABEL = "x-snapdrift-standin"
"""The header that says of every response that it is no measurement: `simulated` or `recorded`."""

JSON = "application/json"


def standard_headers(source: Source = Source.SIMULATED, processing_ms: int = 1) -> dict[str, str]:
    """The headers that every response has."""
    return {
        "x-request-id": f"req_{uuid.uuid4().hex}",
        "openai-version": "2020-10-01",
        "openai-organization": "snapdrift-standin",
        "openai-processing-ms": str(processing_ms),
        LABEL: source.value,
    }


def json_response(body: Mapping[str, Any], headers: Mapping[str, str] | None = None, status: int = 200) -> Response:
    """A body with the headers that every response has, and more."""
    return Response(json.dumps(body), status, headers={**standard_headers(), **(headers or {})}, media_type=JSON)
