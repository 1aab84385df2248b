"""What `plan` expects of a suite, and the refusal to start what would cost more than it may."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from snapdrift import pipeline
from snapdrift.conclusions import ReusedAnswers, VariantSummary
from snapdrift.errors import ConfigError, UsageError
from snapdrift.execution.limits import KnownLimits, RateLimits
from snapdrift.model import Endpoint, Outcome, Usage, Variant
from snapdrift.openai_api.catalog import load_catalog
from snapdrift.openai_api.client import OPENAI_BASE_URL, Host
from snapdrift.pipeline import estimating
from snapdrift.pipeline.allowance import Allowance, require_affordable
from snapdrift.pipeline.estimating import ASSUMED_OUTPUT, Expectation, Pace, assumed_answer, seconds_needed
from snapdrift.pipeline.options import Limits
from snapdrift.pipeline.pacing import Account, known_limits
from snapdrift.pipeline.planning import SuitePlan
from snapdrift.pipeline.targets import OPENAI, STANDIN, Target
from snapdrift.pipeline.workloads import shared_prefixes
from snapdrift.suites.config import parse_config

SUITE = """\
suite: greetings
dataset: datasets/people.jsonl
{prompt}
request: {{temperature: 0, max_output_tokens: 32}}
variants:
{variants}
graders:
  - {{name: polite, contains: "Ada"}}
{graders}
gate: {{baseline: {{variant: august}}, metrics: {{polite: {{margin: 0.1}}}}, max_blind: 0.5}}
{more}"""
VARIANTS = """\
  august: {model: gpt-4o-2024-08-06}
  november: {model: gpt-4o-2024-11-20}
"""
PROMPT = 'prompt: {input: "Greet {{ name }}."}'
JUDGE = """\
  - name: warm
    judge: {model: gpt-4o-2024-08-06, criteria: ["Is it warm?"], allow_retiring: true}
