"""`watch`: has the alias moved, or changed? A probe, then a canary of a few cases, and the suite only if they trip."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from snapdrift.errors import Interrupted, StoreError, UsageError
from snapdrift.model import Case, ExitCode, Pair, Results, Variant, sha256
from snapdrift.pipeline.allowance import (
    Allowance,
    Spender,
    require_affordable,
    require_budget,
    require_honest_judges,
    worst_cost,
)
from snapdrift.pipeline.applications import fakes_of
from snapdrift.pipeline.concluding import conclude
from snapdrift.pipeline.grading import grade_answers, judge_variants
from snapdrift.pipeline.options import Limits, RunOptions, RunOutcome, Selection
from snapdrift.pipeline.planning import plan_suite
from snapdrift.pipeline.prepare import Prepared, applicable_cases, narrowed, prepare_all, require_sufficient
from snapdrift.pipeline.run_files import open_writer
from snapdrift.pipeline.running import Work, ask, run_suites
from snapdrift.pipeline.targets import Target, open_target
from snapdrift.store import open_run
from snapdrift.store.codec import to_json
from snapdrift.store.watch_state import WatchFile, WatchState, locked_state, watch_path
from snapdrift.suites.sampling import Sample, draw

if TYPE_CHECKING:
    from snapdrift.suites.resolved import Suite
    from snapdrift.verdicts.watching import Watched, WatchedCanary

DEFAULT_CASES = 20


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
    """

    suite: str
    gate: str
    number: int
    false_alarm: float
    resolved: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    before: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    asked: int = 0
    canaries: tuple[WatchedCanary, ...] = ()
    simulated: bool = False
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


@dataclass(frozen=True, slots=True)
class _Asked:
    """A part of the suite that was asked: its answers and scores, why asking ended early, and what it cost."""

    run_id: str
    results: Results
    stopped: str
    usd: float


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


def watched_pairs(prepared: Prepared) -> tuple[Pair, ...]:
    """The comparisons of the gate in which an alias stands against a pinned snapshot and differs in nothing else.

    Raises `UsageError` where there is none, or no metric that could fail: then there is nothing to watch.
    """
    suite, gate, catalog = prepared.suite, prepared.gate, prepared.catalog
    where = f"{suite.path}: gate {gate.name}"
    found: list[Pair] = []
    unlike: list[Pair] = []
    for pair in gate.pairs:
        alias, snapshot = suite.variants[pair.candidate], suite.variants[pair.baseline]
        if catalog.is_alias(alias.model) and snapshot.endpoint.over_http and not catalog.is_alias(snapshot.model):
            (found if _asked_alike(alias, snapshot) else unlike).append(pair)
    if not found:
        odd = f" ({unlike[0].candidate} and {unlike[0].baseline} differ in more than their models)" if unlike else ""
        raise UsageError(
            f"{where}: found no alias to watch{odd}; expected a candidate whose model is an alias (gpt-4o) against a "
            "baseline that pins a snapshot (gpt-4o-2024-11-20), with the same prompt, request and endpoint"
        )
    if not any(entry.gates for entry in gate.metrics):
        raise UsageError(f"{where}: found no gating metric to watch; expected one with a margin and severity fail")
    return tuple(found)


