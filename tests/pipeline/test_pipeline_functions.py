"""The user's own functions: importing them, calling them beside the event loop, and what is told when they fail."""

from __future__ import annotations

import asyncio
import hashlib
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from snapdrift.errors import UsageError
from snapdrift.model import FailureKind
from snapdrift.openai_api.errors import AttemptFailed
from snapdrift.pipeline.functions import UserFunctions
from snapdrift.suites.config import Config
from snapdrift.suites.tool_results import PythonFunction
from snapdrift.suites.workspace import Workspace

ANSWER = PythonFunction("app/answer.py", "answer")
Make = Callable[..., UserFunctions]


@pytest.fixture
def functions(tmp_path: Path) -> Iterator[Make]:
    """Makes `app/answer.py` with a source, imports `answer` of it."""
    modules, path = set(sys.modules), list(sys.path)

    def make(
        source: str, *, timeout_s: float = 60.0, sha256: str | None = None, package: bool = False
    ) -> UserFunctions:
        folder = tmp_path / "app"
        folder.mkdir()
        (folder / "answer.py").write_text(source)
        (folder / "other.py").write_text("WORD = 'from beside'\n")
        if package:
            (folder / "__init__.py").write_text("")
        return UserFunctions(Workspace(tmp_path, Config()), {ANSWER: sha256}, timeout_s=timeout_s)

    yield make
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if name.startswith(("app", "snapdrift_user_")):
            del sys.modules[name]


def call(made: UserFunctions, *arguments: Any, times: int = 1, at_once: int = 4) -> list[Any]:
    """What the calls return, or the failure of the first that failed."""

    async def main() -> list[Any]:
        with made.running(at_once):
            return list(await asyncio.gather(*(made.call(ANSWER, *arguments) for _ in range(times))))

    return asyncio.run(main())


def failure_of(made: UserFunctions, *arguments: Any) -> str:
    with pytest.raises(AttemptFailed) as error:
        call(made, *arguments)
    assert error.value.failure.kind is FailureKind.APPLICATION
    assert not error.value.failure.retryable
    return error.value.failure.message


@pytest.mark.parametrize("keyword", ["def", "async def"])
def test_a_function_is_called_whether_it_is_a_coroutine_function_or_not(functions: Make, keyword: str) -> None:
    assert call(functions(f"{keyword} answer(case):\n    return case['id']\n"), {"id": "c1"}) == ["c1"]


def test_an_object_whose_call_is_a_coroutine_is_awaited(functions: Make) -> None:
    source = "class App:\n    async def __call__(self, case):\n        return 'awaited'\nanswer = App()\n"
    assert call(functions(source), {}) == ["awaited"]


def test_functions_run_in_other_threads_than_the_event_loop(functions: Make) -> None:
    source = "import threading\ndef answer(case):\n    return threading.current_thread().name\n"
    assert call(functions(source), {}) != [threading.current_thread().name]


def test_coroutines_share_one_loop_that_is_not_ours(functions: Make) -> None:
    source = "import asyncio\nasync def answer(case):\n    return id(asyncio.get_running_loop())\n"
    loops = call(functions(source), {}, times=5)
    assert len(set(loops)) == 1


def test_no_more_functions_run_at_once_than_are_allowed(functions: Make) -> None:
    source = (
        "import threading, time\nlock, running, most = threading.Lock(), 0, 0\n"
        "def answer(case):\n    global running, most\n"
        "    with lock:\n        running += 1\n        most = max(most, running)\n"
        "    time.sleep(0.01)\n    with lock:\n        running -= 1\n    return most\n"
    )
    assert max(call(functions(source), {}, times=12, at_once=3)) <= 3


@pytest.mark.parametrize("keyword", ["def", "async def"])
def test_what_a_function_raises_is_told_with_the_line_in_the_users_file(functions: Make, keyword: str) -> None:
    source = f"def inner():\n    raise ValueError('no\\nluck')\n{keyword} answer(case):\n    return inner()\n"
    assert failure_of(functions(source), {}) == "app/answer.py:answer raised ValueError: no luck (app/answer.py:2)"


@pytest.mark.parametrize("raised", ["SystemExit(3)", "KeyboardInterrupt()"])
def test_a_function_cannot_end_the_run(functions: Make, raised: str) -> None:
    assert raised.partition("(")[0] in failure_of(functions(f"def answer(case):\n    raise {raised}\n"), {})


def test_a_cancellation_inside_a_coroutine_function_is_its_own_failure(functions: Make) -> None:
    source = "import asyncio\nasync def answer(case):\n    raise asyncio.CancelledError\n"
    assert "CancelledError" in failure_of(functions(source), {})


def test_a_key_in_an_exception_is_not_repeated(functions: Make) -> None:
    assert "sk-planted" not in failure_of(functions("def answer(case):\n    raise ValueError('sk-planted123')\n"), {})


