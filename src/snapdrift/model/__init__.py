"""The records that cross package borders: plain, frozen, free of I/O.

Everybody imports them from here. Read the modules in this order: `words` (the closed sets), `cases` and `conversations`
(what is asked), `calls` (what is planned and sent), `responses` (what came back), `scores` (what graders say of it),
`gates` (what a suite asks of its variants) and `results` (all that a decision is made from). `conclusions` has what
is concluded of a run; `docs/design/seams.md` says which package makes which record and who reads it.
"""

from snapdrift.model.calls import CLIENT_REQUEST_ID_LIMIT, REQUEST_HASH_VERSION, Call, CallKey, ClientRequestId, Request
from snapdrift.model.cases import DEFAULT_MAX_STEPS, Case, Variant
from snapdrift.model.conversations import Conversation, FilePart, GeneratedTurn, ImagePart, Message, Part, TextPart
from snapdrift.model.gates import MOST_USD, OUTSIDE, Alone, Gate, MetricGate, MustPass, OutsideBaseline, Pair
from snapdrift.model.hashing import canonical_json, sha256
from snapdrift.model.responses import (
    Answer,
    Attempt,
    Failure,
    Response,
    Reused,
    Step,
    ToldLimit,
    ToldLimits,
    ToolCall,
    ToolResult,
    Usage,
)
from snapdrift.model.results import CallResult, JudgeModels, Results, Scores
from snapdrift.model.scores import MetricSpec, Reading, Score
from snapdrift.model.words import (
    HTTP_ENDPOINTS,
    DecisionWord,
    Endpoint,
    FailureKind,
    FormatCause,
    NormaliseStep,
    OnInconclusive,
    Outcome,
    Policy,
    Purpose,
    Reason,
    ScoreKind,
    Severity,
    Source,
    Target,
    Verdict,
)

__all__ = [
    "CLIENT_REQUEST_ID_LIMIT",
    "DEFAULT_MAX_STEPS",
    "HTTP_ENDPOINTS",
    "MOST_USD",
    "OUTSIDE",
    "REQUEST_HASH_VERSION",
    "Alone",
    "Answer",
    "Attempt",
    "Call",
    "CallKey",
    "CallResult",
    "Case",
    "ClientRequestId",
    "Conversation",
    "DecisionWord",
    "Endpoint",
    "Failure",
    "FailureKind",
    "FilePart",
    "FormatCause",
    "Gate",
    "GeneratedTurn",
    "ImagePart",
    "JudgeModels",
    "Message",
    "MetricGate",
    "MetricSpec",
    "MustPass",
    "NormaliseStep",
    "OnInconclusive",
    "Outcome",
    "OutsideBaseline",
    "Pair",
    "Part",
    "Policy",
    "Purpose",
    "Reading",
    "Reason",
    "Request",
    "Response",
    "Results",
    "Reused",
    "Score",
    "ScoreKind",
    "Scores",
    "Severity",
    "Source",
    "Step",
    "Target",
    "TextPart",
    "ToldLimit",
    "ToldLimits",
    "ToolCall",
    "ToolResult",
    "Usage",
    "Variant",
    "Verdict",
    "canonical_json",
    "sha256",
]
