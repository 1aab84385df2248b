"""Facts about models: prices, limits, capabilities, aliases and shutdown dates, read from `catalog.yaml`.

Every figure there has a source and a date. What is not in the catalogue is unknown (None), never zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import resources
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from snapdrift.errors import ConfigError
from snapdrift.model import Endpoint, Usage
from snapdrift.openai_api.settings import find_mistakes
from snapdrift.suites.registry import Finding
from snapdrift.suites.wording import did_you_mean

PER_TOKEN = 1e-6
"""Prices are USD per million tokens."""


class Price(BaseModel):
    """USD per 1,000,000 tokens; None is not known, or (for `cached`) that there is no discount."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    input: float = Field(ge=0)
    output: float = Field(ge=0)
    cached: float | None = Field(default=None, ge=0)
    batch_input: float | None = Field(default=None, ge=0)
    batch_output: float | None = Field(default=None, ge=0)


class _Entry(BaseModel):
    """One entry of the catalogue file, or of the user's `[models]` table."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    alias_of: str | None = None
    fine_tune_of: str | None = None
    price: Price | None = None
    context_window: int | None = Field(default=None, gt=0)
    max_output: int | None = Field(default=None, gt=0)
    input: tuple[str, ...] = ()
    output: tuple[str, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    json_schema: bool | None = None
    tools: bool | None = None
    reasoning: bool | None = None
    shutdown: date | None = None
    shutdown_announced: date | None = None
    replacement: str | None = None
    sources: dict[str, str] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FactSource:
    """Where a group of figures comes from, and the date at which it was read."""

    text: str
    date: date | None = None

    def __str__(self) -> str:
        return f"{self.text} ({self.date})" if self.date else self.text


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What is known of a model; None is not known. `sources` says for each group of figures where it comes from.

    `base` is the snapshot whose facts an alias or fine-tuned model shares, else the model itself.
    """

    name: str
    base: str
    price: Price | None
    context_window: int | None
    max_output: int | None
    input_modalities: tuple[str, ...]
    output_modalities: tuple[str, ...]
    endpoints: tuple[Endpoint, ...]
    json_schema: bool | None
    tools: bool | None
    reasoning: bool | None
    shutdown: date | None
    shutdown_announced: date | None
    replacement: str | None
    alias_of: str | None
    sources: Mapping[str, FactSource]


