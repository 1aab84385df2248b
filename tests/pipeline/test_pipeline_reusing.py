"""Which answers a run takes of earlier ones: each once, for the very request, of models that stay what they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from snapdrift.model import Call, CallKey, Case, Endpoint, Gate, MetricGate, Outcome, Pair, Request, Response, Variant
from snapdrift.openai_api.catalog import load_catalog
from snapdrift.openai_api.hosts import Host
from snapdrift.pipeline.options import RunOptions
from snapdrift.pipeline.reuse_rules import Rules, refusal, timed_refusal
from snapdrift.pipeline.reusing import Reusing
from snapdrift.pipeline.targets import STANDIN, Target
from snapdrift.store import RunHeader, RunWriter, codec, open_run
from snapdrift.store.cache import AnswerIndex
from snapdrift.store.cache_answers import REUSABLE, Pinned, Reusable, stored_answer
from snapdrift.suites.config import Config, parse_config

URL = "https://api.openai.com/v1"
MODEL = "gpt-4o-2024-08-06"
VARIANTS = tuple(Variant(name, MODEL, Endpoint.RESPONSES, {}, {"input": "Hi"}) for name in ("a", "twin"))
CASES = (Case("one"), Case("same"))
MANY_CASES = tuple(Case(f"case{number}") for number in range(40))
A, TWIN, SAME = CallKey("one", "a", 0), CallKey("one", "twin", 0), CallKey("same", "a", 0)
JUDGE = CallKey("one", "a", 0, "helpful")
ALL = Reusable({name: Pinned(URL) for name in ("a", "twin")}, {"helpful": {MODEL: Pinned(URL)}})


def asked(key: CallKey, text: str = "Hi") -> Request:
    """The request of a call: all calls ask the same."""
    return Request(key, 0, Endpoint.RESPONSES, URL, {"model": MODEL, "input": text}, f"run:{key}")


def answer(key: CallKey, **changes: Any) -> Response:
    facts = {"text": f"answer to {key}", "raw": f'"{key}"', "usd": 0.25, "latency_ms": 900.0, "first_token_ms": 9.0}
    when = "2026-11-20T10:00:00.000+00:00"
    return Response(
        **{"call": key, "outcome": Outcome.OK, "requested_model": MODEL, "finished_at": when, **facts, **changes}
    )


MANY = tuple(CallKey(f"case{number}", variant, 0) for number in range(40) for variant in ("a", "twin"))


def run_of(folder: Path, run_id: str, *responses: tuple[Response, Request]) -> Path:
    """A run file with these responses."""
    keys = (A, TWIN, SAME, JUDGE, *MANY)
    header = RunHeader(
        run_id=run_id,
        suite="s",
        gate="default",
        started_at="2026-11-20T10:00:00+00:00",
        seed=0,
        attempt=1,
        identity="",
        suite_stored={},
        suite_hash="",
        dataset_hash="",
        versions={},
        git_commit=None,
        git_dirty=None,
        catalog={},
        assumptions={},
        planned_repeats=1,
        partial=False,
        command="",
        variants=VARIANTS,
    )
    path = folder / f"{run_id}.db"
    with RunWriter.create(
        path, header, (*CASES, *MANY_CASES), [Call(key, place) for place, key in enumerate(keys)]
    ) as writer:
        writer.set_meta(REUSABLE, codec.dumps(ALL))
        for response, request in responses:
            writer.record_now(response, request)
    return path


def plain(*keys: CallKey) -> list[tuple[Response, Request]]:
    return [(answer(key), asked(key)) for key in keys]


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    folder = tmp_path / "runs"
    folder.mkdir()
    return folder


@pytest.fixture
def reusing(runs: Path) -> Iterator[Callable[[], Reusing]]:
    """What a new run may take of the runs there are."""
    opened: list[Reusing] = []

    def make() -> Reusing:
        index = AnswerIndex.open(runs.parent / "cache.db")
        index.take_in(runs)
        opened.append(Reusing(index, runs, ALL, "", pytest.fail))
        return opened[-1]

    yield make
    for one in opened:
        one.close(2**30)


def test_a_reused_answer_costs_nothing_has_no_latency_and_says_where_it_is_from(runs: Path, reusing: Any) -> None:
    run_of(runs, "r1", *plain(A))

    found = reusing().find(asked(A))

    assert (found.text, found.raw, found.finished_at) == (f"answer to {A}", f'"{A}"', "2026-11-20T10:00:00.000+00:00")
    assert (found.usd, found.cost_usd, found.latency_ms, found.first_token_ms, found.attempts) == (
        0.0,
        0.25,
        None,
        None,
        (),
    )
    assert (found.reused.run, found.reused.call, found.reused.usd, found.reused.latency_ms) == (
        "r1",
        str(A),
        0.25,
        900.0,
    )


def test_calls_that_ask_the_same_take_their_own_answers_back(runs: Path, reusing: Any) -> None:
    run_of(runs, "r1", *plain(A, TWIN, SAME))
    this = reusing()

    taken = [this.find(asked(key)) for key in (TWIN, SAME, A)]

    assert [found.text for found in taken] == [f"answer to {key}" for key in (TWIN, SAME, A)]


def test_one_answer_never_serves_two_calls_of_a_run(runs: Path, reusing: Any) -> None:
    run_of(runs, "r1", *plain(A))
    this = reusing()

    assert this.find(asked(TWIN)).reused.call == str(A)
    assert this.find(asked(A)) is None


def test_a_copy_of_an_answer_is_no_second_answer(runs: Path, reusing: Any) -> None:
    run_of(runs, "r1", *plain(A))
    run_of(runs, "r2", (reusing().find(asked(A)), asked(A)))
    this = reusing()

    assert this.find(asked(A)).reused.run == "r1"
    assert this.find(asked(TWIN)) is None


def copies(reusing: Reusing, *keys: CallKey) -> list[tuple[Response, Request]]:
    """What a run takes for these calls, in their order."""
    return [(found, request) for request in map(asked, keys) if (found := reusing.find(request)) is not None]


def test_however_many_ask_the_same_and_however_often_it_was_copied_each_takes_its_own_back(
    runs: Path, reusing: Any
) -> None:
    run_of(runs, "r1", *plain(*MANY))
    for later in ("r2", "r3", "r4"):
        taken = copies(reusing(), *MANY)
        assert [answer.text for answer, _ in taken] == [f"answer to {key}" for key in MANY]
        run_of(runs, later, *taken)


def test_an_answer_that_is_free_is_found_behind_many_that_are_taken(runs: Path, reusing: Any) -> None:
    *known, new = MANY
    run_of(runs, "r1", *plain(*known, A))
    run_of(runs, "r2", *copies(reusing(), *known))

    taken = copies(reusing(), *known, new)

    assert taken[-1][0].text == f"answer to {A}"
    assert len({(answer.reused.run, answer.reused.call) for answer, _ in taken if answer.reused}) == len(MANY)


def test_an_answer_that_is_known_to_be_taken_is_not_read_again(runs: Path, reusing: Any, monkeypatch: Any) -> None:
    run_of(runs, "r1", *plain(*MANY))
    for later in ("r2", "r3"):
        run_of(runs, later, *copies(reusing(), *MANY))
    reads: list[int] = []

    def read(run: Any, call: int, step: int) -> Any:
        reads.append(call)
        return stored_answer(run, call, step)

    monkeypatch.setattr("snapdrift.pipeline.reusing.stored_answer", read)

    last = reusing()
    assert len(copies(last, *MANY, A, TWIN)) == len(MANY)  # for two more there is nothing left

    assert len(reads) == len(MANY)


def test_a_copy_outlives_the_run_that_it_was_made_of(runs: Path, reusing: Any) -> None:
    first = run_of(runs, "r1", *plain(A))
    run_of(runs, "r2", (reusing().find(asked(A)), asked(A)))
    first.unlink()

    assert reusing().find(asked(A)).reused.run == "r1"


def test_a_resumed_run_remembers_what_it_has_taken(runs: Path, reusing: Any) -> None:
    run_of(runs, "r1", *plain(A))
    begun = run_of(runs, "r2", (reusing().find(asked(TWIN)), asked(TWIN)))
    this = reusing()
    with open_run(begun) as stored:
        this.remember(stored)

    assert this.find(asked(A)) is None


def test_a_reply_that_is_asked_for_again_is_not_taken_again(runs: Path, reusing: Any) -> None:
    run_of(runs, "r1", *plain(JUDGE))
    run_of(runs, "r2", *plain(JUDGE))
    this = reusing()

    assert this.find(asked(JUDGE)) is not None
    assert this.find(asked(JUDGE)) is None


def test_an_answer_to_another_request_is_not_taken_whatever_the_index_says(runs: Path, reusing: Any) -> None:
    path = run_of(runs, "r1", *plain(A))
    reusing()
    about = path.stat()
    path.unlink()
    run_of(runs, "r1", (answer(A), asked(A, "Something else")))
    index = AnswerIndex.open(runs.parent / "cache.db")  # not brought up to date: it still names the old request
    stale = Reusing(index, runs, ALL, "", pytest.fail)

    assert about.st_size
    assert stale.find(asked(A)) is None
    stale.close(2**30)


def test_a_run_file_that_went_away_is_passed_over(runs: Path, reusing: Any) -> None:
    path = run_of(runs, "r1", *plain(A))
    this = reusing()
    path.unlink()

    assert this.find(asked(A)) is None


def test_an_index_that_breaks_in_the_middle_is_told_once_and_everything_is_asked(runs: Path) -> None:
    run_of(runs, "r1", *plain(A, TWIN))
    told: list[str] = []
    index = AnswerIndex.open(runs.parent / "cache.db")
    this = Reusing(index, runs, ALL, "", told.append)
    index.close()

    assert [this.find(asked(A)), this.find(asked(TWIN))] == [None, None]
    assert len(told) == 1
    assert told[0].startswith("the cache across runs is not used: ")


# ------------------------------------------------------------------------------------------------------------ the rules


def rules(config: str = "", live: bool = True, standin: Any = None, version: str | None = None) -> Rules:
    url = URL if version is None else "https://r.openai.azure.com"
    host = Host("here", url, "planted", is_openai=version is None, api_version=version)
    target = Target({"here": host}, "here", frozenset({"here"} if live else ()), standin)
    return Rules("s", target, load_catalog(), parse_config(config, "snapdrift.toml"))


def variant(model: str = MODEL, endpoint: Endpoint = Endpoint.RESPONSES, **request: Any) -> Variant:
    return Variant("v", model, endpoint, request, {"input": "Hi"})


@pytest.mark.parametrize("model", [MODEL, f"ft:{MODEL}:acme::1"])
def test_snapshots_and_fine_tunes_of_them_are_pinned(model: str) -> None:
    assert rules().pinned(variant(model)) == Pinned(URL)


@pytest.mark.parametrize(
    ("asked_of", "why"),
    [
        (variant("gpt-4o"), "is an alias"),
        (variant("ft:gpt-4o:acme::1"), "not known to be a snapshot"),
        (variant("chatgpt-4o-latest"), "not known to be a snapshot"),
        (variant("gpt-5-2030-01-01"), "not known to be a snapshot"),
        (variant(endpoint=Endpoint.PYTHON), "asks no model"),
        (variant(previous_response_id=True), "previous_response_id"),
        (variant(tools=[{"type": "web_search"}]), "web_search"),
    ],
    ids=["alias", "fine-tuned alias", "no date", "unknown", "application", "chain", "the provider's tool"],
)
def test_what_may_be_another_tomorrow_is_not(asked_of: Variant, why: str) -> None:
    found = rules().pinned(asked_of)

    assert isinstance(found, str)
    assert why in found


def test_a_deployment_is_pinned_where_the_workspace_says_so() -> None:
    assert "deployment" in str(rules(version="2024-10-21").pinned(variant()))
    vouched = rules('[cache]\npinned = ["gpt-4o-2024-08-06"]\n', version="2024-10-21").pinned(variant())
    assert vouched == Pinned("https://r.openai.azure.com?api-version=2024-10-21", vouched=True)


def test_a_stand_in_has_a_place_of_its_own_for_each_way_to_answer_and_somebody_elses_none() -> None:
    one, other = (rules(live=False, standin=[STANDIN, seed]).pinned(variant()) for seed in (0, 1))

    assert isinstance(one, Pinned)
    assert isinstance(other, Pinned)
    assert one.made_up
    assert one.place != other.place
    assert rules(live=False, standin=[STANDIN, 0]).pinned(replace(variant(), name="w")) != one
    assert "did not start" in str(rules(live=False).pinned(variant()))


def test_an_alias_of_a_stand_in_is_an_alias_too() -> None:
    assert "is an alias" in str(rules(live=False, standin=[STANDIN]).pinned(variant("gpt-4o")))


@pytest.mark.parametrize(
    ("options", "gate", "config", "why"),
    [
        (RunOptions(cache=False), Gate("g"), Config(), "--no-cache"),
        (RunOptions(fresh=True), Gate("g"), Config(), "--fresh"),
        (RunOptions(), Gate("g", fresh=True), Config(), "cache: never"),
        (RunOptions(), Gate("g"), Config(cache="never"), 'cache = "never"'),
        (RunOptions(), Gate("g"), Config(), ""),
    ],
)
def test_each_way_to_opt_out_says_so(options: RunOptions, gate: Gate, config: Config, why: str) -> None:
    assert why in refusal(options, gate, config)
    assert bool(refusal(options, gate, config)) is bool(why)


def test_a_limited_latency_is_measured_on_answers_of_the_run(runs: Path) -> None:
    del runs
    limit = MetricGate("latency_p95", max_increase=0.2)
    gate = Gate("g", pairs=(Pair("v", "w"),), metrics=(limit,))

    assert "latency_p95" in timed_refusal(variant(), gate, ())
    assert timed_refusal(replace(variant(), name="x"), gate, ()) == ""
    assert timed_refusal(variant(), replace(gate, metrics=()), ()) == ""


def test_only_what_was_the_same_all_along_holds_for_a_resumed_run() -> None:
    other = Reusable({"a": Pinned("elsewhere"), "twin": Pinned(URL)}, {"helpful": {MODEL: Pinned("elsewhere")}})

    resumed = other.after(ALL, begun=True)

    assert resumed.answers == {"twin": Pinned(URL)}
    assert resumed.judges == {"helpful": {}}
    assert other.after(None, begun=True) == Reusable()
    assert other.after(None, begun=False) == other
