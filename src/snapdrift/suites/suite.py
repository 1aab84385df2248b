"""The suite file as it is written: one pydantic model for every mapping in it, and nothing but its form.

What names refer to is resolved by `loader`, `variants` and `gates`. The texts under the keys are what editors show.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, Tag, WithJsonSchema, model_validator

from snapdrift.suites.gate_entries import Budget, GateEntry, SampleEntry
from snapdrift.suites.privacy import PrivacyEntry
from snapdrift.suites.scope import check_endpoint
from snapdrift.suites.shapes import LIST, MAPPING, NUMBER, TEXT, Entry, LacksKeyError, forms


def _file_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name):
        raise ValueError("expected letters, digits, `.`, `_` and `-` (it names a folder of reports)")
    return name


def _label(name: str) -> str:
    if not name.strip() or name != name.strip() or not name.isprintable() or len(name) > 100:
        raise ValueError("expected a name of up to 100 printable characters without blanks around it")
    return name


FileName = Annotated[str, AfterValidator(_file_name)]
"""A name that also names a folder or is typed on a command line."""
Label = Annotated[str, AfterValidator(_label)]
"""A name that people read."""
Settings = Annotated[dict[str, Any], WithJsonSchema({"$comment": "RequestSettings"})]
"""Request settings: which there are depends on the endpoint and the model, so `ModelFacts` checks them."""


class PartEntry(Entry):
    """A part of a message: `{text: ...}`, `{image: ..., detail: ...}` or `{file: ...}`."""

    text: str | None = None
    """A template of text."""
    image: str | None = None
    """A template that gives the path of an image in the workspace (PNG, JPEG, WEBP, GIF that is not animated), an http
    or https URL (passed on, never fetched), a data URL, or the id of an uploaded file (file-...)."""
    file: str | None = None
    """A template that gives the path of a PDF in the workspace, a URL, a data URL, or the id of an uploaded file."""
    detail: Literal["low", "high", "auto"] | None = None
    """How closely the model looks at the image; it decides what the image costs."""
    if_: str | None = Field(default=None, alias="if")
    """A Jinja expression, such as `photo`: the part is left out where it is empty or not there."""
    each: str | None = None
    """A Jinja expression that gives a list: the part is repeated, with `it` for each of its items."""

    @model_validator(mode="after")
    def _is_one_thing(self) -> PartEntry:
        there = sum(part is not None for part in (self.text, self.image, self.file))
        if there == 0:
            raise LacksKeyError("", "expected text, image or file")
        if there > 1:
            raise ValueError("expected exactly one of text, image, file")
        if self.detail is not None and self.image is None:
            raise ValueError("expected `detail` beside an image only")
        return self


class MessageEntry(Entry):
    """One message of an input. The model writes an assistant message that has no `content`."""

    role: Literal["user", "assistant", "system", "developer"]
    content: (
        Annotated[
            Annotated[str, Tag(TEXT)] | Annotated[list[PartEntry], Field(min_length=1), Tag(LIST)],
            forms("text, or a list of parts"),
        ]
        | None
    ) = None
    """Text or a list of parts. An assistant message without it is generated, and the conversation goes on."""

    @model_validator(mode="after")
    def _says_something(self) -> MessageEntry:
        if self.content is None and self.role != "assistant":
            raise LacksKeyError(
                "content", "expected text or parts; only a message of the assistant can be left to the model"
            )
        return self


class PromptEntry(Entry):
    """Templates of what is asked. A variant's prompt may hold only what differs from the suite's."""

    instructions: str | None = None
    """A template of the system message."""
    input: (
        Annotated[
            Annotated[str, Tag(TEXT)] | Annotated[list[MessageEntry], Field(min_length=1), Tag(LIST)],
            forms("text, or a list of messages"),
        ]
        | None
    ) = None
    """Text (one user message), a list of messages, or an expression that gives such a list: "{{ messages }}"."""


PromptSource = Annotated[
    Annotated[str, Tag(TEXT)] | Annotated[PromptEntry, Tag(MAPPING)],
    forms("a mapping with instructions and input, or the path of a file with one"),
]


class VariantEntry(Entry):
    """What is compared; whatever it does not say is the suite's."""

    model: Label | None = None
    """The model's id: a snapshot (gpt-4o-2024-11-20), an alias (gpt-4o), a tuned model (ft:...) or a deployment."""
    endpoint: Annotated[Literal["responses", "chat"], BeforeValidator(check_endpoint)] | None = None
    """Which API it is asked over (default responses)."""
    host: str | None = None
    """A host that snapdrift.toml declares; without it OpenAI."""
    prompt: PromptSource | None = None
    request: Settings | None = None
    batch: bool | None = None
    """Whether it is sent by the Batch API, at half the price and within a day."""
    stream: bool | None = None
    """Whether answers are streamed, so that the time to the first token is measured."""
    python: str | None = None
    """The real application instead of a model: PATH.py:FUNCTION, called with each case."""
    outputs: str | None = None
    """Answers made elsewhere instead of a model: a file of rows {id, output, model?, repeat?}."""


