"""Reading the catalogue: entries of `catalog.yaml`, the user's figures over them, and what a model takes over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from pydantic import Field, ValidationError

from snapdrift.errors import ConfigError
from snapdrift.openai_api.facts import GROUPS, Facts, FactSource, ModelInfo
from snapdrift.suites.registry import Location

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

USER_SOURCE = FactSource("snapdrift.toml")
_OWN_KEYS = frozenset({"alias_of", "fine_tune_of", "deployment_of", "sources", "unverified"})
_DATES_OF_OPENAI = ("shutdown", "shutdown_announced", "replacement")


class Entry(Facts):
    """One entry of the catalogue file, or of the user's `[models]` table.

    `deployment_of` is the model behind a name of a host's own (`[hosts.NAME.deployments]`), which shares its facts but
    for OpenAI's shutdown dates. A name that the catalogue has itself keeps the catalogue's facts.
    """

    alias_of: str | None = None
    fine_tune_of: str | None = None
    deployment_of: str | None = None
    sources: dict[str, str] = Field(default_factory=dict)
    unverified: tuple[str, ...] = ()

    @property
    def parent(self) -> str | None:
        """The entry whose facts this one takes over, where it does not say them itself."""
        return self.alias_of or self.fine_tune_of or self.deployment_of


@dataclass(frozen=True, slots=True)
class Mistake:
    """A figure of the user's that cannot be used: where (`("models", "gpt-4o", "price", "input")`), and why."""

    location: Location
    found: str
    expected: str

    def __str__(self) -> str:
        return f"snapdrift.toml: {'.'.join(map(str, self.location))}: {self.found}; {self.expected}"


class OverrideError(ConfigError):
    """The user's figures have mistakes: all of them."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(map(str, mistakes)))


def read_models(overrides: Mapping[str, Any]) -> dict[str, ModelInfo]:
    """Every model of the bundled catalogue and of the overrides, by name. Raises `OverrideError`."""
    document = bundled()
    entries: dict[str, Mapping[str, Any]] = dict(document["models"])
    sources = {name: FactSource(source["text"], source["date"]) for name, source in document["sources"].items()}
    tables = [name for name, changes in overrides.items() if not isinstance(changes, Mapping)]
    if tables:
        expected = "expected a table of its figures"
        raise OverrideError([Mistake(("models", name), f"found {overrides[name]!r}", expected) for name in tables])
    for model, changes in overrides.items():
        said = {key: value for key, value in changes.items() if key != "deployment_of" or model not in entries}
        entries[model] = _overridden(_base_of(model, said, entries), said)
    parsed = _parsed(entries)
    return {name: _model_info(name, parsed, sources) for name in parsed}


@cache
def bundled() -> dict[str, Any]:
    """`catalog.yaml` as plain values; not to be changed."""
    import yaml

    text = resources.files("snapdrift.openai_api").joinpath("catalog.yaml").read_text(encoding="utf-8")
    document: dict[str, Any] = yaml.safe_load(text)
    return document


def _base_of(model: str, changes: Mapping[str, Any], entries: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """The entry that changes are laid over. Of a table that it takes over, the figures are those taken over.

    A fine-tuned id without an entry takes over that of its family.
    """
    family = ":".join(model.split(":")[:2])
    entry = entries.get(model)
    if entry is None:
        entry = {"fine_tune_of": family} if family != model and family in entries else {}
    base, seen = dict(entry), {model}
    parent: Mapping[str, Any] = {**entry, **changes}
    while (name := _parent_name(parent)) in entries and name not in seen:
        seen.add(name)
        parent = entries[name]
        tables = {key for key, value in changes.items() if isinstance(value, Mapping) and key not in base}
        base |= {key: parent[key] for key in tables & parent.keys()}
    return base


def _parent_name(entry: Mapping[str, Any]) -> Any:
    return entry.get("alias_of") or entry.get("fine_tune_of") or entry.get("deployment_of")


def _overridden(entry: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Tables merge deeply, so that one figure can be said; a figure that the user says is the user's to verify."""
    merged = {**entry, **_merged(entry, changes)}
    groups = {GROUPS[key]: "user" for key in changes if key in GROUPS}
    merged["sources"] = {**entry.get("sources", {}), **groups}
    merged["unverified"] = [figure for figure in entry.get("unverified", ()) if figure.split(".")[0] not in changes]
    return merged


