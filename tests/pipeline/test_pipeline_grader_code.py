"""Functions of the workspace that grade: called beside the loop, several at a time, once an answer, and given up."""

from __future__ import annotations

import asyncio
import hashlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from snapdrift.errors import UsageError
from snapdrift.graders.needs import CodeCall, CodeResult
from snapdrift.graders.registry import Registry
from snapdrift.graders.user_scores import Score
from snapdrift.model import CallKey, Case, Outcome, Reason, Response
from snapdrift.pipeline.grader_code import OVERRUNS, GraderCode, open_code
from snapdrift.store import open_run
from snapdrift.suites.config import Config
from snapdrift.suites.workspace import Workspace

Opened = Callable[[str], Any]
CASE = Case("c1", {"given": ["a"]}, {"total": 1})
RECORDED = ("--recordings", "datasets/recordings.jsonl")


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opened:
    """Opens the code of a grader whose file, `graders/own.py`, has a source."""
    monkeypatch.setattr(sys, "path", sys.path[:])

    @contextmanager
    def make(source: str) -> Iterator[GraderCode]:
        path = tmp_path / "graders" / "own.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(source)
        workspace = Workspace(tmp_path, Config())
        entry = {"name": "own", "python": "graders/own.py:grade"}
        grader = Registry().parse(entry, default_extract=None, read=workspace.read, cases=())
        before = set(sys.modules)
        try:
            with open_code(workspace, [grader]) as code:
                yield code
        finally:
            for name in set(sys.modules) - before:
                del sys.modules[name]

    return make


def call(text: str = "yes", number: int = 0, case: Case = CASE, **more: Any) -> CodeCall:
    response = Response(CallKey(case.id, "august", number), Outcome.OK, "gpt-4o-2024-08-06", text=text)
    return CodeCall("graders/own.py:grade", case, response, **more)


def result_of(code: GraderCode, one: CodeCall) -> CodeResult:
    return code.results({"": one})[""]


@pytest.mark.parametrize("keyword", ["def", "async def"])
def test_a_function_gets_the_case_and_the_response_and_its_score_comes_back(opened: Opened, keyword: str) -> None:
    source = (
        "from snapdrift import Case, Response, Score\n"
        f"{keyword} grade(case: Case, response: Response, most: int = 1) -> Score:\n"
        "    return Score(0.5, reason=f'{case.expected} {response.text} {most}')\n"
    )
    with opened(source) as code:
        result = result_of(code, call(arguments={"most": 3}))

    assert result == CodeResult(Score(0.5, reason="{'total': 1} yes 3"))


def test_what_a_function_does_to_its_case_no_other_sees(opened: Opened) -> None:
    source = (
        "def grade(case, response):\n    case.variables['given'].append('b')\n    return len(case.variables['given'])\n"
    )
    with opened(source) as code:
        found = [result_of(code, call(number=number)).value for number in range(3)]

    assert found == [2, 2, 2]
    assert CASE.variables == {"given": ["a"]}


def test_a_file_with_a_byte_order_mark_is_the_file_that_was_loaded(opened: Opened) -> None:
    with opened("\ufeffdef grade(case, response):\n    return 1\n") as code:
        assert result_of(code, call()).value == 1


def test_an_exception_comes_back_with_the_users_own_lines_and_without_keys(opened: Opened) -> None:
    source = (
        "def inner(response):\n    raise ValueError('sk-abcdefghijklmnopqrstuvwxyz123456 is no total')\n"
        "def grade(case, response):\n    return inner(response)\n"
    )
    with opened(source) as code:
        result = result_of(code, call())

    assert result.error == "graders/own.py:grade raised ValueError: [key] is no total (graders/own.py:2)"
    assert result.traceback == (
        "graders/own.py:4 in grade: return inner(response)",
        "graders/own.py:2 in inner: raise ValueError('[key] is no total')",
        "ValueError: [key] is no total",
    )


def test_an_answer_is_graded_once_a_command_by_the_same_function(opened: Opened) -> None:
    source = "seen = []\ndef grade(case, response):\n    seen.append(response.text)\n    return len(seen)\n"
    with opened(source) as code:
        code.call([call("a"), call("a")])
        again, other = result_of(code, call("a")), result_of(code, call("b"))
        changed = result_of(code, call("a", case=Case("c1", expected="else")))

    assert [one.value for one in (again, other, changed)] == [1, 2, 3]


def test_several_functions_run_at_a_time(opened: Opened) -> None:
    source = (
        "import threading\nboth = threading.Barrier(4, timeout=30)\n"
        "def grade(case, response):\n    both.wait()\n    return True\n"
    )
    with opened(source) as code:
        code.call([call(number=number) for number in range(4)])
        found = [result_of(code, call(number=number)).value for number in range(4)]

    assert found == [True] * 4


