"""Baselines out of a git tree: a branch that edits a prompt is judged against the prompt that it replaces."""

from __future__ import annotations

import json
import os
import re
import shutil
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Snapdrift
from tests.repositories import CLEAR, SUITE, VAGUE, GitWorkspace

from snapdrift.api.running import run_with
from snapdrift.errors import SnapdriftError
from snapdrift.pipeline.options import RunOptions, Selection
from snapdrift.pipeline.prepare import prepare

ISLANDS = [f"c{number}" for number in range(0, 60, 3)]


@dataclass(frozen=True)
class Edited:
    """A branch whose prompt forgets the islands, run once against `main`."""

    git: GitWorkspace
    base: str
    code: int
    out: str
    verdict: dict[str, Any]

    @property
    def report(self) -> Path:
        """The folder of the run's report."""
        return self.git.root / "reports" / "capitals" / "latest"


@pytest.fixture(scope="module")
def edited(tmp_path_factory: pytest.TempPathFactory, snapdrift: Snapdrift) -> Edited:
    git = GitWorkspace(tmp_path_factory.mktemp("edited") / "repository")
    base = git.git("rev-parse", "main")
    git.prompt(VAGUE)
    # The same branch edits a grader, and has its own idea of the prompt's words left uncommitted.
    git.edit_suite('exact: "{{ expected }}"', 'exact: "{{ expected }}", normalise: [casefold]')
    git.commit()
    git.prompt(f"{VAGUE}\nNo <script>alert(1)</script>.")
    done = snapdrift("run", "evals/capitals.yaml", "--baseline-ref", "main", "--standin", cwd=git.root)
    verdict = json.loads((git.root / "reports/capitals/latest/verdict.json").read_text())
    return Edited(git, base, done.returncode, done.stdout, verdict)


def test_a_prompt_edit_that_makes_a_class_of_cases_fail_is_a_regression_that_names_them(edited: Edited) -> None:
    assert edited.code == 1
    assert f"newly failing: {', '.join(ISLANDS)}" in edited.out
    (comparison,) = edited.verdict["comparisons"]
    assert (comparison["baseline"], comparison["candidate"]) == ("november@main", "november")
    assert comparison["newly_failing"] == ISLANDS
    assert "`c3`" in (edited.report / "summary.md").read_text()


def test_the_commit_and_the_files_that_differ_are_in_verdict_and_summary(edited: Edited) -> None:
    reference = edited.verdict["reference"]
    assert (reference["ref"], reference["commit"]) == ("main", edited.base)
    assert reference["files"] == [{"path": "prompts/capital.yaml", "change": "changed"}]
    assert reference["candidates"][0]["differs"] == ["prompt.instructions"]
    said = f"Compared with the prompt at main ({edited.base[:8]}); 1 file differs: `prompts/capital.yaml`."
    assert f"baseline: {said}" in edited.out.replace("\n", " ")
    assert "Compared with the prompt at main" in (edited.report / "summary.md").read_text()


def test_the_page_shows_the_prompts_difference_escaped(edited: Edited) -> None:
    page = (edited.report / "index.html").read_text()
    assert edited.base in page
    assert re.search(r'"ref":\s*"main"', page), "the command that asks a case again names the baseline"
    assert '<span class="removed">-Of an island, name the harbour town.</span>' in page
    assert "+No &lt;script&gt;alert(1)&lt;/script&gt;." in page
    assert "<script>alert(1)" not in page


def test_the_texts_of_prompts_leave_neither_by_verdict_nor_by_summary(edited: Edited) -> None:
    for name in ("verdict.json", "summary.md", "junit.xml"):
        assert "harbour" not in (edited.report / name).read_text(), name


def test_privacy_keeps_the_prompts_difference_off_the_page(edited: Edited, snapdrift: Snapdrift) -> None:
    git = _copy(edited, "private")
    git.suite.write_text(git.suite.read_text() + "privacy: {redact: [prompt]}\n")
    done = snapdrift("run", "evals/capitals.yaml", "--standin", cwd=git.root)
    assert done.returncode == 1, done.stderr
    page = (git.root / "reports/capitals/latest/index.html").read_text()
    assert "prompt.instructions" in page
    assert "harbour town" not in page


def test_grading_again_keeps_the_pairs_that_were_asked(edited: Edited, snapdrift: Snapdrift) -> None:
    git = _copy(edited, "graded")
    git.git("branch", "-q", "-D", "main")
    git.edit_suite("normalise: [casefold]", "normalise: [casefold, strip]")
    done = snapdrift("grade", "latest", cwd=git.root)
    assert done.returncode == 1, done.stderr
    assert "`november` is worse than `november@main`" in done.stdout


