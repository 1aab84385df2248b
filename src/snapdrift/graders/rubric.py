"""What a judge is told: the rubric, from a YAML file under `graders/` or written in the suite."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    Strict,
    StrictBool,
    ValidationInfo,
    model_serializer,
    model_validator,
)
from pydantic.fields import FieldInfo

from snapdrift.graders.arguments import Tolerance, not_empty, one_or_more, plain_json
from snapdrift.graders.workspace_files import document_named
from snapdrift.model import Endpoint

PASS_FAIL_SCALE: Mapping[str, float] = {"fail": 0.0, "pass": 1.0}
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


class Sight(StrEnum):
    """What a judge may be shown."""

    QUESTION = "question"
    ANSWER = "answer"
    CONTEXT = "context"
    TOOLS = "tools"
    IMAGES = "images"


def _with_the_answer(sees: tuple[Sight, ...]) -> tuple[Sight, ...]:
    if Sight.ANSWER not in sees or len(set(sees)) < len(sees):
        raise ValueError("`answer` among them, and each once")
    return sees


class JudgeSettings(BaseModel):
    """Who judges, by which criteria, and what the judge sees: the same for every kind of judge.

    Without `sees` a judge sees the answer, and `question` and `context` where those are given.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    criteria: Annotated[Any, AfterValidator(plain_json), BeforeValidator(one_or_more)] = Field(
        default=(),
        description="What the judge goes by: a text or a list of texts, which may be templates over the case.",
    )
    sees: Annotated[tuple[Sight, ...], AfterValidator(_with_the_answer)] | None = Field(
        default=None, description="What the judge is shown, of question, answer, context, tools and images."
    )
    question: str | None = Field(
        default=None, description="What the answer replies to, as a template; else the conversation that was asked."
    )
    context: str | None = Field(
        default=None, description="Further material to judge by, such as documents, as a template over the case."
    )
    examples: tuple[dict[str, Any], ...] = Field(
        default=(), description="Judged examples: material (`answer`, ...), the `verdict`, and the `reason` for it."
    )
    model: Annotated[str, Field(min_length=1)] = Field(description="The pinned model that judges.")
    endpoint: Endpoint = Field(default=Endpoint.RESPONSES, description="Which API it is asked by.")
    host: str | None = Field(default=None, description="A host of snapdrift.toml; without one OpenAI.")
    request: Annotated[Any, AfterValidator(_checked_request)] = Field(
        default_factory=dict,
        description="Settings over `{temperature: 0, max_output_tokens: 500}`; null sends nothing.",
    )
    votes: Annotated[int, Strict(), Field(ge=1, le=25)] = Field(
        default=1, description="How often the judge is asked about each answer."
    )
    allow_alias: StrictBool = Field(default=False, description="Takes a model's alias, which may change, as judge.")

    @model_validator(mode="after")
    def _judge_is_pinned(self) -> Self:
        if not self.allow_alias and not _PINNED.match(self.model):
            raise ValueError(
                f"a pinned judge such as gpt-4o-2024-11-20; {self.model} is an alias that may change under the "
                "scores (`allow_alias: true` takes it anyway)"
            )
        return self

    @model_serializer(mode="wrap")
    def _without_what_is_not_said(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A setting that came later and is at its default is left out, so that a rubric without it stays as it was."""
        dumped = dict(handler(self))
        fields = type(self).model_fields
        return {key: value for key, value in dumped.items() if key not in self.later or value != _plain(fields[key])}

    later: ClassVar[frozenset[str]] = frozenset({"sees", "context", "examples", "votes"})
    """Settings that are part of a grader's version only where they are set."""

    @property
    def settings(self) -> dict[str, Any]:
        """Request settings with the defaults; null means that a setting is not sent."""
        merged = {**DEFAULT_REQUEST, **self.request}
        return {key: value for key, value in merged.items() if value is not None}


def _plain(field: FieldInfo) -> Any:
    default = field.get_default(call_default_factory=True)
    return list(default) if isinstance(default, tuple) else default


class Rubric(JudgeSettings):
    """Criteria, the model that judges by them, and the scale of its verdicts.

    `scale` maps each label to its score on the rubric's own scale; the lowest becomes 0 and the highest 1. A verdict
    passes at `pass_at` (by default the highest score).
    """

    criteria: Annotated[
        tuple[str, ...], AfterValidator(not_empty), BeforeValidator(one_or_more, json_schema_input_type=str | list[str])
    ]
    scale: Annotated[
        dict[str, Tolerance],
        AfterValidator(_checked_scale),
        BeforeValidator(_as_scale, json_schema_input_type=str | dict[str, float]),
    ] = Field(default_factory=lambda: dict(PASS_FAIL_SCALE))
    pass_at: Tolerance | None = None

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
