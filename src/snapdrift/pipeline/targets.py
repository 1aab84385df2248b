"""Where requests go: the stand-in, a declared host, a URL, or OpenAI; and what that means for keys and budgets."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from snapdrift.errors import ConfigError, IncompleteError, UsageError
from snapdrift.execution.pace import Pace
from snapdrift.execution.turns import Ask, Here, Turns
from snapdrift.keys import know, require_variable
from snapdrift.model import Answer, Request, Variant
from snapdrift.pipeline.applications import Applications, load_applications
from snapdrift.pipeline.grader_code import GraderCode, open_code
from snapdrift.pipeline.key_sources import KeySource
from snapdrift.pipeline.options import TargetOptions

if TYPE_CHECKING:
    from snapdrift.execution.fleet import Fleet
    from snapdrift.graders.base import Grader
    from snapdrift.openai_api.hosts import Host
    from snapdrift.standin.config import StandinConfig
    from snapdrift.suites.tool_results import PythonFunction
    from snapdrift.suites.workspace import Workspace

OPENAI = "openai"
STANDIN = "stand-in"
STANDIN_KEY = "standin"
"""What is sent where no key is wanted: a header has to be there, a key must not."""

NO_FAULTS = "none"
"""What `--faults` is where the stand-in is to inject none, whatever the run or `snapdrift.toml` says."""


@dataclass(frozen=True, slots=True)
class Target:
    """The hosts of a command by name. `override` holds for every variant, whatever the suite says.

    `live` are the names of those that measure a model; a stand-in says in a header what it is, wherever it runs.
    Variants that are not asked over HTTP have no host but `applications`, and what they cost is not ours to bound.
    `standin` is what the stand-in that the command started answers from, None where it started none. `code` are the
    functions that its graders call. `pace` keeps all suites of the command within the limits of the accounts. `fleet`
    are the workers that make the attempts, None: this process does. `asking_is_over` is to be called when nothing
    more will be asked.
    """

    hosts: Mapping[str, Host]
    override: str | None = None
    live: frozenset[str] = frozenset()
    standin: Any = None
    applications: Applications = field(default_factory=Applications)
    code: GraderCode = field(default_factory=GraderCode)
    pace: Pace = field(default_factory=Pace, compare=False)
    asking_is_over: Callable[[], None] = field(default=lambda: None, compare=False)
    fleet: Fleet | None = None

    def host(self, variant: Variant) -> Host:
        """Where the requests of a variant go that is asked over HTTP."""
        return self.hosts[self._name(variant)]

    def is_live(self, variant: Variant) -> bool:
        """Whether asking the variant measures a model, and costs money."""
        return variant.endpoint.over_http and self._name(variant) in self.live

    def reached(self, variants: Iterable[Variant]) -> tuple[str, ...]:
        """Where these variants' answers come from: the URLs of real models, and one word for all stand-ins."""
        asked = [variant for variant in variants if variant.endpoint.over_http]
        return tuple(sorted({self.host(v).base_url if self.is_live(v) else STANDIN for v in asked}))

    def place(self, variant: Variant) -> str:
        """The address that a variant is asked at, with the version of Azure's API."""
        return _place(self.host(variant))

    def identity(self, variants: Iterable[Variant]) -> Any:
        """What of the target can change these variants' answers."""
        asked = [variant for variant in variants if variant.endpoint.over_http]
        own = self.standin is not None
        return [self.reached(asked), self.standin if own else sorted({_place(self.host(v)) for v in asked})]

    def _name(self, variant: Variant) -> str:
        return self.override or variant.host or OPENAI

    def prepare(self) -> None:
        """Does before a loop runs what would block it: imports the SDK, where a host is asked."""
        from snapdrift.openai_api.loading import load_sdk

        if self.hosts:
            load_sdk()

    @asynccontextmanager
    async def turns(self, concurrency: int) -> AsyncIterator[Turns]:
        """Who makes the attempts: the workers, or this process with what `asking` opens."""
        if self.fleet is None:
            async with self.asking(concurrency) as ask:
                yield Here(ask)
            return
        with self.applications.running(concurrency):
            yield self.fleet

    @asynccontextmanager
    async def asking(self, concurrency: int) -> AsyncIterator[Ask]:
        """Opens one client a host and gives a function that sends each request to its own, or runs an application."""
        from snapdrift.openai_api.client import OpenAIClient

        async with AsyncExitStack() as stack:
            stack.enter_context(self.applications.running(concurrency))
            clients = {}
            for host in {host.base_url: host for host in self.hosts.values()}.values():
                client = OpenAIClient(host, max_connections=max(1, concurrency))
                clients[host.base_url] = await stack.enter_async_context(client)

            async def ask(request: Request) -> Answer:
                if not request.endpoint.over_http:
                    return await self.applications.ask(request)
                return await clients[request.base_url].ask(request)

            yield ask