def test_a_run_goes_on_as_it_was_planned_when_the_ref_has_moved(edited: Edited, snapdrift: Snapdrift) -> None:
    git = _copy(edited, "moved")
    git.git("checkout", "-q", "--", ".")
    git.git("checkout", "-q", "main")
    git.commit("nothing that is asked")
    git.git("checkout", "-q", "edit")
    git.prompt(f"{VAGUE}\nNo <script>alert(1)</script>.")
    again = snapdrift("run", "evals/capitals.yaml", "--standin", "--json", cwd=git.root)
    document = json.loads(again.stdout)
    assert "takes up run" in again.stderr, "the same prompt there, so the same run"
    assert document["run"]["attempt"] == 2
    assert document["reference"]["commit"] == git.git("rev-parse", "main")
    git.git("branch", "-q", "-D", "main")
    resumed = snapdrift("resume", document["run"]["id"], cwd=git.root)
    assert resumed.returncode == 1, resumed.stderr


def test_explain_shows_the_request_of_both(edited: Edited, snapdrift: Snapdrift) -> None:
    done = snapdrift("check", "evals/capitals.yaml", "--explain", "c3", "--json", cwd=edited.git.root)
    said = {one["variant"]: one["body"]["instructions"] for one in json.loads(done.stdout)}
    assert said["november@main"] == CLEAR
    assert said["november"].startswith(f"{VAGUE}\nNo ")


def test_plan_counts_what_the_baseline_costs(edited: Edited, snapdrift: Snapdrift) -> None:
    (plan,) = json.loads(snapdrift("plan", "evals/capitals.yaml", "--json", cwd=edited.git.root).stdout)["suites"]
    assert {one["variant"]: one["calls"] for one in plan["variants"]} == {"november": 60, "november@main": 60}


# ------------------------------------------------------------------------------------------- no baseline, no difference


@pytest.fixture
def git(tmp_path: Path) -> GitWorkspace:
    return GitWorkspace(tmp_path / "repository")


def test_what_is_asked_as_it_was_is_not_asked_again(git: GitWorkspace, snapdrift: Snapdrift) -> None:
    git.edit_suite('exact: "{{ expected }}"', 'contains: "{{ expected }}"')
    said = "unchanged: prompts, requests and tools are what they were at main"
    files = [git.top / name for name in ("summary.md", "junit.xml", "verdict.json")]
    told = [word for file in files for word in (f"--{file.stem}", str(file))]
    # No key, no stand-in and no budget: nothing is asked of anybody. And nothing was shown, so it is no pass.
    done = snapdrift("run", "evals/capitals.yaml", *told, cwd=git.root)
    assert done.returncode == 5, done.stderr
    assert all(said in text for text in (done.stdout, *(file.read_text() for file in files)))
    assert 'tests="1" failures="0" errors="0" skipped="1"' in files[1].read_text()
    document = json.loads(files[2].read_text())
    assert document["run"] == {"id": None, "suite": "capitals", "gate": "default"}
    assert (document["decision"]["word"], document["decision"]["exit_code"]) == ("not_gated", 5)
    assert not (git.root / "reports").exists()
    with pytest.raises(SnapdriftError, match=r"unchanged: .*not gated"):
        run_with(git.suite, RunOptions(env=os.environ))
    # Who asks for what changed alone is told that nothing did.
    done = snapdrift("run", "evals/capitals.yaml", "--changed", "main", "--json", cwd=git.root)
    assert (done.returncode, json.loads(done.stdout)) == (0, [])
    assert said in done.stderr


def test_an_alias_that_must_stay_put_is_asked_of_a_prompt_that_did_not_change(
    git: GitWorkspace, snapdrift: Snapdrift
) -> None:
    git.edit_suite("  max_blind:", "  alias_moved: fail\n  max_blind:")
    done = snapdrift("run", "evals/capitals.yaml", "--standin", "--json", cwd=git.root)
    document = json.loads(done.stdout)
    assert (done.returncode, document["decision"]["word"]) == (0, "passed")
    assert [one["name"] for one in document["variants"]] == ["november"]


