"""Calls and the requests they are made of, with what each is known by."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from snapdrift.model.hashing import sha256
from snapdrift.model.words import Endpoint, Purpose


@dataclass(frozen=True, slots=True, order=True)
class CallKey:
    """Identity of a call within a run.

    `grader` is empty for an answer, else the name of the grader that has a judge asked about it, with what it needs
    the verdict for after a dot where it needs several (`helpful`, `helpful.2`).
    """

    case_id: str
    variant: str
    repeat: int
    grader: str = ""

    @property
    def judge(self) -> str:
        """The name of the grader that asks; empty for an answer. Names have no dots."""
        return self.grader.partition(".")[0]

    @property
    def purpose(self) -> Purpose:
        """Whether the call gets an answer or grades one."""
        return Purpose.JUDGE if self.grader else Purpose.ANSWER

    def __str__(self) -> str:
        judge = f"?judge={quote(self.grader, safe='')}" if self.grader else ""
        return f"{quote(self.variant, safe='')}/{quote(self.case_id, safe='')}/{self.repeat}{judge}"


@dataclass(frozen=True, slots=True)
class Call:
    """A planned call and its place in the order in which calls are made."""

    key: CallKey
    position: int


CLIENT_REQUEST_ID_LIMIT = 512
REQUEST_HASH_VERSION = 1


@dataclass(frozen=True, slots=True)
class ClientRequestId:
    """What `X-Client-Request-Id` says: `run:case:variant/repeat/step`, each percent-encoded.

    A case or variant name that would make it longer than the API takes (512 characters of ASCII) is replaced by
    `~` and its hash, so `case` and `variant` may be such a stand-in after `parse`.
    """

    run: str
    case: str
    variant: str
    repeat: int
    step: int

    def __str__(self) -> str:
        names = [quote(name, safe="") for name in (self.run, self.case, self.variant)]
        room = CLIENT_REQUEST_ID_LIMIT - len(f"::/{self.repeat}/{self.step}")
        for index in (1, 2, 0):
            if sum(map(len, names)) > room:
                names[index] = "~" + hashlib.sha256(names[index].encode()).hexdigest()[:32]
        return f"{':'.join(names)}/{self.repeat}/{self.step}"

    @classmethod
    def parse(cls, text: str) -> ClientRequestId | None:
        """The parts of a header value, or None when it is not one of ours."""
        prefix, _, tail = text.partition("/")
        names, numbers = prefix.split(":"), tail.split("/")
        if len(names) != 3 or len(numbers) != 2 or not all(n.isascii() and n.isdigit() for n in numbers):
            return None
        run, case, variant = map(unquote, names)
        return cls(run, case, variant, int(numbers[0]), int(numbers[1]))


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request to be made for a call. `body` is exactly what is sent, `base_url` where to."""

    call: CallKey
    step: int
    endpoint: Endpoint
    base_url: str
    body: Mapping[str, Any]
    client_request_id: str

    @property
    def hash_inputs(self) -> dict[str, Any]:
        """What makes two requests the same: never a name. Of a judge's votes each is a request of its own."""
        _, _, need = self.call.grader.partition(".")
        return {
            **({"need": need} if need else {}),
            "version": REQUEST_HASH_VERSION,
            "base_url": self.base_url,
            "endpoint": self.endpoint.value,
            "body": dict(self.body),
            "repeat": self.call.repeat,
            "step": self.step,
        }

    @property
    def hash(self) -> str:
        """The versioned identity of the request, `1:<sha256>`."""
        return f"{REQUEST_HASH_VERSION}:{sha256(self.hash_inputs)}"
