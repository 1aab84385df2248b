"""The records that cross package borders: plain, frozen, free of I/O.

Read this module first; `conclusions.py` has what is concluded of a run. `docs/design/seams.md` says which package
makes which record and who reads it.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import quote, unquote

# ---------------------------------------------------------------------------------------------------------------- words


class Outcome(StrEnum):
    """How a call ended. The first six are the model's doing and count as measured."""

    OK = "ok"
    REFUSED = "refused"
    TRUNCATED = "truncated"
    FILTERED = "filtered"
    TOOL_UNMATCHED = "tool_unmatched"
    STEP_LIMIT = "step_limit"
    API_ERROR = "api_error"
    MISSING = "missing"
    NOT_NEEDED = "not_needed"

    @property
    def measured(self) -> bool:
        """Whether the model (not the infrastructure, not early stopping) decided how the call ended."""
        return self not in _UNMEASURED


_UNMEASURED = (Outcome.API_ERROR, Outcome.MISSING, Outcome.NOT_NEEDED)


class Endpoint(StrEnum):
    """Which way a variant is asked: over one of two APIs, by calling an application, or from a file.

    A file of outputs, or (`ARCHIVE`) the kept answers of an earlier run, which nobody is asked for again.
    """

    RESPONSES = "responses"
    CHAT = "chat"
    PYTHON = "python"
    OUTPUTS = "outputs"
    ARCHIVE = "archive"

    @property
    def over_http(self) -> bool:
        """Whether requests go to a host (and have a body, a price and a model), rather than to code or a file."""
        return self in HTTP_ENDPOINTS


HTTP_ENDPOINTS = (Endpoint.RESPONSES, Endpoint.CHAT)


class Source(StrEnum):
    """Where an answer came from. Only `openai` and `host` measure a model."""

    OPENAI = "openai"
    HOST = "host"
    RECORDED = "recorded"
    SIMULATED = "simulated"
    PYTHON = "python"
    OUTPUTS = "outputs"

    @property
    def made_up(self) -> bool:
        """Whether a stand-in gave the answer, from a recording or a simulated behaviour."""
        return self in (Source.RECORDED, Source.SIMULATED)


class Purpose(StrEnum):
    """Why a call is made: to get an answer that is graded, or to have a judge grade one."""

    ANSWER = "answer"
    JUDGE = "judge"


class ScoreKind(StrEnum):
    """What a metric measures: pass/fail (compared by `passed`) or graded in [0, 1] (compared by `value`)."""

    PASS_FAIL = "pass_fail"
    GRADED = "graded"


class Reason(StrEnum):
    """Why a score is what it is. Only `GRADER_ERROR` leaves the metric unmeasured.

    `UNEXTRACTED`: the answer holds no value of the kind asked for. `INVALID_JSON`: it could not be read as the JSON
    that was asked for. `SCHEMA_VIOLATION`: it is JSON that a schema does not allow. `INVALID_ARGUMENTS`: it calls a
    tool with arguments that are no JSON object. `TOOL_CALL_AS_TEXT`: it writes out a call that it was meant to make.
    """

    PASSED = "passed"
    WRONG = "wrong"
    SCHEMA_VIOLATION = "schema_violation"
    UNEXTRACTED = "unextracted"
    INVALID_JSON = "invalid_json"
    INVALID_ARGUMENTS = "invalid_arguments"
    TOOL_CALL_AS_TEXT = "tool_call_as_text"
    NOT_ACCEPTED = "not_accepted"
    GRADER_ERROR = "grader_error"

    @property
    def not_extracted(self) -> bool:
        """Whether the answer held nothing to judge, for whichever of the two reasons."""
        return self in (Reason.UNEXTRACTED, Reason.INVALID_JSON)


class NormaliseStep(StrEnum):
    """A step by which texts are made alike before they are compared, by the name that a suite gives it."""

    STRIP = "strip"
    CASEFOLD = "casefold"
    WHITESPACE = "whitespace"
    PUNCTUATION = "punctuation"
    UNICODE = "unicode"
    NUMBER = "number"


