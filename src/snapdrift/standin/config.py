"""What the stand-in answers, as one value: read from `[standin]` in `snapdrift.toml` or from the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from snapdrift.errors import ConfigError
from snapdrift.model import MOST_USD
from snapdrift.standin.batch_settings import BatchSettings
from snapdrift.standin.behaviours import Behaviour, resolve_behaviours, unknown_behaviour
from snapdrift.standin.billing import Overbilling
from snapdrift.standin.fault_scripts import FaultRule, is_script, load_script, read_script
from snapdrift.standin.faults import FaultPlan
from snapdrift.standin.latency import Latency

DEFAULT_BEHAVIOUR = "plausible"
ANY_SUITE = "*"
JUDGE_MARK = "?judge="
"""What stands before the grader in the name of a variant whose answer is judged."""


def _as_tuple(value: Any) -> Any:
    return () if value is None else (value,) if isinstance(value, str | Path) else value


def _as_day(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value  # TOML has dates of its own


def _as_spec(value: Any) -> Any:
    if isinstance(value, Mapping):
        return ",".join(f"{name}={setting}" for name, setting in value.items())
    return "" if value is None else str(value)


Paths = Annotated[tuple[Path, ...], BeforeValidator(_as_tuple)]
Spec = Annotated[str, BeforeValidator(_as_spec)]
Day = Annotated[str, BeforeValidator(_as_day), Field(pattern=r"^\d{4}-\d\d-\d\d$")]


class Profile(BaseModel):
    """What one suite gets. `suite` is its name or a pattern (`triage-*`); `*` is what every other suite gets.

    Recordings come first. Where none fits, the behaviour named most closely answers (by what the prompt says, by
    variant, as `judge`, by model, `fallback`, `behaviour`); with recordings and none named it is an error. `prompts`
    maps a phrase to the behaviour of whoever is asked with it, the first that occurs counts: so a simulated model heeds
    its prompt. A baseline from a git tree (`november@main`) is asked as the variant that it was (`november`), unless it
    is named itself. `judge` is whoever judges the answers of a variant. `template` is for behaviours without one of
    their own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    suite: str = ANY_SUITE
    recordings: Paths = ()
    answers: Paths = ()
    behaviour: str | None = None
    variants: dict[str, str] = Field(default_factory=dict)
    models: dict[str, str] = Field(default_factory=dict)
    prompts: dict[str, str] = Field(default_factory=dict)
    fallback: str | None = None
    judge: str | None = None
    template: str | None = None

    def named_behaviour(self, variant: str | None, models: Sequence[str], asked: str = "") -> str | None:
        """The behaviour that the profile names for a variant that asks one of the models, if any.

        `asked` is the text of its prompt, empty for a judge's: that quotes others.
        """
        by_prompt = next((self.prompts[phrase] for phrase in self.prompts if phrase in asked), None)
        by_model = next((self.models[model] for model in models if model in self.models), None)
        name = variant or ""
        by_variant = self.variants.get(name) or self.variants.get(name.partition("@")[0])
        as_judge = self.judge if JUDGE_MARK in name else None
        return by_prompt or by_variant or as_judge or by_model or self.fallback or self.behaviour


