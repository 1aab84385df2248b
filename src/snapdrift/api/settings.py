"""What a run from Python can be told: the options of `snapdrift run`, as keyword arguments."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from snapdrift.errors import UsageError
from snapdrift.keys import know_those_of, redact

if TYPE_CHECKING:
    from snapdrift.execution.engine import Progress
    from snapdrift.pipeline import RunOptions

Names = str | Iterable[str]
Files = str | Path | Iterable[str | Path]
_LOG = logging.getLogger("snapdrift")


class RunSettings(TypedDict, total=False):
    """The settings of `run`; each is the option of `snapdrift run` with that name.

    `max_usd` is a hard ceiling in dollars, `deadline` a time in seconds, `concurrency` requests in flight. `variants`,
    `cases`, `tags` and `failed` (runs; `latest`) pick a part, which is not gated. `baseline_ref` and `changed` are git
    refs, `merge-base` among them. `batch` asks by the Batch API and waits for it, a day at worst. `out` is where the
    report goes, `state` where runs are kept, `standin_log` a file for what the stand-in was asked.
    `env` stands in the place of the process environment (keys are looked up there). `progress` is called as the run
    goes on; `notice` gets sentences that a person should see, which are logged (`snapdrift`, warning) without one.
    """

    gate: str
    standin: bool
    recordings: Files
    behaviour: str
    faults: str
    standin_log: str | Path
    host: str
    base_url: str
    key_env: str
    variants: Names
    cases: Names
    tags: Names
    failed: Names
    baseline_ref: str
    changed: str
    sample: int
    repeats: int
    max_usd: float
    deadline: float
    concurrency: int
    early_stop: bool
    batch: bool
    retry_missing: bool
    fresh: bool
    cache: bool
    code: bool
    out: str | Path
    state: str | Path
    env: Mapping[str, str]
    progress: Callable[[Progress], None]
    notice: Callable[[str], None]


def options_of(settings: RunSettings, command: str) -> RunOptions:
    """The settings as the pipeline takes them. Raises `UsageError` for a value, `TypeError` for a name that is none."""
    from snapdrift import pipeline

    unknown = sorted(settings.keys() - RunSettings.__annotations__.keys())
    if unknown:
        raise TypeError(f"found the unknown setting {unknown[0]!r}; expected one of {', '.join(_known())}")
    given: Mapping[str, Any] = settings
    env = given.get("env")
    env = dict(os.environ if env is None else env)
    know_those_of(env)
    recordings = tuple(Path(path) for path in _several(given.get("recordings")))
    behaviour, notice = given.get("behaviour"), given.get("notice") or log_notice
    return pipeline.RunOptions(
        env=env,
        gate=given.get("gate"),
        selection=pipeline.Selection(
            cases=tuple(_several(given.get("cases"))),
            tags=tuple(_several(given.get("tags"))),
            variants=tuple(_several(given.get("variants"))),
            sample=_whole(given, "sample"),
            repeats=_whole(given, "repeats"),
            failed=tuple(map(str, _several(given.get("failed")))),
        ),
        target=pipeline.TargetOptions(
            standin=bool(given.get("standin")) or bool(recordings) or behaviour is not None,
            recordings=recordings,
            behaviour=behaviour,
            standin_log=_path(given.get("standin_log")),
            **{name: given.get(name) for name in ("faults", "host", "base_url", "key_env")},
        ),
        limits=pipeline.Limits(_amount(given, "max_usd"), _amount(given, "deadline"), _whole(given, "concurrency")),
        output=pipeline.Output(out_dir=_path(given.get("out")), state_dir=_path(given.get("state"))),
        batch=pipeline.BatchOptions(
            all=given.get("batch", False), retry_missing=given.get("retry_missing", False), notice=notice
        ),
        fresh=given.get("fresh", False),
        early_stop=given.get("early_stop", False),
        baseline_ref=given.get("baseline_ref"),
        changed=given.get("changed"),
        cache=given.get("cache", True),
        code=given.get("code", True),
        command=redact(command),
        progress=given.get("progress"),
        notice=notice,
    )


def log_notice(text: str) -> None:
    """Logs a sentence that a person should see."""
    _LOG.warning("%s", redact(text))


def _known() -> Iterable[str]:
    return RunSettings.__annotations__


def _several(value: Any) -> Iterable[Any]:
    return () if value is None else (value,) if isinstance(value, str | Path) else value


def _path(value: str | Path | None) -> Path | None:
    return None if value is None else Path(value)


def _whole(given: Mapping[str, Any], name: str) -> int | None:
    value = given.get(name)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
        raise UsageError(f"{name}: found {value!r}; expected a whole number of at least 1")
    return value


def _amount(given: Mapping[str, Any], name: str) -> float | None:
    """A number of dollars or seconds; `inf` would be no bound at all."""
    value = given.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise UsageError(f"{name}: found {value!r}; expected a number from 0 on")
    from snapdrift.model import MOST_USD

    if name == "max_usd" and value > MOST_USD:
        raise UsageError(f"{name}: found {value!r}; expected dollars from 0 to {MOST_USD:,.0f}")
    if name == "deadline" and value == 0:
        raise UsageError(f"{name}: found 0; expected seconds above 0")
    return float(value)
