"""The records of the catalogue: what is known of a model, each figure with its source; None is not known."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from snapdrift.model import MOST_USD, Endpoint
from snapdrift.openai_api.images import ImageRule

Capability = Literal[
    "json_schema",
    "json_object",
    "tools",
    "strict_tools",
    "streaming",
    "logprobs",
    "vision",
    "batch",
    "reasoning",
    "temperature",
]
UsageTier = Literal[1, 2, 3, 4, 5]
STANDARD_TIERS = (None, "auto", "default", "standard")
"""Service tiers that cost the usual price. `auto` is what the project is set to, which is usually that."""


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, populate_by_name=True)


Usd = Annotated[float, Field(ge=0, le=MOST_USD)]


class TierPrice(_Record):
    """USD per 1,000,000 tokens in a service tier; without `cached`, cached input costs as much as other input."""

    input: Usd
    output: Usd
    cached: Usd | None = None


class Price(TierPrice):
    """USD per 1,000,000 tokens: as usual, by the Batch API, and in service tiers with prices of their own.

    None is not known; for `cached` it may also mean that there is no discount. Whether the discounts of the cache and
    of the Batch API add up is not published: without `batch_cached`, cached input of a batch costs as other input.
    """

    batch_input: Usd | None = None
    batch_output: Usd | None = None
    batch_cached: Usd | None = None
    tiers: dict[str, TierPrice] = Field(default_factory=dict)

    def of(self, service_tier: str | None = None, *, batched: bool = False) -> TierPrice | None:
        """The price at which a request was served, or None when it is not known: never guessed from another."""
        if batched:
            if self.batch_input is None or self.batch_output is None:
                return None
            return TierPrice(input=self.batch_input, output=self.batch_output, cached=self.batch_cached)
        return self if service_tier in STANDARD_TIERS else self.tiers.get(str(service_tier))


class Capabilities(_Record):
    """What a model can do on one endpoint; None is not known."""

    json_schema: bool | None = None
    json_object: bool | None = None
    tools: bool | None = None
    strict_tools: bool | None = None
    streaming: bool | None = None
    logprobs: bool | None = None
    batch: bool | None = None
    reasoning: bool | None = None
    temperature: bool | None = None


class TierLimits(_Record):
    """An account's limits in a usage tier: requests and tokens a minute, input tokens waiting in batches."""

    rpm: int | None = Field(default=None, gt=0)
    tpm: int | None = Field(default=None, gt=0)
    batch_queue: int | None = Field(default=None, gt=0)


class Facts(Capabilities):
    """What is known of a model. The capabilities hold on every endpoint but for what `per_endpoint` says otherwise.

    `image` says what an image costs, `limits` what accounts may ask by usage tier. `azure_shutdown` is when the model
    retires on Azure, where it lives on for some time.
    """

    price: Price | None = None
    context_window: int | None = Field(default=None, gt=0)
    max_output: int | None = Field(default=None, gt=0)
    input_modalities: tuple[str, ...] = Field(default=(), alias="input")
    output_modalities: tuple[str, ...] = Field(default=(), alias="output")
    endpoints: tuple[Endpoint, ...] = ()
    per_endpoint: dict[Endpoint, Capabilities] = Field(default_factory=dict)
    image: ImageRule | None = None
    limits: dict[UsageTier, TierLimits] = Field(default_factory=dict)
    shutdown: datetime.date | None = None
    shutdown_announced: datetime.date | None = None
    azure_shutdown: datetime.date | None = None
    replacement: str | None = None


@dataclass(frozen=True, slots=True)
class FactSource:
    """Where a group of figures comes from, and the date at which it was read."""

    text: str
    date: datetime.date | None = None

    def __str__(self) -> str:
        return f"{self.text} ({self.date})" if self.date else self.text


class ModelInfo(Facts):
    """The facts about a model by name, those taken over from its base included.

    `base` is the snapshot whose facts an alias or fine-tuned model shares, else the model itself. `sources` says for
    each group of figures (`GROUPS`) where it comes from; `unverified` names figures that OpenAI does not confirm.
    """

    name: str
    base: str
    alias_of: str | None = None
    sources: Mapping[str, FactSource] = Field(default_factory=dict)
    unverified: tuple[str, ...] = ()

    def can(self, capability: Capability, endpoint: Endpoint | None = None) -> bool | None:
        """Whether the model can do it (on an endpoint, or anywhere); None where that is not known."""
        if endpoint is not None and self.endpoints and endpoint not in self.endpoints:
            return False
        if capability == "vision":
            return "image" in self.input_modalities if self.input_modalities else None
        special = self.per_endpoint.get(endpoint) if endpoint is not None else None
        own: bool | None = getattr(special, capability) if special is not None else None
        general: bool | None = getattr(self, capability)
        return general if own is None else own

    def source_of(self, figure: str) -> FactSource | None:
        """Where a figure (`max_output`, `price`) comes from."""
        return self.sources.get(GROUPS.get(figure, figure))


GROUPS = {
    "alias_of": "alias",
    "price": "price",
    "context_window": "context_window",
    "max_output": "max_output",
    "input": "modalities",
    "output": "modalities",
    "input_modalities": "modalities",
    "output_modalities": "modalities",
    "vision": "modalities",
    "endpoints": "capabilities",
    "per_endpoint": "capabilities",
    "json_schema": "capabilities",
    "json_object": "capabilities",
    "tools": "capabilities",
    "strict_tools": "capabilities",
    "streaming": "settings",
    "logprobs": "settings",
    "temperature": "settings",
    "batch": "batch",
    "reasoning": "reasoning",
    "image": "image",
    "limits": "limits",
    "shutdown": "shutdown",
    "shutdown_announced": "shutdown",
    "azure_shutdown": "azure_shutdown",
    "replacement": "replacement",
}
"""Which group of figures, with one source, a figure belongs to."""