ModelSource = Annotated[
    Annotated[Label, Tag(TEXT)] | Annotated[VariantEntry, Tag(MAPPING)],
    forms("a model's id, or a mapping as under variants"),
]


class MatrixEntry(Entry):
    """Every prompt with every model; the variants are named `prompt/model`."""

    prompt: list[str] | None = None
    model: Annotated[
        Annotated[list[Label], Field(min_length=1), Tag(LIST)]
        | Annotated[dict[Label, ModelSource], Field(min_length=1), Tag(MAPPING)],
        forms("a list of models, or a mapping of names to models"),
    ]


class RequestSettings(Entry):
    """The settings that editors complete under `request:`; null means "do not send"."""

    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    max_output_tokens: Annotated[int, Field(ge=1)] | None = None
    text: dict[str, Any] | None = None
    """`format` (text, json_object or json_schema; `schema` inline or as the path of a file) and `verbosity`."""
    reasoning: dict[str, Any] | None = None
    tools: (
        Annotated[
            Annotated[str, Tag(TEXT)] | Annotated[list[dict[str, Any]], Tag(LIST)],
            forms("a list of tools, or the path of a file with one"),
        ]
        | None
    ) = None
    """Functions and built-in tools, as the Responses API or Chat Completions has them, or a file with such a list."""
    tool_choice: (
        Annotated[
            Annotated[str, Tag(TEXT)] | Annotated[dict[str, Any], Tag(MAPPING)],
            forms("auto, none, required, or a mapping that names a tool"),
        ]
        | None
    ) = None
    parallel_tool_calls: bool | None = None
    max_tool_calls: Annotated[int, Field(ge=1)] | None = None
    """The most calls of built-in tools in one answer (endpoint responses)."""
    include: list[str] | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    truncation: Literal["auto", "disabled"] | None = None
    service_tier: str | None = None
    metadata: dict[str, Any] | None = None
    store: bool | None = None
    """Whether OpenAI keeps the answers (default false, which is always sent)."""
    previous_response_id: bool | None = None
    """true: further requests of a call name the one before instead of sending it again (endpoint responses, with
    `store: true`)."""
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None
    safety_identifier: str | None = None
    user: str | None = None
    seed: int | None = None
    """Endpoint chat only."""
    stop: (
        Annotated[Annotated[str, Tag(TEXT)] | Annotated[list[str], Tag(LIST)], forms("text, or a list of texts")] | None
    ) = None
    """Endpoint chat only."""
    logit_bias: dict[str, float] | None = None
    """Endpoint chat only."""
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    """Endpoint chat only."""
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    """Endpoint chat only."""


class SuiteFile(Entry):
    """A suite file."""

    suite: FileName
    description: str = ""
    dataset: str | None = None
    cases: list[dict[str, Any]] | None = None
    prompt: PromptSource | None = None
    prompts: dict[Label, PromptSource] | None = None
    request: Settings | None = None
    variants: dict[Label, VariantEntry] | None = None
    models: list[Label] | None = None
    matrix: MatrixEntry | None = None
    repeats: Annotated[int, Field(ge=1, le=1000)] | None = None
    sample: (
        Annotated[
            Annotated[int, Field(ge=1), Tag(NUMBER)] | Annotated[SampleEntry, Tag(MAPPING)],
            forms("a number of cases, or {n, seed, stratify}"),
        ]
        | None
    ) = None
    extract: Any = None
    graders: list[dict[str, Any]] | None = None
    gate: GateEntry | None = None
    gates: dict[FileName, GateEntry] | None = None
    budget: Budget | None = None
    stream: bool | None = None
    """Whether answers are streamed, where a variant does not say otherwise."""
    target: Literal["cases_like_these", "these_cases"] | None = None
    """What comparisons claim: of cases like these (default), which are a sample, or of these_cases and no others, where
    only what a model varies between answers is uncertain; that needs `repeats: 2` or more."""
    early_stop: bool | None = None
    """Whether asking ends as soon as the gate is resolved: cases are asked in a drawn order, and looked at as they come
    (default false)."""
    max_steps: Annotated[int, Field(ge=1, le=100)] | None = None
    """The most requests of one call, where tools are carried out (default 8)."""
    require_calibration: bool | None = None
    """Whether a judge's verdict counts only where people's labels show that its bias is inside the margin."""
    privacy: PrivacyEntry | None = None
    """What reports, comments and exported run files do not show."""