class Catalog:
    """The facts, and what follows from them. `today` is the date that shutdown dates are compared with.

    Fulfils `suites.registry.ModelFacts`.
    """

    def __init__(self, models: Mapping[str, ModelInfo], today: date) -> None:
        self._models = dict(models)
        self.today = today

    def models(self) -> tuple[ModelInfo, ...]:
        """Every model of the catalogue, in its order."""
        return tuple(self._models.values())

    def get(self, model: str) -> ModelInfo | None:
        """What is known of a model. A fine-tuned id (`ft:gpt-4o-2024-08-06:acme::id`) has the facts of its family."""
        found = self._models.get(model)
        if found is None and model.startswith("ft:"):
            found = self._models.get(":".join(model.split(":")[:2]))
        return found

    def resolve_alias(self, model: str) -> str:
        """The snapshot that an alias stood for when last seen; any other name is returned as it is."""
        seen = {model}
        info = self._models.get(model)
        while info is not None and info.alias_of is not None and info.alias_of not in seen:
            model = info.alias_of
            seen.add(model)
            info = self._models.get(model)
        return model

    def is_alias(self, model: str) -> bool:
        """Whether OpenAI may point the name at another snapshot."""
        info = self._models.get(model)
        return info is not None and info.alias_of is not None

    def usd(self, model: str, usage: Usage) -> float | None:
        """What the tokens cost in USD, or None when the price is not known. Cached without a price costs as input."""
        info = self.get(model)
        if info is None or info.price is None:
            return None
        price = info.price
        cached_price = price.input if price.cached is None else price.cached
        cached = min(usage.cached_tokens, usage.input_tokens)
        cost = (usage.input_tokens - cached) * price.input + cached * cached_price + usage.output_tokens * price.output
        return cost * PER_TOKEN

    def worst_usd(self, model: str, input_tokens: int, output_cap: int | None) -> float | None:
        """The most that a request can cost in USD: nothing cached, output up to its cap (the model's when None).

        None when the price, or without a cap the model's most output tokens, is not known.
        """
        info = self.get(model)
        if info is None or info.price is None:
            return None
        output = output_cap if output_cap is not None else info.max_output
        if output is None:
            return None
        return (input_tokens * info.price.input + output * info.price.output) * PER_TOKEN

    def to_stored(self, models: Iterable[str]) -> dict[str, Any]:
        """The facts about some models in the form that `load_catalog` takes back as overrides; plain JSON."""
        infos = {name: self.get(name) for name in sorted(set(models))}
        return {name: _stored(info) for name, info in infos.items() if info is not None}

    def check_request(self, model: str, endpoint: Endpoint, request: Mapping[str, Any]) -> tuple[Finding, ...]:
        """Settings that the model or endpoint does not take; locations are relative to `request`."""
        return find_mistakes(self.get(model), model, endpoint, request)

    def warnings(self, model: str) -> tuple[str, ...]:
        """Sentences about the model that a user should read: unknown, price unknown, shut down, soon shut down."""
        info = self.get(model)
        if info is None:
            mend = f'Add them under [models."{model}"] in snapdrift.toml; a budget needs the price.'
            meant = did_you_mean(model, self._models, "")
            asked = f" D{meant[1:]}" if meant else ""
            return (f"{model} is not in the catalogue: its prices and limits are not known.{asked} {mend}",)
        shutdown = _shutdown_warning(model, info, self.today)
        found = [shutdown] if shutdown else []
        if info.price is None:
            found.append(
                f"The price of {model} is not known. "
                f'Set it under [models."{model}".price] in snapdrift.toml; a budget needs it.'
            )
        return tuple(found)


def load_catalog(overrides: Mapping[str, Any] | None = None, today: date | None = None) -> Catalog:
    """The bundled catalogue with the user's figures over it.

    `overrides` maps a model to what differs, in the names of `catalog.yaml` (`{"gpt-6-luna": {"price": {"input": 1,
    "output": 4}}}`); a model that is not in the catalogue is added. Raises `ConfigError` naming every mistake.
    """
    document = _bundled()
    entries: dict[str, Mapping[str, Any]] = dict(document["models"])
    sources = {name: FactSource(source["text"], source["date"]) for name, source in document["sources"].items()}
    for model, changes in (overrides or {}).items():
        if not isinstance(changes, Mapping):
            raise ConfigError(f"snapdrift.toml: models.{model}: found {changes!r}; expected a table of its figures")
        entries[model] = _overridden(entries.get(model, {}), changes)
    parsed = _parse_entries(entries)
    models = {name: _model_info(name, parsed, sources) for name in parsed}
    return Catalog(models, today if today is not None else date.today())  # noqa: DTZ011  the user's own calendar day


@cache
def _bundled() -> dict[str, Any]:
    import yaml

    text = resources.files("snapdrift.openai_api").joinpath("catalog.yaml").read_text(encoding="utf-8")
    document: dict[str, Any] = yaml.safe_load(text)
    return document


USER_SOURCE = FactSource("snapdrift.toml")
_GROUPS = {
    "alias_of": "alias",
    "price": "price",
    "context_window": "context_window",
    "max_output": "max_output",
    "input": "modalities",
    "output": "modalities",
    "endpoints": "capabilities",
    "json_schema": "capabilities",
    "tools": "capabilities",
    "reasoning": "capabilities",
    "shutdown": "shutdown",
    "shutdown_announced": "shutdown",
    "replacement": "replacement",
}


