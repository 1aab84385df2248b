"""What is to be run of a suite, and everything that is refused before anything is sent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from snapdrift.errors import InsufficientError, SnapdriftError, UsageError
from snapdrift.pipeline.options import RunOptions, Selection
from snapdrift.pipeline.prepare import Prepared, narrowed, prepare, prepare_all, require_sufficient

TWO_GATES = "  quick: {extends: default, sample: 20, repeats: 2}\n"


def suite_of(root: Path) -> Path:
    return root / "evals" / "capitals.yaml"


def prepared(path: Path, gate: str | None = None, **selection) -> Prepared:
    return prepare(path, RunOptions(gate=gate, selection=Selection(**selection)))


def test_a_suite_that_is_right_is_outlined_beside_one_that_is_not(workspace, snapdrift):
    root = workspace()
    few = suite_of(root).read_text().replace("suite: capitals", "suite: few\nsample: 3")
    (root / "evals" / "few.yaml").write_text(few)
    (root / "evals" / "bad.yaml").write_text("suite: bad\nvariant: 1\n")
    done = snapdrift("check", "evals/bad.yaml", "evals/few.yaml", "evals/capitals.yaml", cwd=root)
    assert (done.returncode, done.stdout.startswith("evals/capitals.yaml: ok\n")) == (2, True)
    assert "evals/bad.yaml:2:1: variant: " in done.stderr
    assert "gate default could never tell:" in done.stderr


def test_a_whole_suite_is_prepared_with_what_its_gate_says(workspace):
    one = prepared(suite_of(workspace()))
    assert (len(one.cases), [v.name for v in one.variants], one.repeats) == (60, ["august", "november"], 1)
    assert not one.partial
    assert [entry.enough for entry in one.sufficiency] == [True]


def test_a_gate_brings_its_own_sample_and_repeats(workspace):
    one = prepared(suite_of(workspace(more=TWO_GATES)), gate="quick")
    assert (len(one.cases), one.repeats) == (20, 2)
    assert not one.partial


def test_the_command_line_goes_before_the_gate(workspace):
    one = prepared(suite_of(workspace(more=TWO_GATES)), gate="quick", sample=30, repeats=5)
    assert (len(one.cases), one.repeats) == (30, 5)


def test_a_sample_of_the_command_line_is_drawn_as_the_gate_draws_it(workspace):
    path = suite_of(workspace(more=TWO_GATES))
    declared = prepared(path, gate="quick").cases
    assert prepared(path, gate="quick", sample=20).cases == declared
    larger = prepared(path, gate="quick", sample=30).cases
    assert {case.id for case in declared} < {case.id for case in larger}


def test_a_sample_larger_than_the_dataset_is_refused(workspace):
    with pytest.raises(UsageError, match="a sample of 61 cases"):
        prepared(suite_of(workspace()), sample=61)


def test_cases_picked_by_hand_make_a_part_that_is_not_asked_whether_it_suffices(workspace):
    one = prepared(suite_of(workspace()), cases=("c3", "c1"))
    assert [case.id for case in one.cases] == ["c1", "c3"]
    assert one.partial
    assert one.sufficiency == ()
    require_sufficient(one)


def test_a_case_outside_of_the_sample_can_be_picked(workspace):
    path = suite_of(workspace(more=TWO_GATES))
    sampled = {case.id for case in prepared(path, gate="quick").cases}
    outside = next(f"c{number}" for number in range(60) if f"c{number}" not in sampled)
    assert [case.id for case in prepared(path, gate="quick", cases=(outside,)).cases] == [outside]


def test_case_and_tag_together_take_what_has_both(workspace):
    path = suite_of(workspace(tag="golden"))
    assert [case.id for case in prepared(path, cases=("c0", "c1"), tags=("golden",)).cases] == ["c0"]
    with pytest.raises(UsageError, match="the filter matches no case"):
        prepared(path, cases=("c1",), tags=("golden",))


@pytest.mark.parametrize(
    ("selection", "said"),
    [
        ({"cases": ("c99",)}, r"--case: found no case c99"),
        ({"tags": ("gold",)}, r"--tag: found no case tagged gold; expected one of: golden"),
        ({"variants": ("may",)}, r"--variant: found no variant may; expected one of august, november"),
    ],
)
def test_a_filter_that_names_nothing_is_told_with_what_there_is(workspace, selection, said):
    with pytest.raises(UsageError, match=said):
        prepared(suite_of(workspace(tag="golden")), **selection)


def test_leaving_the_baseline_out_makes_a_part(workspace):
    one = prepared(suite_of(workspace()), variants=("november",))
    assert one.partial
    assert one.gate.pairs == ()


def test_leaving_out_every_candidate_makes_a_part(workspace):
    assert prepared(suite_of(workspace()), variants=("august",)).partial


def test_naming_all_variants_is_the_whole_suite(workspace):
    one = prepared(suite_of(workspace()), variants=("november", "august"))
    assert not one.partial
    assert [v.name for v in one.variants] == ["august", "november"]


def test_a_gate_is_narrowed_to_the_comparisons_that_can_be_made(workspace):
    one = prepared(suite_of(workspace()))
    assert narrowed(one.gate, one.variants) == one.gate
    assert narrowed(one.gate, one.variants[:1]) == replace(one.gate, pairs=())


def test_an_unknown_gate_is_told_with_those_that_there_are(workspace):
    with pytest.raises(UsageError, match=r"no gate 'nightly'; expected --gate with one of default, quick"):
        prepared(suite_of(workspace(more=TWO_GATES)), gate="nightly")


def test_a_suite_whose_only_gate_has_another_name_needs_no_option(workspace):
    path = suite_of(workspace())
    path.write_text(path.read_text().replace("  default:\n", "  release:\n"))
    assert prepared(path).gate.name == "release"


def test_a_gate_that_could_never_tell_says_what_it_would_take(workspace):
    path = suite_of(workspace(cases=10, max_blind=0.1))
    with pytest.raises(InsufficientError, match=r"(?s)gate default could never tell:.*10 cases") as caught:
        require_sufficient(prepared(path))
    opening, first = str(caught.value).splitlines()[:2]
    written = path.read_text().splitlines()
    for told, key in ((opening, "default"), (first.strip(), caught.value.problems[0].expected.split(": ")[1][:5])):
        file, line, column, _ = told.split(":", 3)
        assert file == "evals/capitals.yaml"
        assert written[int(line) - 1][int(column) - 1 :].startswith(key)


# ------------------------------------------------------------ several suites


def test_the_mistakes_of_all_suites_are_told_at_once(workspace):
    root = workspace()
    for name in ("one", "two"):
        (root / "evals" / f"{name}.yaml").write_text(f"suite: {name}\nbudgte: 1\n")
    with pytest.raises(SnapdriftError) as told:
        prepare_all([root / "evals" / "one.yaml", suite_of(root), root / "evals" / "two.yaml"], RunOptions())
    assert "evals/one.yaml:2" in str(told.value)
    assert "evals/two.yaml:2" in str(told.value)


def test_two_suites_of_one_name_are_refused(workspace):
    root = workspace()
    copy = root / "evals" / "copy.yaml"
    copy.write_text(suite_of(root).read_text())
    with pytest.raises(UsageError, match="two suites named capitals"):
        prepare_all([suite_of(root), copy], RunOptions())


def test_suites_of_several_workspaces_are_refused(workspace):
    root = workspace()
    inner = root / "inner"
    for folder in ("evals", "datasets"):
        (inner / folder).mkdir(parents=True)
    (inner / "snapdrift.toml").write_text("")
    (inner / "datasets" / "capitals.jsonl").write_text((root / "datasets" / "capitals.jsonl").read_text())
    (inner / "evals" / "other.yaml").write_text(suite_of(root).read_text().replace("suite: capitals", "suite: other"))
    with pytest.raises(UsageError, match="several workspaces"):
        prepare_all([suite_of(root), inner / "evals" / "other.yaml"], RunOptions())


def test_no_suites_at_all_is_an_error():
    with pytest.raises(UsageError, match="no suites"):
        prepare_all([], RunOptions())


def test_a_composition_with_a_judge_cannot_be_required_to_be_calibrated(workspace):
    path = suite_of(workspace(more="require_calibration: true\n"))
    judge = "judge: {criteria: Polite., model: gpt-4o-2024-11-20, allow_retiring: true}"
    graders = path.read_text().replace('exact: "{{ expected }}"', f"all: [{{{judge}}}]")
    path.write_text(graders)

    with pytest.raises(UsageError, match="a composition with a judge, under require_calibration"):
        prepared(path)


def test_a_composition_with_a_judge_that_no_margin_is_for_goes_beside_calibrated_judges(workspace):
    path = suite_of(workspace(more="require_calibration: true\n"))
    judge = "judge: {criteria: Polite., model: gpt-4o-2024-11-20, allow_retiring: true}"
    path.write_text(path.read_text().replace("graders:\n", f"graders:\n  - {{name: both, all: [{{{judge}}}]}}\n"))

    assert [grader.name for grader in prepared(path).suite.graders] == ["both", "capital"]


def test_a_grader_that_can_never_grade_a_variant_is_warned_about(workspace):
    path = suite_of(workspace())
    entries = "  - {name: quick, any: [{latency: 2}]}\n  - {first_token: 1}\n"
    text = path.read_text().replace("graders:\n", "graders:\n" + entries)
    text = text.replace("{model: gpt-4o-2024-08-06}", "{model: gpt-4o-2024-08-06, batch: true}")
    path.write_text(text.replace("{model: gpt-4o-2024-11-20}", "{model: gpt-4o-2024-11-20, stream: true}"))

    assert [text for text in prepared(path).suite.warnings if text.startswith("grader")] == [
        "grader quick cannot grade variant august: answers by batch have no latency (part latency)",
        "grader first_token cannot grade variant august: its answers are not streamed (`stream: true`)",
    ]