def test_a_function_that_overruns_is_given_up_and_after_some_times_called_no_more(opened: Opened) -> None:
    source = "import asyncio\nasync def grade(case, response):\n    await asyncio.sleep(3600)\n"
    with opened(source) as code:
        calls = [call(number=number, timeout_s=0.05) for number in range(2 * OVERRUNS + 1)]
        code.call(calls)
        errors = [result_of(code, one).error for one in calls]

    assert errors[0] == "graders/own.py:grade took longer than 0.05 s and was given up"
    assert errors[-1] == f"graders/own.py:grade was not called: it overran its time {OVERRUNS} times in a row"


def test_a_loop_goes_on_while_a_function_grades(opened: Opened, tmp_path: Path) -> None:
    source = "import threading\nheard = threading.Event()\ndef grade(case, response):\n    return heard.wait(30)\n"

    async def both(code: GraderCode) -> None:
        own = str(tmp_path / "graders" / "own.py")
        (module,) = (module for module in sys.modules.values() if getattr(module, "__file__", None) == own)
        async with asyncio.TaskGroup() as group:
            group.create_task(code.call_beside([call()]))
            await asyncio.sleep(0)
            module.heard.set()

    with opened(source) as code:
        asyncio.run(both(code))
        assert result_of(code, call()).value is True


def test_what_a_function_prints_goes_to_stderr(opened: Opened, capsys: pytest.CaptureFixture[str]) -> None:
    with opened("def grade(case, response):\n    print('from the grader')\n    return True\n") as code:
        result_of(code, call())
    said = capsys.readouterr()

    assert ("from the grader" in said.out, "from the grader" in said.err) == (False, True)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (
            "raise RuntimeError('no key')\ndef grade(case, response): ...\n",
            "raised RuntimeError: no key (graders/own.py:1)",
        ),
        ("if False:\n    def grade(case, response): ...\n", "is not there once the file is imported"),
        ("grade = 3\n", "is not a function"),
    ],
)
def test_a_file_that_cannot_be_used_ends_the_command_before_anything_is_sent(
    opened: Opened, source: str, said: str
) -> None:
    with pytest.raises(UsageError) as error, opened(source):
        pass

    assert said in str(error.value)
    assert "Traceback" not in str(error.value)


def test_without_code_a_call_says_so() -> None:
    assert "was not imported" in result_of(GraderCode(), call()).error


# ------------------------------------------------------------------------------------------------------ whole commands

OWN = """\
from pathlib import Path

from snapdrift import Score


def grade(case, response, most: int = 100):
    with (Path(__file__).parent / "calls.txt").open("a") as file:
        print(case.id, response.call.variant, file=file)
    if case.id == "c1":
        raise ValueError("no idea about c1")
    if case.id == "c2":
        return 7
    if case.id == "c3":
        return Score.not_extracted("nothing in it")
    return Score(0.9 if response.text == case.expected else 0.1, reason="compared")
"""
GRADER = '  - {name: own, python: "graders/own.py:grade", at_least: 0.5}\n'


@pytest.fixture
def own(workspace: Callable[..., Path]) -> Path:
    """A workspace whose suite has a grader of its own too."""
    root = workspace(cases=12, max_blind=0.9)
    (root / "graders").mkdir()
    (root / "graders" / "own.py").write_text(OWN)
    path = root / "evals" / "capitals.yaml"
    path.write_text(path.read_text().replace("graders:\n", "graders:\n" + GRADER))
    return root


def scores(root: Path) -> Mapping[str, Any]:
    """The own grader's scores of the baseline in the only run, by case."""
    (path,) = (root / ".snapdrift" / "runs").glob("*.db")
    with open_run(path) as stored:
        return {s.case_id: s for s in stored.scores() if s.metric == "own" and s.variant == "august"}


def calls(root: Path) -> list[str]:
    path = root / "graders" / "calls.txt"
    return sorted(path.read_text().splitlines()) if path.is_file() else []


def test_a_run_is_graded_by_a_function_and_its_failures_are_the_graders(own: Path, snapdrift: Any) -> None:
    done = snapdrift("run", "evals/capitals.yaml", *RECORDED, cwd=own)
    found = scores(own)

    assert done.returncode in (0, 3), done.stderr
    assert (found["c0"].value, found["c0"].passed, found["c0"].detail) == (0.9, True, "compared")
    assert (found["c1"].reason, found["c1"].detail) == (
        Reason.GRADER_ERROR,
        "graders/own.py:grade raised ValueError: no idea about c1 (graders/own.py:10)",
    )
    assert found["c1"].evidence[-1] == "ValueError: no idea about c1"
    assert found["c2"].detail.startswith("graders/own.py:grade returned 7; expected a value")
    assert found["c3"].reason is Reason.UNEXTRACTED
    assert len(calls(own)) == 24
    with open_run(next((own / ".snapdrift" / "runs").glob("*.db"))) as stored:
        (entry,) = (entry for entry in stored.suite["graders"] if entry["name"] == "own")
    assert entry["python"]["sha256"] == hashlib.sha256(OWN.encode()).hexdigest()