def _overridden(entry: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A price is replaced as a whole but for what is not said: half an old and half a new price is still dated."""
    merged = {**entry, **changes}
    if isinstance(entry.get("price"), Mapping) and isinstance(changes.get("price"), Mapping):
        merged["price"] = {**entry["price"], **changes["price"]}
    groups = {_GROUPS[key]: "user" for key in changes if key in _GROUPS}
    merged["sources"] = {**entry.get("sources", {}), **groups}
    return merged


def _stored(info: ModelInfo) -> dict[str, Any]:
    entry = _Entry(
        price=info.price,
        context_window=info.context_window,
        max_output=info.max_output,
        input=info.input_modalities,
        output=info.output_modalities,
        endpoints=info.endpoints,
        json_schema=info.json_schema,
        tools=info.tools,
        reasoning=info.reasoning,
        shutdown=info.shutdown,
        shutdown_announced=info.shutdown_announced,
        replacement=info.replacement,
    )
    return entry.model_dump(mode="json", exclude_none=True, exclude={"sources"})


def _parse_entries(entries: Mapping[str, Mapping[str, Any]]) -> dict[str, _Entry]:
    parsed: dict[str, _Entry] = {}
    mistakes: list[str] = []
    for name, entry in entries.items():
        try:
            parsed[name] = _Entry.model_validate(entry)
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                place = ".".join(["models", name, *map(str, detail["loc"])])
                mistakes.append(f"snapdrift.toml: {place}: found {detail['input']!r}; {detail['msg']}")
    for name, checked in parsed.items():
        parent = checked.alias_of or checked.fine_tune_of
        if parent is not None and (parent not in parsed or parent == name):
            mistakes.append(f"snapdrift.toml: models.{name}: found {parent!r}; expected another model of the catalogue")
    if mistakes:
        raise ConfigError("\n".join(mistakes))
    return parsed


def _model_info(name: str, entries: Mapping[str, _Entry], sources: Mapping[str, FactSource]) -> ModelInfo:
    """An alias or fine-tuned model takes over what its own entry does not say, sources included."""
    chain = _ancestry(name, entries)
    said: dict[str, Any] = {}
    group_sources: dict[str, str] = {}
    for entry in reversed(chain):
        said |= {key: getattr(entry, key) for key in entry.model_fields_set if key != "sources"}
        group_sources |= entry.sources
    own = entries[name]
    merged = _Entry.model_validate(said)
    return ModelInfo(
        name=name,
        base=own.alias_of or own.fine_tune_of or name,
        price=merged.price,
        context_window=merged.context_window,
        max_output=merged.max_output,
        input_modalities=merged.input,
        output_modalities=merged.output,
        endpoints=merged.endpoints,
        json_schema=merged.json_schema,
        tools=merged.tools,
        reasoning=merged.reasoning,
        shutdown=merged.shutdown,
        shutdown_announced=merged.shutdown_announced,
        replacement=merged.replacement,
        alias_of=own.alias_of,
        sources={group: sources.get(source, USER_SOURCE) for group, source in group_sources.items()},
    )


def _ancestry(name: str, entries: Mapping[str, _Entry]) -> list[_Entry]:
    chain: list[_Entry] = []
    parent: str | None = name
    visited: set[str] = set()
    while parent is not None and parent not in visited:
        visited.add(parent)
        chain.append(entries[parent])
        parent = chain[-1].alias_of or chain[-1].fine_tune_of
    return chain


def _shutdown_warning(model: str, info: ModelInfo, today: date) -> str | None:
    if info.shutdown is None:
        return None
    instead = f" OpenAI names {info.replacement} as its replacement." if info.replacement else ""
    if today >= info.shutdown:
        return (
            f"OpenAI shut {model} down on {info.shutdown}: requests to OpenAI fail with model_not_found. "
            f"Recorded answers can still be compared.{instead}"
        )
    days = (info.shutdown - today).days
    return f"OpenAI shuts {model} down on {info.shutdown}, in {days} {'day' if days == 1 else 'days'}.{instead}"