def _asked_alike(one: Variant, other: Variant) -> bool:
    same = ("endpoint", "host", "prompt", "request", "max_steps", "stream")
    return all(getattr(one, name) == getattr(other, name) for name in same)


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
        self._allowance = allowance
        self._spent = 0.0

    def night(self, file: WatchFile) -> Night:
        """Probe, canary, and the suite if they trip; the state is on disk before each step that costs."""
        suite, gate = self._prepared.suite, self._prepared.gate
        state = _sound(file)
        state = replace(state, nights=state.nights + 1)
        false_alarm = self._watch.false_alarm or gate.alpha
        night = Night(suite.name, gate.name, state.nights, false_alarm, before=state.models)
        variants = tuple(replace(one, batch=False) for one in self._variants())
        judges = judge_variants(suite)
        fakes = fakes_of(suite, self._prepared.cases)
        workspace, catalog = self._prepared.workspace, self._prepared.catalog
        with open_target(self._options.target, workspace, self._options.env, (*variants, *judges), fakes) as target:
            spender = Spender(suite, gate.name, variants, judges)
            require_budget([spender], catalog, target, self._allowance)
            require_honest_judges(spender, target)
            if any(map(target.is_live, spender.asked)):
                require_affordable([plan_suite(self._prepared, self._options)], target, self._allowance)
            file.write(state)
            night = self._sent(night, state, file, target, variants)
        return night if night.failed or not night.tripped else self._run(night, file)

    def _sent(
        self, night: Night, state: WatchState, file: WatchFile, target: Target, variants: Sequence[Variant]
    ) -> Night:
        """The night after the probe and, where nothing has tripped yet, the canary."""
        from snapdrift.verdicts.watching import carried_on

        night = self._probe(night, target, variants)
        if night.failed:
            return night
        night = replace(night, tripped=_moves(night.before, night.resolved))
        if not night.tripped:
            canaries = carried_on(self._watched(night, target), state.canaries, night.false_alarm)
            alarmed = any(one.canary.alarmed for one in canaries)
            # An alarm that no finished run has answered stands: there is nothing more to ask.
            night = replace(night, canaries=canaries) if alarmed else self._canary(night, canaries, target, variants)
            night = replace(night, tripped=(*night.tripped, *(() if night.failed else _alarms(night.canaries))))
            if not night.failed:
                file.write(_after(state, night))
        return night

    def _probe(self, night: Night, target: Target, variants: Sequence[Variant]) -> Night:
        """Which models answer the aliases tonight: one case, asked once of each, and graded by nobody."""
        aliases = {pair.candidate for pair in self._pairs}
        asked = [variant for variant in variants if variant.name in aliases]
        part = self._ask(self._drawn(night.number)[:1], asked, target, judged=False)
        resolved = _resolved(part.results, aliases)
        silent = [name for name in sorted(aliases) if not resolved.get(name)]
        why = part.stopped or (f"no answer of {', '.join(silent)} names a model" if silent else "")
        failed = f"the probe failed: {why}" if why else ""
        simulated = any(call.source.made_up for call in part.results.calls.values())
        return replace(
            night, resolved=resolved, failed=failed, usd=self._spent, runs=(part.run_id,), simulated=simulated
        )

    def _canary(
        self, night: Night, canaries: tuple[WatchedCanary, ...], target: Target, variants: Sequence[Variant]
    ) -> Night:
        """The canary's cases asked of both sides afresh; a night on which too much failed changes nothing."""
        from snapdrift.verdicts.watching import fed, night_differences, shortfall

        cases = self._drawn(night.number)
        part = self._ask(cases, variants, target, judged=True)
        night = replace(night, asked=len(cases), usd=self._spent, runs=(*night.runs, part.run_id), canaries=canaries)
        watched = [one.watched for one in canaries]
        gate = self._prepared.gate
        why = part.stopped or shortfall(part.results, gate, watched)
        if why:
            return replace(night, failed=f"the canary failed: {why}")
        resolved = _resolved(part.results, set(night.resolved))
        seen = {name: tuple(sorted({*night.resolved[name], *models})) for name, models in resolved.items()}
        if seen != dict(night.resolved):
            return replace(night, resolved=seen, tripped=_moves(night.resolved, seen, "by the probe"))
        return replace(night, canaries=fed(canaries, night_differences(part.results, gate, watched)))

    def _run(self, night: Night, file: WatchFile) -> Night:
        """The whole suite under its gate, asked afresh; what it decides answers the alarm."""
        left = self._left()
        limits = replace(self._options.limits, max_usd=left.max_usd, deadline_s=left.deadline_s)
        (outcome,) = run_suites([self._path], replace(self._options, limits=limits))
        if self._allowance.max_usd is not None:
            self._allowance.spend(outcome.view.usd or 0.0)
        if outcome.exit_code is not ExitCode.INCOMPLETE:
            state = file.read()
            rung = {(one.watched.metric, one.watched.candidate) for one in night.canaries if one.canary.alarmed}
            canaries = tuple(
                replace(one, answered=outcome.run_id) if (one.metric, one.candidate) in rung else one
                for one in state.canaries
            )
            file.write(replace(state, canaries=canaries, models=dict(night.resolved)))
        return replace(night, outcome=outcome)

    def _left(self) -> Limits:
        """What the whole suite may still take: the command's limits, and the suite's budget less what was spent."""
        ends_at = self._allowance.ends_at
        seconds = None if ends_at is None else max(1.0, ends_at - time.monotonic())
        budget = None if self._options.target.standin else self._prepared.suite.budget_for(self._prepared.gate.name)
        left = [
            usd
            for usd in (self._allowance.max_usd, None if budget is None else budget - self._spent)
            if usd is not None
        ]
        return Limits(max(0.0, min(left)) if left else None, seconds)

    def _ask(self, cases: Sequence[Case], variants: Sequence[Variant], target: Target, *, judged: bool) -> _Asked:
        """Asks a part of the suite as a run of its own, a partial one: it feeds neither history nor verdicts."""
        one = self._prepared
        suite = self._affordable(one.suite)
        part = replace(
            one,
            suite=suite,
            gate=narrowed(one.gate, variants),
            cases=tuple(cases),
            variants=tuple(variants),
            repeats=1,
            partial=True,
            sufficiency=(),
        )
        with open_writer(part, target, self._options) as writer, open_run(writer.path) as stored:
            asked = suite if judged else replace(suite, graders=())
            work = Work(asked, one.catalog, one.workspace, target, self._options, self._allowance)
            try:
                stopped = ask(writer, stored, work)
            except Interrupted:
                raise Interrupted(f"{suite.name}: interrupted; the night counts for nothing, watch again") from None
            writer.replace_scores(grade_answers(stored, suite))
            conclude(writer, stored, suite, stopped)
            writer.finish(datetime.now(UTC).isoformat(timespec="seconds"))
            usd = stored.spent_usd(worst_cost(one.catalog))
            self._spent += usd
            results = stored.results(suite.metrics, applicable_cases(suite, stored.cases()))
            return _Asked(stored.header.run_id, results, stopped, usd)

    def _affordable(self, suite: Suite) -> Suite:
        """The suite with what is left of its budget tonight: probe, canary and suite share one."""
        gate = suite.gates[self._prepared.gate.name]
        budget = suite.budget_for(gate.name)
        if budget is None:
            return suite
        return replace(
            suite, gates={**suite.gates, gate.name: replace(gate, budget_usd=max(0.0, budget - self._spent))}
        )

    def _variants(self) -> tuple[Variant, ...]:
        names = {name for pair in self._pairs for name in (pair.candidate, pair.baseline)}
        return tuple(variant for variant in self._prepared.variants if variant.name in names)

    def _drawn(self, number: int) -> tuple[Case, ...]:
        """Tonight's cases: of those that a gating metric applies to, drawn by the suite's seed and the night."""
        one = self._prepared
        applicable = applicable_cases(one.suite, one.cases)
        gating = {entry.metric for entry in one.gate.metrics if entry.gates}
        eligible = [case for case in one.cases if any(case.id in applicable.get(name, ()) for name in gating)]
        digest = hashlib.sha256(f"{one.suite.seed}:night {number}".encode()).digest()
        seed = int.from_bytes(digest[:6], "big")
        return draw(eligible, Sample(min(self._watch.cases, len(eligible)), seed))

    def _watched(self, night: Night, target: Target) -> list[Watched]:
        """Each gating metric of each pair with all that its evidence rests on."""
        from snapdrift.verdicts.watching import Watched

        one = self._prepared
        graders = {metric.name: grader.version for grader in one.suite.graders for metric in grader.metrics}
        by_name = one.suite.variants
        found = []
        for pair in self._pairs:
            alias, snapshot = by_name[pair.candidate], by_name[pair.baseline]
            models = [alias.model, snapshot.model, *night.resolved[pair.candidate]]
            identity = {
                "suite": one.suite.name,
                "models": " ".join(models),
                "ask": sha256(to_json([alias, snapshot])),
                "seed": str(one.suite.seed),
                "source": " ".join(target.reached([alias, snapshot])),
            }
            for entry in one.gate.metrics:
                if entry.gates and entry.metric in graders:
                    own = {**identity, "grader": graders[entry.metric]}
                    found.append(Watched(entry.metric, pair.baseline, pair.candidate, own))
        return found


