"""The texts of `models`: the catalogue, one model in full, and how a host's list differs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, get_args

from snapdrift.cli import tables

if TYPE_CHECKING:
    from snapdrift.openai_api.catalog import Catalog
    from snapdrift.openai_api.facts import ModelInfo
    from snapdrift.pipeline.refreshing import Refreshed

FORMAT = "snapdrift.models/1"
_COLUMNS = ("model", "in", "cached", "out", "batch", "window", "cap", "can", "shutdown", "replacement")
_RIGHT = {1, 2, 3, 4, 5, 6}
_UNKNOWN, _NO_ALIAS = "not known", "no alias"
_SHORT = {"json_schema": "s", "json_object": "j", "tools": "t", "vision": "v", "logprobs": "l", "reasoning": "r"}


def catalogue(catalog: Catalog) -> str:
    """The catalogue as a table."""
    rows = [_row(info, catalog.today) for info in catalog.models()]
    words = ", ".join(f"{short} {name}" for name, short in _SHORT.items())
    lines = [
        "Prices in USD per 1,000,000 tokens; empty: not known. `snapdrift models NAME` has the sources.",
        tables.table(_COLUMNS, _RIGHT, rows),
        f"  can: {words}. Override figures in snapdrift.toml under [models.NAME] and [prices.NAME].",
    ]
    return tables.joined(lines)


def details(catalog: Catalog, names: Sequence[str]) -> str:
    """Every figure of some models with its source and date; the names are known to the catalogue."""
    lines: list[str] = []
    for name in names:
        info = catalog.get(name)
        if info is not None:
            about = (
                f" (alias of {info.alias_of})" if info.alias_of else f" (facts of {info.name})" * (info.name != name)
            )
            sources: dict[str, int] = {}
            rows = [list(row) for row in _figures(info, sources)]
            lines += [f"{name}{about}", tables.table(("figure", "value", "source"), set(), rows)]
            lines += [f"  {number} {text}" for text, number in sources.items()]
            lines += [f"  warning: {text}" for text in catalog.warnings(name)] + [""]
    return tables.joined(lines)


def catalogue_json(catalog: Catalog, names: Sequence[str]) -> str:
    """The models as one JSON text; without names, all."""
    infos = [info for info in map(catalog.get, names) if info is not None] if names else list(catalog.models())
    models = [_model_json(name, info) for name, info in zip(names or [i.name for i in infos], infos, strict=True)]
    document = {"format": FORMAT, "models": models}
    return json.dumps(document, indent=2, ensure_ascii=False, default=str) + "\n"


def refreshed(found: Refreshed) -> str:
    """How a host's list differs from the catalogue, with the lines that would make it agree."""
    whose = f"{found.base_url} (a stand-in: its list says nothing of OpenAI)" if found.made_up else found.base_url
    head = f"{whose} lists {found.listed} models; "
    if not found.differences:
        return tables.joined([head + "the catalogue agrees with it."])
    lines = [head + "the catalogue differs:", *(f"  {one}" for one in found.differences)]
    toml = [one.toml for one in found.differences if one.toml is not None]
    if toml:
        lines += ["", "To go by the list, put into snapdrift.toml:", "", *toml]
    return tables.joined(lines)


