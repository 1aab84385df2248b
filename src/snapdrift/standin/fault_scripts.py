"""Faults by script: a list of rules that say which request fails how, in the configuration or in a file.

A rule is `{fault: NAME, request: N | case: ID, variant:, repeat:, step:, model:, endpoint:, times:, ...}`; every key
but `fault` and `times` narrows it down.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from snapdrift.errors import ConfigError
from snapdrift.model import ClientRequestId, Endpoint
from snapdrift.standin.faults import Fault, FaultPlan

SCRIPT_SUFFIXES = (".yaml", ".yml", ".json")


class FaultRule(BaseModel):
    """Which requests get a fault: those that everything named here fits, the first `times` of them (None: all).

    `request` counts the answering requests of the server from 1, `repeat` and `step` from 0. `retry_after` and
    `seconds` (of a stall or a slow body) go before those of the specification of rates.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    fault: Fault
    request: int | None = Field(default=None, ge=1)
    case: str | None = None
    variant: str | None = None
    repeat: int | None = Field(default=None, ge=0)
    step: int | None = Field(default=None, ge=0)
    model: str | None = None
    endpoint: Endpoint | None = None
    times: int | None = Field(default=1, ge=1)
    retry_after: float | None = Field(default=None, ge=0)
    seconds: float | None = Field(default=None, ge=0)

    def fits(self, incident: Incident) -> bool:
        """Whether the rule is about this request."""
        caller = incident.caller
        found = {
            "request": incident.number,
            "case": caller.case if caller else None,
            "variant": caller.variant if caller else None,
            "repeat": caller.repeat if caller else None,
            "step": caller.step if caller else None,
            "model": incident.model,
            "endpoint": incident.endpoint,
        }
        return all(getattr(self, name) in (None, value) for name, value in found.items())


@dataclass(frozen=True, slots=True)
class Incident:
    """A request as a rule sees it. `number` counts the server's requests from 1, `attempt` those of the call from 0."""

    number: int
    call: str
    attempt: int
    caller: ClientRequestId | None
    model: str | None
    endpoint: Endpoint


@dataclass(frozen=True, slots=True)
class Struck:
    """A fault that is to happen, with its figures: seconds to wait that are told, and that it takes."""

    fault: Fault
    retry_after: float | None
    stall_seconds: float
    slow_seconds: float


class Faults:
    """Rules first, then the rates and the script by attempt of a `FaultPlan`."""

    def __init__(self, plan: FaultPlan, rules: Sequence[FaultRule], seed: int) -> None:
        self._plan, self._seed = plan, seed
        self._rules = tuple(rules)
        self._used = [0] * len(self._rules)

    def strike(self, incident: Incident) -> Struck | None:
        """What happens to a request instead of its answer, if anything."""
        plan = self._plan
        for index, rule in enumerate(self._rules):
            if rule.fits(incident) and (rule.times is None or self._used[index] < rule.times):
                self._used[index] += 1
                wait = rule.seconds
                return Struck(
                    rule.fault,
                    plan.retry_after if rule.retry_after is None else rule.retry_after,
                    plan.stall_seconds if wait is None else wait,
                    plan.slow_seconds if wait is None else wait,
                )
        fault = plan.strike(self._seed, incident.call, incident.attempt)
        return None if fault is None else Struck(fault, plan.retry_after, plan.stall_seconds, plan.slow_seconds)


def is_script(text: str) -> bool:
    """Whether a specification of faults is the name of a file of rules."""
    return text.endswith(SCRIPT_SUFFIXES)


def load_script(path: Path) -> tuple[FaultRule, ...]:
    """The rules of a YAML or JSON file: a list, or a list under `faults`. Raises `ConfigError`."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"standin.faults: {path} cannot be read ({error}); expected a YAML or JSON file") from error
    return read_script(_document(path, text), str(path))


def read_script(document: Any, where: str) -> tuple[FaultRule, ...]:
    """The rules of a document that was read; raises `ConfigError` that names `where`."""
    rules = document.get("faults") if isinstance(document, dict) else document
    if not isinstance(rules, list):
        expected = "a list of rules such as {case: a, fault: 500, times: 2}"
        raise ConfigError(f"{where}: found {type(rules).__name__}; expected {expected}")
    return tuple(_rule(f"{where}: rule {number}", rule) for number, rule in enumerate(rules, start=1))


def _rule(where: str, rule: Any) -> FaultRule:
    if isinstance(rule, dict) and isinstance(rule.get("fault"), int):
        rule = {**rule, "fault": str(rule["fault"])}  # YAML reads 500 as a number
    try:
        return FaultRule.model_validate(rule)
    except ValidationError as error:
        found = error.errors()[0]
        place = ".".join(map(str, found["loc"]))
        raise ConfigError(f"{where}: {place}: found {found['input']!r}; {found['msg']}") from error


def _document(path: Path, text: str) -> Any:
    if path.suffix == ".json":
        try:
            return json.loads(text)
        except ValueError as error:
            raise ConfigError(f"{path}: not JSON ({error}); expected a list of rules") from error
    import yaml

    try:
        return yaml.load(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not YAML ({error}); expected a list of rules") from error
