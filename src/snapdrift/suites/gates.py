"""Gates: policies with what they extend laid under them, and every name that they mention looked up."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from snapdrift.model import Case, Gate, MustPass, OnInconclusive, Policy, ScoreKind, Severity, Target
from snapdrift.suites.gate_entries import CacheAge, MustPassEntry, SampleEntry
from snapdrift.suites.gate_keys import Key, Known, gate_keys
from snapdrift.suites.gate_metrics import MetricGates
from snapdrift.suites.gate_pairs import Pairing
from snapdrift.suites.gate_places import gate_places
from snapdrift.suites.loading import Loading
from snapdrift.suites.registry import Location
from snapdrift.suites.samples import fitting_sample, resolve_sample
from snapdrift.suites.sampling import Sample
from snapdrift.suites.suite import SuiteFile
from snapdrift.suites.wording import did_you_mean, listed, quoted

_NOUNS = {"tag": "the tag", "case": "the id"}


@dataclass(frozen=True, slots=True)
class ResolvedGate:
    """A gate, the sample that it takes (None: every case), and where it says what is done when it is inconclusive."""

    gate: Gate
    sample: Sample | None
    extends_at: Location = ()


def resolve_gates(entry: SuiteFile, known: Known, loading: Loading) -> dict[str, ResolvedGate]:
    """Every gate of the suite by name. Mistakes are noted in `loading`."""
    places = gate_places(entry)
    if entry.gate is not None and entry.gates is not None:
        loading.complain(("gate",), "both gate and gates", "expected one of them", key=True)
    if not places:
        loading.complain(("gates",), "no gates", "expected gate: {...} or gates: {default: {...}}")
    target = Target(entry.target or Target.CASES_LIKE_THESE)
    return {
        name: _resolve(name, place, gate_keys(name, places, loading), target, known, loading)
        for name, (place, _) in places.items()
    }


def _resolve(
    name: str, place: Location, keys: Mapping[str, Key], target: Target, known: Known, loading: Loading
) -> ResolvedGate:
    pairing = Pairing(keys, known, loading)
    metrics = keys["metrics"].value if "metrics" in keys else {}
    if not pairing.compares and "must_pass" not in keys and not any("at_least" in asked for asked in metrics.values()):
        loading.complain(place, "a gate that asks nothing", "expected a baseline, metrics with at_least, or must_pass")
    elif not metrics and "must_pass" not in keys:
        found = "a gate that compares variants but asks nothing of any metric"
        loading.complain(place, found, "expected metrics: with a margin, a floor or a limit, or must_pass")

    def value(key: str, otherwise: Any) -> Any:
        return keys[key].value if key in keys else otherwise

    usual = Gate(name)
    policy = Policy(value("policy", usual.policy))
    unsure = OnInconclusive.FAIL if policy is Policy.PROVE else OnInconclusive.WARN
    budget = value("budget", None)
    gate = Gate(
        name=name,
        pairs=pairing.pairs(),
        metrics=MetricGates(known, loading, compares=pairing.compares).resolve(metrics),
        policy=policy,
        max_blind=value("max_blind", usual.max_blind),
        discordance=value("discordance", usual.discordance),
        must_pass=_must_pass(keys["must_pass"], known, loading) if "must_pass" in keys else MustPass(),
        coverage=value("coverage", usual.coverage),
        inconclusive=OnInconclusive(value("inconclusive", unsure)),
        alias_moved=Severity(value("alias_moved", usual.alias_moved)),
        confidence=value("confidence", usual.confidence),
        budget_usd=None if budget is None else budget.usd,
        budget_per_day=None if budget is None else budget.per_day,
        repeats=value("repeats", None),
        fresh=value("cache", None) == "never",
        target=target,
        max_age_s=_max_age(keys.get("cache"), loading),
        ref=pairing.ref,
        outside=pairing.outside(),
    )
    extends_at = keys["inconclusive"].location if "inconclusive" in keys else place
    return ResolvedGate(gate, _sample(keys.get("sample"), known, loading), extends_at)


_AGE = re.compile(r"(\d+(?:\.\d+)?)([smhdw])")
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


def age_in_seconds(text: str) -> float | None:
    """An age such as `36h`, `7d` or `2w` in seconds, None for another text."""
    match = _AGE.fullmatch(text.strip())
    seconds = float(match[1]) * _SECONDS[match[2]] if match else 0.0
    return seconds if 0 < seconds <= _LONGEST_S else None


_LONGEST_S = 100 * 365 * 86400.0


def _max_age(key: Key | None, loading: Loading) -> float | None:
    """How old a reused answer may be, in seconds; None where nothing says it."""
    if key is None or not isinstance(key.value, CacheAge):
        return None
    seconds = age_in_seconds(key.value.max_age)
    if seconds is None:
        location, expected = (*key.location, "max_age"), "expected an age such as 36h, 7d or 2w"
        loading.complain(location, quoted(key.value.max_age), expected)
    return seconds


def _must_pass(key: Key, known: Known, loading: Loading) -> MustPass:
    written: MustPassEntry = key.value
    if not known.cases:
        return MustPass()
    tags = {tag for case in known.cases for tag in case.tags}
    made = MustPass(
        tags=_named(key.location, "tag", (written.tag, written.tags), tags, loading),
        cases=_named(key.location, "case", (written.case, written.cases), {case.id for case in known.cases}, loading),
    )
    unjudged = [case.id for case in known.cases if made.covers(case) and not _is_judged(case, known)]
    if unjudged and not known.unread_graders:
        found = f"cases that no pass/fail grader applies to: {listed(unjudged, 5)}"
        loading.complain(key.location, found, "expected one for each: without it a case could only pass")
    return made


def _named(
    place: Location, name: str, written: tuple[str | None, list[str] | None], known: set[str], loading: Loading
) -> tuple[str, ...]:
    one, several = written
    places: list[tuple[str, Location]] = [] if one is None else [(one, (*place, name))]
    places += [(word, (*place, f"{name}s", index)) for index, word in enumerate(several or ())]
    found: dict[str, None] = {}
    for word, location in places:
        if word in known:
            found[word] = None
            continue
        expected = did_you_mean(
            word,
            known,
            f"expected one of {listed(sorted(known), 5)}" if known else "expected one that a case has: none has any",
        )
        loading.complain(location, f"no case has {_NOUNS[name]} {quoted(word)}", expected)
    return tuple(found)


def _is_judged(case: Case, known: Known) -> bool:
    return any(
        grader.applies(case) and any(metric.kind is ScoreKind.PASS_FAIL for metric in grader.metrics)
        for grader in known.graders
    )


def _sample(key: Key | None, known: Known, loading: Loading) -> Sample | None:
    if key is None:
        return known.sample
    if key.value == "all":
        return None
    if isinstance(key.value, SampleEntry):
        return resolve_sample(key.value, key.location, known.cases, loading)
    suite = known.sample or Sample(1)
    return fitting_sample(Sample(key.value, suite.seed, suite.stratify), key.location, known.cases, loading)