class Severity(StrEnum):
    """Whether a finding decides the exit code or is only listed."""

    FAIL = "fail"
    WARN = "warn"


class Policy(StrEnum):
    """`catch`: red on a shown regression. `prove`: red unless shown to be no worse."""

    CATCH = "catch"
    PROVE = "prove"


class OnInconclusive(StrEnum):
    """What a gate does with a comparison that shows nothing."""

    FAIL = "fail"
    WARN = "warn"
    EXTEND = "extend"


class Target(StrEnum):
    """What is claimed of: cases like these, which are a sample, or these very cases, whose answers only are random."""

    CASES_LIKE_THESE = "cases_like_these"
    THESE_CASES = "these_cases"


class Verdict(StrEnum):
    """What a comparison shows."""

    REGRESSED = "regressed"
    WORSE_WITHIN_MARGIN = "worse_within_margin"
    IMPROVED = "improved"
    NO_WORSE = "no_worse"
    INCONCLUSIVE = "inconclusive"
    INSUFFICIENT = "insufficient"


class DecisionWord(StrEnum):
    """What a gate decides about a run."""

    PASSED = "passed"
    REGRESSION = "regression"
    INCOMPLETE = "incomplete"
    INCONCLUSIVE = "inconclusive"
    NOT_GATED = "not_gated"


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no white space: the form that hashes are taken of."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=str)


def sha256(value: Any) -> str:
    """The hex SHA-256 of the canonical JSON of `value`."""
    return hashlib.sha256(canonical_json(value).encode("utf-8", "surrogatepass")).hexdigest()


# ---------------------------------------------------------------------------------------------------- cases and prompts


@dataclass(frozen=True, slots=True)
class Case:
    """One row of a dataset. `variables` hold every column that has no meaning of its own (`messages` among them).

    `tool_results` says by tool name what a call gets back (`docs/design/suites.md`); None: tools are not carried out.
    """

    id: str
    variables: Mapping[str, Any] = field(default_factory=dict)
    expected: Any = None
    tags: tuple[str, ...] = ()
    cluster: str | None = None
    tool_results: Mapping[str, Any] | None = None

    @property
    def hash(self) -> str:
        """Identity of the content (not the id): cases of two runs pair only when it is equal."""
        results = [] if self.tool_results is None else [dict(self.tool_results)]
        return sha256([dict(self.variables), self.expected, *results])

    def context(self) -> dict[str, Any]:
        """What templates see: the variables, and the reserved columns under their own names."""
        reserved = {"id": self.id, "expected": self.expected, "tags": list(self.tags), "cluster": self.cluster}
        return {**self.variables, **reserved}


@dataclass(frozen=True, slots=True)
class TextPart:
    """A piece of a message that is text."""

    text: str


@dataclass(frozen=True, slots=True)
class ImagePart:
    """An image in a message: `url` (https, or a data URL of a local file), or the `file_id` of an uploaded one.

    `name` is how the suite or dataset names it; `size` is (width, height) in pixels, None where that is not known.
    """

    name: str
    url: str | None = None
    file_id: str | None = None
    detail: str = "auto"
    size: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class FilePart:
    """A document (PDF) in a message: `data` (a data URL of a local file), `url`, or an uploaded one's `file_id`."""

    name: str
    data: str | None = None
    url: str | None = None
    file_id: str | None = None


