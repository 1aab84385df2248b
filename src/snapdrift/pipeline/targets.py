"""Where requests go: the stand-in, a declared host, a URL, or OpenAI; and what that means for keys and budgets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from snapdrift.errors import ConfigError, IncompleteError, UsageError
from snapdrift.model import Answer, Request, Source, Variant
from snapdrift.pipeline.options import TargetOptions

if TYPE_CHECKING:
    from snapdrift.openai_api.client import Host
    from snapdrift.suites.workspace import Workspace

OPENAI = "openai"
STANDIN = "stand-in"
STANDIN_KEY = "standin"
"""What is sent where no key is wanted: a header has to be there, a key must not."""

Ask = Callable[[Request], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Target:
    """The hosts of a command. `override` holds for every variant, whatever the suite says."""

    hosts: Mapping[str, Host]
    override: str | None
    identity: Any

    def host(self, variant: Variant) -> Host:
        """Where a variant's requests go."""
        return self.hosts[self.override or variant.host or OPENAI]

    @property
    def is_own_standin(self) -> bool:
        """Whether everything goes to the stand-in that this command started."""
        return self.override == STANDIN

    @asynccontextmanager
    async def asking(self, concurrency: int) -> AsyncIterator[Ask]:
        """Opens one client a host and gives a function that sends each request to its own."""
        from snapdrift.openai_api.client import OpenAIClient

        async with AsyncExitStack() as stack:
            clients = {}
            for host in {host.base_url: host for host in self.hosts.values()}.values():
                client = OpenAIClient(host, max_connections=max(1, concurrency))
                clients[host.base_url] = await stack.enter_async_context(client)

            async def ask(request: Request) -> Answer:
                return await clients[request.base_url].ask(request)

            yield ask

    async def measures_a_model(self, variants: Iterable[Variant]) -> bool:
        """Whether some host is a real one. A stand-in says in a header what it is, wherever it runs.

        Raises `IncompleteError` when a host that is not OpenAI's cannot be reached.
        """
        if self.is_own_standin:
            return False
        from snapdrift.openai_api.client import OpenAIClient
        from snapdrift.openai_api.errors import AttemptFailed

        for host in {host.base_url: host for host in map(self.host, variants)}.values():
            if host.is_openai:
                return True
            async with OpenAIClient(host) as client:
                try:
                    source = await client.probe()
                except AttemptFailed as error:
                    raise IncompleteError(f"host {host.name} ({host.base_url}): {error.failure.message}") from None
            if source not in (Source.SIMULATED, Source.RECORDED):
                return True
        return False


@contextmanager
def open_target(
    options: TargetOptions, workspace: Workspace, env: Mapping[str, str], variants: Iterable[Variant]
) -> Iterator[Target]:
    """The target of a command; a stand-in that it starts ends with it, also when the process is killed.

    Raises `UsageError` when there is no key for a host that needs one: nothing falls back to simulated answers.
    """
    with ExitStack() as stack:
        if options.standin:
            yield stack.enter_context(_standin(options, workspace))
            return
        _refuse_standin_options(options)
        if options.base_url:
            host = _url_host(options.base_url, options.key_env, env)
            yield Target({host.name: host}, host.name, host.base_url)
            return
        if options.key_env:
            raise UsageError("--key-env names the key of --base-url; found it without; add --base-url URL")
        names = {options.host} if options.host else {variant.host or OPENAI for variant in variants}
        hosts = {name: _named_host(name, workspace, env) for name in sorted(names)}
        yield Target(hosts, options.host, {name: host.base_url for name, host in hosts.items()})


@contextmanager
def _standin(options: TargetOptions, workspace: Workspace) -> Iterator[Target]:
    from snapdrift.openai_api.client import Host
    from snapdrift.standin.config import StandinConfig
    from snapdrift.standin.launch import StandinProcess

    more: dict[str, Any] = {}
    if options.faults:
        more["faults"] = options.faults
    if options.standin_log:
        more["log"] = options.standin_log.resolve()
    for path in options.recordings:
        if not path.is_file():
            raise UsageError(f"--recordings: found no file {path}; expected recorded answers (JSONL, .gz)")
    settings = workspace.config.standin.model_dump()
    config = StandinConfig.from_settings(
        settings,
        root=workspace.root,
        recordings=[path.resolve() for path in options.recordings],
        behaviour=options.behaviour,
        **more,
    )
    identity = [STANDIN, [str(path.resolve()) for path in options.recordings], options.behaviour, settings]
    with StandinProcess(config) as process:
        host = Host(STANDIN, process.base_url, STANDIN_KEY, is_openai=False)
        yield Target({STANDIN: host}, STANDIN, identity)


def _refuse_standin_options(options: TargetOptions) -> None:
    given = {"--faults": options.faults, "--standin-log": options.standin_log}
    for name, value in given.items():
        if value:
            raise UsageError(f"{name} is for the stand-in; found it without --standin; add --standin or leave it out")


def _url_host(base_url: str, key_env: str | None, env: Mapping[str, str]) -> Host:
    from snapdrift.openai_api.client import Host, is_openai_host

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


def _named_host(name: str, workspace: Workspace, env: Mapping[str, str]) -> Host:
    from snapdrift.openai_api.client import OPENAI_BASE_URL, Host

    if name == OPENAI and name not in workspace.config.hosts:
        key = env.get("OPENAI_API_KEY", "")
        if not key:
            raise UsageError(
                "no API key: OPENAI_API_KEY is not set. Set it to ask OpenAI, add --standin to try the suite on the "
                "bundled stand-in (simulated answers, labelled as such), or name another host with --host or --base-url"
            )
        return Host(OPENAI, OPENAI_BASE_URL, key, is_openai=True)
    declared = workspace.config.hosts.get(name)
    if declared is None:
        known = ", ".join(sorted(workspace.config.hosts)) or "none"
        raise ConfigError(f"host {name!r} is not declared; expected one of [hosts] in snapdrift.toml (there: {known})")
    key = _key(declared.key_env, env, f"host {name}") if declared.key_env else STANDIN_KEY
    return Host(name, declared.base_url, key, is_openai=False)


def _key(variable: str, env: Mapping[str, str], whose: str) -> str:
    key = env.get(variable, "")
    if not key:
        raise UsageError(f"{whose}: the environment variable {variable} is not set; expected it to hold the key")
    return key
