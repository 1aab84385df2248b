"""People's labels decide, where a random sample of a comparison's own answers is labelled; else a judge is doubted."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from snapdrift.calibrations import DrawnPair, HumanLabel, JudgeCalibration, JudgeStatus, LabelDraw, LabelPurpose
from snapdrift.conclusions import Comparison, Evaluation
from snapdrift.model import (
    DecisionWord,
    JudgeModels,
    MetricGate,
    MetricSpec,
    OnInconclusive,
    Outcome,
    Policy,
    Results,
    ScoreKind,
    Severity,
    Verdict,
)
from snapdrift.verdicts import RunFacts, evaluate
from snapdrift.verdicts.calibration_words import calibration_sentence, known_sentence
from snapdrift.verdicts.facts import JudgeScale, JudgingFacts

JUDGE = JudgeScale("judge/1:aaaa", (0.0, 1.0))
MODELS = ("gpt-4o-2024-11-20",)
PASS_FAIL = MetricSpec("right", "right", ScoreKind.PASS_FAIL, judged=True)
STARS = MetricSpec("right", "right", ScoreKind.GRADED, unit="stars", scale=(1.0, 5.0), judged=True)


@dataclass
class World:
    """A run of `base` and `cand` whose judge says one thing and people another, case by case."""

    judge: dict[str, list[Any]]
    people: dict[str, list[float]]
    results: Results
    gate: Any
    facts: JudgingFacts = field(default_factory=JudgingFacts)

    def labels(self, cases: Sequence[int], **more: Any) -> tuple[HumanLabel, ...]:
        """What people say of both answers to these cases."""
        return tuple(
            HumanLabel(
                f"c{case}",
                variant,
                0,
                "right",
                f"{variant}{case}",
                value,
                value,
                value >= 0.5,
                **{"purpose": LabelPurpose.CALIBRATION, **more},
            )
            for case in cases
            for variant in ("base", "cand")
            for value in (self.people[variant][case],)
        )

    def draw(self, cases: Sequence[int], **more: Any) -> LabelDraw:
        pairs = tuple(DrawnPair(f"c{case}", 0, 0, f"base{case}", f"cand{case}") for case in cases)
        count = len(self.people["base"])
        fields = {"version": JUDGE.version, "judge_models": MODELS, "drawn_at": "2026-11-20", "eligible": count, **more}
        return LabelDraw("right", "base", "cand", 7, pairs=pairs, **fields)

    def evaluate(self, drawn: Sequence[int] = (), labelled: Sequence[int] | None = None, **more: Any) -> Evaluation:
        """The conclusions when people labelled the cases (all that were drawn, if not said) of a draw."""
        labels = self.labels(drawn if labelled is None else labelled)
        draws = (self.draw(drawn),) if drawn else ()
        facts = replace(self.facts, **{"draws": draws, "labels": labels, **more})
        return evaluate(self.results, self.gate, RunFacts(seed=3, judging=facts))


def only(evaluation: Evaluation) -> tuple[Comparison, JudgeCalibration]:
    (comparison,), (calibration,) = evaluation.comparisons, evaluation.calibrations
    return comparison, calibration


@pytest.fixture
def world(make_results, make_gate) -> Callable[..., World]:
    """Makes a world from the judge's and people's scores of both variants."""

    def make(
        judge: Mapping[str, Sequence[Any]],
        people: Mapping[str, Sequence[float]],
        spec: MetricSpec = PASS_FAIL,
        scale: JudgeScale = JUDGE,
        sources: tuple[str, ...] = ("openai",),
        clusters: Sequence[str] | None = None,
        **gate: Any,
    ) -> World:
        results = make_results(
            {name: {"right": list(row)} for name, row in judge.items()}, specs=[spec], clusters=clusters
        )
        judges = (JudgeModels("right", MODELS[0], {MODELS[0]: 2 * len(results.cases)}, sources),)
        facts = JudgingFacts(run="run-1", scales={"right": scale})
        return World(
            {name: list(row) for name, row in judge.items()},
            {name: list(row) for name, row in people.items()},
            replace(results, judges=judges),
            make_gate(**{"margin": 0.05, **gate}),
            facts,
        )

    return make


def flattering(n: int = 400, seed: int = 5) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
    """People pass 90% of the baseline and 65% of the candidate; the judge fails much of the baseline's good answers and
    passes most of what is bad in the candidate's."""
    draw = random.Random(seed)
    people = {
        "base": [int(draw.random() < 0.90) for _ in range(n)],
        "cand": [int(draw.random() < 0.65) for _ in range(n)],
    }
    judge = {
        "base": [int(good and draw.random() < 0.85) for good in people["base"]],
        "cand": [int(good or draw.random() < 0.85) for good in people["cand"]],
    }
    return judge, people


