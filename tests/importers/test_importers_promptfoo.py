"""promptfoo configurations in common use become suites that pass `check`, run, and grade as the original did."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.importers.conftest import rows_of, suite_of, written

from snapdrift.errors import SnapdriftError
from snapdrift.graders.registry import Registry
from snapdrift.importers.groups import Groups, columns_of, entry_of
from snapdrift.importers.names import RENAMED
from snapdrift.importers.notes import Kind, Notes, Place
from snapdrift.importers.promptfoo import tests as tests_module
from snapdrift.importers.promptfoo.assertions import checks_of
from snapdrift.importers.promptfoo.csv_tests import assertion_of, case_of_row
from snapdrift.importers.promptfoo.kinds import COUNTERPARTS, NO_COUNTERPART
from snapdrift.importers.promptfoo.nunjucks import UntranslatableError, translated
from snapdrift.importers.promptfoo.reading import Reading
from snapdrift.importers.promptfoo.suite import import_promptfoo
from snapdrift.importers.promptfoo.tests import MadeTest
from snapdrift.importers.sources import Source
from snapdrift.model import CallKey, Case, Outcome, Response, ToolCall
from snapdrift.pipeline.importing import ImportOptions
from snapdrift.pipeline.importing import import_promptfoo as imported
from snapdrift.suites.document import Document
from snapdrift.suites.templates import Template

JUDGE = "gpt-4o-2024-11-20"
SCHEMA = {"type": "object", "required": ["queue"], "properties": {"queue": {"enum": ["billing", "delivery"]}}}
FORMAT: dict[str, Any] = {
    "type": "json_schema",
    "json_schema": {
        "name": "ticket",
        "strict": True,
        "schema": {**SCHEMA, "additionalProperties": False, "properties": {"queue": {"type": "string"}}},
    },
}
SUPPORT: dict[str, Any] = {
    "description": "Support desk",
    "prompts": ["file://prompts/desk.json"],
    "providers": [
        "openai:gpt-4o-2024-08-06",
        {
            "id": "openai:responses:gpt-4o-2024-11-20",
            "label": "november",
            "config": {"max_output_tokens": 200, "temperature": 0.2, "response_format": FORMAT},
        },
        {"id": "openai:chat:gpt-4o-mini-2024-07-18", "config": {"max_tokens": 90, "seed": 5}},
    ],
    "defaultTest": {"assert": [{"type": "is-json", "value": "file://ticket.schema.json"}]},
    "tests": [
        {"vars": {"ticket": "I was charged twice."}, "assert": [{"type": "contains", "value": "billing"}]},
        {
            "vars": {"ticket": "Where is it?"},
            "assert": [
                {"type": "icontains", "value": "DELIVERY"},
                {"type": "llm-rubric", "value": "names the right queue for {{ ticket }}"},
            ],
        },
        "file://more.csv",
    ],
}
SUPPORT_FILES = {
    "promptfooconfig.yaml": SUPPORT,
    "prompts/desk.json": [
        {"role": "system", "content": "You sort tickets. Answer in JSON."},
        {"role": "user", "content": "{{ ticket }}"},
    ],
    "ticket.schema.json": SCHEMA,
    "more.csv": b"\xef\xbb\xbf" + b"ticket,__expected,__expected2,__description\n"
    b'"Refund, please","contains-any:billing, refunds",llm-rubric:is short,refund\n'
    b"Late parcel,icontains:delivery,,\n",
}


@pytest.fixture(scope="module")
def support(tmp_path_factory) -> tuple[Path, Any]:
    """The desk's configuration, imported into its own folder."""
    root = written(tmp_path_factory.mktemp("support"), SUPPORT_FILES)
    return root, imported(root / "promptfooconfig.yaml", ImportOptions(cwd=root))