def test_a_tree_that_is_head_itself_is_told_with_how_a_clone_gets_its_history(
    git: GitWorkspace, snapdrift: Snapdrift, tmp_path: Path
) -> None:
    git.git("checkout", "-q", "main")
    assert "main (" in snapdrift("check", "evals/capitals.yaml", cwd=git.root).stderr
    clone = tmp_path / "clone"
    git.git("clone", "-q", "--depth", "1", f"file://{git.top}", str(clone), cwd=tmp_path)
    done = snapdrift("check", "evals/capitals.yaml", cwd=clone / "app")
    assert "is HEAD itself: only what is not committed can differ from it; this is a shallow clone" in done.stderr
    assert "fetch-depth: 0" in done.stderr


def test_floors_hold_for_a_prompt_that_did_not_change(git: GitWorkspace, snapdrift: Snapdrift) -> None:
    git.edit_suite("metrics: {capital: {margin: 0.05}}", "metrics: {capital: {margin: 0.05, at_least: 0.9}}")
    done = snapdrift("run", "evals/capitals.yaml", "--standin", "--json", cwd=git.root)
    document = json.loads(done.stdout)
    assert (done.returncode, document["comparisons"]) == (0, [])
    assert [one["name"] for one in document["variants"]] == ["november"]
    assert document["reference"]["candidates"][0]["standing"] == "unchanged"


def test_a_new_variant_has_no_baseline_yet_and_the_others_have(git: GitWorkspace, snapdrift: Snapdrift) -> None:
    git.prompt(VAGUE)
    git.edit_suite("graders:", "  august: {model: gpt-4o-2024-08-06}\ngraders:")
    git.edit_suite("metrics:", "must_pass: {case: c1}\n  metrics:")
    done = snapdrift("run", "evals/capitals.yaml", "--standin", "--json", cwd=git.root)
    document = json.loads(done.stdout)
    assert done.returncode == 1
    assert {one["candidate"] for one in document["comparisons"]} == {"november"}
    assert {one["variant"] for one in document["must_pass"]} == {"november", "august"}
    standings = {one["candidate"]: one["standing"] for one in document["reference"]["candidates"]}
    assert standings == {"november": "compared", "august": "new_variant"}
    assert any("No baseline yet for `august`" in sentence for sentence in document["reference"]["sentences"])
    options = RunOptions(env=os.environ, selection=Selection(failed=("latest",), variants=("august",)))
    assert [case.id for case in prepare(git.suite, options).cases] == ISLANDS


@pytest.mark.parametrize(("floor", "code"), [("", 5), ("at_least: 0.9, ", 1)])
def test_a_new_suite_is_held_to_its_floors_alone(
    git: GitWorkspace, snapdrift: Snapdrift, floor: str, code: int
) -> None:
    git.prompt(VAGUE)
    text = SUITE.replace("suite: capitals", "suite: towns\nearly_stop: true").replace(
        "margin: 0.05", f"{floor}margin: 0.05"
    )
    git.write("evals/towns.yaml", text)
    done = snapdrift("run", "evals/towns.yaml", "--standin", "--json", cwd=git.root)
    document = json.loads(done.stdout)
    assert done.returncode == code, done.stderr
    assert document["comparisons"] == []
    assert document["reference"]["sentences"][0].startswith("No baseline yet for `november`: the suite is not at main")


def test_a_suite_whose_file_was_renamed_is_still_compared(git: GitWorkspace, snapdrift: Snapdrift) -> None:
    git.prompt(VAGUE)
    git.suite.rename(git.root / "evals" / "towns.yaml")
    done = snapdrift("check", "evals/towns.yaml", cwd=git.root)
    assert "`november` against `november@main`" in done.stdout


def test_the_baseline_ref_takes_the_place_of_another_variant(git: GitWorkspace, snapdrift: Snapdrift) -> None:
    git.edit_suite("  november:", "  august: {model: gpt-4o-2024-08-06}\n  november:")
    git.edit_suite("baseline: {ref: main}", "baseline: {variant: august}")
    git.commit("two variants")
    git.prompt(VAGUE)
    done = snapdrift("plan", "evals/capitals.yaml", "--baseline-ref", "HEAD", "--json", cwd=git.root)
    (plan,) = json.loads(done.stdout)["suites"]
    assert [one["variant"] for one in plan["variants"]] == ["november", "november@HEAD"]


