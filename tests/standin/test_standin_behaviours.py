"""Simulated behaviours: what they answer is a function of seed, model, input, case and repeat."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from snapdrift.errors import ConfigError
from snapdrift.model import ClientRequestId, Endpoint
from snapdrift.standin.behaviours import BUILT_IN, Behaviour, resolve_behaviours
from snapdrift.standin.config import StandinConfig
from snapdrift.standin.questions import read_question
from snapdrift.standin.replies import Reply
from snapdrift.standin.service import AnswerService

QUEUES = ["billing", "technical", "sales"]
SCHEMA = {
    "type": "object",
    "properties": {
        "queue": {"type": "string", "enum": QUEUES},
        "urgent": {"type": "boolean"},
        "reason": {"type": "string"},
    },
    "required": ["queue", "urgent", "reason"],
    "additionalProperties": False,
}
CASES = 400
Serve = Callable[..., "Asker"]


class Asker:
    """Asks a service directly, as a run would."""

    def __init__(self, config: StandinConfig) -> None:
        self.service = AnswerService(config)

    def reply(
        self, case: int, repeat: int = 0, model: str = "gpt-4o-2024-08-06", variant: str = "v", **body: Any
    ) -> Reply:
        asked = {"model": model, "input": f"Ticket: please look at number {case} of my tickets", **body}
        caller = ClientRequestId("suite-run", f"case-{case}", variant, repeat, 0)
        return self.service.answer(read_question(Endpoint.RESPONSES, asked), caller).reply

    def texts(self, **settings: Any) -> list[str]:
        return [self.reply(case, **settings).text for case in range(CASES)]


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    key = tmp_path / "key.jsonl"
    rows = [
        {
            "id": f"case-{n}",
            "ticket": f"please look at number {n} of my tickets",
            "expected": {"queue": QUEUES[n % 3], "urgent": n % 2 == 0},
            "tags": ["golden"] if n % 4 == 0 else [],
        }
        for n in range(CASES)
    ]
    key.write_text("".join(json.dumps(row) + "\n" for row in rows))

    def make(behaviour: str | Mapping[str, Any], seed: int = 0, **profile: Any) -> Asker:
        name = behaviour if isinstance(behaviour, str) else "own"
        own = {} if isinstance(behaviour, str) else {"own": behaviour}
        profiles = [{"answers": [key], "behaviour": name, **profile}]
        return Asker(StandinConfig.checked({"profiles": profiles, "behaviours": own, "seed": seed}))

    return make


def expected(case: int) -> dict[str, Any]:
    return {"queue": QUEUES[case % 3], "urgent": case % 2 == 0}


def wrong_cases(texts: list[str]) -> set[int]:
    return {case for case, text in enumerate(texts) if json.loads(text) != expected(case)}


def strict(schema: Mapping[str, Any] = SCHEMA, *, is_strict: bool = True) -> dict[str, Any]:
    form = {"type": "json_schema", "name": "ticket", "strict": is_strict, "schema": schema}
    return {"text": {"format": form}}


def test_exact_answers_with_the_answer_key(serve: Serve) -> None:
    assert wrong_cases(serve("exact").texts()) == set()


def test_the_same_seed_gives_the_same_answers_in_another_server(serve: Serve) -> None:
    assert serve("sloppy").texts() == serve("sloppy").texts()


def test_another_seed_gives_other_mistakes(serve: Serve) -> None:
    assert wrong_cases(serve("sloppy").texts()) != wrong_cases(serve("sloppy", seed=1).texts())


def test_the_order_in_which_cases_are_asked_does_not_matter(serve: Serve) -> None:
    backwards = serve("november")
    texts = [backwards.reply(case).text for case in reversed(range(CASES))]
    assert texts[::-1] == serve("november").texts()


def test_mistakes_come_at_about_their_rate(serve: Serve) -> None:
    share = len(wrong_cases(serve({"wrong": 0.2}).texts())) / CASES
    assert 0.12 < share < 0.28


def test_cases_that_are_hard_are_hard_for_all_models(serve: Serve) -> None:
    both = serve({"wrong": 0.2, "wrong_share_common": 1})
    one, other = (wrong_cases(both.texts(model=model)) for model in ("gpt-4o-2024-08-06", "gpt-4o-2024-11-20"))
    assert one == other != set()


def test_without_common_difficulty_models_err_on_cases_of_their_own(serve: Serve) -> None:
    both = serve({"wrong": 0.2, "wrong_share_common": 0})
    one, other = (wrong_cases(both.texts(model=model)) for model in ("gpt-4o-2024-08-06", "gpt-4o-2024-11-20"))
    assert len(one & other) < min(len(one), len(other)) / 2


def test_an_alias_and_its_snapshot_give_the_same_answers(serve: Serve) -> None:
    asker = serve("sloppy")
    assert asker.texts(model="gpt-4o") == asker.texts(model="gpt-4o-2024-08-06")


def test_a_careful_behaviour_errs_on_fewer_cases_than_a_sloppy_one(serve: Serve) -> None:
    assert len(wrong_cases(serve("careful").texts())) < len(wrong_cases(serve("sloppy").texts()))


def test_a_wrong_enum_value_is_another_member_of_it(serve: Serve) -> None:
    asker = serve({"wrong": {"rate": 1, "field": "queue"}})
    for case in range(30):
        answer = json.loads(asker.reply(case, **strict()).text)
        assert answer["queue"] in QUEUES
        assert answer["queue"] != expected(case)["queue"]
        assert answer["urgent"] == expected(case)["urgent"]


def test_a_schema_is_filled_from_the_answer_key_and_plausibly_where_it_says_nothing(serve: Serve) -> None:
    answer = json.loads(serve("exact").reply(1, **strict()).text)
    assert list(answer) == ["queue", "urgent", "reason"]
    assert {name: answer[name] for name in ("queue", "urgent")} == expected(1)
    assert isinstance(answer["reason"], str)


def test_a_flaw_can_be_limited_to_tagged_cases(serve: Serve) -> None:
    wrong = wrong_cases(serve({"wrong": {"rate": 1, "only_tags": ["golden"]}}).texts())
    assert wrong == {case for case in range(CASES) if case % 4 == 0}


def test_of_several_rates_the_highest_that_applies_counts(serve: Serve) -> None:
    wrong = wrong_cases(serve({"wrong": [0.0, {"rate": 1, "only_tags": ["golden"]}]}).texts())
    assert wrong == {case for case in range(CASES) if case % 4 == 0}


def test_a_fence_is_put_around_json(serve: Serve) -> None:
    text = serve({"fence": 1}).reply(1).text
    assert text.startswith("```json\n")
    assert json.loads(text.removeprefix("```json\n").removesuffix("\n```")) == expected(1)


def test_prose_is_put_around_json(serve: Serve) -> None:
    text = serve({"prose": 1}).reply(1).text
    assert not text.startswith("{")
    assert json.loads(text[text.index("{") : text.rindex("}") + 1]) == expected(1)


def test_a_field_is_dropped(serve: Serve) -> None:
    assert json.loads(serve({"drop_field": {"rate": 1, "field": "urgent"}}).reply(1).text) == {"queue": "technical"}


def test_a_strict_schema_holds_whatever_the_flaws(serve: Serve) -> None:
    asker = serve({"fence": 1, "prose": 1, "drop_field": 1, "verbose": 1})
    assert set(json.loads(asker.reply(1, **strict()).text)) == {"queue", "urgent", "reason"}


def test_a_schema_that_is_not_strict_can_be_broken(serve: Serve) -> None:
    asker = serve({"drop_field": 1})
    assert len(json.loads(asker.reply(1, **strict(is_strict=False)).text)) == 2


def test_json_object_is_json_whatever_the_flaws(serve: Serve) -> None:
    asker = serve({"fence": 1, "prose": 1})
    text = asker.reply(1, instructions="JSON", text={"format": {"type": "json_object"}}).text
    assert json.loads(text) == expected(1)


def test_a_verbose_answer_is_longer_and_still_right(serve: Serve) -> None:
    long, short = serve({"verbose": 1}).reply(1, **strict()).text, serve("exact").reply(1, **strict()).text
    assert len(long) > len(short) + 50
    assert json.loads(long)["queue"] == json.loads(short)["queue"]


def test_a_flaky_case_differs_between_repeats(serve: Serve) -> None:
    asker = serve({"flaky": 1})
    answers = {asker.reply(1, repeat=repeat).text for repeat in range(12)}
    assert len(answers) == 2


def test_a_behaviour_without_flaky_gives_the_same_answer_in_every_repeat(serve: Serve) -> None:
    asker = serve("november")
    assert len({asker.reply(1, repeat=repeat).text for repeat in range(12)}) == 1


def test_a_template_says_how_an_answer_is_put_in_words(serve: Serve) -> None:
    asker = serve({"template": "Queue {expected.queue} {kept}."})
    assert asker.reply(2).text == "Queue sales {kept}."


def test_a_template_is_said_of_what_is_not_in_the_answer_key_unless_it_needs_that(serve: Serve) -> None:
    said = serve({"template": "Sales, I think."})
    assert said.reply(CASES + 1).text == said.reply(2).text == "Sales, I think."
    assert serve({"template": "Queue {expected.queue}"}).reply(CASES + 1).text == "This is a simulated answer."


def test_a_profile_can_give_the_template(serve: Serve) -> None:
    assert serve("exact", template="It is {expected.queue}").reply(2).text == "It is sales"


def test_a_case_is_found_by_its_text_when_the_request_has_no_id(serve: Serve) -> None:
    body = {"model": "gpt-4o", "input": "Route this.\n\nplease look at number 7 of my tickets\n\nThanks"}
    reply = serve("exact").service.answer(read_question(Endpoint.RESPONSES, body), None).reply
    assert json.loads(reply.text) == expected(7)


def test_behaviours_go_by_variant_before_model_before_the_rest() -> None:
    config = StandinConfig.checked(
        {
            "profiles": [{"variants": {"a": "says_a"}, "models": {"gpt-4o-2024-11-20": "refuser"}}],
            "behaviours": {"says_a": {"truncate": 1}, "refuser": {"refuse": 1}},
        }
    )
    asker = Asker(config)
    by_variant = asker.reply(1, model="gpt-4o-2024-11-20", variant="a")
    by_model = asker.reply(1, model="gpt-4o-2024-11-20", variant="b")
    by_default = asker.reply(1, model="gpt-4o-2024-08-06", variant="b")
    assert by_variant.incomplete is not None
    assert by_model.refusal is not None
    assert (by_default.incomplete, by_default.refusal) == (None, None)


def judge_schema() -> dict[str, Any]:
    verdict = {"type": "string", "enum": ["pass", "fail"]}
    properties = {"reason": {"type": "string"}, "verdict": verdict}
    return strict(
        {"type": "object", "properties": properties, "required": ["reason", "verdict"], "additionalProperties": False}
    )


def test_a_judge_gives_a_well_formed_verdict_though_the_answer_key_knows_the_case(serve: Serve) -> None:
    answer = json.loads(serve("exact").reply(1, **judge_schema()).text)
    assert set(answer) == {"reason", "verdict"}
    assert answer["verdict"] in ("pass", "fail")


def test_a_judge_fails_short_and_refusing_answers_more_often(serve: Serve) -> None:
    judge = serve("judge")

    def share(answer: str) -> float:
        verdicts = [
            json.loads(judge.reply(case, **{**judge_schema(), "input": f"<answer>{answer}</answer> {case}"}).text)
            for case in range(100)
        ]
        return len([verdict for verdict in verdicts if verdict["verdict"] == "fail"]) / 100

    fine, short, refusing = share("A long and helpful answer."), share("No."), share("I'm sorry, I cannot say that.")
    assert fine < 0.3 < min(short, refusing)


def test_every_built_in_behaviour_says_what_it_does() -> None:
    assert all(behaviour.description for behaviour in BUILT_IN.values())
    assert {"plausible", "exact", "august", "november", "terse", "sloppy", "careful", "flaky", "judge"} <= set(BUILT_IN)


def test_a_behaviour_extends_another() -> None:
    resolved = resolve_behaviours({"mine": Behaviour(extends="november", fence=1)})
    assert resolved["mine"].fence[0].rate == 1
    assert resolved["mine"].verbose == BUILT_IN["november"].verbose


def test_a_circle_of_extends_is_an_error() -> None:
    with pytest.raises(ConfigError, match="circle, a -> b -> a"):
        resolve_behaviours({"a": Behaviour(extends="b"), "b": Behaviour(extends="a")})


def test_extending_what_is_not_there_is_an_error_that_names_the_choices() -> None:
    with pytest.raises(ConfigError, match=r"standin\.behaviours\.a\.extends: found 'nope'; expected one of .*august"):
        resolve_behaviours({"a": Behaviour(extends="nope")})