Part = TextPart | ImagePart | FilePart


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation; `role` is user, assistant, system or developer."""

    role: str
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """The text parts, joined."""
        return "".join(part.text for part in self.parts if isinstance(part, TextPart))


@dataclass(frozen=True, slots=True)
class GeneratedTurn:
    """The place of an assistant message that the model writes before the conversation goes on."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """A rendered prompt: what one case asks of one variant.

    Each `GeneratedTurn` ends a request; its answer is carried on with the messages that follow it. The last answer is
    always generated and has no `GeneratedTurn`.
    """

    instructions: str | None
    messages: tuple[Message | GeneratedTurn, ...]

    @property
    def turns(self) -> tuple[tuple[Message, ...], ...]:
        """The messages that each request adds, in order; one tuple where nothing is scripted."""
        turns: list[list[Message]] = [[]]
        for message in self.messages:
            if isinstance(message, GeneratedTurn):
                turns.append([])
            else:
                turns[-1].append(message)
        return tuple(map(tuple, turns))


DEFAULT_MAX_STEPS = 8


@dataclass(frozen=True, slots=True)
class Variant:
    """What is compared: a model on an endpoint with request settings and a prompt.

    `request` is in the Responses API's names, without nulls, files inlined; `prompt` is the template as written
    (`{"instructions": ..., "input": ...}`); `host` names an entry of `snapdrift.toml`, None is OpenAI. `batch` sends it
    by the Batch API, `stream` as a stream. With the endpoint `python` or `outputs`, `target` is
    `PATH:FUNCTION` or the path of a file of answers, and `model` a name for people (`python:app/answer.py:answer`).
    `reasons` says that the model is known to reason before it answers: its reasoning is then carried from step to step.
    """

    name: str
    model: str
    endpoint: Endpoint
    request: Mapping[str, Any]
    prompt: Mapping[str, Any]
    host: str | None = None
    stream: bool = False
    batch: bool = False
    target: str | None = None
    max_steps: int = DEFAULT_MAX_STEPS
    reasons: bool = False


# ------------------------------------------------------------------------------------------------- calls and responses


@dataclass(frozen=True, slots=True, order=True)
class CallKey:
    """Identity of a call within a run.

    `grader` is empty for an answer, else the name of the grader that has a judge asked about it, with what it needs
    the verdict for after a dot where it needs several (`helpful`, `helpful.2`).
    """

    case_id: str
    variant: str
    repeat: int
    grader: str = ""

    @property
    def judge(self) -> str:
        """The name of the grader that asks; empty for an answer. Names have no dots."""
        return self.grader.partition(".")[0]

    @property
    def purpose(self) -> Purpose:
        """Whether the call gets an answer or grades one."""
        return Purpose.JUDGE if self.grader else Purpose.ANSWER

    def __str__(self) -> str:
        judge = f"?judge={quote(self.grader, safe='')}" if self.grader else ""
        return f"{quote(self.variant, safe='')}/{quote(self.case_id, safe='')}/{self.repeat}{judge}"


@dataclass(frozen=True, slots=True)
class Call:
    """A planned call and its place in the order in which calls are made."""

    key: CallKey
    position: int


CLIENT_REQUEST_ID_LIMIT = 512
REQUEST_HASH_VERSION = 1


@dataclass(frozen=True, slots=True)
class ClientRequestId:
    """What `X-Client-Request-Id` says: `run:case:variant/repeat/step`, each percent-encoded.

    A case or variant name that would make it longer than the API takes (512 characters of ASCII) is replaced by
    `~` and its hash, so `case` and `variant` may be such a stand-in after `parse`.
    """

    run: str
    case: str
    variant: str
    repeat: int
    step: int

    def __str__(self) -> str:
        names = [quote(name, safe="") for name in (self.run, self.case, self.variant)]
        room = CLIENT_REQUEST_ID_LIMIT - len(f"::/{self.repeat}/{self.step}")
        for index in (1, 2, 0):
            if sum(map(len, names)) > room:
                names[index] = "~" + hashlib.sha256(names[index].encode()).hexdigest()[:32]
        return f"{':'.join(names)}/{self.repeat}/{self.step}"

    @classmethod
    def parse(cls, text: str) -> ClientRequestId | None:
        """The parts of a header value, or None when it is not one of ours."""
        prefix, _, tail = text.partition("/")
        names, numbers = prefix.split(":"), tail.split("/")
        if len(names) != 3 or len(numbers) != 2 or not all(n.isascii() and n.isdigit() for n in numbers):
            return None
        run, case, variant = map(unquote, names)
        return cls(run, case, variant, int(numbers[0]), int(numbers[1]))


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request to be made for a call. `body` is exactly what is sent, `base_url` where to."""

    call: CallKey
    step: int
    endpoint: Endpoint
    base_url: str
    body: Mapping[str, Any]
    client_request_id: str

    @property
    def hash_inputs(self) -> dict[str, Any]:
        """What makes two requests the same: never a name. Of a judge's votes each is a request of its own."""
        _, _, need = self.call.grader.partition(".")
        return {
            **({"need": need} if need else {}),
            "version": REQUEST_HASH_VERSION,
            "base_url": self.base_url,
            "endpoint": self.endpoint.value,
            "body": dict(self.body),
            "repeat": self.call.repeat,
            "step": self.step,
        }

    @property
    def hash(self) -> str:
        """The versioned identity of the request, `1:<sha256>`."""
        return f"{REQUEST_HASH_VERSION}:{sha256(self.hash_inputs)}"


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the API reports them. Cached is a part of input, reasoning a part of output."""

    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A function call that the model made; `arguments` is the JSON text as the model wrote it."""

    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ToldLimit:
    """One rate limit as a host's headers tell it: how much there is of it, what is left, seconds until it is whole."""

    limit: int
    remaining: int | None = None
    reset_s: float | None = None


