"""One request as it arrives: who asks, which attempt it is, and its lines in the request log."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from snapdrift.model import CLIENT_REQUEST_ID_LIMIT, ClientRequestId, Endpoint
from snapdrift.standin.api_errors import invalid, missing_key, wrong_key
from snapdrift.standin.draws import digest
from snapdrift.standin.fault_scripts import Incident
from snapdrift.standin.faults import Fault
from snapdrift.standin.log import RequestLog

BATCH_PATH = "/v1/batches"
"""What the log has as the path of a line of a batch."""

_NOT_JSON = (
    "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP library "
    "correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON.)"
)


@dataclass(slots=True)
class Exchange:
    """A request and its fate. A `body` that is None was no JSON.

    `arrival` counts the requests of a call from 0, `number` those of the server from 1.
    """

    endpoint: Endpoint
    client_request_id: str | None
    caller: ClientRequestId | None
    body: dict[str, Any] | None
    call: str
    arrival: int
    number: int
    path: str
    fault: Fault | None = None
    log: RequestLog = field(repr=False, default_factory=lambda: RequestLog(None))

    @property
    def incident(self) -> Incident:
        """The request as rules about faults see it."""
        model = (self.body or {}).get("model")
        return Incident(self.number, self.call, self.arrival, self.caller, model, self.endpoint)

    def checked_body(self) -> dict[str, Any]:
        """The body; raises the API's error where there is none, or the request id is not one the API takes."""
        name = self.client_request_id
        if name is not None and (len(name) > CLIENT_REQUEST_ID_LIMIT or not name.isascii()):
            raise invalid("Invalid 'X-Client-Request-Id': expected at most 512 ASCII characters.", code="invalid_value")
        if self.body is None:
            raise invalid(_NOT_JSON)
        return self.body

    def received(self) -> None:
        """Logs that the request came."""
        self.log.write("received", self._fields())

    def finished(self, status: int, source: str, error: str | None = None) -> None:
        """Logs how it was answered; status 0 is a dropped connection."""
        fault = self.fault.value if self.fault else None
        self.log.write(
            "finished", {**self._fields(), "status": status, "source": source, "fault": fault, "error": error}
        )

    def _call_name(self) -> str | None:
        """The call that the request belongs to: its steps and attempts have the same."""
        caller = self.caller
        return f"{caller.case}/{caller.variant}/{caller.repeat}" if caller else None

    def _fields(self) -> dict[str, Any]:
        caller = self.caller
        return {
            "method": "POST",
            "path": self.path,
            "client_request_id": self.client_request_id,
            "run": caller.run if caller else None,
            "case": caller.case if caller else None,
            "variant": caller.variant if caller else None,
            "repeat": caller.repeat if caller else None,
            "step": caller.step if caller else None,
            "model": (self.body or {}).get("model"),
            "endpoint": self.endpoint.value,
            "arrival": self.arrival,
            "attempt": self.arrival + 1,
            "call": self._call_name(),
        }


class Reception:
    """Makes exchanges of requests and counts the arrivals of each call."""

    def __init__(self, log: RequestLog) -> None:
        self._log = log
        self._arrivals: Counter[str] = Counter()
        self._number = 0

    def receive(
        self, endpoint: Endpoint, client_request_id: str | None, raw: bytes, path: str | None = None
    ) -> Exchange:
        """Reads a request and logs it. A call is known by its request id, else by what is asked.

        `path` None is a line of a batch.
        """
        try:
            body = json.loads(raw)
        except ValueError:
            body = None
        body = body if isinstance(body, dict) else None
        call = client_request_id or digest(endpoint.value, raw.decode("utf-8", "replace")).hex()
        arrival = self._arrivals[call]
        self._arrivals[call] += 1
        caller = ClientRequestId.parse(client_request_id) if client_request_id else None
        self._number += 1
        exchange = Exchange(
            endpoint, client_request_id, caller, body, call, arrival, self._number, path or BATCH_PATH, log=self._log
        )
        exchange.received()
        return exchange


def check_key(headers: Mapping[str, str], key: str | None) -> None:
    """Raises the API's 401 where no key comes, or another one than `key` (None: any will do)."""
    scheme, _, given = headers.get("authorization", "").partition(" ")
    given = given.strip()
    if scheme.lower() != "bearer" or not given:
        raise missing_key()
    if key is not None and given != key:
        raise wrong_key(given)
