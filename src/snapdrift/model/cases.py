"""What is asked of what: the cases of a dataset and the variants that are compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from snapdrift.model.hashing import sha256
from snapdrift.model.words import Endpoint


@dataclass(frozen=True, slots=True)
class Case:
    """One row of a dataset. `variables` hold every column that has no meaning of its own (`messages` among them).

    `tool_results` says by tool name what a call gets back (`docs/design/suites.md`); None: tools are not carried out.
    """

    id: str
    variables: Mapping[str, Any] = field(default_factory=dict)
    expected: Any = None
    tags: tuple[str, ...] = ()
    cluster: str | None = None
    tool_results: Mapping[str, Any] | None = None

    @property
    def hash(self) -> str:
        """Identity of the content (not the id): cases of two runs pair only when it is equal."""
        results = [] if self.tool_results is None else [dict(self.tool_results)]
        return sha256([dict(self.variables), self.expected, *results])

    def context(self) -> dict[str, Any]:
        """What templates see: the variables, and the reserved columns under their own names."""
        reserved = {"id": self.id, "expected": self.expected, "tags": list(self.tags), "cluster": self.cluster}
        return {**self.variables, **reserved}


DEFAULT_MAX_STEPS = 8


@dataclass(frozen=True, slots=True)
class Variant:
    """What is compared: a model on an endpoint with request settings and a prompt.

    `request` is in the Responses API's names, without nulls, files inlined; `prompt` is the template as written
    (`{"instructions": ..., "input": ...}`); `host` names an entry of `snapdrift.toml`, None is OpenAI. `batch` sends it
    by the Batch API, `stream` as a stream. With the endpoint `python` or `outputs`, `target` is
    `PATH:FUNCTION` or the path of a file of answers, and `model` a name for people (`python:app/answer.py:answer`).
    `reasons` says that the model is known to reason before it answers: its reasoning is then carried from step to step.
    """

    name: str
    model: str
    endpoint: Endpoint
    request: Mapping[str, Any]
    prompt: Mapping[str, Any]
    host: str | None = None
    stream: bool = False
    batch: bool = False
    target: str | None = None
    max_steps: int = DEFAULT_MAX_STEPS
    reasons: bool = False