@dataclass(frozen=True, slots=True)
class ToldLimits:
    """What the headers of one response said of the account's rate limits; None where they did not."""

    requests: ToldLimit | None = None
    tokens: ToldLimit | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What one request returned, parsed. `raw` is the body as received, `latency_ms` from send to last byte.

    Of a stream, `raw` is the whole object that its events add up to and `first_token_ms` the time to the first piece of
    the answer. `service_tier` is the tier that served it, `batched` whether it came by the Batch API (both decide the
    price); `usd` is set only by an application that says what its answer cost. `told` is what headers said of rate
    limits, which is of the moment and not stored.
    """

    outcome: Outcome
    text: str
    raw: str
    returned_model: str | None = None
    request_id: str | None = None
    usage: Usage | None = None
    latency_ms: float = 0.0
    finish_reason: str | None = None
    refusal: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    source: Source = Source.OPENAI
    first_token_ms: float | None = None
    service_tier: str | None = None
    batched: bool = False
    usd: float | None = None
    told: ToldLimits | None = None


class FailureKind(StrEnum):
    """What went wrong with an attempt, as far as it decides what to do next."""

    RATE_LIMIT = "rate_limit"
    QUOTA = "quota"
    OVERLOADED = "overloaded"
    SERVER = "server"
    TIMEOUT = "timeout"
    CONNECTION = "connection"
    MALFORMED = "malformed"
    AUTHENTICATION = "authentication"
    MODEL_NOT_FOUND = "model_not_found"
    BAD_REQUEST = "bad_request"
    BUDGET = "budget"
    DEADLINE = "deadline"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    APPLICATION = "application"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt got no answer. `retry_after` in seconds; `may_have_run` when it could have been billed."""

    kind: FailureKind
    message: str
    retryable: bool
    status: int | None = None
    code: str | None = None
    request_id: str | None = None
    retry_after: float | None = None
    may_have_run: bool = False
    stops_run: bool = False


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of a request: when (ISO, UTC), how long it took, and how it failed (None: it was answered)."""

    number: int
    started_at: str
    latency_ms: float
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool call got back: `output` is the text that was sent; `matched` names the canned entry that gave it."""

    call_id: str
    name: str
    output: str
    matched: str = ""
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class Reused:
    """Where an answer is from that an earlier run received: the run, and the call there (as `CallKey` writes it).

    `received_at` is when it came (ISO, UTC), `usd` and `latency_ms` what it cost and took then (None: not known). Of a
    call of several requests `requests` of them are reused; the oldest time and the sum of dollars are of these.
    """

    run: str
    call: str
    received_at: str
    usd: float | None = None
    latency_ms: float | None = None
    requests: int = 1


def _cost_of(usd: float | None, reused: Reused | None) -> float | None:
    if reused is None:
        return usd
    return None if usd is None or reused.usd is None else usd + reused.usd


