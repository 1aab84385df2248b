"""What every kind of judge is told of: who judges, by which criteria, and what it sees. The base of their settings."""

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
    model_serializer,
    model_validator,
)
from pydantic.fields import FieldInfo

from snapdrift.graders.arguments import one_or_more, plain_json
from snapdrift.model import Endpoint, Variant

DEFAULT_REQUEST: Mapping[str, Any] = {"temperature": 0, "max_output_tokens": 500}
MOST_VOTES = 25
_PINNED = re.compile(r"^ft:.+|.+-\d{4}-\d{2}-\d{2}$|.+-\d{4}$")


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


_ORDER = (Sight.QUESTION, Sight.CONTEXT, Sight.TOOLS, Sight.ANSWER, Sight.IMAGES)
"""The answer stands last of the texts: it is what the verdict is about."""


class Example(BaseModel):
    """Material that was judged: what of it there was, the verdict (by criterion where there are several), and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    question: Annotated[Any, AfterValidator(plain_json)] = None
    context: Annotated[Any, AfterValidator(plain_json)] = None
    tools: Annotated[Any, AfterValidator(plain_json)] = None
    answer: Annotated[Any, AfterValidator(plain_json)]
    reason: str
    verdict: Annotated[Any, AfterValidator(plain_json)]


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
    examples: tuple[Example, ...] = Field(
        default=(), description="Judged examples: material (`answer`, ...), the `verdict`, and the `reason` for it."
    )
    model: Annotated[str, Field(min_length=1)] = Field(description="The pinned model that judges.")
    endpoint: Endpoint = Field(default=Endpoint.RESPONSES, description="Which API it is asked by.")
    host: str | None = Field(default=None, description="A host of snapdrift.toml; without one OpenAI.")
    request: Annotated[Any, AfterValidator(_checked_request)] = Field(
        default_factory=dict,
        description="Settings over `{temperature: 0, max_output_tokens: 500}`; null sends nothing.",
    )
    votes: Annotated[int, Strict(), Field(ge=1, le=MOST_VOTES)] = Field(
        default=1, description="How often the judge is asked about each answer."
    )
    allow_alias: StrictBool = Field(default=False, description="Takes a model's alias, which may change, as judge.")
    allow_retiring: StrictBool = Field(
        default=False, description="Takes a judge that is shut down, or will be within 30 days."
    )

    @model_validator(mode="after")
    def _judge_is_pinned(self) -> Self:
        if not self.allow_alias and not _PINNED.match(self.model):
            raise ValueError(
                f"a pinned judge such as gpt-4o-2024-11-20; {self.model} is an alias that may change under the "
                "scores (`allow_alias: true` takes it anyway)"
            )
        return self

    @model_validator(mode="after")
    def _shows_what_it_has(self) -> Self:
        for name, template in (("question", self.question), ("context", self.context)):
            if template is not None and Sight(name) not in self.shown:
                raise ValueError(f"`{name}` among what the judge `sees`, since it is given")
        if Sight.CONTEXT in self.shown and self.context is None:
            raise ValueError("`context`, a template, for a judge that sees it")
        return self

    @model_serializer(mode="wrap")
    def _without_what_is_not_said(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A setting that came later and is at its default is left out, so that a rubric without it stays as it was."""
        dumped = dict(handler(self))
        fields = type(self).model_fields
        return {key: value for key, value in dumped.items() if key not in self.later or value != _plain(fields[key])}

    later: ClassVar[frozenset[str]] = frozenset({"sees", "context", "examples", "votes", "allow_retiring"})
    """Settings that are part of a grader's version only where they are set."""

    @property
    def defaults(self) -> Mapping[str, Any]:
        """Request settings where nothing else is said."""
        return DEFAULT_REQUEST

    @property
    def settings(self) -> dict[str, Any]:
        """Request settings with the defaults; null means that a setting is not sent."""
        merged = {**self.defaults, **self.request}
        return {key: value for key, value in merged.items() if value is not None}

    def variant(self, name: str, verdict_format: Mapping[str, Any]) -> Variant:
        """The judge of a grader as something to call, which replies in the Structured Output format."""
        return Variant(
            name=f"judge {name}",
            model=self.model,
            endpoint=self.endpoint,
            request={**self.settings, "text": {**self.settings.get("text", {}), "format": dict(verdict_format)}},
            prompt={},
            host=self.host,
        )

    @property
    def shown(self) -> tuple[Sight, ...]:
        """What the judge is shown, in the order in which it is."""
        sees = self.sees or tuple(
            sight
            for sight in Sight
            if sight is Sight.ANSWER
            or (sight is Sight.QUESTION and self.question is not None)
            or (sight is Sight.CONTEXT and self.context is not None)
        )
        return tuple(sight for sight in _ORDER if sight in sees)


def scoring_settings(entry: Mapping[str, Any], argument: str) -> dict[str, Any]:
    """What of a judge's settings can change a score: not whether a model is let judge that is shut down soon."""
    rubric = {key: value for key, value in entry[argument].items() if key != "allow_retiring"}
    return {**entry, argument: rubric}


def _plain(field: FieldInfo) -> Any:
    default = field.get_default(call_default_factory=True)
    return list(default) if isinstance(default, tuple) else default
