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

from snapdrift.graders.arguments import Tolerance, one_or_more, plain_json
from snapdrift.graders.workspace_files import document_named
from snapdrift.model import Endpoint

PASS_FAIL_SCALE: Mapping[str, float] = {"fail": 0.0, "pass": 1.0}
DEFAULT_REQUEST: Mapping[str, Any] = {"temperature": 0, "max_output_tokens": 500}
LISTING_REQUEST: Mapping[str, Any] = {"temperature": 0, "max_output_tokens": 2000}
"""The same where one reply holds several verdicts, each with its reason."""
MOST_LEVELS = 101
MOST_VOTES = 25
_PINNED = re.compile(r"^ft:.+|.+-\d{4}-\d{2}-\d{2}$|.+-\d{4}$")


def loaded_rubric(value: Any, info: ValidationInfo) -> Any:
    """The rubric of a file, or the value itself where it is written in the suite. Raises `ValueError`."""
    return document_named(value, info) if isinstance(value, str) else value


def _as_scale(value: Any) -> Any:
    """`pass_fail`, and whole numbers `{from, to}`, as labels with their scores."""
    if value == "pass_fail":
        return dict(PASS_FAIL_SCALE)
    if isinstance(value, dict) and value.keys() == {"from", "to"}:
        low, high = value["from"], value["to"]
        whole = all(isinstance(end, int) and not isinstance(end, bool) for end in (low, high))
        if not whole or not 0 <= low < high or high - low >= MOST_LEVELS:
            raise ValueError(f"whole numbers from 0 on, `from` below `to`, at most {MOST_LEVELS} levels")
        return {str(level): float(level) for level in range(low, high + 1)}
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


def _plain(field: FieldInfo) -> Any:
    default = field.get_default(call_default_factory=True)
    return list(default) if isinstance(default, tuple) else default


class Mode(StrEnum):
    """What a verdict by a rubric is."""

    SCORE = "score"
    LABEL = "label"
    CHECKLIST = "checklist"
    REFERENCE = "reference"


class Combine(StrEnum):
    """How the votes on a scale become one score."""

    MEDIAN = "median"
    MEAN = "mean"


YES, NO = "yes", "no"
CONSISTENT, OMITS, CONTRADICTS = "consistent", "omits", "contradicts"
_LISTING = {Mode.CHECKLIST: (YES, NO), Mode.REFERENCE: (CONSISTENT, OMITS, CONTRADICTS)}
_OF_MODE: Mapping[str, tuple[Mode, ...]] = {
    "scale": (Mode.SCORE,),
    "combine": (Mode.SCORE,),
    "pass_at": (Mode.SCORE, Mode.CHECKLIST, Mode.REFERENCE),
    "labels": (Mode.LABEL,),
    "pass_on": (Mode.LABEL,),
    "expect_no": (Mode.CHECKLIST,),
    "facts": (Mode.REFERENCE,),
}
"""Settings that only some modes have a use for."""


def _as_criteria(value: Any) -> Any:
    """Criteria as they may be written: a text, a list, or by name a text or a list."""
    value = plain_json(value)
    if isinstance(value, str):
        return [value]
    entries = list(value.values()) if isinstance(value, dict) else value
    if not isinstance(entries, list) or not entries or not all(map(_is_criterion, entries)):
        raise ValueError("a text, a list of texts, or for a checklist texts or lists of them by name")
    if isinstance(value, list) and not all(isinstance(entry, str) for entry in value):
        raise ValueError("a list of texts")
    odd = next((key for key in value if "." in key or not key.strip()), None) if isinstance(value, dict) else None
    if odd is not None:
        raise ValueError(f"names without dots, not {odd!r}: each is a metric")
    return value


def _is_criterion(value: Any) -> bool:
    if isinstance(value, list):
        return all(isinstance(item, str) and item.strip() for item in value)
    return isinstance(value, str) and bool(value.strip())


def _as_facts(value: Any) -> Any:
    value = plain_json([value] if isinstance(value, str) else value)
    if not isinstance(value, list) or not value or not all(isinstance(item, str) and item.strip() for item in value):
        raise ValueError("a text or a list of texts, or a template that yields them")
    return value


