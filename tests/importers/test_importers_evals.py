"""Evals of the registry and of the hosted API become suites that run, and grade as the originals did."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.importers.conftest import rows_of, suite_of, written

from snapdrift.errors import SnapdriftError
from snapdrift.graders.registry import Registry
from snapdrift.importers.evals.suite import EvalsRequest, import_evals
from snapdrift.importers.notes import Kind
from snapdrift.model import CallKey, Case, Outcome, Response

SYSTEM = {"role": "system", "content": "Answer with one word."}
SHOTS = [
    {"role": "system", "name": "example_user", "content": "Japan?"},
    {"role": "system", "name": "example_assistant", "content": "Tokyo"},
]
CAPITALS = [("France", "Paris"), ("Italy", "Rome"), ("Peru", "Lima")]


def entry(kind: str, **args: Any) -> dict[str, Any]:
    return {"class": f"evals.elsuite.basic.{kind}", "args": {"samples_jsonl": "caps/samples.jsonl", **args}}


REGISTRY: dict[str, Any] = {
    "registry/evals/caps.yaml": {
        "caps": {"id": "caps.dev.v0", "description": "Capitals.", "metrics": ["accuracy"]},
        "caps.dev.v0": entry("match:Match", num_few_shot=1, few_shot_jsonl="caps/shots.jsonl"),
        "caps-includes": {"id": "caps-includes.v0"},
        "caps-includes.v0": entry("includes:Includes", ignore_case=True),
        "caps-fuzzy": {"id": "caps-fuzzy.v0"},
        "caps-fuzzy.v0": entry("fuzzy_match:FuzzyMatch"),
        "caps-json": {"id": "caps-json.v0"},
        "caps-json.v0": entry("json_match:JsonMatch", samples_jsonl="caps/json.jsonl"),
        "polite": {"id": "polite.v0"},
        "polite.v0": {
            "class": "evals.elsuite.modelgraded.classify:ModelBasedClassify",
            "args": {"samples_jsonl": "caps/polite.jsonl", "eval_type": "cot_classify", "modelgraded_spec": "polite"},
        },
        "own": {"id": "own.v0"},
        "own.v0": {"class": "our.evals:Own", "args": {}},
    },
    "registry/data/caps/samples.jsonl": [
        {"input": [SYSTEM, {"role": "user", "content": f"{country}?"}], "ideal": [city, city.upper()]}
        for country, city in CAPITALS
    ],
    "registry/data/caps/shots.jsonl": [{"sample": SHOTS}],
    "registry/data/caps/json.jsonl": [{"input": "Lima as JSON", "ideal": '{"city": "Lima", "n": 1}'}],
    "registry/data/caps/polite.jsonl": [
        {"input": f"Tell me of {country}.", "ideal": city, "tone": "{{ warm }}"} for country, city in CAPITALS
    ],
    "registry/modelgraded/polite.yaml": {
        "polite": {
            "prompt": "How polite is it? It should be {tone} and say {ideal}. [{completion}] {{literal}}",
            "choice_strings": ["1", "2", "3"],
            "choice_scores": "from_strings",
            "input_outputs": {"input": "completion"},
        }
    },
}


@pytest.fixture(scope="module")
def registry(tmp_path_factory, snapdrift) -> tuple[Path, str]:
    """A registry's file imported into a workspace of its own, and what was printed."""
    root = written(tmp_path_factory.mktemp("registry"), REGISTRY)
    done = snapdrift("import", "openai-evals", "registry/evals/caps.yaml", "-o", "ws", cwd=root)
    assert done.returncode == 0, done.stderr + done.stdout
    return root / "ws", done.stdout


def grades(suite: dict[str, Any], expected: Any, text: str) -> bool | None:
    case = Case("c", expected=expected)
    grader = Registry().parse(suite["graders"][0], default_extract=None, read=str, cases=[case])
    return grader.grade(case, Response(CallKey("c", "v", 0), Outcome.OK, "gpt-4o", text=text))[0].passed


@pytest.mark.parametrize(
    ("name", "expected", "right", "wrong"),
    [
        ("caps", ["Paris", "PARIS"], "PARIS, of course", "It is Paris"),
        ("caps-includes", ["Paris"], "it is paris", "it is rome"),
        ("caps-fuzzy", ["The Hague"], "Hague!", "Hagen"),
        ("caps-fuzzy", ["Paris"], "It is Paris.", "It is Rome."),
        ("caps-json", [{"city": "Lima", "n": 1}], '{"n": 1, "city": "Lima"}', '{"city": "Lima"}'),
    ],
)
def test_a_registry_eval_grades_as_its_class_does(registry, name, expected, right, wrong):
    suite = suite_of(registry[0] / "evals" / f"{name}.yaml")
    assert grades(suite, expected, right) is True
    assert grades(suite, expected, wrong) is False