@contextmanager
def open_target(
    options: TargetOptions,
    workspace: Workspace,
    env: Mapping[str, str],
    variants: Iterable[Variant],
    fakes: Mapping[PythonFunction, str | None] = MappingProxyType({}),
    graders: Iterable[Grader] = (),
    *,
    code: bool = True,
) -> Iterator[Target]:
    """The target of a command; a stand-in that it starts ends with it, also when the process is killed.

    Imports the applications among the variants, the `fakes` of tools (with the SHA-256 of their files) and the
    functions that `graders` call. Raises `UsageError` when that fails, when two targets are named, and when there is no
    key for a host that needs one: nothing falls back to simulated answers. Raises `IncompleteError` for a host that
    does not answer. Without `code` no command is run that would print a key.
    """
    asked = tuple(variants)
    applications = load_applications(workspace, asked, fakes)
    with open_code(workspace, graders) as functions, _open_hosts(options, workspace, env, asked, code=code) as target:
        yield replace(target, applications=applications, code=functions)


@contextmanager
def _open_hosts(
    options: TargetOptions, workspace: Workspace, env: Mapping[str, str], variants: Iterable[Variant], *, code: bool
) -> Iterator[Target]:
    _refuse_two_targets(options)
    with ExitStack() as stack:
        if options.standin:
            yield stack.enter_context(_standin(options, workspace, variants))
            return
        _refuse_standin_options(options)
        if options.base_url:
            host = _url_host(options.base_url, options.key_env, env)
            yield _reached({host.name: host}, host.name)
            return
        if options.key_env:
            raise UsageError("--key-env names the key of --base-url; found it without; add --base-url URL")
        asked = {variant.host or OPENAI for variant in variants if variant.endpoint.over_http}
        names = {options.host} if options.host else asked
        hosts = {name: _named_host(name, workspace, env, code=code) for name in sorted(names)}
        yield _reached(hosts, options.host)


def _reached(hosts: Mapping[str, Host], override: str | None) -> Target:
    """The target of these hosts, once each said what it is. Raises `IncompleteError` for one that does not answer."""
    known: dict[str, Host] = {}
    for host in hosts.values():
        other = known.setdefault(host.base_url, host)
        if other.api_key != host.api_key:
            raise ConfigError(f"host {host.name}: found another key for {host.base_url}; expected one key for one URL")
        if other.api_version != host.api_version:
            expected = f"expected that of host {other.name} ({other.api_version or 'none'}) for one URL"
            raise ConfigError(f"host {host.name}: found api_version {host.api_version or 'none'}; {expected}")
    live = frozenset(name for name, host in hosts.items() if host.is_openai or _measures(host))
    return Target(hosts, override, live)


def _place(host: Host) -> str:
    return host.base_url if host.api_version is None else f"{host.base_url}?api-version={host.api_version}"


def _measures(host: Host) -> bool:
    """Whether a host asks a model: whatever does not say that it is a stand-in."""
    from snapdrift.openai_api.loading import load_sdk

    load_sdk()  # before there is a loop that it would hold up
    return asyncio.run(_says_that_it_measures(host))


async def _says_that_it_measures(host: Host) -> bool:
    from snapdrift.openai_api.client import OpenAIClient
    from snapdrift.openai_api.errors import AttemptFailed

    async with OpenAIClient(host) as client:
        try:
            return not (await client.probe()).made_up
        except AttemptFailed as error:
            named = host.name if host.name == host.base_url else f"{host.name} ({host.base_url})"
            raise IncompleteError(f"host {named}: {error.failure.message}") from None