def _merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(old)
    for key, value in new.items():
        before = _key_of(old, key)
        both = isinstance(value, Mapping) and isinstance(old.get(before), Mapping)
        merged[before] = _merged(old[before], value) if both else value
    return merged


def _key_of(table: Mapping[Any, Any], key: Any) -> Any:
    """TOML has only text for keys, where a usage tier is a number in the catalogue."""
    return int(key) if isinstance(key, str) and key.isdigit() and int(key) in table else key


def _parsed(entries: Mapping[str, Mapping[str, Any]]) -> dict[str, Entry]:
    parsed: dict[str, Entry] = {}
    mistakes: list[Mistake] = []
    for name, entry in entries.items():
        try:
            parsed[name] = Entry.model_validate(_with_numbers(entry))
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                location = ("models", name, *(part for part in detail["loc"] if part != "[key]"))
                mistakes.append(Mistake(location, *_said(detail)))
    for name, checked in parsed.items():
        parent = checked.parent
        if parent is not None and (parent not in entries or parent == name):
            mistakes.append(Mistake(("models", name), f"found {parent!r}", "expected another model of the catalogue"))
    if mistakes:
        raise OverrideError(mistakes)
    return parsed


def _said(detail: ErrorDetails) -> tuple[str, str]:
    """What was found and what was expected, in words."""
    match detail["type"]:
        case "missing":
            return "it is missing", "expected a figure beside the others of its table"
        case "extra_forbidden":
            return f"found {detail['input']!r} under a key that is not known", "expected a key of the catalogue"
        case "less_than_equal":
            return f"found {detail['input']!r}", f"expected at most {detail['ctx']['le']:,.10g}"
        case _:
            return f"found {detail['input']!r}", detail["msg"].replace("Input should be", "expected", 1)


def _with_numbers(entry: Mapping[str, Any]) -> dict[str, Any]:
    limits = entry.get("limits")
    if not isinstance(limits, Mapping):
        return dict(entry)
    return {**entry, "limits": {int(k) if str(k).isdigit() else k: v for k, v in limits.items()}}


def _model_info(name: str, entries: Mapping[str, Entry], sources: Mapping[str, FactSource]) -> ModelInfo:
    """An alias or fine-tuned model takes over what its own entry does not say, sources and doubts included."""
    said: dict[str, Any] = {}
    group_sources: dict[str, str] = {}
    doubts: list[str] = []
    for entry in reversed(_ancestry(name, entries)):
        own = {key: getattr(entry, key) for key in entry.model_fields_set if key not in _OWN_KEYS}
        if entry.deployment_of is not None:
            own = {**dict.fromkeys(_DATES_OF_OPENAI), **own}
        doubts = [figure for figure in doubts if figure.split(".")[0] not in own] + list(entry.unverified)
        said |= own
        group_sources |= entry.sources
    entry = entries[name]
    return ModelInfo(
        **said,
        name=name,
        base=entry.parent or name,
        alias_of=entry.alias_of,
        sources={group: sources.get(source, USER_SOURCE) for group, source in group_sources.items()},
        unverified=tuple(doubts),
    )


def _ancestry(name: str, entries: Mapping[str, Entry]) -> list[Entry]:
    chain: list[Entry] = []
    parent: str | None = name
    visited: set[str] = set()
    while parent is not None and parent not in visited:
        visited.add(parent)
        chain.append(entries[parent])
        parent = chain[-1].parent
    return chain