class Limits(BaseModel):
    """Account limits to enforce; None is no limit. `rpm`, `tpm` and `ipm` (images) are a minute, `rpd` and `tpd` a day.

    `burst` is how many requests may come at once: with it a minute's limit is enforced in slices, as providers do (of
    3,000 one in 20 ms); None: a whole minute's. `quota_requests` answers, or `quota_usd` dollars worth of them, use up
    the account's quota. `headers` false leaves out the rate-limit headers.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rpm: int | None = Field(default=None, ge=1)
    tpm: int | None = Field(default=None, ge=1)
    rpd: int | None = Field(default=None, ge=1)
    tpd: int | None = Field(default=None, ge=1)
    ipm: int | None = Field(default=None, ge=1)
    burst: int | None = Field(default=None, ge=1)
    quota_requests: int | None = Field(default=None, ge=0)
    quota_usd: float | None = Field(default=None, ge=0, le=MOST_USD)
    headers: bool = True


class StandinConfig(BaseModel):
    """Everything that a stand-in server is started with. Round-trips through `to_json` and `from_json`.

    `alias` maps a model id to the snapshot that it is answered as, before the catalogue's own aliases. `latency` is
    milliseconds (`"120"`) or `"lognormal:MEDIAN,P95"`; `faults` as `faults.FaultPlan.parse` reads them,
    `fault_rules` go before them (`checked` takes rules, or a file of them, as `faults` too). With `key` only
    that key is accepted, without it any. With `today` (`2026-11-22`) models whose shutdown date has come are gone,
    unless they are recorded. `batches` says how batches go,
    `prompt_caching` whether what was asked before is reported as cached, `overbill` (`"3"`, `"3:0.1"`) how many times
    the tokens that an answer took are reported, and of which share of questions.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    profiles: tuple[Profile, ...] = (Profile(),)
    behaviour: str = DEFAULT_BEHAVIOUR
    behaviours: dict[str, Behaviour] = Field(default_factory=dict)
    alias: dict[str, str] = Field(default_factory=dict)
    latency: Spec = ""
    faults: Spec = ""
    fault_rules: tuple[FaultRule, ...] = ()
    limits: Limits = Limits()
    batches: BatchSettings = BatchSettings()
    seed: int = 0
    log: Path | None = None
    key: str | None = None
    prompt_caching: bool = True
    overbill: Spec = ""
    today: Day | None = None

    @model_validator(mode="after")
    def _names_and_specs_are_known(self) -> StandinConfig:
        known = resolve_behaviours(self.behaviours)
        named = {"behaviour": self.behaviour}
        for profile in self.profiles:
            place = f"suites.{profile.suite}"
            named |= {f"{place}.variants.{name}": behaviour for name, behaviour in profile.variants.items()}
            named |= {f"{place}.models.{name}": behaviour for name, behaviour in profile.models.items()}
            named |= {f"{place}.prompts.{phrase}": behaviour for phrase, behaviour in profile.prompts.items()}
            own = {"behaviour": profile.behaviour, "fallback": profile.fallback, "judge": profile.judge}
            named |= {f"{place}.{name}": behaviour for name, behaviour in own.items() if behaviour is not None}
        for where, name in named.items():
            if name not in known:
                raise unknown_behaviour(f"standin.{where}", name, known)
        Latency.parse(self.latency)
        FaultPlan.parse(self.faults)
        Overbilling.parse(self.overbill)
        return self

    def profile_for(self, run: str | None) -> Profile:
        """The profile of the suite that a run (`<suite>-<run id>`) belongs to.

        A name goes before a pattern, a longer one before a shorter one. A caller that names no run gets the first
        profile; a suite that no profile covers gets the default behaviour.
        """
        if run is None:
            return self.profiles[0] if self.profiles else Profile()
        named = [p for p in self.profiles if run.startswith(f"{p.suite}-")]
        matching = named or [p for p in self.profiles if fnmatchcase(run, f"{p.suite}-*")]
        if matching:
            return max(matching, key=lambda profile: len(profile.suite))
        return next((p for p in self.profiles if p.suite == ANY_SUITE), Profile())

    @classmethod
    def from_settings(
        cls,
        settings: Mapping[str, Any],
        *,
        root: Path,
        recordings: Sequence[Path] = (),
        behaviour: str | None = None,
        **others: Any,
    ) -> StandinConfig:
        """From the `[standin]` table: `{alias, suites: {NAME: profile}, behaviours, latency, faults, seed}`.

        Paths in the table are relative to `root`. `recordings` and `behaviour`, where given, hold for every suite
        instead of what the table says, the answer keys
        and templates remain; `others` are fields of this class (`log`, `key`) and win over the table.
        Raises `ConfigError`.
        """
        profiles = [_profile(name, entry, root) for name, entry in (settings.get("suites") or {}).items()]
        if recordings or behaviour:
            if all(profile.suite != ANY_SUITE for profile in profiles):
                profiles.append(Profile())
            profiles = [
                Profile(
                    suite=profile.suite,
                    recordings=tuple(recordings),
                    behaviour=behaviour,
                    answers=profile.answers,
                    template=profile.template,
                )
                for profile in profiles
            ]
        table = {name: value for name, value in settings.items() if name != "suites" and value is not None}
        if isinstance(others.get("faults"), str) and is_script(others["faults"]):
            others["faults"] = Path(others["faults"]).resolve()  # not of the table: from where the command was given
        return cls.checked({**table, "profiles": profiles, **others}, root=root)

    @classmethod
    def checked(cls, fields: Mapping[str, Any], *, root: Path | None = None) -> StandinConfig:
        """The config with these fields; raises `ConfigError` instead of pydantic's error.

        `faults` may also be a list of rules, or the path (from `root`) of a YAML or JSON file of them.
        """
        try:
            return cls.model_validate(_with_rules(fields, root or Path()))
        except ValidationError as error:
            raise _config_error(error) from error

    def to_json(self) -> str:
        """One line of JSON that `from_json` reads back."""
        return self.model_dump_json(exclude_unset=True)

    @classmethod
    def from_json(cls, text: str) -> StandinConfig:
        """The inverse of `to_json`; raises `ConfigError`."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise _config_error(error) from error


def _with_rules(fields: Mapping[str, Any], root: Path) -> dict[str, Any]:
    """The fields, with rules that stand under `faults` where rules belong."""
    faults = fields.get("faults")
    if isinstance(faults, Path) or (isinstance(faults, str) and is_script(faults)):
        return {**fields, "faults": "", "fault_rules": load_script(root / faults)}
    if isinstance(faults, list):
        return {**fields, "faults": "", "fault_rules": read_script(faults, "standin.faults")}
    return dict(fields)


def _profile(name: str, entry: Mapping[str, Any], root: Path) -> Profile:
    fields = {key: value for key, value in entry.items() if value is not None}
    for key in ("recordings", "answers"):
        fields[key] = tuple(root / path for path in _as_tuple(fields.get(key)))
    try:
        return Profile.model_validate({**fields, "suite": name})
    except ValidationError as error:
        raise _config_error(error, f"suites.{name}") from error


def _config_error(error: ValidationError, prefix: str = "") -> ConfigError:
    lines = []
    for found in error.errors():
        place = ".".join(["standin", *filter(None, [prefix]), *map(str, found["loc"])])
        lines.append(f"{place}: found {found['input']!r}; {found['msg']}")
    return ConfigError("\n".join(lines))