@dataclass(frozen=True, slots=True)
class Step:
    """One answered request of a call that took several, and what it was followed by.

    `said` are the script's messages that went with the next request, `said_by` their roles.
    """

    number: int
    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    results: tuple[ToolResult, ...] = ()
    said: tuple[str, ...] = ()
    said_by: tuple[str, ...] = ()
    usage: Usage | None = None
    usd: float | None = None
    latency_ms: float | None = None
    request_id: str | None = None
    returned_model: str | None = None
    reused: Reused | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """How a call ended: an answer, or the failure that came instead of one.

    `usd` is what the call cost (None: the price is not known). `request_hash` names the request it answers. A call of
    several requests has the earlier ones in `steps`; usage, dollars, latency and tool calls are then of all of them,
    text and raw of the last. `detail` is a sentence where the outcome needs one (which tool call was unmatched).
    A `reused` answer was received by an earlier run: it cost nothing in this one, and no time was measured.
    """

    call: CallKey
    outcome: Outcome
    requested_model: str
    text: str = ""
    raw: str = ""
    returned_model: str | None = None
    request_id: str | None = None
    request_hash: str = ""
    usage: Usage | None = None
    usd: float | None = None
    latency_ms: float | None = None
    finish_reason: str | None = None
    refusal: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    source: Source = Source.OPENAI
    failure: Failure | None = None
    attempts: tuple[Attempt, ...] = ()
    finished_at: str = ""
    first_token_ms: float | None = None
    service_tier: str | None = None
    batched: bool = False
    steps: tuple[Step, ...] = ()
    detail: str = ""
    reused: Reused | None = None

    @property
    def said(self) -> str:
        """What a person reads as the answer: its text, or the refusal that came instead of one."""
        return self.text or self.refusal or ""

    @property
    def cost_usd(self) -> float | None:
        """What the answer costs, whoever paid for it: of what is reused, what it cost when it was asked."""
        return _cost_of(self.usd, self.reused)

    @property
    def answer_hash(self) -> str:
        """The hex SHA-256 of `said`, by which a label knows the answer that it is of."""
        return hashlib.sha256(self.said.encode("utf-8", "surrogatepass")).hexdigest()


# -------------------------------------------------------------------------------------------------------------- grading


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """A metric that a grader produces: `name` (`fields.total`), its kind, and how its values read.

    `unit` is what a difference is shown in ("points"); `scale` the grader's own scale (1 to 5, say). `labels` is the
    closed set that answers are sorted into, where there is one. A `pairwise` metric is of a candidate against a
    baseline, 0.5 where neither is better; the baseline has no score of its own, and differences are preferences from
    -1 (always lost) to 1 (always won), as they are shown.
    """

    name: str
    grader: str
    kind: ScoreKind
    unit: str = "points"
    scale: tuple[float, float] = (0.0, 1.0)
    higher_is_better: bool = True
    judged: bool = False
    labels: tuple[str, ...] = ()
    pairwise: bool = False

    @property
    def reach(self) -> float:
        """How far a difference of 1 is on the scale."""
        return 1.0 if self.pairwise else self.scale[1] - self.scale[0]


@dataclass(frozen=True, slots=True)
class Score:
    """What a grader says of one response under one metric.

    `value` is in [0, 1] and None exactly when the grader could not grade (`reason` is then `GRADER_ERROR`);
    `passed` is None then too. `detail` is one sentence for a person. `extracted` is None too where the whole answer was
    graded as it stands. `extracted_by` is the number (from 0) of the extraction alternative that yielded. `version` is
    `family/version:settings-hash`. `facts` is plain JSON that the family's summary over a variant is made of
    (`snapdrift.gradings`).
    """

    case_id: str
    variant: str
    repeat: int
    metric: str
    value: float | None
    passed: bool | None
    reason: Reason
    detail: str = ""
    extracted: Any = None
    extracted_by: int | None = None
    evidence: tuple[str, ...] = ()
    version: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


