"""`snapdrift.toml`: what the owner of a workspace decides, and a suite (which may come from a fork) cannot."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, Tag, ValidationError, ValidationInfo
from pydantic_core import PydanticKnownError

from snapdrift.errors import ConfigError, Problem
from snapdrift.suites.document import Document, Position
from snapdrift.suites.registry import Location
from snapdrift.suites.shapes import MAPPING, TEXT, Entry, Shape, forms, mistakes_of

_KEY = re.compile(r"""\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([A-Za-z0-9_-]+))\s*""")


_URL = re.compile(r"https?://[^/?#@\s]+(?:/[^?#@\s]*)?")
_OF_OPENAI = re.compile(r"https?://(?:[^/]*\.)?openai\.com\.?(?=[:/]|$)", re.IGNORECASE)
_OF_AZURE = re.compile(
    r"https?://[^/]*\.(?:openai|cognitiveservices|services\.ai)\.azure\.com(?=[:/]|$)", re.IGNORECASE
)
_API_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(?:-preview)?")


def _host_url(url: str, info: ValidationInfo) -> str:
    if not _URL.fullmatch(url):
        raise ValueError("expected a URL that begins with https:// and holds no user name, query or key")
    path = urlsplit(url).path.rstrip("/")
    if info.data.get("kind") == "azure":
        if _OF_OPENAI.match(url):
            raise ValueError("expected an endpoint of Azure: its key is never sent to OpenAI")
        if re.search(r"/openai(?:/|$)", path):
            raise ValueError(
                'expected the endpoint of the resource, such as "https://RESOURCE.openai.azure.com", without /openai; '
                'for the v1 form (.../openai/v1) leave out `kind = "azure"` and api_version'
            )
    elif _OF_AZURE.match(url) and not path.endswith("/openai/v1"):
        raise ValueError('expected the v1 form, .../openai/v1; or `kind = "azure"` with an api_version')
    return url


def _for_azure(value: str | None, info: ValidationInfo) -> str | None:
    """A key that Azure's classic form cannot do without."""
    if value is None and info.data.get("kind") == "azure":
        raise PydanticKnownError("missing")
    return value


def _no_date(value: Any) -> Any:
    if isinstance(value, date):  # as TOML reads it without quotes
        raise ValueError(f'expected text, in quotes: "{value}"')  # noqa: TRY004  pydantic takes no TypeError
    return value


def _version(value: str | None, info: ValidationInfo) -> str | None:
    if value is not None and info.data.get("kind") != "azure":
        raise ValueError('expected none: it is for hosts of `kind = "azure"`')
    if value is not None and not _API_VERSION.fullmatch(value):
        raise ValueError('expected a version of Azure\'s API, such as "2024-10-21"')
    return _for_azure(value, info)


def _variable_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise ValueError("expected the name of an environment variable, not a key")
    if name == "OPENAI_API_KEY":
        raise ValueError("expected a variable of its own: OPENAI_API_KEY is sent to OpenAI's hosts only")
    return name


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Paths = Annotated[list[str], BeforeValidator(_as_list, json_schema_input_type=list[str] | str)]


def _words(value: Any) -> Any:
    """A command's words; a line is split into them as a shell would, and read by none."""
    try:
        return shlex.split(value) if isinstance(value, str) else value
    except ValueError as error:
        raise ValueError(f"expected a command ({error})") from None


def _program(words: list[str]) -> list[str]:
    if not words or not words[0] or any("\0" in word for word in words):
        raise ValueError('expected a command that prints the key, such as ["pass", "show", "openai"]')
    return words


Command = Annotated[
    list[str], BeforeValidator(_words, json_schema_input_type=list[str] | str), AfterValidator(_program)
]


def _key_for_azure(value: str | None, info: ValidationInfo) -> str | None:
    """The variable of the key, which Azure's classic form cannot do without, or a command that prints the key."""
    return value if info.data.get("api_key_cmd") else _for_azure(value, info)


_Limit = Annotated[int, Field(gt=0)] | None


class ModelLimits(Entry):
    """What an account may ask of a model: requests and tokens a minute and a day, images a minute.

    `shared_with` names the model whose limits it shares: the host adds up the requests to both.
    """

    rpm: _Limit = None
    tpm: _Limit = None
    rpd: _Limit = None
    tpd: _Limit = None
    ipm: _Limit = None
    shared_with: Annotated[str, Field(min_length=1)] | None = None


class LimitsConfig(Entry):
    """`[limits]`: the account's limits by model, as suites name it, and the usage tier that says the rest.

    The limits of the tier are those that the catalogue has for OpenAI's own hosts.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, ModelLimits]

    tier: Literal[1, 2, 3, 4, 5] | None = None

    @property
    def models(self) -> Mapping[str, ModelLimits]:
        """The limits by model."""
        return self.__pydantic_extra__


class HostConfig(Entry):
    """A host that suites can name: where it is, which environment variable holds its key, or which command prints it.

    `kind = "azure"` is a resource in Azure's classic form, with its endpoint as `base_url`; everything else speaks
    OpenAI's protocol below `base_url`. `deployments` says which model of the catalogue stands behind a name that suites
    give as `model`: on Azure they name deployments, and so may a proxy. `limits` are those of models there, by name.
    """

    kind: Literal["azure"] | None = None
    base_url: Annotated[str, AfterValidator(_host_url)]
    api_version: Annotated[
        str | None, BeforeValidator(_no_date), AfterValidator(_version), Field(validate_default=True)
    ] = None
    api_key_cmd: Command | None = None
    key_env: Annotated[
        Annotated[str, AfterValidator(_variable_name)] | None,
        AfterValidator(_key_for_azure),
        Field(validate_default=True),
    ] = None
    deployments: dict[str, Annotated[str, Field(min_length=1)]] = Field(default_factory=dict)
    limits: dict[str, ModelLimits] = Field(default_factory=dict)


class StandinSuite(Entry):
    """What the stand-in answers for the suites that a name or pattern covers."""

    recordings: Paths = Field(default_factory=list)
    answers: Paths = Field(default_factory=list)
    behaviour: str | None = None
    variants: dict[str, str] = Field(default_factory=dict)
    models: dict[str, str] = Field(default_factory=dict)
    prompts: dict[str, str] = Field(default_factory=dict)
    fallback: str | None = None
    judge: str | None = None
    template: str | None = None


class StandinSettings(Entry):
    """`[standin]`: what `run --standin` and `demo` start. `latency` and `faults` read as the command's options do."""

    alias: dict[str, str] = Field(default_factory=dict)
    suites: dict[str, StandinSuite] = Field(default_factory=dict)
    behaviours: dict[str, dict[str, Any]] = Field(default_factory=dict)
    latency: Any = None
    faults: Any = None
    batches: dict[str, Any] = Field(default_factory=dict)
    limits: dict[str, Any] = Field(default_factory=dict)
    prompt_caching: bool = True
    overbill: Any = None
    today: Any = None
    seed: int = 0


