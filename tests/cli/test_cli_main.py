"""How the program ends: with the code of what happened, and never with one that reads as a regression by mistake."""

from __future__ import annotations

import errno
import io
import subprocess
import sys
from typing import Any

import pytest

from snapdrift import cli
from snapdrift.cli import COMMANDS
from snapdrift.errors import IncompleteError, Interrupted, SnapdriftError, StoreError, UsageError

HEAVY = ("openai", "pandas", "scipy", "numpy", "jinja2", "starlette", "uvicorn", "yaml")


@pytest.fixture
def end(monkeypatch, capsys):
    """Runs `main` with `snapdrift schema`, whose work raises an error; gives the exit code and what was said."""

    def run(error: BaseException) -> tuple[Any, str]:
        def fails(*_: object, **__: object) -> None:
            raise error

        monkeypatch.setattr("snapdrift.suites.schema.suite_json_schema", fails)
        monkeypatch.setattr(sys, "argv", ["snapdrift", "schema"])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return ended.value.code, capsys.readouterr().err

    return run


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SnapdriftError("said"), 2),
        (UsageError("said"), 2),
        (StoreError("said"), 2),
        (IncompleteError("said"), 3),
        (Interrupted("said"), 130),
    ],
)
def test_a_user_error_prints_its_text_and_nothing_else(end, error, code):
    assert end(error) == (code, "said\n")


def test_a_defect_ends_with_2_and_asks_to_be_reported(end):
    code, said = end(ZeroDivisionError("of ours"))
    assert code == 2
    assert "ZeroDivisionError: of ours" in said
    assert "This is a defect in snapdrift" in said


def test_a_disk_that_takes_nothing_more_is_no_defect(end):
    error = OSError(errno.ENOSPC, "No space left on device", "reports/index.html")
    assert end(error) == (2, "reports/index.html: cannot be written (No space left on device)\n")


def test_ctrl_c_ends_with_130_and_a_word(end):
    code, said = end(KeyboardInterrupt())
    assert code == 130
    assert said.strip() == "interrupted"


@pytest.mark.parametrize(
    ("arguments", "commands"), [(["--help"], COMMANDS), (["--version"], ()), (["plan", "--help"], ("plan",))]
)
def test_help_and_version_load_nothing_heavy_and_no_other_command(arguments, commands):
    program = (
        "import sys\n"
        f"sys.argv = ['snapdrift', *{arguments!r}]\n"
        "from snapdrift.cli import main\n"
        "try:\n    main()\nexcept SystemExit as ended:\n    assert not ended.code\n"
        f"loaded = [name for name in {COMMANDS!r} if 'snapdrift.cli.' + name in sys.modules]\n"
        f"print(loaded, sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr.splitlines()[-1] == f"{[*commands]} []"


def test_checking_a_suite_of_floors_loads_nothing_that_reads_runs_asks_or_draws(tmp_path):
    (tmp_path / "snapdrift.toml").write_text("")
    (tmp_path / "evals").mkdir()
    (tmp_path / "evals" / "s.yaml").write_text(
        "suite: s\ncases: [{id: a, q: x}]\nprompt: {input: '{{ q }}'}\nvariants: {v: {model: gpt-4o-2024-11-20}}\n"
        "graders: [{name: any, regex: .}]\ngate: {metrics: {any: {at_least: 0.5}}}\n"
    )
    packages = ("snapdrift.store.reader", "snapdrift.conclusions", "snapdrift.reports", "snapdrift.execution")
    program = (
        "import sys\nsys.argv = ['snapdrift', 'check', 'evals/s.yaml']\n"
        "from snapdrift.cli import main\n"
        "try:\n    main()\nexcept SystemExit as ended:\n    assert not ended.code\n"
        f"print(sorted({{*{packages!r}, 'pandas', 'scipy', 'openai'}} & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path
    )
    assert "evals/s.yaml: ok" in done.stdout, done.stderr
    assert done.stderr.splitlines()[-1] == "[]"


def test_the_version_is_that_of_the_package(snapdrift, tmp_path):
    from snapdrift import __version__

    done = snapdrift("--version", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"snapdrift {__version__}\n")


@pytest.mark.parametrize("arguments", [["rum"], ["run"], ["run", "a.yaml", "--nothing"], ["compare"]])
def test_a_wrong_command_line_ends_with_2_and_no_traceback(snapdrift, tmp_path, arguments):
    done = snapdrift(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_reader_that_goes_away_is_no_regression(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "snapdrift", "schema"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    said = process.stderr.read()
    process.stderr.close()
    assert (process.wait(timeout=60), said) == (2, b"")


def test_characters_that_the_output_lacks_are_spelled_out(monkeypatch):
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="latin-1"))
    monkeypatch.setattr(sys, "argv", ["snapdrift", "schema"])
    monkeypatch.setattr("snapdrift.suites.schema.suite_json_schema", lambda _: {"difference": "−1 °"})
    with pytest.raises(SystemExit) as ended:
        cli.main()
    sys.stdout.flush()
    assert ended.value.code == 0
    assert b'"\\u22121 \xb0"' in written.getvalue()


def test_outside_of_a_workspace_the_catalogue_is_shown_all_the_same(snapdrift, tmp_path):
    done = snapdrift("models", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "gpt-4o-2024-08-06" in done.stdout
    assert "2027-01-14" in done.stdout