def test_settings_and_schemas_come_from_the_tree_and_cases_and_graders_from_here(
    git: GitWorkspace, snapdrift: Snapdrift
) -> None:
    git.git("checkout", "-q", "main")
    git.write("schemas/answer.json", '{"type": "object", "properties": {"a": {"type": "string"}}}')
    shape = "text: {format: {type: json_schema, name: a, schema: schemas/answer.json}}"
    git.edit_suite("max_output_tokens: 64}", "max_output_tokens: 64, " + shape + "}")
    git.commit()
    git.git("checkout", "-q", "-B", "edit")
    git.write("schemas/answer.json", '{"type": "object", "properties": {"b": {"type": "string"}}}')
    git.edit_suite("max_output_tokens: 64", "max_output_tokens: 32")
    git.write("datasets/capitals.jsonl", '{"id": "new", "country": "Land 7", "expected": "Town 7"}\n')
    git.edit_suite("max_blind: 0.3", "max_blind: 0.99")
    done = snapdrift("check", "evals/capitals.yaml", "--explain", "new", "--json", "--gate", "default", cwd=git.root)
    bodies = {one["variant"]: one["body"] for one in json.loads(done.stdout)}
    assert list(bodies["november@main"]["text"]["format"]["schema"]["properties"]) == ["a"]
    assert bodies["november@main"]["max_output_tokens"] == 64
    assert list(bodies["november"]["text"]["format"]["schema"]["properties"]) == ["b"]


# ------------------------------------------------------------------------------------------------------ what is refused


def test_a_prompt_that_does_not_fit_the_cases_any_more_is_told_at_its_place_in_the_tree(
    git: GitWorkspace, snapdrift: Snapdrift
) -> None:
    rows = (git.root / "datasets/capitals.jsonl").read_text().replace('"country"', '"land"')
    git.write("datasets/capitals.jsonl", rows)
    prompt = git.root / "prompts/capital.yaml"
    prompt.write_text(prompt.read_text().replace("country", "land"))
    done = snapdrift("run", "evals/capitals.yaml", "--standin", cwd=git.root)
    base = git.git("rev-parse", "main")[:8]
    assert done.returncode == 2
    assert f"{base}:prompts/capital.yaml:4:8: input: 'country' is undefined" in done.stderr


@pytest.mark.parametrize("ref", ["no-such-branch", "--all", "main:app", "x y", "\x1b[31m"])
def test_what_names_no_commit_is_an_error_that_says_what_would(
    git: GitWorkspace, snapdrift: Snapdrift, ref: str
) -> None:
    done = snapdrift("check", "evals/capitals.yaml", f"--baseline-ref={ref}", cwd=git.root)
    assert done.returncode == 2
    assert "a branch, a tag or a commit" in done.stderr
    assert "\x1b" not in done.stderr


def test_a_link_in_the_tree_is_not_followed(git: GitWorkspace, snapdrift: Snapdrift) -> None:
    git.git("checkout", "-q", "main")
    (git.root / "prompts" / "capital.yaml").rename(git.root / "real.yaml")
    (git.root / "prompts" / "capital.yaml").symlink_to("../real.yaml")
    git.commit()
    git.git("checkout", "-q", "-B", "edit")
    (git.root / "prompts" / "capital.yaml").unlink()
    git.prompt(VAGUE)
    done = snapdrift("check", "evals/capitals.yaml", cwd=git.root)
    assert done.returncode == 2
    assert "app/prompts/capital.yaml is a symbolic link; expected a plain file" in done.stderr


def test_a_workspace_in_no_repository_is_told_so(git: GitWorkspace, snapdrift: Snapdrift, tmp_path: Path) -> None:
    shutil.copytree(git.root, tmp_path / "loose")
    done = snapdrift("check", "evals/capitals.yaml", cwd=tmp_path / "loose")
    assert done.returncode == 2
    assert "evals/capitals.yaml: gate default: baseline.ref: loose/ is in no git repository" in done.stderr


def test_a_gate_that_compares_variants_asks_no_git(git: GitWorkspace, snapdrift: Snapdrift, tmp_path: Path) -> None:
    shutil.copytree(git.root, tmp_path / "loose")
    suite = tmp_path / "loose/evals/capitals.yaml"
    head, _, gate = suite.read_text().partition("gate:\n")
    gates = f"gates:\n  other:\n    must_pass: {{case: c1}}\n  default:\n{textwrap.indent(gate, '  ')}"
    suite.write_text(head + gates)
    done = snapdrift("check", "evals/capitals.yaml", "--gate", "other", cwd=tmp_path / "loose")
    assert done.returncode == 0, done.stderr


def _copy(edited: Edited, name: str) -> GitWorkspace:
    """The repository with its run, to go on with apart from the others."""
    top = edited.git.top.with_name(name)
    shutil.copytree(edited.git.top, top, symlinks=True)
    copied = GitWorkspace.__new__(GitWorkspace)
    copied.top, copied.root, copied.suite = top, top / "app", top / "app" / "evals" / "capitals.yaml"
    return copied