class FormatCause(StrEnum):
    """What is the matter with the form of an answer.

    `MALFORMED` is JSON that only a lenient reader takes, `UNFINISHED` a call that ended at a tool or its step limit,
    `UNREADABLE` an answer in which no reading finds what is asked for.
    """

    CODE_FENCE = "code_fence"
    PROSE = "prose"
    MISSING_FIELD = "missing_field"
    MALFORMED = "malformed"
    TOOL_CALL_AS_TEXT = "tool_call_as_text"
    TRUNCATED = "truncated"
    REFUSED = "refused"
    FILTERED = "filtered"
    UNFINISHED = "unfinished"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Reading:
    """A stored answer graded again by a tolerant reading, where that found something about its form.

    `value` in [0, 1] and `passed` are as in a score; `cause` is what had to be put up with. Not `readable` is an answer
    that holds nothing to judge under any reading (a field that is not there): worth 0, or 1 where less is better.
    """

    value: float
    passed: bool
    cause: FormatCause
    readable: bool = True

    def __post_init__(self) -> None:
        if not 0.0 <= self.value <= 1.0:
            raise ValueError(f"a reading has a value in [0, 1], found {self.value}")
        if not self.readable and (self.value not in (0.0, 1.0) or self.passed):
            raise ValueError(f"an answer that holds nothing to judge is a fail and worth 0 or 1, found {self.value}")


# -------------------------------------------------------------------------------------------------- gates and decisions


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


@dataclass(frozen=True, slots=True)
class CallResult:
    """What comparing needs to know of a call, apart from its scores.

    `also_returned` are the models that earlier requests of the call were answered as, where they differ from the last.
    """

    outcome: Outcome
    returned_model: str | None = None
    latency_ms: float | None = None
    usage: Usage | None = None
    usd: float | None = None
    source: Source = Source.OPENAI
    requests: int = 1
    first_token_ms: float | None = None
    batched: bool = False
    also_returned: tuple[str, ...] = ()
    reused: Reused | None = None

    @property
    def cost_usd(self) -> float | None:
        """What the answer costs, whoever paid for it: of what is reused, what it cost when it was asked."""
        return _cost_of(self.usd, self.reused)


@dataclass(frozen=True, slots=True)
class JudgeModels:
    """What a judge (the grader's name) asked for as `requested`, and which models answered, with how many answers."""

    judge: str
    requested: str
    returned: Mapping[str, int]
    sources: tuple[str, ...] = ()


class Scores(ABC, Iterable[Score]):
    """The scores of a run that are read when they are asked for, as often as that is, one at a time."""

    @abstractmethod
    def of(self, variant: str, metric: str | None = None) -> Iterator[Score]:
        """Those of a variant, or of one metric of it."""

    @abstractmethod
    def with_facts(self) -> Iterator[Score]:
        """Those that have facts."""


@dataclass(frozen=True, slots=True)
class Results:
    """All that a decision is made from: every planned call with how it ended, and every score.

    `calls` and `scores` may be read from a file each time that they are gone through: whoever does so keeps columns of
    numbers, never the records. Of `cases` only ids, tags and clusters count.

    `calls` has one entry for each planned answer call (a call without a response is `MISSING`); `applicable` says
    for each metric which case ids it applies to (`when:`); `judge_usd` what judging each variant's answers cost,
    `judge_batch_usd` the part of it that went by the Batch API, `judge_reused` how many of the judges' replies are
    reused; `judges` says which models judged.
    """

    cases: tuple[Case, ...]
    variants: tuple[Variant, ...]
    repeats: int
    metrics: tuple[MetricSpec, ...]
    calls: Mapping[CallKey, CallResult]
    scores: Sequence[Score] | Scores
    applicable: Mapping[str, frozenset[str]]
    judge_usd: Mapping[str, float] = field(default_factory=dict)
    judge_batch_usd: Mapping[str, float] = field(default_factory=dict)
    judges: tuple[JudgeModels, ...] = ()
    judge_reused: Mapping[str, int] = field(default_factory=dict)

    def scores_of(self, variant: str, metric: str | None = None) -> Iterator[Score]:
        """The scores of a variant, or of one metric of it, in their order."""
        if isinstance(self.scores, Scores):
            return self.scores.of(variant, metric)
        wanted = (score for score in self.scores if score.variant == variant)
        return wanted if metric is None else (score for score in wanted if score.metric == metric)

    def scores_with_facts(self) -> Iterator[Score]:
        """The scores that have facts, in their order."""
        if isinstance(self.scores, Scores):
            return self.scores.with_facts()
        return (score for score in self.scores if score.facts)