def test_samples_are_cases_with_their_messages_and_examples(registry):
    rows = rows_of(registry[0] / "datasets" / "caps.jsonl")
    assert rows[0] == {
        "id": "sample-0001",
        "messages": [
            SYSTEM,
            {"role": "user", "content": "Japan?"},
            {"role": "assistant", "content": "Tokyo"},
            {"role": "user", "content": "France?"},
        ],
        "expected": ["Paris", "PARIS"],
    }
    assert len(rows) == 3


def test_a_model_graded_rubric_is_a_judge_with_its_choices_as_scores(registry):
    suite = suite_of(registry[0] / "evals" / "polite.yaml")
    [grader] = suite["graders"]
    assert grader["judge"]["scale"] == {"1": 1.0, "2": 2.0, "3": 3.0}
    assert grader["judge"]["pass_at"] == 3.0
    said = "How polite is it? It should be {{ tone }} and say {{ expected }}. [(the answer)] {literal}"
    assert grader["judge"]["criteria"] == [said]
    assert rows_of(registry[0] / "datasets" / "polite.jsonl")[0]["tone"] == "{{ warm }}"


def test_a_class_without_counterpart_is_listed(registry):
    assert "own.v0: the eval own: the class Own has no counterpart" in registry[1]


def test_match_includes_and_modelgraded_evals_run_on_the_standin(registry, snapdrift):
    names = [f"evals/{name}.yaml" for name in ("caps", "caps-includes", "polite")]
    done = snapdrift("run", *names, "--standin", "-q", cwd=registry[0])
    assert done.returncode == 1, done.stderr
    for name, metric in (("caps", "match"), ("caps-includes", "includes")):
        assert f"{name}: regression [simulated]: `gpt-4o-2024-08-06` reaches 0.0% on {metric}" in done.stdout
    assert "polite: " in done.stdout


# ----------------------------------------------------------------------------------------------------- the hosted API

EVAL: dict[str, Any] = {
    "object": "eval",
    "id": "eval_1",
    "name": "Ticket labels",
    "data_source_config": {"type": "custom", "schema": {"type": "object"}},
    "testing_criteria": [
        {"type": "string_check", "name": "label", "input": "{{ sample.output_text }}",
         "reference": "{{ item.id }}", "operation": "ilike"},
        {"type": "text_similarity", "name": "near", "input": "{{ sample.output_text }}",
         "reference": "{{ item.label }}", "evaluation_metric": "fuzzy_match", "pass_threshold": 0.8},
        {"type": "label_model", "name": "fits", "model": "gpt-4o-2024-11-20", "labels": ["yes", "no"],
         "passing_labels": ["yes"],
         "input": [{"role": "user", "content": "Is it right for {{ item.text }}? {{ sample.output_text }}"}]},
        {"type": "score_model", "name": "score", "model": "gpt-4o-2024-11-20", "range": [1, 5], "pass_threshold": 4,
         "input": [{"role": "user", "content": "Score the tone: {{ sample.output_text }}"}]},
        {"type": "python", "name": "code",
         "source": "def grade(sample, item):\n    return float('a' in sample['output_text'])\n"},
        {"type": "text_similarity", "name": "cosine", "input": "{{ sample.output_text }}",
         "reference": "{{ item.label }}", "evaluation_metric": "cosine", "pass_threshold": 0.8},
    ],
}  # fmt: skip
ITEMS = [{"text": f"ticket {n}", "label": "spam" if n % 2 else "ham", "id": n} for n in range(3)]
RUN: dict[str, Any] = {
    "object": "eval.run",
    "id": "evalrun_1",
    "eval_id": "eval_1",
    "name": "august",
    "model": "gpt-4o-2024-08-06",
    "data_source": {
        "type": "completions",
        "source": {"type": "file_content", "content": [{"item": item} for item in ITEMS]},
        "input_messages": {
            "type": "template",
            "template": [
                {"role": "developer", "content": {"type": "input_text", "text": "Label it."}},
                {"role": "user", "content": "{{item.text}}"},
            ],
        },
        "sampling_params": {"temperature": 0, "seed": 7, "max_completion_tokens": 40},
    },
}
OUTPUT_ITEMS = [
    {
        "object": "eval.run.output_item",
        "run_id": "evalrun_1",
        "datasource_item": item,
        "sample": {"model": "gpt-4o-2024-08-06", "output": [{"role": "assistant", "content": item["label"]}]},
    }
    for item in ITEMS
]