@pytest.mark.parametrize("command", ["check", "plan"])
def test_looking_at_a_suite_runs_nothing_of_it(own: Path, snapdrift: Any, command: str) -> None:
    (own / "graders" / "own.py").write_text("print('imported')\nraise SystemExit(7)\n" + OWN)
    done = snapdrift(command, "evals/capitals.yaml", cwd=own)

    assert done.returncode == 0, done.stderr
    assert "imported" not in done.stdout + done.stderr


def test_grading_again_takes_the_file_as_it_is_now_and_asks_nobody(own: Path, snapdrift: Any) -> None:
    snapdrift("run", "evals/capitals.yaml", *RECORDED, cwd=own)
    before = scores(own)["c0"].version
    (own / "graders" / "own.py").write_text("def grade(case, response):\n    return 0.25\n")

    done = snapdrift("grade", "latest", cwd=own)

    assert "Traceback" not in done.stderr
    assert {score.value for score in scores(own).values()} == {0.25}
    assert scores(own)["c0"].version != before


def test_reports_and_comparisons_of_a_stored_run_need_no_file(own: Path, snapdrift: Any) -> None:
    first = snapdrift("run", "evals/capitals.yaml", *RECORDED, cwd=own)
    (own / "graders" / "own.py").unlink()

    for command in ("report", "compare"):
        done = snapdrift(command, "latest", cwd=own)
        assert done.returncode in (0, first.returncode), done.stderr
        assert "Traceback" not in done.stderr


def test_a_run_is_not_resumed_once_the_file_has_changed(own: Path, snapdrift: Any) -> None:
    snapdrift("run", "evals/capitals.yaml", *RECORDED, cwd=own)
    (own / "graders" / "own.py").write_text(OWN + "# changed\n")

    done = snapdrift("resume", "latest", *RECORDED, cwd=own)

    assert done.returncode == 2
    assert "graders/own.py is no longer what it was when the suite was loaded" in done.stderr


def test_a_file_that_does_not_import_ends_the_run_before_anything_is_sent(own: Path, snapdrift: Any) -> None:
    (own / "graders" / "own.py").write_text("import no_such_module_at_all\n" + OWN)
    log = own / "requests.jsonl"
    done = snapdrift("run", "evals/capitals.yaml", *RECORDED, "--standin-log", log, cwd=own)

    assert done.returncode == 2
    assert "graders/own.py:grade: importing it raised ModuleNotFoundError" in done.stderr
    assert not log.is_file()


def test_a_run_that_is_looked_at_while_it_grows_calls_a_function_once_an_answer(
    looked_at: Callable[..., Path], land_standin: Any, snapdrift: Any
) -> None:
    grader = '  - {name: own, python: "graders/own.py:grade", at_least: 0.5}\n'
    path = looked_at(cases=60, graders=grader, metrics="{own: {margin: 0.2}}", top="early_stop: true\n")
    root = path.parents[1]
    (root / "graders").mkdir()
    (root / "graders" / "own.py").write_text(
        "from pathlib import Path\n"
        "def grade(case, response) -> bool:\n"
        "    with (Path(__file__).parent / 'calls.txt').open('a') as file:\n"
        "        print(case.id, response.call.variant, file=file)\n"
        "    return case.expected in response.text\n"
    )
    url, _ = land_standin()

    done = snapdrift("run", path, "--base-url", url, cwd=root)
    (run,) = (root / ".snapdrift" / "runs").glob("*.db")
    with open_run(run) as stored:
        graded = sorted(f"{s.case_id} {s.variant}" for s in stored.scores() if s.metric == "own")

    assert "Traceback" not in done.stderr, done.stderr
    assert calls(root) == graded
    assert graded


FAMILY = """\
from typing import Any, ClassVar

from snapdrift.graders.base import Grader
from snapdrift.graders.marks import Mark


class Towns(Grader):
    \"\"\"Passes when the answer is a town.\"\"\"

    family: ClassVar[str] = "towns"

    towns: bool

    def mark(self, case: Any, value: Any) -> Mark:
        if case.id == "c1":
            raise KeyError("no such town")
        return Mark.of(("Town" in str(value)) is self.towns)
"""


def test_a_run_is_graded_by_a_family_of_a_package_and_needs_it_again(
    workspace: Callable[..., Path], snapdrift: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "path", sys.path[:])
    information = tmp_path / "installed" / "towns-2.0.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: towns\nVersion: 2.0\n")
    (information / "entry_points.txt").write_text("[snapdrift.graders]\ntowns = towns_graders:Towns\n")
    (information.parent / "towns_graders.py").write_text(FAMILY)
    root = workspace(cases=12, max_blind=0.9)
    path = root / "evals" / "capitals.yaml"
    path.write_text(path.read_text().replace("graders:\n", "graders:\n  - {name: own, towns: true}\n"))

    sys.path.append(str(information.parent))
    snapdrift("run", "evals/capitals.yaml", *RECORDED, cwd=root)
    found = scores(root)
    sys.path.remove(str(information.parent))
    done = snapdrift("report", "latest", cwd=root)

    assert found["c0"].passed
    assert found["c1"].detail.startswith("the grader failed: KeyError")
    assert done.returncode == 2
    assert "cannot make" in done.stderr
    assert "takes that package" in done.stderr
