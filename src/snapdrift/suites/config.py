"""`snapdrift.toml`: what the owner of a workspace decides, and a suite (which may come from a fork) cannot."""

from __future__ import annotations

import re
import tomllib
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError

from snapdrift.errors import ConfigError, Problem
from snapdrift.suites.document import Document, Position
from snapdrift.suites.registry import Location
from snapdrift.suites.shapes import Entry, Shape, mistakes_of

_KEY = re.compile(r"""\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([A-Za-z0-9_-]+))\s*""")


def _host_url(url: str) -> str:
    if not re.match(r"https?://[^/\s@]+", url):
        raise ValueError("expected a URL that begins with https:// and holds no user name or key")
    return url


def _variable_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise ValueError("expected the name of an environment variable, not a key")
    if name == "OPENAI_API_KEY":
        raise ValueError("expected a variable of its own: OPENAI_API_KEY is sent to OpenAI's hosts only")
    return name


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Paths = Annotated[list[str], BeforeValidator(_as_list, json_schema_input_type=list[str] | str)]


LATER = {
    "api_key_cmd": "set the key's variable instead",
    "limits": "bound what is in flight with `concurrency` instead",
}
"""Keys of the design that come later, and what serves until then."""


class HostConfig(Entry):
    """A host that suites can name: where it is and which environment variable holds its key."""

    base_url: Annotated[str, AfterValidator(_host_url)]
    key_env: Annotated[str, AfterValidator(_variable_name)] | None = None


class StandinSuite(Entry):
    """What the stand-in answers for the suites that a name or pattern covers."""

    recordings: Paths = Field(default_factory=list)
    answers: Paths = Field(default_factory=list)
    behaviour: str | None = None
    variants: dict[str, str] = Field(default_factory=dict)
    models: dict[str, str] = Field(default_factory=dict)
    fallback: str | None = None
    template: str | None = None


class StandinSettings(Entry):
    """`[standin]`: what `run --standin` and `demo` start. `latency` and `faults` read as the command's options do."""

    alias: dict[str, str] = Field(default_factory=dict)
    suites: dict[str, StandinSuite] = Field(default_factory=dict)
    behaviours: dict[str, dict[str, Any]] = Field(default_factory=dict)
    latency: Any = None
    faults: Any = None
    seed: int = 0


class Config(Entry):
    """The whole file. `models` overrides the catalogue's facts by model; `roots` are further folders for paths."""

    hosts: dict[str, HostConfig] = Field(default_factory=dict)
    models: dict[str, dict[str, Any]] = Field(default_factory=dict)
    prices: dict[str, dict[str, Any]] = Field(default_factory=dict)
    concurrency: Annotated[int, Field(gt=0)] | None = None
    state: Annotated[str, Field(min_length=1)] = ".snapdrift"
    roots: list[str] = Field(default_factory=list)
    cache: Literal["never"] | None = None
    standin: StandinSettings = StandinSettings()

    @property
    def catalog_overrides(self) -> dict[str, dict[str, Any]]:
        """Facts by model for `load_catalog`: `[models.NAME]`, with `[prices.NAME]` as its `price`."""
        merged = {model: dict(facts) for model, facts in self.models.items()}
        for model, price in self.prices.items():
            merged.setdefault(model, {})["price"] = {**merged.get(model, {}).get("price", {}), **price}
        return merged


def parse_config(text: str, file: str, table: tuple[str, ...] = ()) -> Config:
    """Reads the configuration out of a TOML text; `table` names the table that holds it. Raises `ConfigError`."""
    try:
        value: Any = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        said = re.match(r"(.*?) \(at (?:line (\d+), column (\d+)|end of document)\)$", str(error), re.DOTALL)
        end = (text.count("\n") + 1, 1)
        line, column = (int(said[2]), int(said[3])) if said and said[2] else end
        message = said[1] if said else str(error)
        raise ConfigError(str(Problem(file, line, column, "", f"not TOML: {message}", "expected valid TOML"))) from None
    for name in table:
        value = value.get(name, {})
    document = toml_document(text, file, value)
    for name, instead in LATER.items():
        if isinstance(value, dict) and name in value:
            raise ConfigError(str(document.problem((*table, name), f"{name} is not available yet", instead)))
    return _validated(value, document, table)


def _validated(value: Any, document: Document, table: tuple[str, ...]) -> Config:
    shape = Shape()
    try:
        return Config.model_validate(value, context=shape)
    except ValidationError as error:
        problems = [
            document.problem((*table, *mistake.location), mistake.found, mistake.expected, key=mistake.at_key)
            for mistake in mistakes_of(error, value, shape)
        ]
        raise ConfigError("\n".join(map(str, sorted(set(problems))))) from None


def toml_document(text: str, file: str, value: Any) -> Document:
    """A TOML text with the places of its tables and keys, as far as they can be told line by line.

    Keys inside inline tables are at the line of what holds them.
    """
    keys: dict[Location, Position] = {(): Position(1, 1)}
    table: Location = ()
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*(\[\[?)([^\]]+)\]", line)
        if header:
            table = _dotted(header[2])
            keys.setdefault(table, Position(number, header.start(2) + 1))
            continue
        name, separator, _ = line.partition("=")
        if separator and name.strip() and not name.lstrip().startswith("#"):
            place = Position(number, len(name) - len(name.lstrip()) + 1)
            keys.setdefault((*table, *_dotted(name)), place)
    return Document(file, value, keys, keys)


def _dotted(text: str) -> Location:
    """The parts of a dotted key: `hosts."my-proxy"`."""
    parts: list[str] = []
    at = 0
    while match := _KEY.match(text, at):
        parts.append(next(group for group in match.groups() if group is not None))
        at = match.end() + 1
    return tuple(parts)
