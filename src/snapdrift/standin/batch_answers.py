"""From the lines of a batch to its output and error file: each line answered as the same request is answered live."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from snapdrift.model import HTTP_ENDPOINTS, Endpoint, Source
from snapdrift.standin.answering import BodyAnswer, answer_body
from snapdrift.standin.api_errors import invalid
from snapdrift.standin.batch_input import InputLine
from snapdrift.standin.batch_jobs import Batch
from snapdrift.standin.draws import digest
from snapdrift.standin.exchanges import Reception
from snapdrift.standin.failing import fault_error
from snapdrift.standin.fault_scripts import Faults
from snapdrift.standin.service import AnswerService, endpoint_path

ENDPOINTS = {f"/v1{endpoint_path(endpoint)}": endpoint for endpoint in HTTP_ENDPOINTS}
"""The endpoints of the Batch API that are served."""
LINE_LABEL = "x-snapdrift-standin"
"""The key beside `status_code` that says of one line whether its answer is recorded or simulated."""
_AT_ONCE = 50
_ENDINGS = {
    "batch_expired": "This request could not be executed before the completion window expired.",
    "batch_cancelled": "This request was not executed because the batch was cancelled.",
    "server_error": "The request failed without an answer. (simulated)",
}


@dataclass(slots=True)
class Written:
    """The lines of both files, in no order that means anything, and what the answered ones used."""

    output: list[bytes] = field(default_factory=list)
    errors: list[bytes] = field(default_factory=list)
    completed: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0

    @property
    def usage(self) -> dict[str, Any]:
        """The batch's usage, in the words of the Responses API."""
        return {
            "input_tokens": self.input_tokens,
            "input_tokens_details": {"cached_tokens": self.cached_tokens},
            "output_tokens": self.output_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": self.input_tokens + self.output_tokens,
        }


class LineAnswerer:
    """Answers the lines of batches; each is logged like a request, under its custom id."""

    def __init__(self, service: AnswerService, reception: Reception, faults: Faults, seed: int) -> None:
        self._service, self._reception, self._faults, self._seed = service, reception, faults, seed

    async def answer(self, batch: Batch, number: int, unanswered: str) -> Written:
        """Answers the first `number` lines; the others end with the code `unanswered`. Others are served meanwhile."""
        written = Written()
        endpoint = ENDPOINTS[batch.endpoint]
        order = sorted(batch.lines, key=lambda line: self._draw(batch, "order", line.custom_id))
        dumb = {line.custom_id for line in order[: batch.fate.no_response]}
        lost = {line.custom_id for line in order[batch.fate.no_response :][: batch.fate.lost]}
        for index, line in enumerate(batch.lines):
            if index % _AT_ONCE == 0:
                await asyncio.sleep(0)
            if line.custom_id in lost:
                continue
            if line.custom_id in dumb or index >= number:
                code = "server_error" if line.custom_id in dumb else unanswered
                written.errors.append(_line(line.custom_id, None, code))
            else:
                self._answer_line(line, endpoint, written)
        self._mar(batch, written)
        for lines in (written.output, written.errors):
            lines.sort(key=lambda text: self._draw(batch, "shuffle", text.decode("utf-8", "replace")))
        return written

    def _answer_line(self, line: InputLine, endpoint: Endpoint, written: Written) -> None:
        exchange = self._reception.receive(endpoint, line.custom_id, json.dumps(line.body).encode())
        struck = self._faults.strike(exchange.incident)
        exchange.fault = struck.fault if struck else None
        error = fault_error(exchange.fault, line.model, None) if exchange.fault else None
        if line.body.get("stream"):
            error = invalid("Streaming is not available in batches.", param="stream", code="unsupported_parameter")
        if error is not None:
            answer = BodyAnswer(error.status, error.body, Source.SIMULATED)
        else:
            answer = answer_body(self._service, endpoint, line.body, line.custom_id)
        said = answer.body.get("error") or {}
        exchange.finished(answer.status, answer.source.value, said.get("code") if answer.status != 200 else None)
        if answer.status == 200:
            written.completed += 1
            _add_usage(written, answer.body)
            written.output.append(_line(line.custom_id, answer))
        else:
            written.errors.append(_line(line.custom_id, answer))

    def _mar(self, batch: Batch, written: Written) -> None:
        """Does to the output file what the batch's fate says."""
        fate, chosen = batch.fate, sorted(written.output, key=lambda text: self._draw(batch, "mar", text.decode()))
        broken, kept = chosen[: fate.broken], chosen[fate.broken :]
        written.output = [text[: len(text) // 2] for text in broken] + kept + kept[: fate.twice]
        written.output += [_line(f"stranger-{number}", None, "server_error") for number in range(fate.strange)]

    def _draw(self, batch: Batch, what: str, text: str) -> bytes:
        return digest(what, self._seed, batch.number, text)


def joined(lines: Sequence[bytes]) -> bytes:
    """The content of a file of lines."""
    return b"".join(line + b"\n" for line in lines)


def _line(custom_id: str, answer: BodyAnswer | None, code: str | None = None) -> bytes:
    identity = digest("batch request", custom_id).hex()
    entry: dict[str, Any] = {"id": f"batch_req_{identity}", "custom_id": custom_id, "response": None, "error": None}
    if answer is not None:
        label = {LINE_LABEL: answer.source.value}
        entry["response"] = {
            "status_code": answer.status,
            "request_id": f"req_{identity}",
            **label,
            "body": answer.body,
        }
    else:
        entry["error"] = {"code": code, "message": _ENDINGS.get(code or "", "")}
    try:
        return json.dumps(entry, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # lone surrogates exist as escapes only
        return json.dumps(entry).encode()


def _add_usage(written: Written, body: dict[str, Any]) -> None:
    usage = body.get("usage") or {}
    inputs = usage.get("input_tokens_details") or usage.get("prompt_tokens_details") or {}
    written.input_tokens += usage.get("input_tokens", usage.get("prompt_tokens", 0))
    written.cached_tokens += inputs.get("cached_tokens", 0)
    written.output_tokens += usage.get("output_tokens", usage.get("completion_tokens", 0))