def test_strings_schemas_rubrics_tables_and_several_providers_make_a_suite_without_mistakes(support):
    root, made = support
    assert made.problems == ()
    assert made.left_out == ()
    suite = suite_of(root / "evals" / "support-desk.yaml")
    assert suite["prompt"] == {"instructions": "You sort tickets. Answer in JSON.", "input": "{{ ticket }}"}
    assert suite["variants"] == {
        "gpt-4o-2024-08-06": {
            "model": "gpt-4o-2024-08-06",
            "endpoint": "chat",
            "request": {"temperature": 0, "max_output_tokens": 1024},
        },
        "november": {
            "model": "gpt-4o-2024-11-20",
            "request": {
                "temperature": 0.2,
                "max_output_tokens": 200,
                "text": {"format": {"type": "json_schema", **FORMAT["json_schema"]}},
            },
        },
        "gpt-4o-mini-2024-07-18": {
            "model": "gpt-4o-mini-2024-07-18",
            "endpoint": "chat",
            "request": {"temperature": 0, "max_output_tokens": 90, "seed": 5},
        },
    }
    rows = rows_of(root / "datasets" / "support-desk.jsonl")
    assert [row["ticket"] for row in rows] == ["I was charged twice.", "Where is it?", "Refund, please", "Late parcel"]
    assert [row["expected"]["llm_rubric"] for row in rows] == [
        None, "names the right queue for Where is it?", "is short", None,
    ]  # fmt: skip
    assert [grader["name"] for grader in suite["graders"]] == [
        "passes", "is_json", "contains", "icontains", "llm_rubric", "contains_any",
    ]  # fmt: skip


def test_an_imported_suite_runs_on_the_standin_and_every_case_is_graded_by_all_that_it_asserted(support, snapdrift):
    root, _ = support
    done = snapdrift("run", "evals/support-desk.yaml", "--standin", "--json", cwd=root)
    assert done.returncode in (0, 1), done.stderr
    assert '"word": "regression"' in done.stdout  # a stand-in's answers name no queue
    exported = snapdrift("export", "latest", "--out", "calls.jsonl", "--rows", "call", cwd=root)
    assert exported.returncode == 0, exported.stderr
    calls = rows_of(root / "calls.jsonl")
    assert len(calls) == 4 * 3
    rubric = {call["case"] for call in calls if "llm_rubric" in call["scores"]}
    assert rubric == {"test-002", "test-003"}


# ----------------------------------------------------------------------------------------------------------- assertions


def reading(tmp_path: Path) -> Reading:
    return Reading(Source(tmp_path, tmp_path), Notes(), JUDGE)


def grader_of(assertion: dict[str, Any], tmp_path: Path, **variables: Any) -> tuple[Any, Case, Reading]:
    """The grader that an assertion of one test becomes, and the case with its values."""
    read = reading(tmp_path)
    place = Place(Document("config.yaml", {"assert": [assertion]}), ("assert", 0))
    groups = Groups()
    for check in checks_of(MadeTest(place, variables, (place,)), Place(Document("t", {})), read):
        groups.add(0, check)
    [group] = groups
    case = Case("c", variables, expected=columns_of(group, 0))
    entry = entry_of(group, "expected", 1)
    files = {**read.files}
    grader = Registry().parse(entry, default_extract=None, read=files.__getitem__, cases=[case])
    return grader, case, read


def passes(assertion: dict[str, Any], text: str, tmp_path: Path, **rest: Any) -> bool | None:
    grader, case, _ = grader_of(assertion, tmp_path, **rest.pop("variables", {}))
    response = Response(CallKey("c", "v", 0), Outcome.OK, "gpt-4o", text=text, **rest)
    passed: bool | None = grader.grade(case, response)[0].passed
    return passed