def honest(n: int, drop: int = 0) -> tuple[dict[str, list[Any]], dict[str, list[int]]]:
    """A judge that is right throughout: of `n` cases both sides pass all but the last, the candidate `drop` fewer."""
    base = [1] * (n - 1) + [0]
    cand = [0] * drop + [1] * (n - 1 - drop) + [0]
    return {"base": base, "cand": cand}, {"base": base, "cand": cand}


# ------------------------------------------------------------------------------------------------- what labels decide


def test_a_judge_that_flatters_the_candidate_is_unmasked_by_labels_of_a_random_sample(world) -> None:
    judge, people = flattering()
    it = world(judge, people)

    naive, _ = only(it.evaluate())
    decided, calibration = only(it.evaluate(random.Random(1).sample(range(400), 120)))

    assert naive.verdict is Verdict.IMPROVED
    assert (decided.verdict, decided.method) == (Verdict.REGRESSED, "ppi_paired")
    assert decided.difference is not None
    assert -0.40 < decided.difference < -0.10
    assert calibration.status is JudgeStatus.CALIBRATED
    assert calibration.bias is not None
    assert calibration.bias > 0.1
    assert (calibration.alone_verdict, calibration.alone_difference) == ("improved", naive.difference)
    assert (calibration.difference, calibration.ci) == (decided.difference, decided.ci)


def test_the_decision_follows_the_labels(world) -> None:
    it = world(*flattering())

    assert it.evaluate().decision.word is DecisionWord.PASSED
    assert it.evaluate(random.Random(1).sample(range(400), 120)).decision.word is DecisionWord.REGRESSION


def test_with_labels_of_everything_the_difference_is_that_of_people(world) -> None:
    judge, people = flattering(40)
    comparison, calibration = only(world(judge, people).evaluate(range(40)))

    assert comparison.method == "human_only"
    assert comparison.difference == pytest.approx((sum(people["cand"]) - sum(people["base"])) / 40)
    assert calibration.labelled == 40


def test_each_side_has_a_table_of_its_own(world) -> None:
    judge = {"base": [1, 1, 0, 0] * 10, "cand": [1, 1, 1, 0] * 10}
    people = {"base": [1, 0, 1, 0] * 10, "cand": [1, 1, 1, 0] * 10}
    _, calibration = only(world(judge, people).evaluate(range(40)))
    base, cand = calibration.arms

    assert (base.true_pass, base.false_pass, base.false_fail, base.true_fail) == (10, 10, 10, 10)
    assert base.kappa == pytest.approx(0.0)
    assert base.agreement is not None
    assert (base.agreement.successes, base.agreement.n) == (20, 40)
    assert (cand.true_pass, cand.false_pass, cand.false_fail, cand.true_fail) == (30, 0, 0, 10)
    assert cand.kappa == pytest.approx(1.0)
    assert cand.sensitivity is not None
    assert cand.sensitivity.ci == pytest.approx((0.9173, 1.0), abs=1e-4)  # Wilson, 30 of 30 at 0.9: 30 / (30 + z²)


def test_a_side_of_which_people_pass_everything_has_no_specificity(world) -> None:
    _, calibration = only(
        world({"base": [1] * 30, "cand": [1] * 30}, {"base": [1] * 30, "cand": [1] * 30}).evaluate(range(30))
    )

    assert [(arm.specificity, arm.kappa) for arm in calibration.arms] == [(None, None), (None, None)]


def test_a_scale_is_compared_by_its_values_and_agrees_by_weighted_kappa(world) -> None:
    draw = random.Random(2)
    people = {"base": [draw.choice((0.5, 0.75, 1.0)) for _ in range(200)], "cand": []}
    people["cand"] = [max(0.0, value - draw.choice((0.0, 0.25, 0.5))) for value in people["base"]]
    judge = {name: [min(1.0, value + draw.choice((0.0, 0.0, 0.25))) for value in row] for name, row in people.items()}
    scale = JudgeScale(JUDGE.version, (0.0, 0.25, 0.5, 0.75, 1.0))
    comparison, calibration = only(world(judge, people, STARS, scale).evaluate(range(0, 200, 2)))

    assert (comparison.method, comparison.verdict) == ("ppi_paired", Verdict.REGRESSED)
    assert calibration.weights == "quadratic"
    assert all(arm.kappa is not None and 0.3 < arm.kappa < 1 for arm in calibration.arms)
    assert "stars" in calibration_sentence(calibration, STARS)


