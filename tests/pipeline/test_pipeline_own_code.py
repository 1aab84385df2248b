"""`--no-code`: every piece of a workspace's own code is refused, where it stands, before anything is sent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SUITE = """\
suite: own
cases:
  - id: c1
    q: "How much?"
    tool_results: {{price: {{python: "fakes/price.py:price"}}}}
prompt: {{input: "{{{{ q }}}}"}}
request: {{tools: [{{type: function, name: price, parameters: {{type: object, properties: {{}}}}}}]}}
variants:
  august: {{model: gpt-4o-2024-08-06}}
{variant}graders:
  - {{contains: "1"}}
{grader}gate: {{must_pass: {{cases: [c1]}}}}
"""
PLAIN = """\
suite: plain
cases: [{id: c1, q: "How much?"}]
prompt: {input: "{{ q }}"}
variants: {august: {model: gpt-4o-2024-08-06}}
graders: [{contains: "a"}]
gate: {must_pass: {cases: [c1]}}
"""


@pytest.fixture
def own(tmp_path: Path) -> Callable[..., Path]:
    """Makes a workspace with a fake, and with an application and a grader where they are asked for."""

    def make(*, variant: str = "", grader: str = "", config: str = "") -> Path:
        for path in ("evals", "fakes", "app", "graders"):
            (tmp_path / path).mkdir(exist_ok=True)
        (tmp_path / "snapdrift.toml").write_text(config)
        (tmp_path / "evals" / "own.yaml").write_text(SUITE.format(variant=variant, grader=grader))
        for path, name in (("fakes/price.py", "price"), ("app/answer.py", "answer"), ("graders/own.py", "grade")):
            (tmp_path / path).write_text(
                "from pathlib import Path\nPath(__file__).with_suffix('.ran').write_text('')\n"
                f"def {name}(one, two=None):\n    return '1'\n"
            )
        return tmp_path

    return make


VARIANT = '  app: {python: "app/answer.py:answer"}\n'
GRADER = '  - {name: tone, all: [{contains: "1"}, {python: "graders/own.py:grade"}]}\n'


@pytest.mark.parametrize("command", ["run", "check", "plan", "watch"])
def test_each_piece_of_code_is_named_where_it_stands_and_nothing_runs(
    command: str, own: Callable[..., Path], snapdrift: Any
) -> None:
    root = own(variant=VARIANT, grader=GRADER)

    done = snapdrift(
        command, "evals/own.yaml", *(["--standin"] if command in ("run", "watch") else []), "--no-code", cwd=root
    )

    assert done.returncode == 2
    for said in (
        "evals/own.yaml:10:17: variants.app.python: the application app/answer.py:answer (variant app)",
        "evals/own.yaml:13:50: graders[1].all[1].python: the Python grader graders/own.py:grade (tone)",
        "cases: the Python fake fakes/price.py:price (tool_results of case c1)",
        "--no-code refuses it",
    ):
        assert said in done.stderr
    assert list(root.rglob("*.ran")) == []
    assert not (root / ".snapdrift").exists()


def test_explaining_what_is_reused_refuses_code_too(own: Callable[..., Path], snapdrift: Any) -> None:
    done = snapdrift("cache", "explain", "evals/own.yaml", "--case", "c1", "--no-code", cwd=own())
    assert (done.returncode, "the Python fake fakes/price.py:price" in done.stderr) == (2, True)


def test_a_workspace_can_refuse_code_for_every_command(own: Callable[..., Path], snapdrift: Any) -> None:
    done = snapdrift("run", "evals/own.yaml", "--standin", cwd=own(config="code = false\n"))

    assert done.returncode == 2
    assert "`code = false` in snapdrift.toml refuses it" in done.stderr


def test_a_suite_without_code_of_its_own_is_run(own: Callable[..., Path], snapdrift: Any) -> None:
    root = own(config="code = false\n")
    (root / "evals" / "plain.yaml").write_text(PLAIN)

    done = snapdrift("run", "evals/plain.yaml", "--standin", "--no-code", cwd=root)

    assert done.returncode in (0, 1), done.stderr


@pytest.mark.parametrize(("command", "refused"), [("resume", "the Python fake"), ("grade", "the Python grader")])
def test_a_stored_run_is_refused_too(command: str, refused: str, own: Callable[..., Path], snapdrift: Any) -> None:
    root = own(grader=GRADER)
    first = snapdrift("run", "evals/own.yaml", "--standin", cwd=root)
    assert (root / "graders" / "own.ran").is_file(), first.stderr
    (root / "graders" / "own.ran").unlink()

    done = snapdrift(command, "latest", "--standin", "--no-code", cwd=root)

    assert done.returncode == 2
    assert refused in done.stderr
    assert not (root / "graders" / "own.ran").exists()


def with_template(root: Path) -> Path:
    (root / "reports" / "templates").mkdir(parents=True)
    (root / "reports" / "templates" / "own.html").write_text("{{ view.run.run_id }}")
    return root


@pytest.mark.parametrize("command", ["run", "check", "plan"])
def test_a_template_of_reports_is_code_of_the_workspace_too(
    command: str, own: Callable[..., Path], snapdrift: Any
) -> None:
    root = with_template(own())
    (root / "evals" / "plain.yaml").write_text(PLAIN)
    done = snapdrift(command, "evals/plain.yaml", *(["--standin"] if command == "run" else []), "--no-code", cwd=root)
    assert done.returncode == 2
    assert "reports/templates/own.html: a template of reports; expected none of the workspace's own code" in done.stderr


def test_pages_are_not_rendered_by_a_template_that_is_refused(own: Callable[..., Path], snapdrift: Any) -> None:
    root = own()
    (root / "evals" / "plain.yaml").write_text(PLAIN)
    first = snapdrift("run", "evals/plain.yaml", "--standin", cwd=root)
    assert first.returncode in (0, 1), first.stderr
    with_template(root)

    for command in (["report", "latest"], ["report", "--index"], ["resume", "latest"], ["grade", "latest"]):
        done = snapdrift(*command, "--no-code", cwd=root)
        assert (done.returncode, "a template of reports" in done.stderr) == (2, True), (command, done.stderr)
    compared = snapdrift("compare", "latest", "--no-code", cwd=root)
    assert compared.returncode == first.returncode, "it renders no page"


def test_what_a_link_among_the_templates_leads_to_is_refused_too(own: Callable[..., Path], snapdrift: Any) -> None:
    """Jinja goes into a linked folder, where whatever looks for templates may not."""
    root = own()
    (root / "elsewhere").mkdir()
    (root / "elsewhere" / "page.js").write_text("alert(1)")
    (root / "reports" / "templates").mkdir(parents=True)
    (root / "reports" / "templates" / "js").symlink_to("../../elsewhere")
    (root / "evals" / "plain.yaml").write_text(PLAIN)
    done = snapdrift("check", "evals/plain.yaml", "--no-code", cwd=root)
    assert done.returncode == 2
    assert "reports/templates/js: a template of reports; expected none of the workspace's own code" in done.stderr
