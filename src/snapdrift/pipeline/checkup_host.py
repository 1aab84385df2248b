"""What `doctor` looks at of a host: key, way, answer, limits and clock; and how old the prices of its models are."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from datetime import date
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from snapdrift.errors import SnapdriftError
from snapdrift.model import Endpoint, FailureKind, ToldLimits, Variant
from snapdrift.pipeline.checkup import Check, CheckupOptions, Level
from snapdrift.pipeline.prepare import workspace_catalog
from snapdrift.pipeline.targets import OPENAI, STANDIN_KEY, open_target, planned_target, sole_host

if TYPE_CHECKING:
    from collections.abc import Mapping

    from snapdrift.openai_api.catalog import Catalog
    from snapdrift.openai_api.examining import Asked, Look
    from snapdrift.openai_api.hosts import Host
    from snapdrift.suites.workspace import Workspace

OLD_PRICES_DAYS = 90
CLOCK_WARN_S, CLOCK_BAD_S = 30.0, 300.0
"""How far a clock may be off: beyond the first, times in reports mislead; beyond the second, days of a budget do."""
WAY_SECONDS = 10.0
"""How long finding and reaching a host may take."""
_PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")
_UNUSED = ("OPENAI_BASE_URL", "OPENAI_API_BASE", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_CUSTOM_HEADERS")
_NOBODY = Variant("doctor", "", Endpoint.RESPONSES, {}, {})
T = TypeVar("T")


def host_checks(options: CheckupOptions, workspace: Workspace, stack: ExitStack) -> Iterator[Check]:
    """What is found of the host that the options name, and of what is known of its models.

    A stand-in that is asked for is started, and ends with `stack`. Raises `UsageError` for two targets.
    """
    yield from _environment(options.env)
    try:
        catalog = workspace_catalog(workspace)
    except SnapdriftError as error:
        yield Check("prices", Level.BAD, str(error), "mend the figures in snapdrift.toml")
        return
    yield _prices(catalog)
    planned = planned_target(options.target, workspace, [_NOBODY]).host(_NOBODY)
    if options.target.standin:
        target = stack.enter_context(open_target(options.target, workspace, options.env, [_NOBODY]))
        host: Host | None = target.host(_NOBODY)
        yield Check("key", Level.OK, "the stand-in takes any")
    else:
        host = yield from _key(options, workspace)
    yield from _declared(options, workspace)
    way = _way(host or planned, options.env)
    yield way
    if way.level is Level.BAD:
        yield Check("host", Level.WARN, "not asked, since there is no way to it from here", "mend that, and look again")
        return
    yield from _answers(host, planned, options, catalog)


def _environment(env: Mapping[str, str]) -> Iterator[Check]:
    found = {name: value for name in _PROXIES for value in (env.get(name) or env.get(name.lower()),) if value}
    told = ", ".join(f"{name}={_without_password(value)}" for name, value in found.items())
    yield Check("proxies", Level.OK, told or "none set")
    unused = [name for name in _UNUSED if env.get(name)]
    if unused:
        mend = "name a host with --base-url, or declare it in snapdrift.toml"
        yield Check("environment", Level.WARN, f"{', '.join(unused)}: set, and not used by snapdrift", mend)


def _prices(catalog: Catalog) -> Check:
    """How old the catalogue's prices are: as old as the oldest source of a price of a model that still answers."""
    dates: list[date] = []
    for info in catalog.models():
        source = info.source_of("price") if info.price is not None else None
        if source is not None and source.date is not None and catalog.retires_within(info.name, 0) is None:
            dates.append(source.date)
    unknown = [info.name for info in catalog.models() if info.price is None]
    lacking = f"; none is known of {', '.join(unknown)}" if unknown else ""
    if not dates:
        return Check("prices", Level.WARN, f"none with a date{lacking}", "give them in snapdrift.toml: [prices.NAME]")
    oldest, newest = min(dates), max(dates)
    days = (catalog.today - oldest).days
    span = f"{oldest}" if oldest == newest else f"{oldest} to {newest}"
    found = f"read {span}, the oldest {days} days ago{lacking}"
    if days > OLD_PRICES_DAYS:
        mend = "install a newer snapdrift, or give what changed in snapdrift.toml: [prices.NAME]"
        return Check("prices", Level.WARN, found, mend)
    return Check("prices", Level.OK, found)


def _key(options: CheckupOptions, workspace: Workspace) -> Generator[Check, None, Host | None]:
    """Where the key is from, never the key. Returns the host with it, None where there is none."""
    try:
        host = sole_host(options.target, workspace, options.env, code=options.code)
    except SnapdriftError as error:
        yield Check("key", Level.BAD, str(error), "export it in the shell, or as a secret of the CI job")
        return None
    if host.api_key == STANDIN_KEY:
        yield Check("key", Level.OK, f"{host.name} wants none")
        return host
    where = _whence(options, workspace)
    shape = "looks like one of OpenAI's" if host.api_key.startswith("sk-") else "does not begin with sk-"
    odd = host.is_openai and not host.api_key.startswith("sk-")
    found = f"{where}: {len(host.api_key)} characters, {shape}" if host.is_openai else f"{where}: there"
    yield Check("key", Level.WARN if odd else Level.OK, found, "copy it again: keys of OpenAI begin with sk-" * odd)
    return host


