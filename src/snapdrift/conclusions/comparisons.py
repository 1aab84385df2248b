"""What a gate sees of two variants on one metric: before anything is sent, and in what came back."""

from __future__ import annotations

from dataclasses import dataclass

from snapdrift.model import Severity, Target, Verdict


@dataclass(frozen=True, slots=True)
class Sufficiency:
    """What a gate can see on one metric and pair before anything is sent.

    `detectable` is the drop seen with 80% power (None: none up to 1), `cases_for_catch` how many cases it takes to see
    `max_blind`, `cases_for_prove` how many before `no_worse` can be shown at all, `enough` whether the gate's policy
    can ever tell. `detail` is the sentence for a person.
    """

    metric: str
    baseline: str
    candidate: str
    cases: int
    detectable: float | None
    cases_for_catch: int | None
    cases_for_prove: int | None
    enough: bool
    detail: str


@dataclass(frozen=True, slots=True)
class PairTable:
    """Cases of a paired pass/fail comparison by who passed."""

    both_pass: int
    only_baseline: int
    only_candidate: int
    both_fail: int


@dataclass(frozen=True, slots=True)
class VarianceParts:
    """Where the uncertainty of a comparison comes from: variances in squared score units, errors in score units.

    The variance of a case's difference is `between` (what truly differs between cases; 0 where the estimate is
    negative, which `floored` says) and what the model varies from answer to answer: `within` at one repeat,
    `noise_share` of the whole at the `repeats` there are. `like_these_error` and `these_cases_error` are the standard
    errors of the difference about cases like these and about these cases; `pooled_error` is what it would be were every
    repeat a case of its own, for explaining only. `twice_the_cases` (None where that is another claim) and
    `twice_the_repeats` are what the error of what is claimed would become, `remedy` which of the two helps: `cases`,
    `either`, `repeats` or `neither`.
    """

    repeats: float
    between: float
    within: float
    noise_share: float
    floored: bool
    like_these_error: float
    these_cases_error: float
    pooled_error: float
    twice_the_cases: float | None
    twice_the_repeats: float
    remedy: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What acceptances took out of one comparison, and what it would be with it.

    `cases` are the accepted cases of the run, `losses` those among them on which the candidate has less than the
    baseline, `newly_failing` and `newly_passing` those that change sides.
    `difference`, `ci`, `p_adjusted` (Holm's, over comparisons with all cases) and `verdict` are of the same comparison
    with the accepted cases.
    """

    cases: tuple[str, ...]
    losses: tuple[str, ...]
    difference: float | None
    ci: tuple[float, float] | None
    p_adjusted: float | None
    verdict: Verdict
    newly_failing: tuple[str, ...] = ()
    newly_passing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """Baseline against candidate on one metric, paired by case.

    `difference` is candidate minus baseline in score units, `ci` its 1 - 2 alpha interval; `p_value` is one-sided for
    "worse", `p_adjusted` Holm's; `newly_failing` and `newly_passing` are case ids. `table` is None where scores are
    graded or repeated. `unmeasured` counts the applicable cases that did not pair, `unmeasured_calls` the planned calls
    of both sides that have no score. `target` is what is claimed of; about these cases `repeats_to_resolve` takes the
    place of `cases_to_resolve`. `ci_newcombe` is Newcombe's interval beside the deciding test, for reading, where there
    is a table; `variance` is None with one answer a case.

    `units_fed` and `units_planned` are set where the run was looked at while it grew: how many units (cases, or
    clusters of them) it rests on, of how many that could have been asked; `stopped_early` where a look ended the
    asking, so that the difference leans towards what ended it. `capped`: the verdict of its judge does not count.
    `left_out` is what acceptances took out of it, None where they took nothing.
    """

    metric: str
    baseline: str
    candidate: str
    severity: Severity
    gating: bool
    n: int
    baseline_mean: float | None
    candidate_mean: float | None
    difference: float | None
    ci: tuple[float, float] | None
    p_value: float | None
    p_two_sided: float | None
    p_mid: float | None
    p_better: float | None
    p_adjusted: float | None
    p_no_worse: float | None
    method: str
    margin: float | None
    confidence: float
    verdict: Verdict
    table: PairTable | None = None
    detectable_difference: float | None = None
    cases_to_resolve: int | None = None
    unmeasured: int = 0
    newly_failing: tuple[str, ...] = ()
    newly_passing: tuple[str, ...] = ()
    target: Target = Target.CASES_LIKE_THESE
    ci_newcombe: tuple[float, float] | None = None
    variance: VarianceParts | None = None
    unmeasured_calls: int = 0
    repeats_to_resolve: int | None = None
    units_fed: int | None = None
    units_planned: int | None = None
    stopped_early: bool = False
    capped: bool = False
    left_out: LeftOut | None = None


@dataclass(frozen=True, slots=True)
class Sequential:
    """How a run went whose gate was looked at while it grew. Units are cases, or clusters of `unit_size` cases each.

    `fed` units make up the comparisons, of `planned` that could have been asked; the first `sample` of them were
    planned from the start (all of them unless the run could be topped up, `open_ended`). `stopped` says that a look
    ended the asking, `passed_over` how many calls had no value when their unit was looked at, and `spent` why topping
    up ended although nothing was settled. `resolved` is whether the scores as they are now settle the gate.
    """

    open_ended: bool
    fed: int
    planned: int
    sample: int
    unit_size: int
    stopped: bool
    resolved: bool
    passed_over: int = 0
    spent: str = ""


@dataclass(frozen=True, slots=True)
class Operational:
    """A measure of calls (cost, latency_p95, first_token_p95, output_tokens, ...) of candidate against baseline.

    Values and `ratio` are as observed on the calls measured on both sides, and `max_increase` limits that ratio.
    `interval` is the 1 - 2 alpha interval of `tested_ratio`, candidate over baseline, with None for an open end;
    `quantity` says what that is a ratio of: `mean`, `quantile`, `geometric_mean`, or `balanced` where a few cases make
    most of what was to be compared. `interval_is_of_ratio` says whether it speaks of the observed ratio.
    `p_more` and `p_less` are one-sided against "as much", `p_within` against "by the limit or more", `p_over` against
    "by the limit or less": None without a limit, and where the interval is of another ratio.
    `method` is the test of `p_more`. `n` cases in `units` clusters (else cases) were compared, `left_out` were not.
    """

    metric: str
    baseline: str
    candidate: str
    baseline_value: float | None
    candidate_value: float | None
    ratio: float | None
    max_increase: float | None
    severity: Severity
    confidence: float = 0.95
    quantity: str = "none"
    method: str = "none"
    interval_method: str = "none"
    tested_ratio: float | None = None
    interval: tuple[float | None, float | None] | None = None
    interval_is_of_ratio: bool = True
    p_more: float | None = None
    p_less: float | None = None
    p_within: float | None = None
    p_over: float | None = None
    n: int = 0
    units: int = 0
    left_out: int = 0