@pytest.mark.parametrize(
    ("assertion", "right", "wrong"),
    [
        ({"type": "equals", "value": "Paris"}, "Paris", "paris"),
        ({"type": "equals", "value": {"a": 1, "b": [2]}}, '{"b": [2], "a": 1}', '{"a": 1, "b": [2], "c": 3}'),
        ({"type": "equals", "value": "{{ city }}"}, "Lima", "{{ city }}"),
        ({"type": "not-equals", "value": "Paris"}, "Rome", "Paris"),
        ({"type": "contains", "value": "5"}, "it is 5", "it is 6"),
        ({"type": "icontains", "value": "PARIS"}, "in paris", "in rome"),
        ({"type": "not-contains", "value": "sorry"}, "fine", "so sorry"),
        ({"type": "contains-any", "value": 'a1, "b, c"'}, "x b, c y", "b c"),
        ({"type": "contains-all", "value": ["one", "two"]}, "two one", "one"),
        ({"type": "icontains-all", "value": ["One", "{{ city }}"]}, "one lima", "one"),
        ({"type": "regex", "value": r"\d{4}-\d{2}"}, "on 2024-05", "in May"),
        ({"type": "starts-with", "value": "Dear"}, "Dear you", " Dear you"),
        ({"type": "is-json"}, "[1]", "1,"),
        ({"type": "is-json", "value": {"type": "array", "minItems": 2}}, "[1, 2]", "[1]"),
        ({"type": "is-json", "value": "type: object\nrequired: [a]"}, '{"a": 1}', '{"b": 1}'),
        ({"type": "contains-json", "value": {"required": ["a"]}}, 'So: {"a": 1}.', "So: a."),
        ({"type": "is-xml"}, "<a/>", "<a>"),
        ({"type": "levenshtein", "value": "certified", "threshold": 2}, "certfied", "certain"),
        ({"type": "rouge-n", "value": "the cat sat", "threshold": 0.6}, "the cat sat down", "a dog"),
        ({"type": "gleu", "value": "the cat sat on it"}, "the cat sat on it", "nothing of that"),
        ({"type": "word-count", "value": 3}, "one two three", "one two"),
        ({"type": "word-count", "value": {"min": 2, "max": 3}}, "one two", "one"),
        ({"type": "is-refusal"}, "I'm sorry, I can't help with that.", "Sure: 5."),
        ({"type": "javascript", "value": "output.length <= 4"}, "four", "fives"),
        ({"type": "javascript", "value": "!output.includes('AI')"}, "human", "an AI"),
        ({"type": "javascript", "value": "return output.trim() === 'yes';"}, " yes ", "no"),
        ({"type": "equals", "value": "x", "transform": "JSON.parse(output).a[0].b"},
         '{"a": [{"b": "x"}]}', '{"a": []}'),
        ({"type": "assert-set", "assert": [{"type": "contains", "value": "a"}, {"type": "contains", "value": "b"}]},
         "ab", "a"),
        ({"type": "assert-set", "threshold": 0.5,
          "assert": [{"type": "contains", "value": "a"}, {"type": "contains", "value": "b"}]}, "a", "c"),
    ],
)  # fmt: skip
def test_an_assertion_passes_and_fails_where_the_original_does(assertion, right, wrong, tmp_path):
    variables = {"city": "Lima"} if "{{ city }}" in str(assertion) else {}
    if variables:
        right, wrong = right.replace("lima", "one Lima"), wrong
    assert passes(assertion, right, tmp_path, variables=variables) is True
    assert passes(assertion, wrong, tmp_path, variables=variables) is False


def test_figures_and_endings_of_a_call_are_asserted_in_our_units(tmp_path):
    assert passes({"type": "latency", "threshold": 900}, "x", tmp_path, latency_ms=899.0) is True
    assert passes({"type": "latency", "threshold": 900}, "x", tmp_path, latency_ms=901.0) is False
    assert passes({"type": "cost", "threshold": 0.001}, "x", tmp_path, usd=0.002) is False
    assert passes({"type": "finish-reason", "value": "stop"}, "x", tmp_path, finish_reason="completed") is True
    assert passes({"type": "finish-reason", "value": "stop"}, "x", tmp_path, finish_reason="length") is False