def _whence(options: CheckupOptions, workspace: Workspace) -> str:
    config, name = workspace.config, options.target.host or OPENAI
    declared = config.hosts.get(name) if not options.target.base_url else None
    variable = options.target.key_env or (declared.key_env if declared else "OPENAI_API_KEY")
    if variable and options.env.get(variable):
        return variable
    return f"hosts.{name}.api_key_cmd" if declared else "api_key_cmd"


def _declared(options: CheckupOptions, workspace: Workspace) -> Iterator[Check]:
    others = sorted(set(workspace.config.hosts) - {options.target.host})
    if others:
        yield Check(
            "hosts", Level.OK, f"also declared: {', '.join(others)}", "look at one: snapdrift doctor --host NAME"
        )


def _way(host: Host, env: Mapping[str, str]) -> Check:
    """Whether the host is found and reached, and what finding it, connecting and TLS took."""
    from snapdrift.openai_api.hosts import goes_by_proxy, is_loopback

    url = urlsplit(host.base_url)
    name, port = url.hostname or "", url.port or (443 if url.scheme == "https" else 80)
    if not is_loopback(host.base_url) and goes_by_proxy(host.base_url):
        return Check("network", Level.OK, f"{name} by a proxy, so it is found and reached by that")
    times: list[str] = []
    step = "find it (DNS)"
    try:
        found, took = _timed(lambda: socket.getaddrinfo(name, port, type=socket.SOCK_STREAM))
        times.append(f"DNS {took:.0f} ms ({found[0][4][0]})")
        step = "connect"
        connection, took = _timed(lambda: socket.create_connection((name, port), WAY_SECONDS))
        times.append(f"TCP {took:.0f} ms")
        with connection:
            if url.scheme == "https":
                step = "agree on TLS"
                context = ssl.create_default_context()
                secure, took = _timed(lambda: context.wrap_socket(connection, server_hostname=name))
                times.append(f"{secure.version()} {took:.0f} ms")
                secure.close()
    except OSError as error:
        why = error.strerror or str(error) or type(error).__name__
        return Check("network", Level.BAD, f"{name}:{port}: cannot {step}: {why}", _mend_way(step, name, env))
    return Check("network", Level.OK, f"{name}:{port}: {', '.join(times)}")


def _mend_way(step: str, name: str, env: Mapping[str, str]) -> str:
    if step == "agree on TLS":
        return "something between here and there has a certificate of its own: name its authority in SSL_CERT_FILE"
    if step == "connect":
        return (
            "start the server, or name another port"
            if name in ("127.0.0.1", "::1", "localhost")
            else (f"see whether a firewall lets {name} through, or set HTTPS_PROXY where only a proxy gets out")
        )
    set_up = "" if any(env.get(proxy) for proxy in _PROXIES[:3]) else ", or set HTTPS_PROXY where only a proxy gets out"
    return f"offline? connect this machine, see whether the name {name} is right{set_up}"


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    """What `work` returns and the milliseconds it took; `TimeoutError` where it does not end (a resolver may not)."""
    done: list[T] = []
    failed: list[OSError] = []

    def attempt() -> None:
        try:
            done.append(work())
        except OSError as error:
            failed.append(error)

    started = time.perf_counter()
    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(WAY_SECONDS + 1)
    if failed:
        raise failed[0]
    if not done:
        raise TimeoutError(0, f"no answer within {WAY_SECONDS:.0f} s")
    return done[0], (time.perf_counter() - started) * 1000


def _answers(host: Host | None, planned: Host, options: CheckupOptions, catalog: Catalog) -> Iterator[Check]:
    """What the host says to a list of models, and with `spend` to one question."""
    from snapdrift.openai_api.examining import ask_once, examine
    from snapdrift.openai_api.loading import load_sdk

    load_sdk()
    look = asyncio.run(examine(host or planned))
    yield _http(look, host, planned)
    if look.clock_s is not None:
        yield _clock(look.clock_s)
    asked = None
    info = catalog.get(options.model)
    if options.spend and host is not None and look.failure is None:
        reasons = info is not None and info.can("reasoning") is True
        asked = asyncio.run(ask_once(host, options.model, reasons=reasons))
        yield _question(asked, options.model)
    yield _limits((asked.told if asked else None) or look.told, spend=options.spend)
    yield _alias(options, catalog, look, asked)


