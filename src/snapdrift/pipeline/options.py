"""What a command asks of the pipeline, as one value that is passed down whole."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING

from snapdrift.errors import StoreError
from snapdrift.exit_codes import ExitCode

if TYPE_CHECKING:
    from snapdrift.conclusions import Evaluation
    from snapdrift.execution.batch_records import BatchProgress
    from snapdrift.execution.engine import Progress
    from snapdrift.pipeline.sharding import ShardEnding
    from snapdrift.reports.view import View
    from snapdrift.reports.write import ReportPaths
    from snapdrift.signals import StopRequest
    from snapdrift.unasked import Unasked

DEFAULT_CONCURRENCY = 16
"""Requests in flight where nobody says how many."""


@dataclass(frozen=True, slots=True)
class Selection:
    """A part of a suite. Any of `cases`, `tags`, `variants` and `failed` makes the run a partial one: not gated.

    `failed` names runs: the cases that failed in the one that is of the suite are asked. `whole` asks every case of the
    dataset, whatever the gate samples.
    """

    cases: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    sample: int | None = None
    repeats: int | None = None
    failed: tuple[str, ...] = ()
    whole: bool = False

    @property
    def picks_cases(self) -> bool:
        """Whether some of the suite's cases are left out by hand (a declared sample is not that)."""
        return bool(self.cases or self.tags or self.failed)


@dataclass(frozen=True, slots=True)
class TargetOptions:
    """Where requests go: at most one of `standin`, `base_url` and `host`; each holds for every variant of a suite.

    `recordings` and `behaviour` are for the stand-in and override what the workspace says of the suite; so do `faults`,
    of which `none` are none.
    """

    standin: bool = False
    recordings: tuple[Path, ...] = ()
    behaviour: str | None = None
    faults: str | None = None
    standin_log: Path | None = None
    host: str | None = None
    base_url: str | None = None
    key_env: str | None = None

    def to_json(self) -> str:
        """As a run file keeps it; it names the variable of a key, never a key."""
        return json.dumps(asdict(self), default=lambda path: str(path.resolve()))

    @classmethod
    def from_json(cls, text: str) -> TargetOptions:
        """The inverse of `to_json`, but for what it does not know. Raises `StoreError` for another text."""
        names = {entry.name for entry in fields(cls)}
        try:
            values = {name: value for name, value in json.loads(text).items() if name in names}
            values["recordings"] = tuple(map(Path, values.get("recordings", ())))
            log = values.get("standin_log")
            return cls(**{**values, "standin_log": None if log is None else Path(log)})
        except (ValueError, TypeError, AttributeError) as error:
            raise StoreError(f"the run file does not say where its requests went ({error}); name it again") from None


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run may take: dollars for the whole command, seconds, and requests in flight.

    `taken_usd` of the dollars went before the command, where it is a part of something larger; `max_usd_called` is
    then what messages call that limit.
    """

    max_usd: float | None = None
    deadline_s: float | None = None
    concurrency: int | None = None
    taken_usd: float = 0.0
    max_usd_called: str = ""

    @property
    def left_usd(self) -> float | None:
        """What there is to be spent, None without a limit."""
        return None if self.max_usd is None else max(0.0, self.max_usd - self.taken_usd)


@dataclass(frozen=True, slots=True)
class Output:
    """Where results go. `out_dir` None is `reports/` of the workspace, `state_dir` None its state folder.

    A page larger than `split_mb` megabytes has its answers on pages beside it; None: all is in one file, always.
    `verdict` is a file for the documents of all runs of the command.
    `report_url` is where the page will be for readers of the summary and of the JUnit file, None where nobody says so.
    """

    out_dir: Path | None = None
    junit: Path | None = None
    summary: Path | None = None
    state_dir: Path | None = None
    report_url: str | None = None
    split_mb: float | None = None
    verdict: Path | None = None


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """How to go about the Batch API. `all` sends every variant over HTTP by batch, and the judges.

    Without `wait` the command leaves once everything is submitted and what is over is collected; `retry_missing`
    submits again what an ended batch did not answer.
    """

    all: bool = False
    wait: bool = True
    retry_missing: bool = False
    progress: Callable[[BatchProgress], None] | None = None
    notice: Callable[[str], None] = lambda _: None


@dataclass(frozen=True, slots=True)
class Shard:
    """The part of each suite that a command asks: number `index` of `count`, counted from 1."""

    index: int
    count: int


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """Who asks: this process, or with `ray` workers on a Ray cluster (`address`; None: started on this machine)."""

    ray: bool = False
    address: str | None = None


@dataclass(frozen=True, slots=True)
class RunOptions:
    """All that `run` takes. `env` is the process environment, read once at the edge.

    `early_stop` ends asking once the gate is resolved, as the suite's key does; `extend` (of `resume`) goes on topping
    up. `baseline_ref` puts a git tree in the place of the gate's baseline; `changed` leaves out the suites that
    nothing touched since a ref. `fallbacks` says by the path of a suite why its baseline cannot be asked. Without
    `code` a suite that runs code of its workspace is refused, without `cache` no answer of another run is reused.
    `shard` asks one part of each suite only. `settled` is told each result that takes no run. `stop`
    ends asking from another thread, where signals do not reach; `charged` is told what asking took of
    `limits.max_usd`, in dollars.
    """

    env: Mapping[str, str] = field(default_factory=dict)
    gate: str | None = None
    selection: Selection = Selection()
    target: TargetOptions = TargetOptions()
    limits: Limits = Limits()
    output: Output = Output()
    batch: BatchOptions = field(default_factory=BatchOptions)
    fresh: bool = False
    early_stop: bool = False
    extend: bool = False
    baseline_ref: str | None = None
    changed: str | None = None
    fallbacks: Mapping[str, str] = field(default_factory=dict)
    code: bool = True
    cache: bool = True
    shard: Shard | None = None
    engine: EngineOptions = EngineOptions()
    command: str = ""
    progress: Callable[[Progress], None] | None = None
    notice: Callable[[str], None] = lambda _: None
    settled: Callable[[Unasked], None] = lambda _: None
    stop: StopRequest | None = None
    charged: Callable[[float], None] = lambda _: None


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """A finished run: what was decided, and where its pages and its run file are.

    `index` is the list of all runs, None where there is none; `shard` how a shard ended, None of a whole run. `go_on`
    says how to go on with the run, empty where `resume` is all that it takes.
    """

    run_id: str
    suite: str
    run_path: Path
    attempt: int
    evaluation: Evaluation
    view: View
    reports: ReportPaths
    index: Path | None = None
    shard: ShardEnding | None = None
    go_on: str = ""

    @property
    def exit_code(self) -> ExitCode:
        """What the command ends with for this suite: by the decision, or by whether a shard brought its part."""
        return self.evaluation.decision.exit_code if self.shard is None else self.shard.exit_code


@dataclass(frozen=True, slots=True)
class Compared:
    """A stored run concluded from again."""

    view: View
    evaluation: Evaluation