def test_tool_calls_are_asserted_by_name_and_by_their_parameters(tmp_path):
    called = (ToolCall("c1", "lookup", '{"order": "5521"}'),)
    wrong = (ToolCall("c1", "lookup", '{"order": 5521}'),)
    f1 = {"type": "tool-call-f1", "value": "lookup"}
    assert passes(f1, "", tmp_path, tool_calls=called) is True
    assert passes(f1, "", tmp_path, tool_calls=()) is False
    read = reading(tmp_path)
    parameters = {"type": "object", "properties": {"order": {"type": "string"}}}
    read.tools.append({"type": "function", "function": {"name": "lookup", "parameters": parameters}})
    place = Place(Document("c", {"type": "is-valid-openai-tools-call"}))
    [check] = checks_of(MadeTest(place, asserts=(place,)), Place(Document("t", {})), read)
    grader = Registry().parse({"name": "g", **check.entry}, default_extract=None, read=str, cases=())
    graded = [
        grader.grade(Case("c"), Response(CallKey("c", "v", 0), Outcome.OK, "gpt-4o", tool_calls=calls))[0].passed
        for calls in (called, wrong)
    ]
    assert graded == [True, False]


def test_every_type_has_a_counterpart_or_a_reason_that_is_listed(tmp_path):
    value: dict[str, Any] = {"value": "x", "threshold": 0.5}
    special: dict[str, Any] = {
        "assert-set": {"assert": [{"type": "contains", "value": "x"}]},
        "word-count": {"value": 3},
        "python": {"value": "True"},
        "is-xml": {},
        "is-json": {},
        "contains-json": {},
    }
    read = reading(tmp_path)
    read.tools.append({"type": "function", "name": "x", "parameters": {}})
    for kind in COUNTERPARTS:
        place = Place(Document("c", {"type": kind, **special.get(kind, value)}))
        assert list(checks_of(MadeTest(place, asserts=(place,)), Place(Document("t", {})), read)), kind
    assert read.notes.of(Kind.LEFT_OUT) == ()
    for kind in (*NO_COUNTERPART, "conains"):
        place = Place(Document("c", {"type": kind, "value": "x"}))
        assert not list(checks_of(MadeTest(place, asserts=(place,)), Place(Document("t", {})), read))
        assert f"the assertion {kind}" in {note.what for note in read.notes.of(Kind.LEFT_OUT)}


def test_python_assertions_are_kept_as_graders_and_not_run_by_the_import(tmp_path, folder):
    marker = tmp_path / "ran"
    code = f"open({str(marker)!r}, 'w').close()\n\ndef get_assert(output, context):\n    return len(output) > 2\n"
    root = folder({
        "promptfooconfig.yaml": {
            "prompts": ["Say {{ x }}"], "providers": ["openai:gpt-4o"],
            "tests": [{"vars": {"x": "a"}, "assert": [{"type": "python", "value": "file://check.py"},
                                                      {"type": "python", "value": "output == context['vars']['x']"}]}],
        },
        "check.py": code,
    })  # fmt: skip
    made = imported(root / "promptfooconfig.yaml", ImportOptions(cwd=root))
    assert not marker.exists()
    assert made.problems == ()
    sources = [(root / path).read_text() for path in made.files if path.startswith("graders/")]
    inline = next(source for source in sources if "context['vars']" in source)
    space: dict[str, Any] = {}
    exec(inline, space)  # noqa: S102  what a run would do with it
    found = space["graded_by_snapdrift"](
        Case("c", {"x": "a"}), Response(CallKey("c", "v", 0), Outcome.OK, "m", text="a")
    )
    assert found is True


# --------------------------------------------------------------------------------------------- templates, tests, tables


@pytest.mark.parametrize(
    ("source", "context", "text"),
    [
        ("Hello {{ name | safe }}!", {"name": "Ada"}, "Hello Ada!"),
        ("{% if n === 1 %}one{% elseif n !== 2 %}many{% else %}two{% endif %}", {"n": 2}, "two"),
        ("{{ name.toUpperCase() }} {{ items.length }}", {"name": "a", "items": [1, 2]}, "A 2"),
        ("{% for key, value in facts %}{{ key }}={{ value }};{% endfor %}", {"facts": {"a": 1, "b": 2}}, "a=1;b=2;"),
        ("{{ role | default('a ' + who) }}", {"role": "", "who": "cat"}, "a cat"),
        ("{{ facts | dump }}", {"facts": {"a": [1]}}, '{"a": [1]}'),
        ("{{ id }} of {{ x.id }}", {"var_id": "7", "x": {"id": 8}}, "7 of 8"),
        ("{% raw %}{{ kept }}{% endraw %}", {}, "{{ kept }}"),
        ("no template { } % #", {}, "no template { } % #"),
    ],
)
def test_templates_say_what_they_said(source, context, text):
    value = Template(translated(source, RENAMED).text).render(context)
    assert (value if isinstance(value, str) else str(value).replace("'", '"')) == text


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("{{ env.SECRET }}", "environment"),
        ("{{ _conversation[0] }}", "earlier turns"),
        ("{% include 'x' %}", "include"),
        ("{{ x | nl2br }}", "nl2br"),
        ("{{ x", "unexpected end"),
    ],
)
def test_what_a_template_cannot_say_here_is_told(source, why):
    with pytest.raises(UntranslatableError, match=why):
        translated(source)