class BatchConfig(Entry):
    """`[batch]`: the account's limit of input tokens that wait or run in batches, for each model or for all alike.

    `tier` is the account's usage tier, whose limits in the catalogue hold where none is named.
    """

    enqueued_tokens: Annotated[int, Field(gt=0)] | dict[str, Annotated[int, Field(gt=0)]] | None = None
    tier: Literal[1, 2, 3, 4, 5] | None = None


class CacheConfig(Entry):
    """`[cache]`: the size of the index of answers that are reused across runs, in megabytes.

    `pinned` are names that are no snapshots' but always stand for one model (deployments, say): the owner knows.
    """

    max_mb: Annotated[float, Field(ge=1)] = 64.0
    pinned: list[str] = Field(default_factory=list)


class Config(Entry):
    """The whole file. `models` overrides the catalogue's facts by model; `roots` are further folders for paths.

    `code` false refuses suites that run code of the workspace, as `--no-code` does. `api_key_cmd` prints OpenAI's key
    where `OPENAI_API_KEY` is not set.
    """

    hosts: dict[str, HostConfig] = Field(default_factory=dict)
    models: dict[str, dict[str, Any]] = Field(default_factory=dict)
    prices: dict[str, dict[str, Any]] = Field(default_factory=dict)
    limits: LimitsConfig = LimitsConfig()
    concurrency: Annotated[int, Field(gt=0)] | None = None
    state: Annotated[str, Field(min_length=1)] = ".snapdrift"
    roots: list[str] = Field(default_factory=list)
    cache: (
        Annotated[
            Annotated[Literal["never"], Tag(TEXT)] | Annotated[CacheConfig, Tag(MAPPING)],
            forms('"never", or a table such as {max_mb = 64}'),
        ]
        | None
    ) = None
    code: bool = True
    api_key_cmd: Command | None = None
    batch: BatchConfig = BatchConfig()
    standin: StandinSettings = StandinSettings()

    @property
    def cache_table(self) -> CacheConfig:
        """The settings of the cache across runs."""
        return self.cache if isinstance(self.cache, CacheConfig) else CacheConfig()

    @property
    def deployments(self) -> dict[str, str]:
        """The catalogue's model behind each name that a host gives to one of its own."""
        return {name: model for host in self.hosts.values() for name, model in host.deployments.items()}

    @property
    def catalog_overrides(self) -> dict[str, dict[str, Any]]:
        """Facts by model for `load_catalog`: `[models.NAME]`, with `[prices.NAME]` as its `price`; deployments too."""
        merged: dict[str, dict[str, Any]] = {name: {"deployment_of": model} for name, model in self.deployments.items()}
        for model, facts in self.models.items():
            merged[model] = {**merged.get(model, {}), **facts}
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
    return _validated(value, document, table)


def _validated(value: Any, document: Document, table: tuple[str, ...]) -> Config:
    shape = Shape()
    try:
        config = Config.model_validate(value, context=shape)
    except ValidationError as error:
        problems = [
            document.problem((*table, *mistake.location), mistake.found, mistake.expected, key=mistake.at_key)
            for mistake in mistakes_of(error, value, shape)
        ]
        raise ConfigError("\n".join(map(str, sorted(set(problems))))) from None
    clashes = [document.problem((*table, *location), *said) for location, *said in _clashes(config.hosts)]
    if clashes:
        raise ConfigError("\n".join(map(str, sorted(clashes))))
    return config


def _clashes(hosts: Mapping[str, HostConfig]) -> Iterator[tuple[Location, str, str]]:
    """What two hosts cannot both say: one key for OpenAI and for somebody else, one name for two models."""
    keys: dict[str, tuple[str, bool]] = {}
    models: dict[str, tuple[str, str]] = {}
    for name, host in hosts.items():
        if host.key_env is not None:
            of_openai = bool(_OF_OPENAI.match(host.base_url))
            other, theirs = keys.setdefault(host.key_env, (name, of_openai))
            if of_openai is not theirs:
                expected = f"expected another variable than hosts.{other} has: no key goes to OpenAI and elsewhere"
                yield ("hosts", name, "key_env"), f'"{host.key_env}"', expected
        for deployment, model in host.deployments.items():
            other, meant = models.setdefault(deployment, (name, model))
            if model != meant:
                expected = f'expected "{meant}", as hosts.{other} has it: a name stands for one model'
                yield ("hosts", name, "deployments", deployment), f'"{model}"', expected


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