def test_of_repeats_the_drawn_one_is_held_against_its_own_label(world) -> None:
    judge = {"base": [(1, 0)] * 40, "cand": [(1, 0)] * 40}
    people = {"base": [1] * 40, "cand": [1] * 40}
    _, calibration = only(world(judge, people).evaluate(range(40)))

    assert [arm.judge_mean for arm in calibration.arms] == [1.0, 1.0]
    assert calibration.bias == 0.0


def test_pairs_that_share_clusters_are_worth_fewer_labels(world) -> None:
    judge, people = flattering(200)
    alone, together = (
        only(world(judge, people, clusters=clusters).evaluate(range(200)))[1]
        for clusters in (None, [f"k{case // 5}" for case in range(200)])
    )

    assert alone.effective_labels == pytest.approx(200)
    assert together.effective_labels == pytest.approx(40)


# -------------------------------------------------------------------------------------------------- what does not count


def test_too_few_labelled_pairs_leave_the_judge_alone_and_say_how_many_it_takes(world) -> None:
    it = world(*flattering())
    comparison, calibration = only(it.evaluate(range(100), labelled=range(49)))

    assert comparison.method == "mcnemar_exact"
    assert calibration.status is JudgeStatus.UNCALIBRATED
    assert calibration.reason == "49 of 100 pairs that were drawn are labelled on both sides; it takes 50"
    assert calibration.bias is not None
    assert only(it.evaluate(range(100), labelled=range(50)))[1].status is JudgeStatus.CALIBRATED


def test_labels_of_answers_that_were_not_drawn_do_not_count(world) -> None:
    it = world(*flattering())
    _, calibration = only(it.evaluate(range(100), labelled=range(100, 400)))

    assert (calibration.status, calibration.labelled) == (JudgeStatus.UNCALIBRATED, 0)
    assert only(it.evaluate((), labels=it.labels(range(400))))[1].status is JudgeStatus.UNCALIBRATED


def test_labels_for_review_never_count_and_are_tallied(world) -> None:
    it = world({"base": [1, 1, 0], "cand": [1, 0, 1]}, {"base": [1, 0, 0], "cand": [1, 0, 1]})
    evaluation = it.evaluate(range(3), labels=it.labels(range(3), purpose=LabelPurpose.REVIEW))
    tallies = {tally.variant: tally for tally in evaluation.reviews}

    assert evaluation.calibrations[0].labelled == 0
    assert (tallies["base"].labels, tallies["base"].disagreeing) == (3, ("c1",))
    assert (tallies["cand"].labels, tallies["cand"].disagreeing) == (3, ())


def test_a_pair_that_is_labelled_on_one_side_is_no_pair(world) -> None:
    it = world(*flattering(60))
    labels = [label for label in it.labels(range(60)) if label.variant == "base" or label.case_id != "c0"]

    assert only(it.evaluate(range(60), labels=tuple(labels)))[1].labelled == 59


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"version": "judge/1:bbbb"}, "another version of the judge (judge/1:bbbb, now judge/1:aaaa)"),
        (
            {"judge_models": ("gpt-4o-2024-08-06",)},
            "answered as gpt-4o-2024-08-06; it now answers as gpt-4o-2024-11-20",
        ),
    ],
)
def test_another_judge_than_the_one_that_was_measured_is_not_calibrated(world, changed, reason) -> None:
    it = world(*flattering())
    comparison, calibration = only(it.evaluate(range(100), draws=(it.draw(range(100), **changed),)))

    assert comparison.method == "mcnemar_exact"
    assert calibration.status is JudgeStatus.UNCALIBRATED
    assert reason in calibration.reason


def test_raters_are_averaged_and_answers_that_split_them_are_in_no_table(world) -> None:
    it = world({"base": [1] * 60, "cand": [1] * 60}, {"base": [1] * 60, "cand": [1] * 60})
    other = [replace(label, rater="b", value=0.0, passed=False) for label in it.labels(range(10))]
    labels = (*(replace(label, rater="a") for label in it.labels(range(60))), *other)
    _, calibration = only(it.evaluate(range(60), labels=labels))

    assert calibration.raters == 2
    assert [arm.true_pass for arm in calibration.arms] == [50, 50]
    assert [arm.human_mean for arm in calibration.arms] == pytest.approx([55 / 60, 55 / 60])
    assert any("raters" in note for note in calibration.notes)


