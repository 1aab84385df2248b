"""Closed sets: the words that records, run files and suites use, and that nothing else is allowed to be."""

from __future__ import annotations

from enum import StrEnum


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
