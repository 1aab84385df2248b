"""Families of installed packages: found by entry point, imported when used, and named when they are broken."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import jsonschema
import pytest

from snapdrift.graders.families import all_families
from snapdrift.graders.registry import Registry
from snapdrift.model import CallKey, Case, Outcome, Response
from snapdrift.suites.registry import Finding, InvalidEntryError

SHOUTS = '''\
from typing import Any, ClassVar

from pydantic import Field

from snapdrift.graders.base import Grader
from snapdrift.graders.marks import Mark


class Shouts(Grader):
    """Passes when the answer is in capitals."""

    family: ClassVar[str] = "shouts"

    shouts: bool = Field(description="Whether it should shout.")

    def mark(self, case: Any, value: Any) -> Mark:
        return Mark.of(str(value).isupper() is self.shouts)
'''
Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Puts a distribution with one entry point on the path, as an installer would."""
    monkeypatch.setattr(sys, "path", sys.path[:])
    before = set(sys.modules)

    def make(
        source: str = SHOUTS, *, name: str = "shouts", value: str = "{module}:Shouts", package: str = "shouting",
        version: str = "1.2",
    ) -> None:  # fmt: skip
        folder = tmp_path / f"{package}-{version}"
        module = f"{package}_graders"
        information = folder / f"{package}-{version}.dist-info"
        information.mkdir(parents=True)
        (folder / f"{module}.py").write_text(source)
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
        points = f"[snapdrift.graders]\n{name} = {value.format(module=module)}\n"
        (information / "entry_points.txt").write_text(points)
        sys.path.append(str(folder))

    yield make
    for name in set(sys.modules) - before:
        del sys.modules[name]


def parsed(entry: dict[str, object]) -> object:
    return Registry().parse(entry, default_extract=None, read=str, cases=())


def refused(entry: dict[str, object]) -> Finding:
    with pytest.raises(InvalidEntryError) as error:
        parsed(entry)
    (finding,) = error.value.findings
    return finding


def test_a_family_of_an_installed_package_grades_like_any_other(install: Install) -> None:
    install()
    registry = Registry()

    grader = registry.parse({"all": [{"shouts": True}]}, default_extract=None, read=str, cases=())
    scores = [
        grader.grade(Case("c1"), Response(CallKey("c1", "a", 0), Outcome.OK, "gpt-4o-2024-08-06", text=text))
        for text in ("YES", "yes")
    ]

    assert "shouts" in registry.families()
    assert [score.passed for (score,) in scores] == [True, False]


def test_another_version_of_the_package_is_another_version_of_the_grader(install: Install) -> None:
    install(version="1.2")
    one = Registry().parse({"shouts": True}, default_extract=None, read=str, cases=()).version
    sys.path.pop()
    for name in [name for name in sys.modules if name == "shouting_graders"]:
        del sys.modules[name]
    install(version="1.3")

    assert Registry().parse({"shouts": True}, default_extract=None, read=str, cases=()).version != one


@pytest.mark.parametrize(
    ("source", "value", "found"),
    [
        ("raise RuntimeError('no licence')\n", "{module}:Shouts", "cannot be imported (RuntimeError: no licence)"),
        (SHOUTS, "{module}:Whispers", "cannot be imported (AttributeError"),
        (SHOUTS, "no_such_module:Shouts", "cannot be imported (ModuleNotFoundError"),
        ("Shouts = 3\n", "{module}:Shouts", 'is "3"'),
        ("class Shouts: ...\n", "{module}:Shouts", "is \"<class 'shouting_graders.Shouts'>\""),
        (SHOUTS.replace('= "shouts"', '= "shout"'), "{module}:Shouts", "calls its family 'shout'"),
        (SHOUTS.replace("    shouts: bool", "    loud: bool").replace("self.shouts", "self.loud"), "{module}:Shouts",
         "has no argument 'shouts'"),
    ],
)  # fmt: skip
def test_a_broken_family_is_told_with_its_package_where_it_is_used_and_nowhere_else(
    source: str, value: str, found: str, install: Install
) -> None:
    install(source, value=value)

    finding = refused({"name": "loud", "shouts": True})

    assert finding.location == ("shouts",)
    assert "of shouting 1.2" in finding.found
    assert found in finding.found
    assert parsed({"exact": "x"})
    assert "shouts" not in str(Registry().json_schema())


def test_a_package_that_takes_a_name_of_ours_is_told_where_that_name_is_used(install: Install) -> None:
    install(SHOUTS.replace("shouts", "exact"), name="exact")

    finding = refused({"exact": "x"})

    assert "Snapdrift's own and which shouting 1.2 registers too" in finding.found
    assert parsed({"contains": "x"})


def test_two_packages_with_one_family_are_both_named(install: Install) -> None:
    install(package="shouting")
    install(package="yelling", version="0.3")

    finding = refused({"shouts": True})

    assert "registered by shouting 1.2 and yelling 0.3" in finding.found
    assert parsed({"exact": "x"})


def test_a_family_named_like_an_argument_takes_it_from_no_grader(install: Install) -> None:
    install(SHOUTS.replace("shouts", "normalise"), name="normalise")

    assert parsed({"exact": "x", "normalise": ["casefold"]})


def test_the_schema_for_editors_has_installed_families_unless_it_is_asked_for_without(install: Install) -> None:
    install()
    schemas = [jsonschema.Draft202012Validator(made.json_schema()) for made in (Registry(), Registry(all_families()))]

    assert [schema.is_valid({"name": "loud", "shouts": True}) for schema in schemas] == [True, False]


def test_an_unknown_family_close_to_an_installed_one_is_suggested(install: Install) -> None:
    install()

    assert "did you mean 'shouts'" in refused({"shout": True}).expected


def test_a_family_that_is_refused_is_told_and_its_package_is_not_imported(install: Install) -> None:
    install()
    with pytest.raises(InvalidEntryError) as error:
        Registry(refusal="--no-code refuses it").parse({"shouts": True}, default_extract=None, read=str, cases=())
    (finding,) = error.value.findings
    assert finding.found == "the grader family 'shouts' of shouting 1.2"
    assert finding.expected == "expected one of Snapdrift's own: --no-code refuses it"
    assert "shouting_graders" not in sys.modules
