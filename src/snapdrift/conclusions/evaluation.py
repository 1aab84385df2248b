"""The decision, what it rests on, and `Evaluation`, which holds everything that was concluded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from snapdrift.acceptances import Acceptance
from snapdrift.calibrations import JudgeCalibration, ReviewTally
from snapdrift.conclusions.comparisons import Comparison, Operational, Sequential
from snapdrift.conclusions.identities import AliasMove, Control, LedgerEntry, Parity
from snapdrift.conclusions.summaries import MetricSummary, VariantSummary
from snapdrift.exit_codes import ExitCode
from snapdrift.explanations import Explanation
from snapdrift.gradings import Gradings
from snapdrift.model import DecisionWord, Gate

_DECISION_CODES = {
    DecisionWord.PASSED: ExitCode.PASSED,
    DecisionWord.REGRESSION: ExitCode.REGRESSION,
    DecisionWord.INCOMPLETE: ExitCode.INCOMPLETE,
    DecisionWord.INCONCLUSIVE: ExitCode.INCONCLUSIVE,
    DecisionWord.NOT_GATED: ExitCode.NOT_GATED,
}


@dataclass(frozen=True, slots=True)
class Decision:
    """What the gate says: the word, why, what to know besides, and what a pass would not have seen."""

    word: DecisionWord
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    would_miss: Mapping[str, float] = field(default_factory=dict)

    @property
    def exit_code(self) -> ExitCode:
        """The code the process ends with."""
        return _DECISION_CODES[self.word]


@dataclass(frozen=True, slots=True)
class Draw:
    """The answers that a variant rests on: one draw of what the model might have said.

    `digest` is of the answers as received, so that two runs share it only where they share the answers themselves.
    `oldest` and `newest` are when they came (ISO 8601; of a file of outputs, when it was first read, as far as is
    known), `age_days` how old the oldest was when this was concluded. `earlier_verdicts` is how many earlier verdicts
    of the suite, other attempts of the run among them, the state folder knows to rest on these very answers.
    """

    variant: str
    digest: str
    answers: int
    oldest: str
    newest: str
    age_days: int = 0
    earlier_verdicts: int = 0


@dataclass(frozen=True, slots=True)
class EarlierVerdict:
    """A verdict on the same variants under the same gate, made before; `same_run` is an attempt of this run.

    `differs` names what was other then (`commit`, `seed`, `cases`, `repeats`, ...); empty where all was the same and
    only the answers were asked anew.
    """

    run_id: str
    attempt: int
    decided_at: str
    decision: DecisionWord
    same_run: bool = False
    differs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Everything that was concluded from a run: the value behind `verdict.json` and the report."""

    gate: Gate
    variants: tuple[VariantSummary, ...]
    metrics: tuple[MetricSummary, ...]
    comparisons: tuple[Comparison, ...]
    operational: tuple[Operational, ...]
    alias_moves: tuple[AliasMove, ...]
    decision: Decision
    ledger: tuple[LedgerEntry, ...] = ()
    parity: tuple[Parity, ...] = ()
    controls: tuple[Control, ...] = ()
    attributions: tuple[Explanation, ...] = ()
    draws: tuple[Draw, ...] = ()
    earlier: tuple[EarlierVerdict, ...] = ()
    calibrations: tuple[JudgeCalibration, ...] = ()
    reviews: tuple[ReviewTally, ...] = ()
    sequential: Sequential | None = None
    acceptances: tuple[Acceptance, ...] = ()
    gradings: Gradings = field(default_factory=Gradings)
