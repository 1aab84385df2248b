"""What a judge is told: the rubric, from a YAML file under `graders/` or written in the suite."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    ValidationInfo,
    model_validator,
)

from snapdrift.graders.arguments import Tolerance, not_empty, one_or_more, plain_json
from snapdrift.graders.workspace_files import document_named
from snapdrift.model import Endpoint

PASS_FAIL_SCALE: Mapping[str, float] = {"fail": 0.0, "pass": 1.0}
PAIRWISE = "pairwise"
"""The mode of a rubric by which two answers are compared."""
DEFAULT_REQUEST: Mapping[str, Any] = {"temperature": 0, "max_output_tokens": 500}
_PINNED = re.compile(r"^ft:.+|.+-\d{4}-\d{2}-\d{2}$|.+-\d{4}$")


def loaded_rubric(value: Any, info: ValidationInfo) -> Any:
    """The rubric of a file, or the value itself where it is written in the suite. Raises `ValueError`."""
    return document_named(value, info) if isinstance(value, str) else value


def _as_scale(value: Any) -> Any:
    if value == "pass_fail":
        return dict(PASS_FAIL_SCALE)
    return value


def _checked_scale(scale: dict[str, float]) -> dict[str, float]:
    if len(set(scale.values())) < 2:
        raise ValueError("`pass_fail`, or labels with at least two different scores")
    return scale


def _checked_request(request: Any) -> Any:
    request = plain_json(request)
    text = request.get("text") if isinstance(request, dict) else None
    if not isinstance(request, dict) or (isinstance(text, dict) and "format" in text):
        raise ValueError("request settings without `text.format`, which is the verdict's own")
    return request


class JudgeSettings(BaseModel):
    """What every rubric has: criteria, the model that judges by them, and how it is asked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    criteria: Annotated[
        tuple[str, ...], AfterValidator(not_empty), BeforeValidator(one_or_more, json_schema_input_type=str | list[str])
    ]
    question: str | None = None
    model: Annotated[str, Field(min_length=1)]
    endpoint: Endpoint = Endpoint.RESPONSES
    host: str | None = None
    request: Annotated[Any, AfterValidator(_checked_request)] = Field(default_factory=dict)
    allow_alias: StrictBool = False

    @model_validator(mode="after")
    def _judge_is_pinned(self) -> Self:
        if not self.allow_alias and not _PINNED.match(self.model):
            raise ValueError(
                f"a pinned judge such as gpt-4o-2024-11-20; {self.model} is an alias that may change under the "
                "scores (`allow_alias: true` takes it anyway)"
            )
        return self

    @property
    def settings(self) -> dict[str, Any]:
        """Request settings with the defaults; null means that a setting is not sent."""
        merged = {**DEFAULT_REQUEST, **self.request}
        return {key: value for key, value in merged.items() if value is not None}


class Rubric(JudgeSettings):
    """Criteria, the model that judges by them, and the scale of its verdicts.

    `scale` maps each label to its score on the rubric's own scale; the lowest becomes 0 and the highest 1. A verdict
    passes at `pass_at` (by default the highest score).
    """

    scale: Annotated[
        dict[str, Tolerance],
        AfterValidator(_checked_scale),
        BeforeValidator(_as_scale, json_schema_input_type=str | dict[str, float]),
    ] = Field(default_factory=lambda: dict(PASS_FAIL_SCALE))
    pass_at: Tolerance | None = None

    @model_validator(mode="before")
    @classmethod
    def _judges_one_answer(cls, value: Any) -> Any:
        if isinstance(value, Mapping) and value.get("mode") == PAIRWISE:
            raise ValueError("a rubric for single answers; one of `mode: pairwise` is named by `pairwise:`")
        return value

    @property
    def is_pass_fail(self) -> bool:
        """Whether the scale is the two labels `pass` and `fail`."""
        return self.scale == PASS_FAIL_SCALE

    @property
    def ends(self) -> tuple[float, float]:
        """The lowest and the highest score of the scale."""
        return min(self.scale.values()), max(self.scale.values())

    def value(self, label: str) -> float:
        """A label's score in [0, 1]."""
        low, high = self.ends
        return (self.scale[label] - low) / (high - low)

    def passes(self, label: str) -> bool:
        """Whether the label counts as passed."""
        return self.scale[label] >= (self.ends[1] if self.pass_at is None else self.pass_at)
