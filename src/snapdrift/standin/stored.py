"""Answers that were stored: to be retrieved, to be deleted, and to be carried on by `previous_response_id`."""

from __future__ import annotations

import uuid
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from snapdrift.standin.api_errors import ApiError

MOST_STORED = 4_096
"""The oldest are forgotten beyond that; the real service keeps them for 30 days."""


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """A stored body. `sent` are the messages of its own request, `conversation` all that was said up to its end."""

    body: Mapping[str, Any]
    sent: tuple[Mapping[str, Any], ...]
    conversation: tuple[Mapping[str, Any], ...]


class StoredAnswers:
    """Stored answers by id, the newest `most`. Items of responses can be named by their ids as well."""

    def __init__(self, most: int = MOST_STORED) -> None:
        self._most = most
        self._answers: OrderedDict[str, StoredAnswer] = OrderedDict()
        self._items: dict[str, Mapping[str, Any]] = {}

    def keep(
        self, body: Mapping[str, Any], messages: Sequence[Mapping[str, Any]], own: int, output: Sequence[Any] = ()
    ) -> None:
        """Stores a body under its id. The last `own` messages were those of its request; `output` is what it adds."""
        sent = tuple(_identified(item) for item in messages[len(messages) - own :])
        earlier = tuple(messages[: len(messages) - own])
        self._answers[str(body["id"])] = StoredAnswer(body, sent, (*earlier, *sent, *output))
        self._items |= {str(item["id"]): item for item in (*sent, *output) if "id" in item}
        while len(self._answers) > self._most:
            self._forget(next(iter(self._answers)))

    def _forget(self, answer_id: str) -> None:
        gone = self._answers.pop(answer_id)
        for item in (*gone.sent, *gone.body.get("output", ())):
            self._items.pop(str(item.get("id")), None)

    @property
    def item_ids(self) -> Collection[str]:
        """The ids of every stored item."""
        return self._items.keys()

    def item(self, item: Mapping[str, Any]) -> Mapping[str, Any]:
        """The stored item that a reference names; any other item is returned as it is."""
        return self._items[str(item["id"])] if item.get("type") == "item_reference" else item

    def conversation(self, previous_id: str | None) -> tuple[Mapping[str, Any], ...]:
        """All that was said up to the end of a stored response; its instructions are not part of it.

        Raises the API's error for one that is not stored.
        """
        if not previous_id:
            return ()
        found = self._answers.get(previous_id)
        if found is None or found.body.get("object") != "response":
            message = f"Previous response with id '{previous_id}' not found."
            raise ApiError(400, message, param="previous_response_id", code="previous_response_not_found")
        return found.conversation

    def get(self, answer_id: str, kind: str) -> StoredAnswer:
        """A stored answer of a kind (`response`, `chat.completion`); raises the API's 404."""
        found = self._answers.get(answer_id)
        if found is None or found.body.get("object") != kind:
            if kind == "response":
                raise ApiError(404, f"Response with id '{answer_id}' not found.")
            raise ApiError(404, f"Completion '{answer_id}' not found.", code="not_found")
        return found

    def all_of(self, kind: str) -> list[StoredAnswer]:
        """Every stored answer of a kind, oldest first."""
        return [answer for answer in self._answers.values() if answer.body.get("object") == kind]

    def replace_metadata(self, answer_id: str, kind: str, metadata: Mapping[str, Any]) -> StoredAnswer:
        """Gives a stored answer other metadata; raises the API's 404."""
        old = self.get(answer_id, kind)
        self._answers[answer_id] = StoredAnswer({**old.body, "metadata": dict(metadata)}, old.sent, old.conversation)
        return self._answers[answer_id]

    def delete(self, answer_id: str, kind: str) -> None:
        """Forgets a stored answer and its items; raises the API's 404."""
        self.get(answer_id, kind)
        self._forget(answer_id)


def _identified(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """The message with an id of its own, as stored ones have."""
    if "id" in item:
        return item
    prefixes = {"function_call": "fc", "function_call_output": "fco", "reasoning": "rs"}
    kind = str(item.get("type", "message"))
    return {**item, "id": f"{prefixes.get(kind, 'msg')}_{uuid.uuid4().hex}"}
