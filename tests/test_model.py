from hypothesis import given
from hypothesis import strategies as st

from snapdrift.conclusions import Decision
from snapdrift.exit_codes import ExitCode, combine_exit_codes
from snapdrift.model import (
    CLIENT_REQUEST_ID_LIMIT,
    CallKey,
    Case,
    ClientRequestId,
    DecisionWord,
    Endpoint,
    Outcome,
    Purpose,
    Request,
)

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)


@given(names, names, names, st.integers(0, 99), st.integers(0, 9))
def test_a_client_request_id_of_ordinary_names_comes_back_from_its_text(run, case, variant, repeat, step):
    identity = ClientRequestId(run[:20], case[:10], variant[:10], repeat, step)
    assert ClientRequestId.parse(str(identity)) == identity


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=2000), names)
def test_a_client_request_id_is_ascii_and_never_longer_than_the_api_takes(case, variant):
    text = str(ClientRequestId("run", case, variant, 3, 0))
    assert text.isascii()
    assert len(text) <= CLIENT_REQUEST_ID_LIMIT
    parsed = ClientRequestId.parse(text)
    assert parsed is not None
    assert parsed.repeat == 3


def test_a_long_case_id_is_hashed_and_the_variant_stays_readable():
    parsed = ClientRequestId.parse(str(ClientRequestId("run", "x" * 1000, "august", 0, 0)))
    assert parsed is not None
    assert parsed.variant == "august"
    assert parsed.case.startswith("~")


def test_a_foreign_client_request_id_is_not_parsed():
    assert [ClientRequestId.parse(text) for text in ("", "abc", "a:b/1/0", "a:b:c/x/0", "a:b:c/1")] == [None] * 5


def test_a_request_hash_knows_repeat_step_host_and_body_but_no_names():
    def request(case="c", variant="v", repeat=0, step=0, url="http://h/v1", body=None):
        return Request(CallKey(case, variant, repeat), step, Endpoint.RESPONSES, url, body or {"model": "m"}, "id")

    same = request().hash
    assert request(case="other", variant="other").hash == same
    different = [request(repeat=1), request(step=1), request(url="http://i/v1"), request(body={"model": "n"})]
    assert len({same, *(r.hash for r in different)}) == 5


def test_a_case_hash_follows_content_and_not_the_id():
    case = Case("a", {"q": 1}, expected="x")
    assert Case("b", {"q": 1}, expected="x", tags=("t",)).hash == case.hash
    assert Case("a", {"q": 2}, expected="x").hash != case.hash


def test_a_call_with_a_grader_is_a_judge_call_with_a_name_of_its_own():
    answer, judge = CallKey("c", "v", 0), CallKey("c", "v", 0, "helpful")
    assert (answer.purpose, judge.purpose) == (Purpose.ANSWER, Purpose.JUDGE)
    assert str(answer) != str(judge)


def test_only_infrastructure_and_early_stopping_leave_a_call_unmeasured():
    unmeasured = {outcome for outcome in Outcome if not outcome.measured}
    assert unmeasured == {Outcome.API_ERROR, Outcome.MISSING, Outcome.NOT_NEEDED}


def test_every_decision_word_has_its_own_exit_code():
    codes = [Decision(word).exit_code for word in DecisionWord]
    assert len(set(codes)) == len(DecisionWord)
    assert Decision(DecisionWord.PASSED).exit_code == 0


def test_the_gravest_exit_code_of_several_suites_wins():
    order = [130, 2, 1, 3, 4, 5, 0]
    for position in range(len(order)):
        assert combine_exit_codes([ExitCode(code) for code in order[position:]]) == order[position]


def test_no_suites_at_all_is_an_error():
    assert combine_exit_codes([]) is ExitCode.ERROR