def imported() -> Any:
    """The module of the application that was imported last."""
    return [module for name, module in sys.modules.items() if name.startswith("snapdrift_user_")][-1]


def test_a_function_that_overruns_its_time_out_is_given_up_and_does_not_keep_us(functions: Make) -> None:
    source = "import threading\nstop = threading.Event()\ndef answer(case):\n    stop.wait(30)\n"
    assert "took longer than 0.05 s" in failure_of(functions(source, timeout_s=0.05), {})
    imported().stop.set()


def test_a_coroutine_that_overruns_its_time_out_is_cancelled(functions: Make) -> None:
    source = (
        "import asyncio\nseen = []\nasync def answer(case):\n    try:\n        await asyncio.sleep(30)\n"
        "    finally:\n        seen.append('cancelled')\n"
    )
    made = functions(source, timeout_s=0.05)
    assert "took longer than 0.05 s" in failure_of(made, {})
    assert imported().seen == ["cancelled"]


def test_what_a_function_prints_does_not_reach_stdout(functions: Make, capfd: pytest.CaptureFixture[str]) -> None:
    source = (
        "import subprocess, sys\nprint('while importing')\ndef answer(case):\n    print('while answering')\n"
        "    subprocess.run([sys.executable, '-c', 'print(\"from a child\")'])\n    return 'it'\n"
    )
    made = functions(source)
    call(made, {})
    print("ours")
    out, err = capfd.readouterr()
    assert out == "ours\n"
    assert {"while importing", "while answering", "from a child"} <= set(err.splitlines())


@pytest.mark.parametrize(
    ("statement", "package"),
    [("from .other import WORD", True), ("from app.other import WORD", False), ("from other import WORD", False)],
)
def test_files_beside_an_application_can_be_imported(functions: Make, statement: str, package: bool) -> None:
    assert call(functions(f"{statement}\ndef answer(case):\n    return WORD\n", package=package), {}) == ["from beside"]


def test_an_application_may_bear_the_name_of_an_installed_module(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("def answer(case):\n    return 'mine'\n")
    target = PythonFunction("json.py", "answer")
    made = UserFunctions(Workspace(tmp_path, Config()), {target: None})

    async def main() -> Any:
        with made.running(1):
            return await made.call(target, {})

    try:
        assert asyncio.run(main()) == "mine"
    finally:
        sys.path.remove(str(tmp_path))
    assert sys.modules["json"].__name__ == "json"


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("1 / 0\n", r"importing it raised ZeroDivisionError: division by zero \(app/answer.py:1\)"),
        ("import no_such_module_here\n", "importing it raised ModuleNotFoundError"),
        ("raise SystemExit('bye')\n", "importing it raised SystemExit: bye"),
        ("answer = 5\n", "answer is not a function"),
        ("def other(): ...\n", "answer is not there once the file is imported"),
    ],
)
def test_what_cannot_be_imported_is_a_usage_error(functions: Make, source: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        functions(source)


def test_a_file_that_changed_since_the_suite_was_loaded_is_a_usage_error(functions: Make) -> None:
    with pytest.raises(UsageError, match=r"app/answer\.py is no longer what it was when the suite was loaded"):
        functions("def answer(case): ...\n", sha256=hashlib.sha256(b"another").hexdigest())


def test_ending_waits_for_no_function(functions: Make) -> None:
    source = "import asyncio\nasync def answer(case):\n    await asyncio.sleep(3600)\n"
    made = functions(source)

    async def main() -> None:
        with made.running(1):
            task = asyncio.ensure_future(made.call(ANSWER, {}))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait({task})

    asyncio.run(main())
    assert not any(thread.name == "applications" for thread in threading.enumerate())


@pytest.mark.parametrize("keyword", ["def", "async def"])
def test_a_function_that_takes_other_arguments_is_a_failure_of_its_own(functions: Make, keyword: str) -> None:
    told = failure_of(functions(f"{keyword} answer():\n    return 'x'\n"), {})
    assert told.startswith("app/answer.py:answer raised TypeError: ")


@pytest.mark.parametrize("package", [True, False])
def test_functions_of_one_file_share_what_it_keeps(tmp_path: Path, functions: Make, package: bool) -> None:
    del functions  # it puts back what importing changes
    (tmp_path / "app").mkdir()
    if package:
        (tmp_path / "app" / "__init__.py").write_text("")
    source = "kept = []\ndef put(value):\n    kept.append(value)\ndef count():\n    return len(kept)\n"
    (tmp_path / "app" / "store.py").write_text(source)
    put, count = PythonFunction("app/store.py", "put"), PythonFunction("app/store.py", "count")
    made = UserFunctions(Workspace(tmp_path, Config()), {put: None, count: None})

    async def main() -> Any:
        with made.running(1):
            await made.call(put, "x")
            return await made.call(count)

    assert asyncio.run(main()) == 1