def test_prompts_come_in_every_form_that_they_are_written_in(folder):
    chat = [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "{{ q }}"},
                {"type": "image_url", "image_url": {"url": "{{ photo }}", "detail": "low"}},
            ],
        }
    ]
    root = folder({
        "c.yaml": {
            "prompts": ["file://two.txt", {"label": "named", "raw": "Say {{ q }}"}, "file://more/*.json", "file://c.yml",
                        '[{"role": "user", "content": {{ q | dump }}}]'],
            "providers": [{"id": "openai:gpt-4o", "prompts": ["named", "two-1"]}, "openai:responses:gpt-4o"],
            "tests": [{"vars": {"q": "Hi", "photo": "file://a.png"},
                       "assert": [{"$ref": "#/assertionTemplates/short"}]}],
            "assertionTemplates": {"short": {"type": "word-count", "value": {"max": 9}}},
        },
        "two.txt": "First {{ q }}\n---\nSecond {{ q }}\n", "more/a.json": chat, "a.png": "x",
        "c.yml": "- role: system\n  content: Be brief.\n- role: user\n  content: {{ q }}\n",
    })  # fmt: skip
    [suite] = import_promptfoo(root / "c.yaml", None, JUDGE).suites
    assert suite.entry["prompts"] == {
        "two-1": {"input": "First {{ q }}"},
        "two-2": {"input": "Second {{ q }}"},
        "named": {"input": "Say {{ q }}"},
        "a": {"input": [{"role": "user", "content": [{"text": "{{ q }}"}, {"image": "{{ photo }}", "detail": "low"}]}]},
        "c": {"instructions": "Be brief.", "input": "{{ q }}"},
        "prompt-6": {"input": [{"role": "user", "content": "{{ q }}"}]},
    }
    assert [name for name in suite.entry["variants"] if name.endswith("/gpt-4o")] == ["two-1/gpt-4o", "named/gpt-4o"]
    assert suite.rows[0]["photo"] == "a.png"
    assert suite.entry["graders"] == [{"name": "word_count", "count": "words", "at_most": 9}]


def test_lists_scenarios_defaults_and_affixes_make_the_cases_that_promptfoo_makes(folder):
    root = folder({
        "c.yaml": {
            "prompts": ["{{ greeting }} {{ who }}{{ mark }}"],
            "providers": ["openai:gpt-4o"],
            "defaultTest": {"vars": {"mark": "!"}, "options": {"prefix": "> "}},
            "tests": [{"vars": {"greeting": ["Hi", "Yo"], "who": ["A", "B"]}}],
            "scenarios": [{"config": [{"vars": {"who": "C"}}, {"vars": {"who": "D"}}],
                           "tests": [{"vars": {"greeting": "Hey", "mark": None}, "metadata": {"kind": "late"}}]}],
            "evaluateOptions": {"repeat": 2},
        },
    })  # fmt: skip
    made = import_promptfoo(root / "c.yaml", None, JUDGE)
    [suite] = made.suites
    prompt = suite.entry["prompt"]["input"]
    asked = [Template(prompt).render(row) for row in suite.rows]
    assert asked == ["> Hi A!", "> Hi B!", "> Yo A!", "> Yo B!", "> Hey C", "> Hey D"]
    assert suite.entry["repeats"] == 2
    assert suite.rows[4]["tags"] == ["kind=late"]


