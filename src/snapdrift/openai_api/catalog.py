"""Facts about models, and what follows from them: prices, limits, capabilities, aliases and shutdown dates.

They are read from `catalog.yaml`, where every figure has a source and a date. What is not there is unknown (None),
never zero.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from snapdrift.model import Conversation, Endpoint, Usage, Variant
from snapdrift.openai_api.catalog_entries import OverrideError, read_models
from snapdrift.openai_api.facts import Facts, FactSource, ModelInfo, Price, TierLimits, TierPrice, UsageTier
from snapdrift.openai_api.settings import find_mistakes
from snapdrift.suites.registry import Finding
from snapdrift.suites.wording import did_you_mean

__all__ = ["Catalog", "FactSource", "ModelInfo", "OverrideError", "Price", "TierLimits", "TierPrice", "load_catalog"]

_DATED = re.compile(r"-\d{4}-\d{2}-\d{2}$")
PER_TOKEN = 1e-6
"""Prices are USD per million tokens."""


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

    def is_snapshot(self, model: str) -> bool:
        """Whether a name stands for one model for good: a dated one of the catalogue, or a fine-tuned model of it.

        OpenAI names snapshots by their date, and a fine-tuned id after what it was made of.
        """
        base = model.split(":")[1] if model.startswith("ft:") else model
        info = self._models.get(base)
        return info is not None and info.alias_of is None and _DATED.search(base) is not None

    def counted_as(self, model: str) -> str:
        """The model whose rate limits OpenAI counts a request towards: a snapshot's alias, where that is one it moves.

        A fine-tuned model counts like what it was made of; any other name is returned as it is. Sources: the 429
        "Rate limit reached for gpt-4o-2024-08-06 (for limit gpt-4o)"; OpenAI documentation, guides/fine-tuning.
        """
        base = model.split(":")[1] if model.startswith("ft:") else model
        name = _DATED.sub("", base)
        if self.is_alias(name):
            return name
        return base if base in self._models else model

    def limits(self, model: str, tier: UsageTier) -> TierLimits | None:
        """What an account in a usage tier may ask of a model, None where that is not known."""
        info = self.get(model)
        return None if info is None else info.limits.get(tier)

    def price(self, model: str, *, service_tier: str | None = None, batched: bool = False) -> TierPrice | None:
        """What the model costs in the service tier that served it, or by the Batch API; None where not known."""
        info = self.get(model)
        return None if info is None or info.price is None else info.price.of(service_tier, batched=batched)

    def usd(self, model: str, usage: Usage, *, service_tier: str | None = None, batched: bool = False) -> float | None:
        """What the tokens cost in USD, or None when the price is not known. Cached without a price costs as input.

        `service_tier` is the one that the answer names. A tier without a price of its own in the catalogue (`flex`)
        and a batch without one are not known: no price stands in for another.
        """
        price = self.price(model, service_tier=service_tier, batched=batched)
        if price is None:
            return None
        cached_price = price.input if price.cached is None else price.cached
        cached = min(usage.cached_tokens, usage.input_tokens)
        cost = (usage.input_tokens - cached) * price.input + cached * cached_price + usage.output_tokens * price.output
        return cost * PER_TOKEN

    def worst_usd(
        self,
        model: str,
        input_tokens: int | None,
        output_cap: int | None,
        *,
        service_tier: str | None = None,
        batched: bool = False,
    ) -> float | None:
        """The most that a request can cost in USD: nothing cached, output up to its cap (the model's when None).

        A request for a tier of its own (`priority`) may be served as usual, so the dearer of the two counts. None when
        a price, the input (None: unbounded), or without a cap the model's most output tokens, is not known.
        """
        info = self.get(model)
        output = output_cap if output_cap is not None or info is None else info.max_output
        asked = self.price(model, service_tier=service_tier, batched=batched)
        usual = asked if batched else self.price(model)
        if asked is None or usual is None or output is None or input_tokens is None:
            return None
        return max((input_tokens * price.input + output * price.output) * PER_TOKEN for price in (asked, usual))

    def to_stored(self, models: Iterable[str]) -> dict[str, Any]:
        """The facts about some models in the form that `load_catalog` takes back as overrides; plain JSON."""
        infos = {name: self.get(name) for name in sorted(set(models))}
        return {name: _stored(info) for name, info in infos.items() if info is not None}

    def check_request(self, model: str, endpoint: Endpoint, request: Mapping[str, Any]) -> tuple[Finding, ...]:
        """Settings that the model or endpoint does not take; locations are relative to `request`."""
        return find_mistakes(self.get(model), model, endpoint, request)

    def check_conversation(self, variant: Variant, conversation: Conversation) -> tuple[Finding, ...]:
        """Why a request of a conversation would be refused; locations are relative to the prompt."""
        from snapdrift.openai_api.conversations import conversation_mistakes

        return conversation_mistakes(self.get(variant.model), variant, conversation)

    def request_warnings(self, variant: Variant) -> tuple[str, ...]:
        """Sentences about a variant's settings whose results are easily misread."""
        from snapdrift.openai_api.conversations import request_warnings

        return request_warnings(self.get(variant.model), variant)

    def retires_within(self, model: str, days: int) -> str | None:
        """A sentence about the shutdown of the model, or of what an alias stands for, in at most so many days.

        None where it is later, was not announced or is not known; past shutdowns count.
        """
        for name in dict.fromkeys((model, self.resolve_alias(model))):
            info = self.get(name)
            if info is not None and info.shutdown is not None and (info.shutdown - self.today).days <= days:
                return _shutdown_warning(name, info, self.today)
        return None

    def shutdown_sentences(self, models: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
        """When models are shut down: a sentence for each day and replacement, with all that go then.

        Each model comes with the names of what it judges: `gpt-4o-2024-11-20 (judges helpful)`.
        """
        found: dict[tuple[date, str | None], list[str]] = {}
        for model, judged in models.items():
            info = self.get(model)
            if info is not None and info.shutdown is not None:
                named = f"{model} (judges {', '.join(judged)})" if judged else model
                found.setdefault((info.shutdown, info.replacement), []).append(named)
        return tuple(_shutdown_of(named, *key, self.today) for key, named in sorted(found.items(), key=_first_day))

    def reasons(self, model: str, endpoint: Endpoint) -> bool:
        """Whether the model is known to reason before it answers."""
        info = self.get(model)
        return info is not None and info.can("reasoning", endpoint) is True

    def warnings(self, model: str) -> tuple[str, ...]:
        """Sentences about the model that a user should read: unknown, price unknown, shut down, soon shut down."""
        info = self.get(model)
        if info is None:
            mend = f'Set its limits under [models."{model}"] and its price under [prices."{model}"] in snapdrift.toml; '
            mend += "a budget needs the price."
            meant = did_you_mean(model, self._models, "")
            asked = f" D{meant[1:]}" if meant else ""
            return (f"{model} is not in the catalogue: its prices and limits are not known.{asked} {mend}",)
        shutdown = _shutdown_warning(model, info, self.today)
        found = [shutdown] if shutdown else []
        if info.price is None:
            found.append(
                f"The price of {model} is not known. "
                f'Set it under [prices."{model}"] in snapdrift.toml; a budget needs it.'
            )
        return tuple(found)


def load_catalog(overrides: Mapping[str, Any] | None = None, today: date | None = None) -> Catalog:
    """The bundled catalogue with the user's figures over it.

    `overrides` maps a model to what differs, in the names of `catalog.yaml` (`{"gpt-6-luna": {"price": {"input": 1,
    "output": 4}}}`); a model that is not in the catalogue is added. Raises `OverrideError` naming every mistake.
    """
    today = today if today is not None else date.today()  # noqa: DTZ011  the user's own calendar day
    return Catalog(read_models(overrides or {}), today)


def _first_day(item: tuple[tuple[date, str | None], list[str]]) -> date:
    return item[0][0]


def _stored(info: ModelInfo) -> dict[str, Any]:
    said = info.model_fields_set & set(Facts.model_fields)
    facts = Facts.model_validate({name: getattr(info, name) for name in said})
    return facts.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)


def _shutdown_warning(model: str, info: ModelInfo, today: date) -> str | None:
    return None if info.shutdown is None else _shutdown_of([model], info.shutdown, info.replacement, today)


def _shutdown_of(models: Sequence[str], shutdown: date, replacement: str | None, today: date) -> str:
    who, their = ", ".join(models), "its" if len(models) == 1 else "their"
    instead = f" OpenAI names {replacement} as {their} replacement." if replacement else ""
    if today >= shutdown:
        return (
            f"OpenAI shut {who} down on {shutdown}: requests to OpenAI fail with model_not_found. "
            f"Recorded answers can still be compared.{instead}"
        )
    days = (shutdown - today).days
    return f"OpenAI shuts {who} down on {shutdown}, in {days} {'day' if days == 1 else 'days'}.{instead}"