def planned_target(options: TargetOptions, workspace: Workspace, variants: Iterable[Variant]) -> Target:
    """The target as far as it is known without asking anybody, for what sends nothing: no keys, no stand-in started.

    Every host but the command's own stand-in is taken to ask a model. Raises `ConfigError` and `UsageError`.
    """
    from snapdrift.openai_api.hosts import OPENAI_BASE_URL, Host, is_openai_host

    _refuse_two_targets(options)
    if options.standin:
        host = Host(STANDIN, "http://127.0.0.1/v1", STANDIN_KEY, is_openai=False)
        return Target({STANDIN: host}, STANDIN, standin=_standin_config(options, workspace, variants)[1])
    hosts: dict[str, Host] = {}
    if options.base_url:
        is_openai = is_openai_host(options.base_url)
        hosts[options.base_url] = Host(options.base_url, options.base_url, STANDIN_KEY, is_openai=is_openai)
    else:
        asked = {variant.host or OPENAI for variant in variants if variant.endpoint.over_http}
        for name in {options.host} if options.host else asked:
            declared = workspace.config.hosts.get(name)
            if declared is None and name != OPENAI:
                raise ConfigError(f"host {name!r} is not declared; expected one of [hosts] in snapdrift.toml")
            url, version = (OPENAI_BASE_URL, None) if declared is None else (declared.base_url, declared.api_version)
            hosts[name] = Host(name, url, STANDIN_KEY, is_openai=declared is None, api_version=version)
    return Target(hosts, options.base_url or options.host, frozenset(hosts))


@contextmanager
def _standin(options: TargetOptions, workspace: Workspace, variants: Iterable[Variant]) -> Iterator[Target]:
    from snapdrift.openai_api.hosts import Host
    from snapdrift.pipeline.loading import load_run
    from snapdrift.standin.launch import StandinProcess

    asked = tuple(variants)
    config, identity = _standin_config(options, workspace, asked)
    by_http = any(variant.endpoint.over_http for variant in asked)
    with StandinProcess(config, meanwhile=load_run if by_http else lambda: None) as process:
        host = Host(STANDIN, process.base_url, STANDIN_KEY, is_openai=False)
        yield Target({STANDIN: host}, STANDIN, standin=identity, asking_is_over=process.let_end)


def _standin_config(
    options: TargetOptions, workspace: Workspace, variants: Iterable[Variant]
) -> tuple[StandinConfig, list[Any]]:
    """What the command's stand-in is started with, and what its answers depend on."""
    from snapdrift.standin.config import StandinConfig

    more: dict[str, Any] = {}
    if options.faults:
        more["faults"] = "" if options.faults == NO_FAULTS else options.faults
    if options.standin_log:
        more["log"] = options.standin_log.resolve()
    for path in options.recordings:
        if not path.is_file():
            raise UsageError(f"--recordings: found no file {path}; expected recorded answers (JSONL, .gz)")
    settings = workspace.config.standin.model_dump()
    settings["alias"] = {**_own_models(workspace, variants), **settings["alias"]}
    config = StandinConfig.from_settings(
        settings,
        root=workspace.root,
        recordings=[path.resolve() for path in options.recordings],
        behaviour=options.behaviour,
        **more,
    )
    files = [suite[kind] for suite in settings["suites"].values() for kind in ("recordings", "answers")]
    named = [workspace.root / path for paths in files for path in paths]
    return config, [STANDIN, [_content(path) for path in (*options.recordings, *named)], options.behaviour, settings]


def _own_models(workspace: Workspace, variants: Iterable[Variant]) -> dict[str, str]:
    """The models that only this workspace knows, by what the stand-in answers them as.

    The server has the bundled catalogue alone, and answers what that lacks with `model_not_found`: deployments, models
    that `snapdrift.toml` describes, and whatever a declared host is asked for.
    """
    from snapdrift.openai_api.catalog import load_catalog

    config, bundled = workspace.config, load_catalog()
    described = {name: str(facts.get("alias_of") or name) for name, facts in config.catalog_overrides.items()}
    behind_hosts = {variant.model: variant.model for variant in variants if variant.host}
    named = {**behind_hosts, **described, **config.deployments}
    return {name: model for name, model in named.items() if bundled.get(name) is None}