def test_cells_of_a_table_are_assertions_settings_or_variables():
    row = {"text": "x", "__expected": "similar(0.9):yes", "__expected2": "plain: text", "__metric": "M",
           "__threshold": "0.5", "__metadata:area": "eu", "__config:__expected2:weight": "2"}  # fmt: skip
    assert case_of_row(row) == {
        "vars": {"text": "x"},
        "assert": [
            {"type": "similar", "value": "yes", "threshold": 0.9, "metric": "M"},
            {"type": "equals", "value": "plain: text", "metric": "M", "weight": 2.0},
        ],
        "threshold": 0.5,
        "metadata": {"area": "eu"},
    }
    assert assertion_of("not-contains-all:a, b") == {"type": "not-contains-all", "value": ["a", "b"]}


def test_thresholds_and_weights_become_a_weighted_mean_of_the_case(folder):
    asserts = [{"type": "contains", "value": "a", "weight": 3}, {"type": "contains", "value": "b"}]
    root = folder({"c.yaml": {"prompts": ["p {{ x }}"], "providers": ["openai:gpt-4o"], "tests": [
        {"vars": {"x": "1"}, "threshold": 0.7, "assert": asserts},
        {"vars": {"x": "2"}, "assert": [{"type": "contains", "value": "z"}]}]}})  # fmt: skip
    made = imported(root / "c.yaml", ImportOptions(cwd=root))
    assert made.problems == ()
    suite = suite_of(root / made.suites[0])
    mean = next(grader for grader in suite["graders"] if grader["name"] == "threshold_0_7")
    assert (mean["at_least"], [part["weight"] for part in mean["weighted"]]) == (0.7, [3.0, 1.0])
    assert [row["tags"][-1] for row in rows_of(root / suite["dataset"])] == ["threshold_0_7", "passes"]


def test_a_threshold_that_lacks_assertions_is_told_and_picks_no_grader_that_is_not_there(folder):
    judged, plain = {"type": "llm-rubric", "value": "is kind"}, {"type": "contains", "value": "a"}
    weightless = {"type": "contains", "value": "b", "weight": 0}
    root = folder({"c.yaml": {"prompts": ["p {{ x }}"], "providers": ["openai:gpt-4o"], "tests": [
        {"vars": {"x": "1"}, "threshold": 0.5, "assert": [judged, {"type": "javascript", "value": "f(output)"}]},
        {"vars": {"x": "2"}, "threshold": 0.25, "assert": [judged, plain]},
        {"vars": {"x": "3"}, "threshold": 0.25, "assert": [plain, weightless]}]}})  # fmt: skip
    made = import_promptfoo(root / "c.yaml", None, JUDGE)
    [suite] = made.suites
    told = [note for note in made.notes.of(Kind.CHANGED) if note.what.startswith("the threshold")]
    assert [(note.place.rpartition(": ")[2], note.what) for note in told] == [
        ("tests[0].threshold", "the threshold 0.5"),
        ("tests[1].threshold", "the threshold 0.25"),
    ]
    assert told[0].why.startswith("no grader has it")
    assert told[1].why.startswith("`threshold_0_25` is the mean of 1 of its 2 assertions")
    graders = {grader["name"] for grader in suite.entry["graders"]}
    assert {tag for row in suite.rows for tag in row["tags"]} == graders - {"passes"}
    [apart] = [note.why for note in made.notes.of(Kind.CHANGED) if note.what == "the assertions llm_rubric"]
    assert apart.endswith("threshold_0_25 is of the others")


