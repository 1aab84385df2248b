"""The plugin's options, and the settings of a run that they come to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import pytest

if TYPE_CHECKING:
    from snapdrift.api import RunSettings

_DURATION = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<unit>[smh]?)")
_SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


def _seconds(text: str) -> float:
    match = _DURATION.fullmatch(text.strip())
    if match is None or float(match["number"]) <= 0:
        raise ValueError(f"found {text!r}; expected a time such as 90s, 20m or 2h")
    return float(match["number"]) * _SECONDS[match["unit"]]


@dataclass(frozen=True, slots=True)
class _Option:
    """An option `--snapdrift-NAME`, the setting of `snapdrift.run` that it sets, and how it is read."""

    name: str
    setting: str
    help: str
    metavar: str
    type: type | Any = str
    several: bool = False


_OPTIONS = (
    _Option("gate", "gate", "the gate that decides", "NAME"),
    _Option("max-usd", "max_usd", "a hard ceiling in dollars for all suites of the session", "X", float),
    _Option("deadline", "deadline", "end asking in time, over all suites: 90s, 20m, 2h", "TIME", _seconds),
    _Option("host", "host", "a host declared in snapdrift.toml", "NAME"),
    _Option("base-url", "base_url", "an OpenAI-compatible API, with /v1", "URL"),
    _Option("key-env", "key_env", "the variable that holds the key for the base URL", "VAR"),
    _Option("recordings", "recordings", "recorded answers that the stand-in serves; repeatable", "FILE", several=True),
    _Option("behaviour", "behaviour", "simulated behaviour of the stand-in for every variant", "NAME"),
    _Option("faults", "faults", "faults that the stand-in injects, 429=0.02", "SPEC"),
    _Option("variant", "variants", "only this variant; repeatable", "NAME", several=True),
    _Option("case", "cases", "only this case, not gated; repeatable", "ID", several=True),
    _Option("tag", "tags", "only cases with this tag, not gated; repeatable", "TAG", several=True),
    _Option("failed", "failed", "only what failed in this run, or in `latest`; not gated", "RUN", several=True),
    _Option("baseline-ref", "baseline_ref", "compare each candidate with what it was at a git ref", "REF"),
    _Option("changed", "changed", "skip suites whose files did not change since this branch left REF", "REF"),
    _Option("sample", "sample", "ask this many cases, drawn by the suite's seed", "N", int),
    _Option("repeats", "repeats", "ask each case this many times", "K", int),
    _Option("concurrency", "concurrency", "requests in flight at most", "N", int),
)
_FLAGS = {
    "early-stop": ("early_stop", True, "end asking once the gate is resolved"),
    "fresh": ("fresh", True, "start anew where the same run was made before"),
    "no-cache": ("cache", False, "ask anew what an earlier run has the answer to"),
    "no-code": ("code", False, "refuse code that is not Snapdrift's own"),
}
_WHERE = ("standin", "recordings", "behaviour", "faults", "host", "base_url", "key_env")
_SIMULATED = ("standin", "recordings", "behaviour")
_LIMITS = ("max_usd", "deadline", "concurrency", "cache", "code")


def add_options(parser: pytest.Parser) -> None:
    """Declares the options and the settings of the configuration file."""
    group = parser.getgroup("snapdrift", "snapdrift: suites of prompts and models as tests")
    group.addoption(
        "--snapdrift", action="store_true", help="collect suites, and run them; without it nothing is asked"
    )
    group.addoption("--standin", action="store_true", help="ask the bundled local stand-in instead of a provider")
    for one in _OPTIONS:
        action = "append" if one.several else "store"
        group.addoption(
            f"--snapdrift-{one.name}", action=action, type=one.type, metavar=one.metavar, help=one.help, default=None
        )
    for name, (_, _, told) in _FLAGS.items():
        group.addoption(f"--snapdrift-{name}", action="store_true", help=told)
    group.addoption(
        "--snapdrift-no-texts", action="store_true", help="name cases by id alone: no prompts or answers in messages"
    )
    parser.addini("snapdrift", "collect suites and run them without --snapdrift", type="bool", default=False)
    parser.addini("snapdrift_folders", "folders that suites are in", type="args", default=["evals"])


def add_folders(config: pytest.Config) -> None:
    """Where `testpaths` says what is collected, has the suites collected too: they were asked for."""
    if config.args_source is not pytest.Config.ArgsSource.TESTPATHS:
        return
    have = [(config.rootpath / text.split("::")[0]).resolve() for text in config.args]
    for name in config.getini("snapdrift_folders"):
        folder = (config.rootpath / name).resolve()
        if folder.is_dir() and not any(folder.is_relative_to(path) for path in have):
            config.args.append(str(folder))


def settings_of(config: pytest.Config) -> RunSettings:
    """What the command line says of every suite."""
    found: dict[str, Any] = {"standin": True} if config.getoption("standin") else {}
    for one in _OPTIONS:
        value = config.getoption(f"snapdrift_{one.name.replace('-', '_')}")
        if value is not None:
            found[one.setting] = value
    for name, (setting, value, _) in _FLAGS.items():
        if config.getoption(f"snapdrift_{name.replace('-', '_')}"):
            found[setting] = value
    return cast("RunSettings", found)


def settings_for_call(config: pytest.Config, given: Mapping[str, Any]) -> RunSettings:
    """The settings of a call of `snapdrift_run`: its own, and of the command line where to ask and what it may take.

    A call that says where to ask is not told otherwise.
    """
    names = _LIMITS if any(given.get(name) for name in _WHERE) else (*_WHERE, *_LIMITS)
    general = {name: value for name, value in settings_of(config).items() if name in names}
    return cast("RunSettings", {**general, **given})


def why_not_asked(config: pytest.Config, settings: Mapping[str, Any], *, on: bool) -> str | None:
    """Why a call of `snapdrift_run` with these settings asks nobody: a model would be, unasked. None where it may."""
    if any(settings.get(name) for name in _SIMULATED):
        return None
    if not on:
        return "asks real models; run pytest with --snapdrift, or on the stand-in with --standin"
    if any(settings_of(config).get(name) for name in _SIMULATED):
        return "asks a host of its own, and this session is on the stand-in; run it without --standin"
    return None