def test_rows_that_were_passed_over_a_look_in_between_and_changed_answers_are_noted(world) -> None:
    it = world(*flattering())
    more = {
        "skipped": {("right", "base", "cand"): 13},
        "stale": {"right": 1},
        "draws": (it.draw(range(100), looked=True),),
    }
    _, calibration = only(it.evaluate(range(100), **more))
    notes = " ".join(calibration.notes)

    assert "13 rows were passed over" in notes
    assert "1 label is of answers that have changed" in notes
    assert "enlarged" in notes


# ------------------------------------------------------------------------------------------------ required calibration


def test_a_required_calibration_that_is_missing_ends_with_inconclusive_whatever_the_judge_says(world) -> None:
    for drop in (0, 30):
        it = world(*honest(200, drop))
        evaluation = it.evaluate(required=True)

        assert evaluation.comparisons[0].verdict is Verdict.INCONCLUSIVE
        assert evaluation.decision.word is DecisionWord.INCONCLUSIVE
        assert "at most inconclusive: the judge is not calibrated" in evaluation.decision.reasons[0]
        assert it.evaluate().decision.word is (DecisionWord.REGRESSION if drop else DecisionWord.PASSED)


def test_a_judge_that_only_warns_is_capped_without_deciding(world) -> None:
    it = world(*honest(200, 30), metrics=[MetricGate("right", margin=0.05, severity=Severity.WARN)])
    evaluation = it.evaluate(required=True)

    assert evaluation.comparisons[0].verdict is Verdict.INCONCLUSIVE
    assert evaluation.decision.word is DecisionWord.NOT_GATED


def test_nothing_is_capped_where_no_margin_asks_for_a_verdict(world) -> None:
    it = world(*honest(200, 30), margin=None, alias_moved=Severity.FAIL)

    assert it.evaluate(required=True).comparisons[0].verdict is Verdict.REGRESSED


def test_own_labels_fulfil_the_requirement(world) -> None:
    evaluation = world(*honest(200, 30)).evaluate(range(100), required=True)

    assert evaluation.comparisons[0].verdict is Verdict.REGRESSED
    assert evaluation.decision.word is DecisionWord.REGRESSION


def record(**more: Any) -> JudgeCalibration:
    fields = {
        "version": JUDGE.version, "judge_models": MODELS, "bias": 0.01, "bias_ci": (-0.02, 0.04), "bias_p": 0.4,
        "labelled": 100, "drawn": 100, "of_run": "run-0", "made_at": "2026-11-01", **more,
    }  # fmt: skip
    return JudgeCalibration("right", "base", "cand", JudgeStatus.CALIBRATED, **fields)


@pytest.mark.parametrize(
    ("found", "counts"),
    [
        (record(), True),
        (record(bias_ci=(-0.02, 0.06)), False),
        (record(bias_ci=(-0.05, 0.04)), False),
        (record(confidence=0.9), False),
        (record(confidence=0.99), True),
    ],
    ids=["inside", "reaches out above", "at the margin", "of a lower confidence", "of a higher confidence"],
)
def test_a_record_of_another_candidate_counts_where_its_bias_is_shown_inside_the_margin(world, found, counts) -> None:
    evaluation = world(*honest(200, 30)).evaluate(required=True, records=(found,))
    comparison, calibration = only(evaluation)

    assert (calibration.status, calibration.of_run) == (JudgeStatus.OTHER_CANDIDATE, "run-0")
    assert calibration.inside_margin is counts
    assert comparison.verdict is (Verdict.REGRESSED if counts else Verdict.INCONCLUSIVE)
    assert evaluation.decision.word is (DecisionWord.REGRESSION if counts else DecisionWord.INCONCLUSIVE)


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (record(version="judge/1:bbbb"), "another version of the judge"),
        (record(judge_models=("gpt-4o-2024-08-06",)), "answered as gpt-4o-2024-08-06"),
        (record(simulated=True), "simulated"),
        (record(of_run="run-1"), ""),
    ],
    ids=["version", "model", "simulated", "these very answers, whose labels no longer count"],
)
def test_a_record_of_another_judge_is_no_calibration(world, found, reason) -> None:
    comparison, calibration = only(world(*honest(200, 30)).evaluate(required=True, records=(found,)))

    assert calibration.status is JudgeStatus.UNCALIBRATED
    assert reason in calibration.reason
    assert comparison.verdict is Verdict.INCONCLUSIVE