def test_enough_cases_are_compared_and_of_too_few_those_of_every_variant_have_to_pass(folder, snapdrift):
    tests = [{"vars": {"x": str(n)}, "assert": [{"type": "contains", "value": str(n)}]} for n in range(40)]
    config = {"prompts": ["{{ x }}"], "providers": ["openai:gpt-4o-2024-08-06", "openai:gpt-4o"], "tests": tests}
    root = folder({"many.yaml": config, "few.yaml": {**config, "tests": tests[:3]}})
    many = import_promptfoo(root / "many.yaml", None, JUDGE).suites[0].entry["gate"]
    few = imported(root / "few.yaml", ImportOptions(cwd=root, name="few"))
    assert many["metrics"] == {"contains": {"margin": 0.05}}
    assert (many["max_blind"], many["baseline"]) == (0.2, {"variant": "gpt-4o-2024-08-06"})
    assert suite_of(root / "evals" / "few.yaml")["gate"] == {"metrics": {"contains": {"at_least": 1.0}}}
    assert "every case of every variant has to pass" in str(few.changed)
    done = snapdrift("run", "evals/few.yaml", "--standin", "--json", cwd=root)
    assert done.returncode == 1, done.stderr
    reasons = json.loads(done.stdout)["decision"]["reasons"]
    assert len(reasons) == 2, "the first provider has to pass as well"
    assert [reason.partition(" reaches")[0] for reason in reasons] == ["`gpt-4o-2024-08-06`", "`gpt-4o`"]


# ----------------------------------------------------------------------------------------------------- what is left out


def test_what_has_no_counterpart_is_printed_and_written_with_its_place_and_strict_writes_nothing(folder, snapdrift):
    root = folder({"promptfooconfig.yaml": """\
prompts: ["Say {{ x }}", file://make.js]
providers:
  - openai:gpt-4o
  - anthropic:messages:claude
  - {id: openai:gpt-4o-mini, config: {apiKey: sk-1234567890abcdef1234, temperature: 1}}
tests:
  - vars: {x: a}
    assert:
      - {type: contains, value: a}
      - {type: javascript, value: "compute(output)"}
sharing: true
"""})  # fmt: skip
    strict = snapdrift("import", "promptfoo", "promptfooconfig.yaml", "--strict", cwd=root)
    assert strict.returncode == 2
    assert not (root / "evals").exists()
    done = snapdrift("import", "promptfoo", "promptfooconfig.yaml", "--name", "left", cwd=root)
    assert done.returncode == 0, done.stderr
    text = (root / "evals" / "left.yaml").read_text()
    for line in (
        "promptfooconfig.yaml:1:26: prompts[1]: the prompt make.js: is code, which is not run",
        "promptfooconfig.yaml:4:5: providers[1]: the provider anthropic:messages:claude: is not OpenAI's",
        "promptfooconfig.yaml:5:47: providers[2].config.apiKey: `apiKey` of gpt-4o-mini: is not taken over",
        "promptfooconfig.yaml:10:9: tests[0].assert[1]: the assertion javascript: is JavaScript",
        "promptfooconfig.yaml:11:10: sharing: `sharing`: has no counterpart in a suite",
    ):
        assert f"  {line}" in done.stdout
        assert f"# - {line}" in text
        assert line in strict.stderr
    assert "sk-1234567890abcdef1234" not in text + done.stdout
    assert snapdrift("import", "promptfoo", "promptfooconfig.yaml", "--name", "left", cwd=root).returncode == 2
    over = ("--name", "left", "--force", "--out", ".")
    assert snapdrift("import", "promptfoo", "promptfooconfig.yaml", *over, cwd=root).returncode == 0


def test_a_configuration_without_anything_to_take_over_is_an_error_with_the_reasons(folder):
    root = folder({"c.yaml": {"prompts": ["x"], "providers": ["exec:./run.sh"]}})
    with pytest.raises(SnapdriftError, match=r"no provider of OpenAI's.*\n.*exec:\./run\.sh: is an application"):
        import_promptfoo(root / "c.yaml", None, JUDGE)


def test_a_prompt_that_something_makes_or_fetches_is_left_out_and_not_asked_as_it_is_written(folder):
    got = ["exec:./evil.sh --now", "exec: ./evil.sh", "package:@acme/prompts:make", "python:make.py:prompt",
           "langfuse://greeting:3", "https://prompts.example/greeting"]  # fmt: skip
    kept = ["Explain http://x and https://y to {{ x }}", "python: say what it is", "Read\nexec:this"]
    root = folder({"c.yaml": {"prompts": [*got, *kept], "providers": ["openai:gpt-4o"], "tests": []}})
    made = import_promptfoo(root / "c.yaml", None, JUDGE)
    assert [note.what.removeprefix("the prompt ") for note in made.notes.of(Kind.LEFT_OUT)] == got
    assert [prompt["input"] for prompt in made.suites[0].entry["prompts"].values()] == kept


