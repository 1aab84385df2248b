"""`watch`: has the alias moved, or changed? A probe, then a canary of a few cases, and the suite only if they trip."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from snapdrift.errors import StoreError
from snapdrift.exit_codes import ExitCode
from snapdrift.model import Pair, Results, Source, Variant
from snapdrift.pipeline.allowance import (
    Allowance,
    Spender,
    require_affordable,
    require_budget,
    require_honest_judges,
)
from snapdrift.pipeline.applications import fakes_of
from snapdrift.pipeline.options import RunOptions, RunOutcome, Selection
from snapdrift.pipeline.parts import AskedPart, NightBudget, ask_part
from snapdrift.pipeline.planning import plan_suite
from snapdrift.pipeline.prepare import Prepared, prepare_all, require_sufficient
from snapdrift.pipeline.running import run_suites
from snapdrift.pipeline.suite_graders import graders_of, judge_variants
from snapdrift.pipeline.targets import Target, open_target
from snapdrift.pipeline.watched import cases_of_night, watched_metrics, watched_pairs, watched_variants
from snapdrift.store.watch_state import CarriedCanary, WatchFile, WatchState, locked_state, watch_path

if TYPE_CHECKING:
    from snapdrift.verdicts.watching import WatchedCanary

DEFAULT_CASES = 20
Models = Mapping[str, tuple[str, ...]]
"""By alias (the variant's name): the models that answered it."""


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """How many cases a canary asks a night, and its false-alarm rate over its whole life (None: the gate's alpha)."""

    cases: int = DEFAULT_CASES
    false_alarm: float | None = None


@dataclass(frozen=True, slots=True)
class Night:
    """What one night of watching a suite came to.

    `resolved` are the models that answered each alias, `before` those of the night before; `asked` is how many cases
    the canary asked of each side, 0 where it did not come to that. `failed` says why the night counts for nothing.
    `tripped` says why the whole suite ran, and `outcome` what it came to. `usd` is what probe and canary cost.
    `label` is `simulated` or `recorded` where a stand-in answered.
    """

    suite: str
    gate: str
    number: int
    false_alarm: float
    resolved: Models = field(default_factory=dict)
    before: Models = field(default_factory=dict)
    asked: int = 0
    canaries: tuple[WatchedCanary, ...] = ()
    label: str = ""
    failed: str = ""
    tripped: tuple[str, ...] = ()
    usd: float = 0.0
    runs: tuple[str, ...] = ()
    outcome: RunOutcome | None = None

    @property
    def exit_code(self) -> ExitCode:
        """0 for a quiet night, 3 for one that failed, that of the suite where it ran."""
        if self.outcome is not None:
            return self.outcome.exit_code
        return ExitCode.INCOMPLETE if self.failed else ExitCode.PASSED


def watch_suites(paths: Sequence[Path], options: RunOptions, watch: WatchOptions) -> Iterator[Night]:
    """One night for each suite, one after another, each as soon as it is over.

    All suites are checked before anything is sent. Raises `SnapdriftError`.
    """
    batch = replace(options.batch, all=False, wait=True)
    options = replace(options, selection=Selection(), batch=batch, fresh=True)
    prepared = prepare_all(paths, options)
    pairs = {}
    for one in prepared:
        require_sufficient(one)
        pairs[one.suite.name] = watched_pairs(one)
    allowance = Allowance.of(options.limits)
    for path, one in zip(paths, prepared, strict=True):
        state_dir = options.output.state_dir or one.workspace.state_dir
        name = watch_path(state_dir, one.suite.name, one.gate.name)
        with locked_state(name, one.suite.name, one.gate.name) as file:
            yield _Watch(path, one, pairs[one.suite.name], options, watch, allowance).night(file)


class _Watch:
    """One night of one suite."""

    def __init__(
        self,
        path: Path,
        prepared: Prepared,
        pairs: Sequence[Pair],
        options: RunOptions,
        watch: WatchOptions,
        allowance: Allowance,
    ) -> None:
        self._path = path
        self._prepared = prepared
        self._pairs = pairs
        self._options = options
        self._watch = watch
        self._money = NightBudget(allowance)
        self._variants = watched_variants(prepared, pairs)
        self._aliases = {pair.candidate for pair in pairs}

    def night(self, file: WatchFile) -> Night:
        """Probe, canary, and the suite if they trip; the state is on disk before each step that costs."""
        suite, gate = self._prepared.suite, self._prepared.gate
        state = _sound(file)
        state = replace(state, nights=state.nights + 1, first_night=state.first_night or _now())
        false_alarm = self._watch.false_alarm or gate.alpha
        night = Night(suite.name, gate.name, state.nights, false_alarm, before=state.models)
        judges = judge_variants(suite)
        workspace, fakes = self._prepared.workspace, fakes_of(suite, self._prepared.cases)
        options = self._options
        asked, graders = (*self._variants, *judges), graders_of(suite)
        with open_target(options.target, workspace, options.env, asked, fakes, graders, code=options.code) as target:
            self._require_means(Spender(suite, gate.name, self._variants, judges), target)
            file.write(state)
            night = self._sent(night, state, file, target)
        return night if night.failed or not night.tripped else self._run(night, file)

    def _require_means(self, spender: Spender, target: Target) -> None:
        """What `run` requires before it sends anything, for the whole suite: it may have to run tonight."""
        catalog, allowance = self._prepared.catalog, self._money.allowance
        require_budget([spender], catalog, target, allowance)
        require_honest_judges(spender, target)
        if any(map(target.is_live, spender.asked)):
            require_affordable([plan_suite(self._prepared, self._options)], target, allowance)

    def _sent(self, night: Night, state: WatchState, file: WatchFile, target: Target) -> Night:
        """The night after the probe and, where nothing has tripped yet, the canary."""
        from snapdrift.verdicts.watching import carried_on

        night = self._probe(night, target)
        if night.failed:
            return night
        canaries = carried_on(watched_metrics(self._prepared, self._pairs, target), state.canaries, night.false_alarm)
        night = replace(night, tripped=_moves(night.before, night.resolved, "last night"), canaries=canaries)
        # An alarm that no finished run has answered stands: there is nothing more to ask.
        if not night.tripped and not any(one.canary.alarmed for one in canaries):
            night = self._canary(night, target)
        if night.failed:
            return night
        night = replace(night, tripped=(*night.tripped, *_alarms(night.canaries)))
        models = state.models if night.tripped else night.resolved
        file.write(replace(state, last_night=_now(), models=dict(models), canaries=_stored(night.canaries)))
        return night

    def _probe(self, night: Night, target: Target) -> Night:
        """Which models answer the aliases tonight: one case, asked once of each, and judged by nobody."""
        asked = [variant for variant in self._variants if variant.name in self._aliases]
        part = self._ask(night.number, 1, asked, target, judged=False)
        resolved = _resolved(part.results, self._aliases)
        silent = sorted(name for name, models in resolved.items() if not models)
        why = part.stopped or (f"no answer of {', '.join(silent)} names a model" if silent else "")
        return replace(
            night,
            resolved=resolved,
            failed=f"the probe failed: {why}" if why else "",
            usd=self._money.spent_usd,
            runs=(part.run_id,),
            label=_label(part.results),
        )

    def _canary(self, night: Night, target: Target) -> Night:
        """The canary's cases asked of both sides afresh; a night on which too much failed changes nothing."""
        from snapdrift.verdicts.watching import fed, night_differences, shortfall

        part = self._ask(night.number, self._watch.cases, self._variants, target, judged=True)
        results, gate = part.results, self._prepared.gate
        night = replace(night, asked=len(results.cases), usd=self._money.spent_usd, runs=(*night.runs, part.run_id))
        watched = [one.watched for one in night.canaries]
        why = part.stopped or shortfall(results, gate, watched)
        if why:
            return replace(night, failed=f"the canary failed: {why}")
        found = _resolved(results, self._aliases)
        known = {name: (*models, *night.before.get(name, ())) for name, models in night.resolved.items()}
        return replace(
            night,
            resolved={name: tuple(sorted({*models, *found[name]})) for name, models in night.resolved.items()},
            tripped=_moves(known, found, "until now"),
            canaries=fed(night.canaries, night_differences(results, gate, watched)),
        )

    def _run(self, night: Night, file: WatchFile) -> Night:
        """The whole suite under its gate, asked afresh; what it decides answers the alarm."""
        suite, gate = self._prepared.suite, self._prepared.gate
        self._options.notice(f"{suite.name}: {'; '.join(night.tripped)}; the whole suite runs")
        budget = None if self._options.target.standin else suite.budget_for(gate.name)
        limits = self._money.limits(budget, self._options.limits)
        (outcome,) = run_suites([self._path], replace(self._options, limits=limits))
        self._money.allowance.spend(outcome.view.usd or 0.0)
        if outcome.exit_code is not ExitCode.INCOMPLETE:
            state = file.read()
            moved = {name for name in self._aliases if _moves(night.before, night.resolved, "", only=name)}
            canaries = tuple(
                replace(stored, answered=outcome.run_id)
                if one.canary.alarmed or one.watched.candidate in moved
                else stored
                for one, stored in zip(night.canaries, state.canaries, strict=True)
            )
            file.write(replace(state, last_night=_now(), canaries=canaries, models=dict(night.resolved)))
        return replace(night, outcome=outcome)

    def _ask(self, night: int, number: int, variants: Sequence[Variant], target: Target, *, judged: bool) -> AskedPart:
        cases = cases_of_night(self._prepared, night, number)
        return ask_part(self._prepared, cases, variants, target, self._options, self._money, judged=judged)


def _sound(file: WatchFile) -> WatchState:
    """What was carried over. Raises `StoreError` before anything is sent or written where it is damaged."""
    from snapdrift.verdicts.watching import require_sound

    state = file.read()
    try:
        require_sound(state.canaries)
    except ValueError as error:
        raise StoreError(f"{file.path}: {error}; {file.start_anew}") from error
    return state


def _stored(canaries: Sequence[WatchedCanary]) -> tuple[CarriedCanary, ...]:
    return tuple(one.to_stored() for one in canaries)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _resolved(results: Results, aliases: set[str]) -> dict[str, tuple[str, ...]]:
    """The models that answered each alias."""
    models: dict[str, set[str]] = {name: set() for name in aliases}
    for key, call in results.calls.items():
        if key.variant in aliases and call.outcome.measured and call.returned_model:
            models[key.variant] |= {call.returned_model, *call.also_returned}
    return {name: tuple(sorted(found)) for name, found in models.items()}


def _label(results: Results) -> str:
    """The word that the night bears where a stand-in answered, the less real one of two."""
    made_up = {call.source for call in results.calls.values() if call.source.made_up}
    return next((source.value for source in (Source.SIMULATED, Source.RECORDED) if source in made_up), "")


def _moves(known: Models, now: Models, when: str, *, only: str | None = None) -> tuple[str, ...]:
    """A sentence for each alias that a model answers which did not before; one that is first seen has not moved.

    While an alias is being pointed elsewhere both models answer: the one that goes is no move of its own.
    """
    return tuple(
        f"`{name}` is answered by {', '.join(models)}, {when} by {', '.join(dict.fromkeys(known[name]))}"
        for name, models in sorted(now.items())
        if known.get(name) and set(models) - set(known[name]) and only in (None, name)
    )


def _alarms(canaries: Sequence[WatchedCanary]) -> tuple[str, ...]:
    return tuple(
        f"{one.watched.metric} of `{one.watched.candidate}` has moved {'below' if one.lower else 'above'} that of "
        f"`{one.watched.baseline}` (evidence {one.wealth:,.3g}, the alarm is at {1 / one.canary.alpha:,.3g})"
        for one in canaries
        if one.canary.alarmed
    )