def refreshed_json(found: Refreshed) -> str:
    """The same as JSON."""
    differences = [
        {"model": one.model, "kind": one.kind.value, "catalogue": one.ours, "listed": one.theirs, "toml": one.toml}
        for one in found.differences
    ]
    document = {
        "format": FORMAT,
        "base_url": found.base_url,
        "simulated": found.made_up,
        "listed": found.listed,
        "differences": differences,
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _row(info: ModelInfo, today: date) -> list[str]:
    price = info.price
    return [
        info.name + (" (alias)" if info.alias_of else ""),
        "" if price is None else f"{price.input:g}",
        "" if price is None or price.cached is None else f"{price.cached:g}",
        "" if price is None else f"{price.output:g}",
        "" if price is None or price.batch_input is None else f"{price.batch_input:g}/{price.batch_output:g}",
        "" if info.context_window is None else f"{info.context_window:,}",
        "" if info.max_output is None else f"{info.max_output:,}",
        "".join(short for name, short in _SHORT.items() if info.can(name)),  # type: ignore[arg-type]
        shutdown(info, today),
        info.replacement or "",
    ]


def shutdown(info: ModelInfo, today: date) -> str:
    """When a model is shut down and how many days are left."""
    if info.shutdown is None:
        return ""
    days = (info.shutdown - today).days
    return f"{info.shutdown} " + (f"({days} d)" if days > 0 else "(gone)")


def _figures(info: ModelInfo, sources: dict[str, int]) -> Iterator[tuple[str, str, str]]:
    """Name, text and source of every figure; sources are numbered as they come."""
    for name, value, figure in _values(info):
        source = info.source_of(figure) if value not in (_UNKNOWN, _NO_ALIAS) else None
        doubt = ", unverified" if source and (name in info.unverified or figure in info.unverified) else ""
        number = "" if source is None else str(sources.setdefault(str(source), len(sources) + 1))
        yield name, value, number + doubt


def _values(info: ModelInfo) -> Iterator[tuple[str, str, str]]:
    """Name, text and group of every figure, those that are not known too."""
    from snapdrift.openai_api.facts import Capability

    yield "alias of", info.alias_of or _NO_ALIAS, "alias_of"
    price = info.price.model_dump(exclude={"tiers"}) if info.price else {"input": None, "output": None}
    for key, amount in price.items():
        yield f"price, {key.replace('_', ' ')}", _UNKNOWN if amount is None else f"${amount:g}", "price"
    for tier, its in info.price.tiers.items() if info.price else ():
        cached = "" if its.cached is None else f", cached ${its.cached:g}"
        yield f"price, {tier}", f"input ${its.input:g}{cached}, output ${its.output:g}", "price"
    for key in ("context_window", "max_output"):
        yield key, _count(getattr(info, key)), key
    yield "input", ", ".join(info.input_modalities) or _UNKNOWN, "input"
    yield "output", ", ".join(info.output_modalities) or _UNKNOWN, "output"
    yield "endpoints", ", ".join(info.endpoints) or _UNKNOWN, "endpoints"
    for capability in get_args(Capability):
        yield capability, _yes_or_no(info, capability), capability
    tiles = _UNKNOWN if info.image is None else f"{info.image.base:,} + {info.image.tile:,} a tile of 512 pixels"
    yield "image tokens", tiles, "image"
    for number, limits in sorted(info.limits.items()):
        text = f"{_count(limits.rpm)} RPM, {_count(limits.tpm)} TPM, batch queue {_count(limits.batch_queue)}"
        yield f"limits.{number}", text, "limits"
    for key in ("shutdown", "shutdown_announced", "azure_shutdown", "replacement"):
        yield key, str(getattr(info, key) or _UNKNOWN), key


def _yes_or_no(info: ModelInfo, capability: Any) -> str:
    words = {True: "yes", False: "no", None: _UNKNOWN}
    by_endpoint = {endpoint.value: words[info.can(capability, endpoint)] for endpoint in info.endpoints}
    if len(set(by_endpoint.values())) > 1:
        return ", ".join(f"{endpoint}: {word}" for endpoint, word in by_endpoint.items())
    return words[info.can(capability)]


def _model_json(name: str, info: ModelInfo) -> dict[str, Any]:
    facts = info.model_dump(mode="json", by_alias=True, exclude={"name", "sources"})
    sources = {group: {"text": source.text, "date": source.date} for group, source in info.sources.items()}
    return {"model": name, **facts, "sources": sources}


def _count(number: int | None) -> str:
    return _UNKNOWN if number is None else f"{number:,}"