# -------------------------------------------------------------------------------------------------------- hostile files


def test_a_small_file_that_says_very_many_cases_is_refused_before_they_are_made(folder, monkeypatch):
    monkeypatch.setattr("snapdrift.importers.promptfoo.tests.MAX_ROWS", 50)
    made: list[MadeTest] = []
    whole = tests_module._test

    def counted(*given: Any) -> MadeTest:
        made.append(whole(*given))
        return made[-1]

    monkeypatch.setattr(tests_module, "_test", counted)
    many = {name: list(range(10)) for name in "abcdefghi"}
    pair = {"config": [{"vars": {"x": n}} for n in range(40)], "tests": [{"vars": {"y": n}} for n in range(40)]}
    start = {"prompts": ["{{ a }}"], "providers": ["openai:gpt-4o"]}
    nothing = {"config": [{"vars": {"x": []}}] * 40, "tests": pair["tests"]}
    for hostile in ({"tests": [{"vars": many}] * 40}, {"scenarios": [pair] * 40}, {"scenarios": [nothing] * 40}):
        root = folder({"c.yaml": {**start, **hostile}})
        with pytest.raises(SnapdriftError, match="more than 50 cases"):
            import_promptfoo(root / "c.yaml", None, JUDGE)
    assert len(made) < 3 * 2 * 53, "each test and each configuration of a scenario, up to the first that is too many"


def test_files_outside_the_folder_are_not_read_whatever_names_them(folder, tmp_path):
    (tmp_path / "secret.txt").write_text("SECRET")
    root = folder({"in/c.yaml": {
        "prompts": ["x {{ a }} {{ b }}", "file://../secret.txt", "file://link.txt"],
        "providers": ["openai:gpt-4o"],
        "tests": ["file://../*.csv", {"vars": {"a": "file:///etc/passwd", "b": "file://.env"},
                                      "assert": [{"type": "equals", "value": "file://../secret.txt"}]}],
    }, "in/.env": "SECRET"})  # fmt: skip
    (root / "in" / "link.txt").symlink_to(tmp_path / "secret.txt")
    made = import_promptfoo(root / "in" / "c.yaml", None, JUDGE)
    assert "SECRET" not in str(made.files())
    assert "root:" not in str(made.files())
    assert len(made.notes.of(Kind.LEFT_OUT)) == 6


def test_texts_of_a_configuration_end_no_comment_and_open_no_template(folder):
    root = folder({"c.yaml": {
        "prompts": ["Say {{ x }}"],
        "providers": ["openai:gpt-4o", "evil\nvariants: {}\u2028prompt: gone"],
        "tests": [{"vars": {"x": "{{ 7 * 7 }}"}, "assert": [{"type": "contains", "value": "b"}]},
                  {"vars": {"x": "{{ 'a' ~ 'a' }}"}, "assert": [{"type": "contains", "value": "{"}]}],
    }})  # fmt: skip
    made = imported(root / "c.yaml", ImportOptions(cwd=root))
    assert made.problems == ()
    suite = suite_of(root / made.suites[0])
    assert list(suite["variants"]) == ["gpt-4o"]
    case = rows_of(root / suite["dataset"])[0]
    assert Template(suite["prompt"]["input"]).render(case) == "Say {{ 7 * 7 }}"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("prompts: !!python/object/apply:os.system [id]", "tag"),
        ("a: &a [x]\nb: &b [*a, *a]\nprompts: [*b" + ", *b" * 50_000 + "]", "aliases"),
        ("prompts: " + "[" * 100, "nested too deeply"),
        ("just text", "no configuration of promptfoo"),
    ],
)
def test_a_hostile_configuration_is_one_clear_error(text, why, folder):
    root = folder({"c.yaml": text})
    with pytest.raises(SnapdriftError, match=why):
        import_promptfoo(root / "c.yaml", None, JUDGE)
