from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snapdrift.conclusions import Decision, Evaluation
from snapdrift.errors import StoreError
from snapdrift.model import (
    Attempt,
    Case,
    DecisionWord,
    Failure,
    FailureKind,
    Gate,
    Reason,
    Request,
    Response,
    Score,
    Usage,
    Variant,
)
from snapdrift.store import codec
from snapdrift.store.header import RunHeader

# Lone surrogates included: a model's JSON may hold them, and what it wrote is kept.
texts = st.text(st.characters(exclude_categories=()), max_size=12)
floats = st.floats(allow_nan=False, allow_infinity=False)  # a request with another is no JSON and is not hashed
scalars = st.one_of(st.none(), st.booleans(), st.integers(), floats, texts)
json_values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=6,
)
mappings = st.dictionaries(texts, json_values, max_size=3)

cases = st.builds(Case, id=texts, variables=mappings, expected=json_values, tags=st.tuples(texts), cluster=texts)
scores = st.builds(
    Score, value=st.one_of(st.none(), floats), extracted=json_values, detail=texts, evidence=st.tuples(texts)
)
responses = st.builds(Response, text=texts, raw=texts, usd=st.one_of(st.none(), floats), latency_ms=floats)
variants = st.builds(Variant, name=texts, request=mappings, prompt=mappings)
requests = st.builds(Request, body=mappings)
gates = st.builds(Gate)
headers = st.builds(
    RunHeader,
    suite_stored=mappings,
    versions=mappings,
    catalog=mappings,
    assumptions=mappings,
    variants=st.tuples(variants),
)


@given(cases)
def test_a_case_reads_back_as_it_was(case: Case) -> None:
    assert codec.loads(Case, codec.dumps(case)) == case


@given(scores)
def test_a_score_reads_back_as_it_was(score: Score) -> None:
    assert codec.loads(Score, codec.dumps(score)) == score


@given(responses)
def test_a_response_reads_back_as_it_was(response: Response) -> None:
    assert codec.loads(Response, codec.dumps(response)) == response


@given(requests)
def test_a_request_reads_back_with_the_same_hash(request: Request) -> None:
    assert codec.loads(Request, codec.dumps(request)).hash == request.hash


@given(gates)
def test_a_gate_reads_back_as_it_was(gate: Gate) -> None:
    assert codec.loads(Gate, codec.dumps(gate)) == gate


@given(headers)
def test_a_run_header_reads_back_as_it_was(header: RunHeader) -> None:
    assert codec.loads(RunHeader, codec.dumps(header)) == header


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(st.builds(Evaluation))
def test_an_evaluation_reads_back_as_it_was(evaluation: Evaluation) -> None:
    stored = codec.dumps(evaluation)  # compared as text, for the strategy draws NaN, which equals nothing
    assert codec.dumps(codec.loads(Evaluation, stored)) == stored


@given(responses)
def test_the_stored_text_is_plain_ascii(response: Response) -> None:
    assert codec.dumps(response).isascii()


def test_a_field_that_is_not_known_is_ignored() -> None:
    assert codec.from_json(Usage, {"input_tokens": 3, "of_tomorrow": True}) == Usage(input_tokens=3)


def test_a_field_that_is_missing_takes_its_default() -> None:
    assert codec.from_json(Decision, {"word": "passed"}) == Decision(DecisionWord.PASSED)


def test_a_missing_field_without_a_default_is_an_error_that_names_it() -> None:
    with pytest.raises(StoreError, match="number: found None, expected a value"):
        codec.from_json(Attempt, {"started_at": "", "latency_ms": 0})


def test_a_wrong_type_deep_inside_is_an_error_that_names_the_place() -> None:
    attempts = [
        {"number": 1, "started_at": "", "latency_ms": 0, "failure": {"kind": 7, "message": "", "retryable": True}}
    ]
    call = {"case_id": "", "variant": "", "repeat": 0}
    data = {"call": call, "outcome": "ok", "requested_model": "", "attempts": attempts}
    with pytest.raises(StoreError, match=r"r7\.attempts\[0\]\.failure\.kind: found 7, expected one of"):
        codec.from_json(Response, data, "r7")


@pytest.mark.parametrize("value", [True, "1", None, 1.0], ids=repr)
def test_only_a_whole_number_is_a_whole_number(value: object) -> None:
    with pytest.raises(StoreError, match="expected a whole number"):
        codec.from_json(int, value)


@dataclass(frozen=True)
class Kinds:
    one: str | None = None
    several: tuple[str, ...] = ()
    pair: tuple[str, int] = ("", 0)
    distinct: frozenset[str] = frozenset()
    named: Mapping[str, float] = field(default_factory=dict)


@pytest.mark.parametrize("name", ["several", "pair", "distinct", "named"])
def test_a_text_is_read_only_where_a_text_is_meant(name: str) -> None:
    assert codec.from_json(Kinds, {"one": "text"}) == Kinds("text")
    with pytest.raises(StoreError, match=f"k.{name}: found 'text', expected a (list|mapping)"):
        codec.from_json(Kinds, {name: "text"}, "k")


def test_a_wrong_value_of_a_mapping_is_named() -> None:
    with pytest.raises(StoreError, match=r"k\.named\.b: found 'x', expected a number"):
        codec.from_json(Kinds, {"named": {"a": 1, "b": "x"}}, "k")


def test_an_unknown_word_of_a_closed_set_is_an_error_that_lists_the_set() -> None:
    with pytest.raises(StoreError, match="found 'maybe', expected one of passed, wrong"):
        codec.from_json(Reason, "maybe")


def test_a_whole_number_is_read_where_a_float_is_meant() -> None:
    failure = {"kind": "timeout", "message": "", "retryable": True, "retry_after": 3}
    assert codec.from_json(Failure, failure) == Failure(FailureKind.TIMEOUT, "", retryable=True, retry_after=3.0)


def test_json_nested_without_end_is_an_error_and_no_crash() -> None:
    with pytest.raises(StoreError, match="expected JSON"):
        codec.parse("[" * 200_000)


@given(st.binary(max_size=40))
def test_bytes_that_are_no_json_are_refused_and_nothing_worse(data: bytes) -> None:
    with pytest.raises(StoreError, match="expected"):
        codec.loads(Case, b"{" + data)
