"""At what price a stored response was reckoned, in words and with where the figures come from."""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING

from snapdrift.model import Response, Source

if TYPE_CHECKING:
    from collections.abc import Callable

    from snapdrift.openai_api.catalog import Catalog
    from snapdrift.openai_api.facts import TierPrice

_OWN_WORDS = {Source.PYTHON: "said by the application", Source.OUTPUTS: "said by the file of outputs"}
_AS_RUN = "figures that the run was made with, which are not those of this version's catalogue"


def price_sentences(catalog: Catalog) -> Callable[[Response], str | None]:
    """A function that says at what price a response was reckoned, None where it has no cost or none that is known.

    `catalog` holds the run's own figures. A price is named only where it gives the cost that is stored.
    """
    from snapdrift.openai_api.catalog import load_catalog

    bundled = load_catalog()

    @cache
    def sentence(model: str, tier: str | None, batched: bool) -> str:  # noqa: FBT001  a key of the cache
        price = catalog.price(model, service_tier=tier, batched=batched)
        assert price is not None  # noqa: S101  it gave the cost
        info = bundled.get(model)
        known = bundled.price(model, service_tier=tier, batched=batched) == price
        source = str(info.source_of("price")) if known and info is not None else _AS_RUN
        way = " by the Batch API" if batched else f" in the tier {tier}" if tier and tier != "default" else ""
        return f"{_figures(price)} per 1,000,000 tokens of {model}{way}: {source}"

    def priced(response: Response) -> str | None:
        if response.usd is None:
            return None
        if response.reused is not None:
            return f"nothing in this run: received by run {response.reused.run}"
        if response.source in _OWN_WORDS:
            return _OWN_WORDS[response.source]
        model = _model_priced(catalog, response)
        return None if model is None else sentence(model, response.service_tier, response.batched)

    return priced


def _model_priced(catalog: Catalog, response: Response) -> str | None:
    """The model at whose price the stored cost comes out: the one that answered, or else the one that was asked for."""
    if response.usage is None or response.usd is None:
        return None
    for model in filter(None, (response.returned_model, response.requested_model)):
        usd = catalog.usd(model, response.usage, service_tier=response.service_tier, batched=response.batched)
        if usd is not None and math.isclose(usd, response.usd, rel_tol=1e-9, abs_tol=1e-12):
            return model
    return None


def _figures(price: TierPrice) -> str:
    cached = "" if price.cached is None else f"${price.cached:.2f} cached, "
    return f"${price.input:.2f} in, {cached}${price.output:.2f} out"
