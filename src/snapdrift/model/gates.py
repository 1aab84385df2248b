"""What a suite asks of its variants: which are compared, on which metrics, and what decides."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from snapdrift.model.cases import Case
from snapdrift.model.words import OnInconclusive, Policy, Severity, Target

MOST_USD = 1e9
"""The most dollars that anything may be said to cost. Amounts are counted in whole billionths, in 64 bits."""


@dataclass(frozen=True, slots=True)
class MetricGate:
    """What a gate asks of a metric. Differences and margins are in score units ([0, 1])."""

    metric: str
    margin: float | None = None
    at_least: float | None = None
    max_increase: float | None = None
    severity: Severity = Severity.FAIL
    on: str | None = None

    @property
    def gates(self) -> bool:
        """Whether the metric's verdict counts for the exit code (severity `fail` and a margin)."""
        return self.severity is Severity.FAIL and self.margin is not None


@dataclass(frozen=True, slots=True)
class Pair:
    """Two variants to compare."""

    baseline: str
    candidate: str
    severity: Severity = Severity.FAIL


@dataclass(frozen=True, slots=True)
class MustPass:
    """Cases that must pass on the candidate in every repeat: those with one of `tags`, and those named."""

    tags: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()

    def covers(self, case: Case) -> bool:
        """Whether the case must pass."""
        return case.id in self.cases or any(tag in self.tags for tag in case.tags)


OUTSIDE = "@baseline"
"""What the pairs of a gate call a baseline that is no variant of the suite, until it has been looked up."""


@dataclass(frozen=True, slots=True)
class OutsideBaseline:
    """A baseline that is kept answers: those of `run` (an id or a path), or of the file `archive`.

    `of` says whose answers of the run. `fallback` is the file that stands in for the gate's baseline, which is a
    variant then, once its model is gone. `place` is where the suite says so, for messages.
    """

    run: str | None = None
    archive: str | None = None
    of: str | None = None
    fallback: str | None = None
    place: str = ""


@dataclass(frozen=True, slots=True)
class Alone:
    """A candidate that is compared with nothing: floors and must-pass cases are asked of it all the same."""

    candidate: str
    severity: Severity = Severity.FAIL


@dataclass(frozen=True, slots=True)
class Gate:
    """A resolved policy. `discordance` is the assumed share of cases whose result differs between two variants.

    `target` is what its comparisons claim of. `fresh` gates (`cache: never`) never take up an earlier run nor reuse
    its answers; `max_age_s` is how old a reused answer may be, in seconds (None: any). `ref` names the git tree that
    the baselines are from: until it is read the pairs only say what they will be named. `alone` are the candidates
    that have no baseline there, or need none. `outside` is a baseline of kept answers, or one to fall back on, that a
    run has still to look up.
    """

    name: str
    pairs: tuple[Pair, ...] = ()
    metrics: tuple[MetricGate, ...] = ()
    policy: Policy = Policy.CATCH
    max_blind: float = 0.10
    discordance: float = 0.15
    must_pass: MustPass = MustPass()
    coverage: float = 0.98
    inconclusive: OnInconclusive = OnInconclusive.WARN
    alias_moved: Severity = Severity.WARN
    confidence: float = 0.95
    budget_usd: float | None = None
    budget_per_day: float | None = None
    repeats: int | None = None
    fresh: bool = False
    target: Target = Target.CASES_LIKE_THESE
    max_age_s: float | None = None
    ref: str | None = None
    alone: tuple[Alone, ...] = ()
    outside: OutsideBaseline | None = None

    @property
    def absolute(self) -> bool:
        """Whether it asks something of a variant by itself: a floor, cases that must pass, an alias that stays put."""
        must_pass = self.must_pass
        floors = any(entry.at_least is not None for entry in self.metrics)
        return bool(must_pass.tags or must_pass.cases) or floors or self.alias_moved is Severity.FAIL

    def judged(self, ran: Iterable[str]) -> dict[str, Severity]:
        """Of the variants that ran those that floors and must-pass cases are asked of, each with how gravely.

        They are the candidates, compared or alone; all where there are none. A candidate of severity `warn` only is
        asked with that severity.
        """
        names = list(ran)
        if not self.pairs and not self.alone:
            return dict.fromkeys(names, Severity.FAIL)
        asked = [(pair.candidate, pair.severity) for pair in self.pairs]
        severities: dict[str, Severity] = {}
        for name, severity in (*asked, *((one.candidate, one.severity) for one in self.alone)):
            if name in names and severities.get(name) is not Severity.FAIL:
                severities[name] = severity
        return severities

    @property
    def alpha(self) -> float:
        """The one-sided error rate of each claim."""
        return 1.0 - self.confidence