@pytest.fixture(scope="module")
def hosted(tmp_path_factory, snapdrift) -> tuple[Path, str]:
    """An export of the hosted API imported into a workspace of its own, and what was printed."""
    pages = {"runs": {"object": "list", "data": [RUN]}, "output_items": {"object": "list", "data": OUTPUT_ITEMS}}
    root = written(tmp_path_factory.mktemp("hosted"), {"export.json": {"eval": EVAL, **pages}})
    done = snapdrift("import", "openai-evals", "export.json", "-o", "ws", cwd=root)
    assert done.returncode == 0, done.stderr + done.stdout
    return root / "ws", done.stdout


def test_an_export_of_the_hosted_api_makes_a_suite_of_what_was_asked_and_one_of_the_answers(hosted):
    root, told = hosted
    suite = suite_of(root / "evals" / "ticket-labels.yaml")
    assert suite["variants"] == {
        "gpt-4o-2024-08-06": {
            "model": "gpt-4o-2024-08-06", "request": {"temperature": 0, "max_output_tokens": 40},
        }
    }  # fmt: skip
    assert suite["prompt"]["input"] == [
        {"role": "developer", "content": "Label it."}, {"role": "user", "content": "{{ text }}"},
    ]  # fmt: skip
    assert [grader["name"] for grader in suite["graders"]] == ["label", "near", "fits", "score", "code"]
    assert suite["graders"][0]["contains"] == ["{{ item_id }}"]
    assert suite["graders"][4]["python"] == "graders/ticket-labels-code.py:graded_by_snapdrift"
    assert rows_of(root / suite["dataset"])[1] == {
        "id": "item-0002", "text": "ticket 1", "label": "spam", "item_id": 1,
    }  # fmt: skip
    recorded = suite_of(root / "evals" / "ticket-labels-recorded.yaml")
    [variant] = recorded["variants"].values()
    assert [row["output"] for row in rows_of(root / variant["outputs"])] == ["ham", "spam", "ham"]
    assert "testing_criteria[5]: the grader cosine: `cosine` compares embeddings" in told
    assert "sampling_params.seed" in told


def test_the_suite_of_an_export_runs_on_the_standin_with_its_judges_and_its_code(hosted, snapdrift):
    done = snapdrift("run", "evals/ticket-labels.yaml", "--standin", "--json", cwd=hosted[0])
    assert done.returncode in (0, 1), done.stderr
    assert '"grader_errors": 0' in done.stdout
    assert '"metric": "code"' in done.stdout


def test_items_of_another_file_take_the_place_of_those_that_stand_at_openai(folder):
    away = {**RUN, "data_source": {**RUN["data_source"], "source": {"type": "file_id", "id": "file-1"}}}
    root = folder({"e.json": [EVAL, away], "items.jsonl": [{"item": item} for item in ITEMS]})
    request = EvalsRequest(root / "e.json", None, "gpt-4o-2024-11-20", ("gpt-4o",))
    with pytest.raises(SnapdriftError, match=r"no items.*--data FILE"):
        import_evals(request)
    made = import_evals(
        EvalsRequest(root / "e.json", None, "gpt-4o-2024-11-20", ("gpt-4o",), data=root / "items.jsonl")
    )
    assert len(made.suites[0].rows) == 3
    assert "stand in a file at OpenAI" in str(made.notes.of(Kind.LEFT_OUT)[0])


def test_samples_outside_the_registry_are_not_read(folder, tmp_path):
    (tmp_path / "secret.jsonl").write_text('{"input": "SECRET", "ideal": "x"}\n')
    root = folder(
        {"r/evals/x.yaml": {"x": {"id": "x.v0"}, "x.v0": entry("match:Match", samples_jsonl="../../secret.jsonl")}}
    )
    with pytest.raises(SnapdriftError, match="leads out of the folder"):
        import_evals(EvalsRequest(root / "r" / "evals" / "x.yaml", None, "gpt-4o-2024-11-20", ("gpt-4o",)))