"""
LIVE = Target({OPENAI: Host(OPENAI, OPENAI_BASE_URL, "sk-planted", is_openai=True)}, None, frozenset({OPENAI}))
STANDINS = Target({STANDIN: Host(STANDIN, "http://127.0.0.1:9/v1", "standin", is_openai=False)}, STANDIN)
Plan = Callable[..., SuitePlan]


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """Plans a suite of `cases` people, with rows and texts as told."""

    def make(
        cases: int = 40,
        prompt: str = PROMPT,
        variants: str = VARIANTS,
        graders: str = "",
        more: str = "",
        row: Callable[[int], dict[str, Any]] = lambda _: {},
        **options: Any,
    ) -> SuitePlan:
        for folder in ("evals", "datasets"):
            (tmp_path / folder).mkdir(exist_ok=True)
        rows = [{"id": f"c{n}", "name": f"Ada {n}", **row(n)} for n in range(cases)]
        (tmp_path / "datasets" / "people.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
        path = tmp_path / "evals" / "greetings.yaml"
        path.write_text(SUITE.format(prompt=prompt, variants=variants, graders=graders, more=more))
        (one,) = pipeline.plan_suites([path], pipeline.RunOptions(**options), tier=None)
        return one

    return make


def estimate_of(plan: SuitePlan, variant: str) -> estimating.Estimate:
    found = next(one.estimate for one in plan.variants if one.variant.name == variant)
    assert found is not None
    return found


def test_without_an_earlier_run_answers_are_taken_to_be_half_their_cap(plan: Plan) -> None:
    part = estimate_of(plan(), "august")
    assert (part.output_cap, part.output_tokens, part.expected.run) == (32, 16, "")
    assert part.live_usd == pytest.approx((part.input_tokens * 2.5 + 40 * 16 * 10) / 1e6)


def test_without_a_cap_an_answer_has_the_assumed_length() -> None:
    assert assumed_answer(Variant("v", "gpt-4o", Endpoint.RESPONSES, {}, {})).output_tokens == ASSUMED_OUTPUT


def test_a_batch_costs_half_and_its_own_way_is_what_counts_against_the_budget(plan: Plan) -> None:
    part = estimate_of(plan(), "august")
    assert part.live_usd is not None
    assert part.batch_usd == pytest.approx(part.live_usd / 2)
    batched = plan(variants=VARIANTS.replace("08-06}", "08-06, batch: true}"))
    assert batched.variants[0].usd == pytest.approx(part.batch_usd)
    assert batched.variants[1].usd == pytest.approx(part.live_usd)
    assert estimate_of(batched, "august").seconds is None


def test_the_worst_case_is_never_below_what_is_expected(plan: Plan) -> None:
    part = estimate_of(plan(), "august")
    assert part.worst_usd is not None
    assert part.live_usd is not None
    assert part.worst_usd >= part.live_usd


def test_repeats_multiply_everything(plan: Plan) -> None:
    once, thrice = estimate_of(plan(), "august"), estimate_of(plan(more="repeats: 3"), "august")
    assert (thrice.calls, thrice.requests, thrice.input_tokens) == (120, 120, 3 * once.input_tokens)
    assert thrice.live_usd == pytest.approx(3 * (once.live_usd or 0))


def test_a_shared_prefix_is_paid_in_full_once_and_then_as_cached(plan: Plan) -> None:
    rules = "Answer as the manual says. " * 300
    part = estimate_of(plan(prompt=f'prompt: {{instructions: "{rules}", input: "Greet {{{{ name }}}}."}}'), "august")
    shared = 39 * 1_800
    assert part.live_usd is not None
    assert part.cached_usd == pytest.approx(part.live_usd - shared * 1.25 / 1e6, rel=0.02)


def test_a_short_prompt_saves_nothing_by_the_cache(plan: Plan) -> None:
    part = estimate_of(plan(), "august")
    assert part.cached_usd == part.live_usd


def test_scripted_turns_are_requests_that_carry_the_answers_on(plan: Plan) -> None:
    one = 'prompt: {input: [{role: user, content: "Greet {{ name }}."}]}'
    two = one.replace("]}", ', {role: assistant}, {role: user, content: "Again."}]}')
    short, long = estimate_of(plan(prompt=one), "august"), estimate_of(plan(prompt=two), "august")
    assert (long.calls, long.requests, long.most_requests) == (40, 80, 80)
    assert long.input_tokens > 2 * short.input_tokens
    carried = (long.live_usd or 0) - (long.input_tokens * 2.5 + 80 * 16 * 10) / 1e6
    assert carried == pytest.approx(40 * 16 * 2.5 / 1e6)
    assert long.batch_usd is None


def test_tools_with_canned_results_may_take_more_requests(plan: Plan) -> None:
    tool = "{type: function, name: greet, parameters: {type: object, properties: {}}}"
    variants = f"  august: {{model: gpt-4o-2024-08-06, request: {{tools: [{tool}]}}}}\n"
    canned = {"tool_results": {"greet": [{"otherwise": {"returns": "done"}}]}}
    variants += "  november: {model: gpt-4o-2024-11-20}\n"
    part = estimate_of(plan(variants=variants, row=lambda _: canned, more="max_steps: 4"), "august")
    assert (part.calls, part.requests, part.most_requests) == (40, 80, 160)
    assert not part.exact


def test_a_judge_is_planned_for_the_answers_of_every_variant(plan: Plan) -> None:
    made = plan(graders=JUDGE)
    (judge,) = made.judges
    assert judge.estimate.calls == 80
    answers = [one.usd for one in made.variants]
    assert made.expected_usd() == pytest.approx(sum(usd or 0 for usd in answers) + (judge.usd or 0))
    assert judge.estimate.worst_usd is None


def test_a_judge_beside_a_part_that_accepts_refusals_is_planned_for_every_answer(plan: Plan) -> None:
    parts = 'all: [{contains: "no", accepts: [refused]}, {judge: {model: gpt-4o-2024-08-06, criteria: Warm?, '
    made = plan(graders=f"  - {{name: warm, {parts}allow_retiring: true}}}}]}}\n")
    (judge,) = made.judges
    assert judge.estimate.calls == 80


def test_applications_are_planned_without_a_cost(plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "answer.py").write_text("def answer(case):\n    return 'Ada'\n")
    made = plan(variants=VARIANTS + "  ours: {python: app/answer.py:answer}\n")
    ours = next(one for one in made.variants if one.variant.name == "ours")
    assert (ours.calls, ours.estimate, ours.usd) == (40, None, 0.0)


def test_a_price_that_is_not_known_leaves_the_total_unknown_and_never_zero(plan: Plan) -> None:
    made = plan(variants=VARIANTS + "  mine: {model: my-own-model}\n")
    assert estimate_of(made, "mine").live_usd is None
    assert made.expected_usd() is None
    assert not made.over_budget


# ------------------------------------------------------------------------------------------------------------- pace


def test_time_is_bounded_by_what_is_slowest() -> None:
    limits = Account(parse_config("[limits]\ntier = 1\n", "snapdrift.toml"), load_catalog()).limits("openai", "gpt-4o")
    pace = Pace(1, 10)
    assert seconds_needed(1_000, 10, limits, 0.1, pace) == pytest.approx(120)  # 500 requests a minute
    assert seconds_needed(1_000, 300, limits, 0.1, pace) == pytest.approx(600)  # 30,000 tokens a minute
    assert seconds_needed(1_000, 10, limits, 30, pace) == pytest.approx(3_000)  # 10 in flight
    assert seconds_needed(1_000, 300, None, 0.1, pace) == pytest.approx(10)
    assert seconds_needed(1_000, 10, RateLimits(rpd=400), 0.1, pace) == pytest.approx(2 * 86_400)  # on the third day


def test_limits_are_those_of_the_host_then_of_the_file_then_of_the_usage_tier() -> None:
    text = """
    [limits]
    tier = 1
    [limits."gpt-4o"]
    rpm = 100
    [limits."gpt-4o-2024-11-20"]
    shared_with = "gpt-4o"
    [hosts.proxy]
    base_url = "https://llm.example.com/v1"
    [hosts.proxy.limits."gpt-4o"]
    tpm = 7
    """
    account = Account(parse_config(text, "snapdrift.toml"), load_catalog())
    assert account.limits("openai", "gpt-4o") == RateLimits(rpm=100, tpm=30_000)
    assert account.limits("openai", "gpt-4o-2024-08-06") == RateLimits(rpm=500, tpm=30_000)
    assert account.limits("proxy", "gpt-4o") == RateLimits(rpm=100, tpm=7)
    assert account.limits("proxy", "gpt-4o-2024-08-06") == RateLimits()
    assert account.limits("https://llm.example.org/v1", "gpt-4o-2024-08-06") == RateLimits()
    assert account.limits(OPENAI_BASE_URL, "gpt-4o-2024-08-06") == RateLimits(rpm=500, tpm=30_000)
    assert account.shared_with("openai", "gpt-4o-2024-11-20") == "gpt-4o"


def test_snapshots_share_the_limits_of_their_alias_at_openai_unless_the_file_says_otherwise() -> None:
    def shared(text: str, host: str = "openai") -> list[str]:
        account = Account(parse_config(text, "snapdrift.toml"), load_catalog())
        return [account.shared_with(host, model) for model in ("gpt-4o-2024-08-06", "gpt-4o-2024-11-20", "gpt-4o")]

    proxy = '[hosts.proxy]\nbase_url = "https://llm.example.com/v1"\n'
    apart = ["gpt-4o-2024-08-06", "gpt-4o-2024-11-20", "gpt-4o"]
    assert shared("") == shared("", OPENAI_BASE_URL) == shared('[limits."gpt-4o"]\nrpm = 9\n') == ["gpt-4o"] * 3
    assert shared(proxy, "proxy") == shared("", "https://llm.example.org/v1") == apart
    assert shared('[limits."gpt-4o-2024-08-06"]\nrpm = 9\n') == ["gpt-4o-2024-08-06", "gpt-4o", "gpt-4o"]
    itself = '[limits."gpt-4o-2024-11-20"]\nshared_with = "gpt-4o-2024-11-20"\n'
    assert shared(itself) == ["gpt-4o", "gpt-4o-2024-11-20", "gpt-4o"]


def test_two_snapshots_of_one_alias_take_as_long_as_one_with_twice_the_requests(plan: Plan, tmp_path: Path) -> None:
    def seconds(text: str) -> float:
        (tmp_path / "snapdrift.toml").write_text(f"[limits]\ntier = 1\n{text}")
        return plan(cases=200, limits=pipeline.Limits(concurrency=1_000)).seconds

    apart = '[limits."gpt-4o-2024-08-06"]\nshared_with = "gpt-4o-2024-08-06"\n'
    assert seconds("") == pytest.approx(2 * seconds(apart), rel=0.05)


def test_a_run_knows_the_limits_of_the_models_that_it_asks_but_not_on_its_own_standin() -> None:
    text = '[limits."gpt-4o"]\nrpm = 100\n[limits."gpt-4o-2024-11-20"]\nshared_with = "gpt-4o"\n'
    account = Account(parse_config(text, "snapdrift.toml"), load_catalog())
    host = Host("openai", OPENAI_BASE_URL, "key", is_openai=True)
    asked = [Variant(name, f"gpt-4o-2024-{name}", Endpoint.RESPONSES, {}, {}) for name in ("11-20", "08-06")]
    known = known_limits(account, Target({"openai": host}), asked)
    assert known.pool(OPENAI_BASE_URL, "gpt-4o-2024-08-06") == known.pool(OPENAI_BASE_URL, "gpt-4o-2024-11-20")
    assert known.of(known.pool(OPENAI_BASE_URL, "gpt-4o-2024-11-20")) == RateLimits(rpm=100)
    assert known_limits(account, Target({"openai": host}, standin=[]), asked) == KnownLimits()


# ----------------------------------------------------------------------------------------------------- an earlier run


def summary(**changes: Any) -> VariantSummary:
    whole: dict[str, Any] = {
        "name": "august",
        "model": "gpt-4o-2024-08-06",
        "endpoint": Endpoint.RESPONSES,
        "resolved_models": {},
        "planned": 10,
        "requests": 25,
        "sources": {"openai": 10},
        "outcomes": {Outcome.OK.value: 9, Outcome.TRUNCATED.value: 1},
        "coverage": 1.0,
        "usage": Usage(1_000, 0, 200),
        "usd": 0.1,
        "judge_usd": 0.0,
        "latency_p50": 1_500.0,
        "latency_p95": 3_000.0,
    }
    return VariantSummary(**{**whole, **changes})


def test_an_earlier_run_tells_how_long_answers_are_and_how_many_steps_they_take() -> None:
    assert estimating._expectation(summary(), "run") == Expectation(8.0, 0.6, 2.5, "run")


def test_answers_that_an_earlier_run_reused_were_requests_too() -> None:
    reused = ReusedAnswers(6, 15, "2026-11-20T00:00:00+00:00", "2026-11-20T00:00:00+00:00", 0.06)
    found = estimating._expectation(summary(requests=10, reused=reused), "run")
    assert found == Expectation(8.0, 0.6, 2.5, "run")


def test_simulated_answers_tell_nothing() -> None:
    assert estimating._expectation(summary(sources={"simulated": 10}), "run") is None


def test_how_fast_recorded_answers_came_tells_nothing() -> None:
    found = estimating._expectation(summary(sources={"recorded": 10}), "run")
    assert found is not None
    assert (found.output_tokens, found.latency_s) == (8.0, estimating.ASSUMED_LATENCY_S)


def test_an_earlier_recorded_run_of_the_suite_is_gone_by(workspace: Callable[..., Path]) -> None:
    root = workspace(cases=60)
    path = root / "evals" / "capitals.yaml"
    recordings = (root / "datasets" / "recordings.jsonl",)
    target = pipeline.TargetOptions(standin=True, recordings=recordings)
    (ran,) = pipeline.run_suites([path], pipeline.RunOptions(target=target))
    (made,) = pipeline.plan_suites([path], pipeline.RunOptions())
    part = estimate_of(made, "august")
    assert part.expected.run == ran.run_id
    assert 1 < part.output_tokens < 6


# ------------------------------------------------------------------------------------------------------------- budget


def allowed(max_usd: float | None = None) -> Allowance:
    return Allowance.of(Limits(max_usd=max_usd))


def test_what_is_expected_to_cost_more_than_its_budget_is_not_started(plan: Plan) -> None:
    made = plan(more="budget: {usd: 0.001}")
    assert made.over_budget
    with pytest.raises(UsageError, match=r"evals/greetings\.yaml: expected to cost about \$0\.\d\d .*half as long"):
        require_affordable([made], LIVE, allowed())


def test_what_is_expected_to_cost_more_than_the_command_may_is_not_started(plan: Plan) -> None:
    with pytest.raises(UsageError, match=r"more than --max-usd 0\.001; nothing was sent"):
        require_affordable([plan()], LIVE, allowed(0.001))


def test_what_fits_is_started(plan: Plan) -> None:
    require_affordable([plan(more="budget: {usd: 1}")], LIVE, allowed(1.0))


def test_what_a_stand_in_answers_is_free(plan: Plan) -> None:
    require_affordable([plan(more="budget: {usd: 0.001}")], STANDINS, allowed(0.001))


def test_several_suites_together_must_fit_what_the_command_may_cost(plan: Plan) -> None:
    made = plan()
    usd = made.expected_usd()
    assert usd is not None
    require_affordable([made], LIVE, allowed(usd * 1.5))
    with pytest.raises(UsageError, match="--max-usd"):
        require_affordable([made, replace(made, suite="again")], LIVE, allowed(usd * 1.5))


def test_the_judges_count_too(plan: Plan) -> None:
    made = plan(graders=JUDGE)
    answers = sum(one.usd or 0 for one in made.variants)
    with pytest.raises(UsageError, match="--max-usd"):
        require_affordable([made], LIVE, allowed(answers * 1.01))


# -------------------------------------------------------------------------------------------------- order and catalogue


def test_cases_about_one_document_are_planned_back_to_back(plan: Plan, tmp_path: Path) -> None:
    messages = '[{role: user, content: "{{ document }}"}, {role: user, content: "Greet {{ name }}."}]'
    document = "A long contract. " * 300
    plan(prompt=f"prompt: {{input: {messages}}}", row=lambda n: {"document": f"{n % 3} {document}"})
    (prepared,) = pipeline.check_suites([tmp_path / "evals" / "greetings.yaml"], pipeline.RunOptions())
    prefix_of = shared_prefixes(prepared)
    assert prefix_of is not None
    assert len({prefix_of(case) for case in prepared.cases}) == 3


def test_where_no_prefix_depends_on_the_case_nothing_is_rendered_for_the_order(plan: Plan, tmp_path: Path) -> None:
    plan()
    (prepared,) = pipeline.check_suites([tmp_path / "evals" / "greetings.yaml"], pipeline.RunOptions())
    assert shared_prefixes(prepared) is None


@pytest.mark.parametrize(
    ("toml", "place"),
    [
        ("[prices.gpt-4o]\ninput = -1\n", "snapdrift.toml:2:1: prices.gpt-4o.input: found -1"),
        ('[models.gpt-4o]\nmax_output = "x"\n', "snapdrift.toml:2:1: models.gpt-4o.max_output: found 'x'"),
        ('[models."gpt-4o".price]\nin = 1\n', "snapdrift.toml:2:1: models.gpt-4o.price.in: found 1 under a key"),
    ],
)
def test_a_wrong_figure_of_the_users_is_named_with_its_line(plan: Plan, tmp_path: Path, toml: str, place: str) -> None:
    (tmp_path / "snapdrift.toml").write_text(toml)
    with pytest.raises(ConfigError) as caught:
        plan()
    assert str(caught.value).startswith(place)


def test_the_models_of_judges_are_warned_about_too(plan: Plan) -> None:
    made = plan(graders=JUDGE.replace("gpt-4o-2024-08-06", "gpt-4o-2024-05-13"))
    gone, going = made.warnings[-2:]
    assert gone.startswith("OpenAI shut gpt-4o-2024-05-13 (judges warm) down on ")
    assert going.startswith("OpenAI shuts gpt-4o-2024-08-06, ")
    assert " down on 2027-01-14" in going
    assert sum("OpenAI shut" in text for text in made.warnings) == 2


# --------------------------------------------------------------------------------------------------------- the wiring


@pytest.fixture
def real_host() -> Iterator[tuple[str, list[str]]]:
    """A loopback host that does not say that it is a stand-in, and what it was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append("GET")
            self.send_error(404)

        def do_POST(self) -> None:
            asked.append("POST")
            self.send_error(400)

        def log_message(self, *_args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1", asked
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_run_over_its_budget_sends_nothing_and_makes_no_run_file(
    workspace: Callable[..., Path], real_host: tuple[str, list[str]]
) -> None:
    root, (url, asked) = workspace(cases=60, more="budget: {usd: 0.001}\n"), real_host
    options = pipeline.RunOptions(target=pipeline.TargetOptions(base_url=url))
    with pytest.raises(UsageError, match=r"evals/capitals\.yaml: expected to cost about .* its budget of \$0\.001"):
        pipeline.run_suites([root / "evals" / "capitals.yaml"], options)
    assert "POST" not in asked
    assert not list(root.glob(".snapdrift/runs/*.db"))