def _content(path: Path) -> list[str]:
    """Which recordings these are, wherever they lie: answers of an earlier run stand only while they are the same."""
    try:
        return [path.name, hashlib.sha256(path.read_bytes()).hexdigest()]
    except OSError:  # the stand-in says what is wrong with it
        return [path.name, ""]


def sole_host(options: TargetOptions, workspace: Workspace, env: Mapping[str, str], *, code: bool = True) -> Host:
    """The one host that a command without suites asks: the URL or the host that is named, else OpenAI; with its key.

    Raises `UsageError` and `ConfigError` where there is no such host, or no key for it; nobody is asked anything.
    """
    if options.base_url:
        return _url_host(options.base_url, options.key_env, env)
    return _named_host(options.host or OPENAI, workspace, env, code=code)


def _refuse_two_targets(options: TargetOptions) -> None:
    given = {"--standin": options.standin, "--base-url": options.base_url, "--host": options.host}
    named = [name for name, value in given.items() if value]
    if len(named) > 1:
        raise UsageError(f"found {' and '.join(named)} (--recordings and --behaviour mean --standin); expected one")


def _refuse_standin_options(options: TargetOptions) -> None:
    given = {"--faults": options.faults, "--standin-log": options.standin_log}
    for name, value in given.items():
        if value:
            raise UsageError(f"{name} is for the stand-in; found it without --standin; add --standin or leave it out")


def _url_host(base_url: str, key_env: str | None, env: Mapping[str, str]) -> Host:
    from snapdrift.openai_api.hosts import Host, is_openai_host

    if not re.fullmatch(r"https?://[^/?#@\s]+(/[^?#@\s]*)?", base_url):
        raise UsageError(
            "--base-url: expected http(s)://HOST[:PORT]/v1 without a user name, query or key (it is kept in the run "
            "file); name the variable that holds the key with --key-env"
        )
    if key_env is not None:
        require_variable(key_env, "--key-env")
    is_openai = is_openai_host(base_url)
    if is_openai and key_env is None:
        key_env = "OPENAI_API_KEY"
    if key_env == "OPENAI_API_KEY" and not is_openai:
        raise UsageError(
            f"--key-env: OPENAI_API_KEY is sent to OpenAI's hosts only, not to {base_url}; "
            "put that host's key in a variable of its own"
        )
    key = _key(key_env, env, f"--base-url {base_url}") if key_env else STANDIN_KEY
    return Host(base_url, base_url, key, is_openai=is_openai)


def _named_host(name: str, workspace: Workspace, env: Mapping[str, str], *, code: bool) -> Host:
    from snapdrift.openai_api.hosts import OPENAI_BASE_URL, Host

    config = workspace.config
    if name == OPENAI and name not in config.hosts:
        where = KeySource(OPENAI, "OPENAI_API_KEY", config.api_key_cmd, "api_key_cmd", workspace.root, code)
        key = where.read(env)
        if key is None:
            raise UsageError(
                "no API key: OPENAI_API_KEY is not set. Set it to ask OpenAI, add --standin to try the suite on the "
                "bundled stand-in (simulated answers, labelled as such), or name another host with --host or --base-url"
            )
        return Host(OPENAI, OPENAI_BASE_URL, key, is_openai=True)
    declared = config.hosts.get(name)
    if declared is None:
        known = ", ".join(sorted(config.hosts)) or "none"
        raise ConfigError(f"host {name!r} is not declared; expected one of [hosts] in snapdrift.toml (there: {known})")
    place = f"hosts.{name}.api_key_cmd"
    where = KeySource(f"host {name}", declared.key_env, declared.api_key_cmd, place, workspace.root, code)
    key = where.read(env)
    if key is None and declared.key_env:
        raise _not_set(f"host {name}", declared.key_env)
    return Host(name, declared.base_url, key or STANDIN_KEY, is_openai=False, api_version=declared.api_version)


def _key(variable: str, env: Mapping[str, str], whose: str) -> str:
    key = env.get(variable, "")
    if not key:
        raise _not_set(whose, variable)
    know(key)
    return key


def _not_set(whose: str, variable: str) -> UsageError:
    return UsageError(f"{whose}: the environment variable {variable} is not set; expected it to hold the key")
