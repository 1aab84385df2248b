"""Programs that print figures start, and are called as their first lines say."""

from __future__ import annotations

import ast
import re
import runpy
import sys
from pathlib import Path
from pkgutil import resolve_name

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
PROGRAMS = sorted(path for path in FOLDER.glob("*.py") if '__name__ == "__main__"' in path.read_text())


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_a_benchmark_imports_what_is_there_and_has_the_options_that_it_names(path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(FOLDER)
    monkeypatch.setattr(sys, "argv", [str(path), "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(path), run_name="__main__")
    assert ended.value.code == 0
    _, _, options = capsys.readouterr().out.partition("options:\n")

    called = re.findall(rf"python benchmarks/{path.name}(.*)", ast.get_docstring(ast.parse(path.read_text())) or "")
    assert called
    assert set(re.findall(r"--[a-z-]+", " ".join(called))) <= set(re.findall(r"--[a-z-]+", options))


def test_the_steps_whose_memory_is_measured_are_steps_of_a_run():
    program = runpy.run_path(str(FOLDER / "memory.py"))
    places = [place for _, place in program["STEPS"]] + [place for place, _ in program["PAGES"]]
    assert places
    assert [place for place in places if not callable(resolve_name(f"snapdrift.pipeline.{place}"))] == []