class Rubric(JudgeSettings):
    """Criteria, the model that judges by them, and what its verdict is.

    In the mode `score` a verdict is a label of `scale`, which maps each to its score on the rubric's own scale; the
    lowest becomes 0 and the highest 1. In the mode `label` it is one of `labels`, and passes where it is in `pass_on`.
    A `checklist` asks of each criterion whether it is true of the answer, a `reference` of each of the `facts` whether
    the answer agrees with it.
    """

    later: ClassVar[frozenset[str]] = JudgeSettings.later | {
        *("criteria", "mode", "combine", "labels", "pass_on", "expect_no", "facts"),
    }

    criteria: Annotated[
        Any,
        BeforeValidator(_as_criteria, json_schema_input_type=str | list[str] | dict[str, str | list[str]]),
    ] = Field(
        default_factory=list,
        description="What the judge goes by: a text or a list; for a checklist also texts, or lists of them, by name.",
    )
    mode: Mode = Field(default=Mode.SCORE, description="What a verdict is: score, label, checklist or reference.")
    scale: Annotated[
        dict[str, Tolerance],
        AfterValidator(_checked_scale),
        BeforeValidator(_as_scale, json_schema_input_type=str | dict[str, float]),
    ] = Field(
        default_factory=lambda: dict(PASS_FAIL_SCALE),
        description="`pass_fail`, whole numbers `{from: 1, to: 5}`, or labels with their scores.",
    )
    pass_at: Tolerance | None = Field(
        default=None,
        description="The least score that passes, on the scale; of a checklist or reference the least share in [0, 1].",
    )
    combine: Combine = Field(default=Combine.MEDIAN, description="How several votes on a scale become one score.")
    labels: tuple[Annotated[str, Field(min_length=1)], ...] = Field(default=(), description="What a verdict may be.")
    pass_on: Annotated[tuple[str, ...], BeforeValidator(one_or_more, json_schema_input_type=str | list[str])] = Field(
        default=(), description="The labels that pass."
    )
    expect_no: tuple[str, ...] = Field(
        default=("should_not",),
        description="Names of criteria that are as wished where they are not true of the answer.",
    )
    facts: Annotated[Any, BeforeValidator(_as_facts, json_schema_input_type=str | list[str])] = Field(
        default_factory=lambda: ["{{ expected }}"],
        description="What the expected answer says: a text, a list, or a template of them.",
    )

    @model_validator(mode="after")
    def _settings_are_of_the_mode(self) -> Self:
        for name in self.model_fields_set & _OF_MODE.keys():
            if self.mode not in _OF_MODE[name] and getattr(self, name) != _plain_or_own(type(self), name):
                raise ValueError(f"`{name}` only in mode {' or '.join(_OF_MODE[name])}; here the mode is {self.mode}")
        if self.mode is not Mode.REFERENCE and not self.criteria:
            raise ValueError("`criteria`, at least one")
        if self.mode is not Mode.CHECKLIST and isinstance(self.criteria, dict):
            raise ValueError("`mode: checklist` for criteria with names; else a text or a list")
        if self.mode is Mode.LABEL:
            self._check_labels()
        if self.mode in _LISTING and self.pass_at is not None and self.pass_at > 1:
            raise ValueError("`pass_at` as a share, from 0 to 1")
        strangers = set(self.expect_no) - {*self.criteria, "should_not"} if isinstance(self.criteria, dict) else ()
        if strangers:
            raise ValueError(f"`expect_no` with names of criteria, not {', '.join(sorted(strangers))}")
        for number, example in enumerate(self.examples, 1):
            self._check_example(number, example)
        return self

    def _check_labels(self) -> None:
        if len(set(self.labels)) < max(2, len(self.labels)):
            raise ValueError("`labels`, at least two and no two alike")
        if not self.pass_on or not set(self.pass_on) < set(self.labels):
            raise ValueError("`pass_on` with one or some of the `labels`, but not all")

    def _check_example(self, number: int, example: Example) -> None:
        verdicts = example.verdict
        given = list(verdicts.values()) if isinstance(verdicts, dict) else [verdicts]
        if isinstance(verdicts, dict) is not (self.mode in _LISTING):
            shape = "verdicts by criterion" if self.mode in _LISTING else "one verdict"
            raise ValueError(f"examples with {shape}; example {number} has another form")
        if not given or not all(isinstance(one, str) and one in self.verdicts for one in given):
            raise ValueError(f"examples with a verdict among {', '.join(self.verdicts)}; example {number} has another")

    @property
    def is_pass_fail(self) -> bool:
        """Whether a verdict says no more than that the answer passes or fails."""
        return self.mode is Mode.LABEL or self.levels == PASS_FAIL_SCALE

    @property
    def lists(self) -> bool:
        """Whether a reply holds several verdicts, one on each criterion or fact."""
        return self.mode in _LISTING

    @property
    def verdicts(self) -> tuple[str, ...]:
        """What a verdict may be, in the order in which the judge is told."""
        return _LISTING.get(self.mode) or tuple(self.levels)

    @property
    def levels(self) -> Mapping[str, float]:
        """The verdicts of a mode that has one an answer, each with its score on the rubric's own scale."""
        if self.mode is Mode.LABEL:
            return {label: float(label in self.pass_on) for label in self.labels}
        return self.scale

    @property
    def ends(self) -> tuple[float, float]:
        """The lowest and the highest score of the scale."""
        return min(self.levels.values()), max(self.levels.values())

    def value(self, label: str) -> float:
        """A label's score in [0, 1]."""
        low, high = self.ends
        return (self.levels[label] - low) / (high - low)

    def passes(self, label: str) -> bool:
        """Whether the label counts as passed."""
        return self.reaches(self.levels[label])

    def reaches(self, score: float) -> bool:
        """Whether a score on the rubric's own scale counts as passed."""
        return score >= (self.ends[1] if self.pass_at is None else self.pass_at)

    @property
    def defaults(self) -> Mapping[str, Any]:
        """Request settings where the rubric says nothing."""
        return LISTING_REQUEST if self.lists else DEFAULT_REQUEST


def _plain_or_own(model: type[BaseModel], name: str) -> Any:
    return model.model_fields[name].get_default(call_default_factory=True)