def _sound(file: WatchFile) -> WatchState:
    """What was carried over. Raises `StoreError` before anything is sent or written where it is damaged."""
    from snapdrift.verdicts.watching import require_sound

    state = file.read()
    try:
        require_sound(state.canaries)
    except ValueError as error:
        raise StoreError(f"{file.path}: {error}; {file.start_anew}") from error
    return state


def _resolved(results: Results, aliases: set[str]) -> dict[str, tuple[str, ...]]:
    """The models that answered each alias."""
    models: dict[str, set[str]] = {name: set() for name in aliases}
    for key, call in results.calls.items():
        if key.variant in aliases and call.outcome.measured and call.returned_model:
            models[key.variant] |= {call.returned_model, *call.also_returned}
    return {name: tuple(sorted(found)) for name, found in models.items()}


def _moves(
    before: Mapping[str, tuple[str, ...]], now: Mapping[str, tuple[str, ...]], when: str = "last night"
) -> tuple[str, ...]:
    return tuple(
        f"`{name}` is answered by {', '.join(models)}, {when} by {', '.join(before[name])}"
        for name, models in sorted(now.items())
        if name in before and before[name] != models
    )


def _alarms(canaries: Sequence[WatchedCanary]) -> tuple[str, ...]:
    return tuple(
        f"{one.watched.metric} of `{one.watched.candidate}` has moved {'below' if one.lower else 'above'} that of "
        f"`{one.watched.baseline}` (wealth {one.wealth:,.3g}, the alarm is at {1 / one.canary.alpha:,.3g})"
        for one in canaries
        if one.canary.alarmed
    )


def _after(state: WatchState, night: Night) -> WatchState:
    """The state that the night leaves. Models that moved are taken over once the suite has decided on them."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    models = state.models if night.tripped else dict(night.resolved)
    canaries = tuple(one.to_stored() for one in night.canaries) or state.canaries
    return replace(state, last_night=now, models=models, canaries=canaries)