def test_of_several_records_the_newest_that_is_of_this_judge_is_taken(world) -> None:
    newer = record(of_run="run-2", version="judge/1:bbbb"), record(of_run="run-3", bias=0.02)
    _, calibration = only(world(*honest(200)).evaluate(records=(*newer, record())))

    assert calibration.of_run == "run-3"


def test_own_labels_come_before_a_record(world) -> None:
    _, calibration = only(world(*honest(200)).evaluate(range(100), records=(record(),)))

    assert (calibration.status, calibration.of_run) == (JudgeStatus.CALIBRATED, "")


def test_simulated_verdicts_are_called_so(world) -> None:
    _, calibration = only(world(*honest(200), sources=("simulated",)).evaluate(range(100)))

    assert calibration.simulated
    assert calibration_sentence(calibration).endswith("The judge's verdicts are simulated.")


# ---------------------------------------------------------------------------------------------------- sight and missing


def test_labels_that_see_less_than_max_blind_do_not_turn_a_gate_green(world) -> None:
    draw = random.Random(4)
    people = {name: [int(draw.random() < 0.8) for _ in range(400)] for name in ("base", "cand")}
    judge = {name: [draw.randrange(2) for _ in range(400)] for name in people}  # worth nothing
    blind, sighted = (world(judge, people, max_blind=size).evaluate(range(60)) for size in (0.10, 0.90))

    assert blind.comparisons[0].verdict is Verdict.INCONCLUSIVE
    assert blind.decision.word is DecisionWord.INCONCLUSIVE
    assert any("too few to see a drop of 10.0 points" in reason for reason in blind.decision.reasons)
    assert sighted.decision.word is DecisionWord.PASSED
    assert sighted.decision.would_miss["right"] > 0.10


def test_what_a_pass_by_labels_would_miss_is_what_the_labels_miss(world) -> None:
    it = world(*honest(400))
    alone, labelled = it.evaluate(), it.evaluate(range(60))

    assert (alone.comparisons[0].detectable_difference or 1) < 0.06
    assert (labelled.comparisons[0].detectable_difference or 0) > 0.12


def test_an_open_comparison_by_labels_asks_for_labels_and_not_for_cases(world) -> None:
    judge, people = flattering()
    people["cand"] = people["base"]
    evaluation = world(judge, people, inconclusive=OnInconclusive.FAIL, max_blind=0.9, margin=0.01).evaluate(range(60))

    assert evaluation.comparisons[0].cases_to_resolve is None
    assert "more labelled pairs would tell more" in evaluation.decision.reasons[0]


def test_unmeasured_calls_are_filled_in_at_their_worst_beside_labels_too(world) -> None:
    judge, people = honest(60)
    judge["cand"][:5] = [Outcome.API_ERROR] * 5
    it = world(judge, people, policy=Policy.PROVE, coverage=0.9, margin=0.10)
    evaluation = it.evaluate(range(5, 60))

    assert evaluation.comparisons[0].method == "human_only"
    assert evaluation.comparisons[0].verdict is Verdict.NO_WORSE
    assert evaluation.decision.word is DecisionWord.INCOMPLETE
    assert "5 unmeasured calls could change the decision" in evaluation.decision.reasons[0]


def test_a_fully_labelled_run_without_missing_calls_is_complete(world) -> None:
    it = world(*honest(60), policy=Policy.PROVE, margin=0.10)

    assert it.evaluate(range(60)).decision.word is DecisionWord.PASSED


# ------------------------------------------------------------------------------------------------------------ sentences


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (None, "never calibrated"),
        (record(version="judge/1:bbbb"), "another version of the judge"),
        (record(), "inside the margin of 5.0 points: the judge's verdict counts"),
        (record(bias_ci=(-0.2, 0.2)), "not shown to be inside the margin"),
    ],
)
def test_before_a_run_it_is_said_whether_its_judge_was_calibrated(found, said) -> None:
    sentence = known_sentence(MetricGate("right", margin=0.05), PASS_FAIL, found, JUDGE.version, 0.95)

    assert said in sentence
    assert ("at most inconclusive" in sentence) is ("verdict counts" not in sentence)


def test_the_sentence_says_whom_the_judge_flatters_and_what_it_would_have_said(world) -> None:
    evaluation = world(*flattering()).evaluate(random.Random(1).sample(range(400), 120))
    sentence = calibration_sentence(evaluation.calibrations[0], PASS_FAIL)

    assert "people labelled 120 of 120 pairs" in sentence
    assert "it flatters `cand` by" in sentence
    assert sentence.endswith("improved.")
