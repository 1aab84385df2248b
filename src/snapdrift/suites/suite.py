"""The suite file as it is written: one pydantic model for every mapping in it, and nothing but its form.

Every key of the design is here, also those whose behaviour comes later (`availability` answers them). What names refer
to is resolved by `loader`, `variants` and `gates`.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, Tag, WithJsonSchema, model_validator

from snapdrift.suites.gate_entries import Budget, GateEntry, SampleEntry
from snapdrift.suites.shapes import LIST, MAPPING, TEXT, Entry, forms


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
    image: str | None = None
    file: str | None = None
    detail: Literal["low", "high", "auto"] | None = None
    if_: str | None = Field(default=None, alias="if")
    each: str | None = None

    @model_validator(mode="after")
    def _is_one_thing(self) -> PartEntry:
        if sum(part is not None for part in (self.text, self.image, self.file)) != 1:
            raise ValueError("expected exactly one of text, image, file")
        return self


class MessageEntry(Entry):
    """One message of an input."""

    role: Literal["user", "assistant", "system", "developer"]
    content: Annotated[
        Annotated[str, Tag(TEXT)] | Annotated[list[PartEntry], Field(min_length=1), Tag(LIST)],
        forms("text, or a list of parts"),
    ]


class PromptEntry(Entry):
    """Templates of what is asked. A variant's prompt may hold only what differs from the suite's."""

    instructions: str | None = None
    input: (
        Annotated[
            Annotated[str, Tag(TEXT)] | Annotated[list[MessageEntry], Field(min_length=1), Tag(LIST)],
            forms("text, or a list of messages"),
        ]
        | None
    ) = None


PromptSource = Annotated[
    Annotated[str, Tag(TEXT)] | Annotated[PromptEntry, Tag(MAPPING)],
    forms("a mapping with instructions and input, or the path of a file with one"),
]


class VariantEntry(Entry):
    """What is compared; whatever it does not say is the suite's."""

    model: Label | None = None
    endpoint: Literal["responses", "chat"] | None = None
    host: str | None = None
    prompt: PromptSource | None = None
    request: Settings | None = None
    batch: bool | None = None
    stream: bool | None = None
    python: str | None = None
    outputs: str | None = None


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
    reasoning: dict[str, Any] | None = None
    truncation: Literal["auto", "disabled"] | None = None
    service_tier: str | None = None
    metadata: dict[str, Any] | None = None


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
    sample: SampleEntry | None = None
    extract: Any = None
    graders: list[dict[str, Any]] | None = None
    gate: GateEntry | None = None
    gates: dict[FileName, GateEntry] | None = None
    budget: Budget | None = None
    stream: bool | None = None
    target: Literal["cases_like_these", "these_cases"] | None = None
    early_stop: bool | None = None
    max_steps: Annotated[int, Field(ge=1)] | None = None
    require_calibration: bool | None = None
    privacy: dict[str, Any] | None = None