def _http(look: Look, host: Host | None, planned: Host) -> Check:
    where = (host or planned).base_url
    took = f"{look.latency_ms:.0f} ms"
    who = ", a stand-in: its answers are no model's" if look.stand_in else ""
    if look.failure is None:
        return Check("http", Level.OK, f"{where}: answers in {took}, lists {len(look.models):,} models{who}")
    if look.status is None:
        return Check(
            "http", Level.BAD, f"{where}: {look.failure.message}", "see the lines on network and proxies above"
        )
    if look.failure.kind is FailureKind.AUTHENTICATION:
        if host is None:
            return Check("http", Level.OK, f"{where}: answers in {took} ({look.status}: it wants a key)")
        mend = "take a key that is valid, for the right project, and that may list models"
        return Check("http", Level.BAD, f"{where}: refuses the key ({look.status}): {look.failure.message}", mend)
    if look.failure.kind in (FailureKind.SERVER, FailureKind.OVERLOADED, FailureKind.QUOTA, FailureKind.RATE_LIMIT):
        return Check("http", Level.WARN, f"{where}: {look.status} in {took}: {look.failure.message}", "try again later")
    return Check("http", Level.OK, f"{where}: answers in {took}, and lists no models ({look.status}){who}")


def _clock(ahead_s: float) -> Check:
    side = "ahead of" if ahead_s > 0 else "behind"
    off = abs(ahead_s)
    if off <= 2.0:  # the header has whole seconds, and the answer took some time
        return Check("clock", Level.OK, "agrees with the host's")
    found = f"{off:,.0f} s {side} the host's"
    level = Level.BAD if off > CLOCK_BAD_S else Level.WARN if off > CLOCK_WARN_S else Level.OK
    return Check("clock", level, found, "set the clock (NTP)" if level is not Level.OK else "")


def _question(asked: Asked, model: str) -> Check:
    if asked.failure is None:
        return Check("question", Level.OK, f"{model} answers in {asked.latency_ms:.0f} ms")
    mend = {
        FailureKind.QUOTA: "add credit to the account, or raise the project's limit",
        FailureKind.MODEL_NOT_FOUND: "name a model that the key may ask: --model NAME (snapdrift models --refresh)",
    }.get(asked.failure.kind, "see what it says")
    return Check("question", Level.BAD, f"{model}: {asked.failure.message}", mend)


def _limits(told: ToldLimits | None, *, spend: bool) -> Check:
    if told is None:
        mend = "" if spend else "ask one tiny question, whose headers tell them: --spend"
        return Check("limits", Level.OK, "not told in headers", mend)
    parts = [
        f"{limit.limit:,} {what} a window" + ("" if limit.remaining is None else f", {limit.remaining:,} left")
        for what, limit in (("requests", told.requests), ("tokens", told.tokens))
        if limit is not None
    ]
    return Check("limits", Level.OK, "; ".join(parts))


def _alias(options: CheckupOptions, catalog: Catalog, look: Look, asked: Asked | None) -> Check:
    """What the model is answered by: as the catalogue has it, and by one question where money may be spent."""
    from snapdrift.openai_api.examining import TINY_INPUT, TINY_OUTPUT

    model, expected = options.model, catalog.resolve_alias(options.model)
    retires = catalog.retires_within(model, 60)
    if asked is not None and asked.failure is None:
        found = f"{model} is answered by {asked.returned_model or 'a model that it does not name'}"
        if asked.returned_model not in (expected, model):
            mend = "see what else moved: snapdrift watch SUITE"
            return Check("alias", Level.WARN, f"{found}; the catalogue has {expected}", mend)
        if retires is None:
            return Check("alias", Level.OK, f"{found}, as the catalogue has it")
        mend = "keep its answers while it gives them (snapdrift archive), and judge what follows it (snapdrift migrate)"
        return Check("alias", Level.WARN, f"{found}, as the catalogue has it. {retires}", mend)
    usd = catalog.worst_usd(model, TINY_INPUT, TINY_OUTPUT)
    costs = "costs what the price is, which is not known" if usd is None else f"costs at most ${usd:.4f}"
    listed = "" if not look.models else f"; the host lists {_listed(look.models, model, expected)}"
    found = f"the catalogue has {model} as {expected}" if expected != model else f"{model} is no alias of the catalogue"
    return Check("alias", Level.OK, found + listed, f"ask one tiny question, which {costs}: --spend")


def _listed(models: tuple[str, ...], model: str, expected: str) -> str:
    there = [name for name in dict.fromkeys((model, expected)) if name in models]
    return " and ".join(there) if there else "neither" if expected != model else "no such model"


def _without_password(url: str) -> str:
    """The address of a proxy without the name and password that it may hold."""
    head, at, rest = url.rpartition("@")
    scheme = head.partition("://")[0] + "://" if "://" in head else ""
    return f"{scheme}[hidden]@{rest}" if at else url
