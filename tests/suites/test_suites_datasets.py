from __future__ import annotations

import datetime
import decimal
import gzip
import json
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapdrift.errors import DatasetError
from snapdrift.model import Case
from snapdrift.suites import datasets
from snapdrift.suites.datasets import dataset_hash, load_cases
from snapdrift.suites.row_mistakes import MAX_PROBLEMS


def written(tmp_path: Path, name: str, content: str | bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def problems_of(path: Path) -> list[str]:
    with pytest.raises(DatasetError) as caught:
        load_cases(path, path.name)
    return str(caught.value).splitlines()


A = Case("a", {"q": "1"}, "x", ("t", "u"), "k")
ROW = {"id": "a", "q": "1", "expected": "x", "tags": ["t", "u"], "cluster": "k"}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("d.jsonl", json.dumps(ROW)),
        ("d.jsonl", "\ufeff\n" + json.dumps(ROW) + "\r\n\n"),
        ("d.jsonl.gz", gzip.compress(json.dumps(ROW).encode(), mtime=0)),
        ("d.csv", 'id,q,expected,tags,cluster\r\na,1,x,"t, u",k\r\n'),
        ("d.yaml", "- {id: a, q: '1', expected: x, tags: [t, u], cluster: k}\n"),
        ("d.yml", "cases:\n- {id: a, q: '1', expected: x, tags: 't,u,t', cluster: k}\n"),
    ],
)
def test_every_format_gives_the_same_case(tmp_path: Path, name: str, content: str | bytes) -> None:
    assert load_cases(written(tmp_path, name, content), name) == (A,)


def test_parquet_gives_the_same_case_with_dates_as_text(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist([{**ROW, "day": datetime.date(2024, 11, 20)}]), tmp_path / "d.parquet")
    (case,) = load_cases(tmp_path / "d.parquet", "d.parquet")
    assert case.variables == {"q": "1", "day": "2024-11-20"}


def test_a_parquet_value_that_json_does_not_have_is_refused(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [{"id": "a", "x": decimal.Decimal("1.5"), "y": float("nan")}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "d.parquet")
    assert [line.split(";")[0] for line in problems_of(tmp_path / "d.parquet")] == [
        "d.parquet: row 1.x: a value of type Decimal",
        "d.parquet: row 1.y: nan (not a finite number)",
    ]


def test_a_file_that_only_claims_to_be_parquet_is_told(tmp_path: Path) -> None:
    assert problems_of(written(tmp_path, "d.parquet", "no"))[0].startswith("d.parquet: not Parquet: ")


def test_without_pyarrow_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    expected = "d.parquet: reading Parquet needs pyarrow; install the extra: pip install 'snapdrift[parquet]'"
    assert problems_of(written(tmp_path, "d.parquet", "no")) == [expected]


def test_columns_of_a_csv_nest_under_expected_and_stay_text(tmp_path: Path) -> None:
    content = "id,n,expected.queue,expected.due.day\na,007,no,\n"
    (case,) = load_cases(written(tmp_path, "d.csv", content), "d.csv")
    assert (case.variables, case.expected) == ({"n": "007"}, {"queue": "no", "due": {"day": ""}})


def test_a_column_name_of_many_parts_takes_little_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "MAX_BYTES", 2**20)  # which is set aside to read a file
    path = written(tmp_path, "d.csv", f"id,expected{'.a' * 10_000}\na,1\n")

    tracemalloc.start()
    try:
        (problem,) = problems_of(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert problem.startswith("d.csv:2:1: expected: more than 64 levels of nesting")
    assert peak < 20 * 2**20


def test_a_csv_field_may_hold_line_breaks_and_the_next_row_keeps_its_line(tmp_path: Path) -> None:
    content = 'id,q\na,"one\ntwo"\na,x\n'
    assert problems_of(written(tmp_path, "d.csv", content)) == [
        'd.csv:4:1: id: the id "a" a second time; expected unique ids; it is first at d.csv:2'
    ]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("d.jsonl", '{"id": "a"}\n\n{"id": "b" 1}\n', ["d.jsonl:3:12: not JSON: "]),
        ("d.jsonl", '{"id": "a"}\n[1]\n', ["d.jsonl:2:1: a list; expected a JSON object"]),
        ("d.jsonl", '{"id": "a"}\n{"id": "a"}\n', ['d.jsonl:2:1: id: the id "a" a second time; expected unique ids']),
        ("d.jsonl", '{"q": 1}\n{"id": 7}\n', ["d.jsonl:1:1: no id; ", "d.jsonl:2:1: id: 7; expected text that stays"]),
        ("d.jsonl", '{"id": ""}\n{"id": " a"}\n', ['d.jsonl:1:1: id: ""; ', 'd.jsonl:2:1: id: " a"; ']),
        ("d.jsonl", '{"id": "a", "x": NaN}', ["d.jsonl:1:1: NaN is not a JSON value; "]),
        ("d.jsonl", '{"id": "a", "x": 1e999}', ["d.jsonl:1:1: 1e999 is too large a number; "]),
        ("d.jsonl", '{"id": "a", "id": "b"}', ['d.jsonl:1:1: the key "id" appears twice in one object; ']),
        ("d.jsonl", '{"id": "a", "x": "\\ud800"}', ["d.jsonl:1:1: half of a surrogate pair "]),
        ("d.jsonl", b'{"id": "a"}\n{"id": "\xff"}', ["d.jsonl:2:9: the byte 0xFF, which is not UTF-8; "]),
        ("d.jsonl", '{"id": "a", "tags": [1]}', ["d.jsonl:1:1: tags: a list; expected a list of text"]),
        ("d.jsonl", '{"id": "a", "cluster": true}', ["d.jsonl:1:1: cluster: true; expected text"]),
        (
            "d.jsonl",
            '{"id": "a", "messages": [1]}',
            ["d.jsonl:1:1: messages[0]: 1; expected a mapping"],
        ),
        (
            "d.jsonl",
            '{"id": "a", "tool_results": {"a": 1}}',
            ["d.jsonl:1:1: tool_results.a: found 1; expected a list of entries"],
        ),
        ("d.jsonl", '{"id": "a", "x": ' + "[" * 3000 + "]" * 3000 + "}", ["d.jsonl:1:1: "]),
        ("d.jsonl", "\n", ["d.jsonl: no cases; expected at least one row"]),
        ("d.jsonl.gz", b"not gzip", ["d.jsonl.gz: not gzip: "]),
        ("d.jsonl.gz", gzip.compress(b'{"id": "a"}' * 99, mtime=0)[:-9], ["d.jsonl.gz: not gzip: "]),
        ("d.csv", "", ["d.csv:1:1: no header; "]),
        ("d.csv", "id,q\n", ["d.csv: no cases; "]),
        ("d.csv", "ID,q\na,b\n", ['d.csv:1:1: no column `id`; did you mean "id"?']),
        ("d.csv", "id,q,q\n", ['d.csv:1:1: the column "q" twice; ']),
        ("d.csv", "id, q\n", ['d.csv:1:1: the column name " q"; ']),
        ("d.csv", "id,expected,expected.q\n", ['d.csv:1:1: the column "expected.q"; ']),
        ("d.csv", "id,expected.q,expected.q.r\n", ['d.csv:1:1: the column "expected.q"; ']),
        ("d.csv", "id,q\na,1,2\nb\n", ["d.csv:2:1: 3 fields; expected 2", "d.csv:3:1: 1 fields; expected 2"]),
        ("d.csv", 'id,q\na,"x\n', ["d.csv:2:1: not CSV: "]),
        ("d.csv", b"id,q\na,\xe9\n", ["d.csv:2:3: the byte 0xE9, which is not UTF-8; "]),
        ("d.yaml", "- {id: a}\n- {id: 3}\n", ["d.yaml:2:8: [1].id: 3; expected text that stays"]),
        ("d.yaml", "- {id: a}\n- x\n", ['d.yaml:2:3: [1]: "x"; expected a mapping of columns to values']),
        ("d.yaml", "a: 1\n", ["d.yaml:1:1: a mapping; expected a list of rows"]),
        ("d.yaml", "a: [\n", ["d.yaml:2:1: not YAML: "]),
        ("d.txt", "x", ["d.txt: a file of unknown format; expected one of .jsonl, "]),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, name: str, content: str | bytes, expected: list[str]) -> None:
    found = problems_of(written(tmp_path, name, content))
    assert [line.startswith(start) for line, start in zip(found, expected, strict=True)] == [True] * len(expected)


def test_a_header_of_ten_thousand_columns_is_looked_through_once_and_no_more_are_taken(tmp_path: Path) -> None:
    names = ["id", *(f"expected.c{number}" for number in range(datasets.MAX_COLUMNS - 1))]
    compared = 0

    class Name(str):
        """A name that counts how often it is compared or looked into."""

        def startswith(self, *given: Any) -> bool:
            nonlocal compared
            compared += 1
            return str.startswith(self, *given)

    datasets._check_header([Name(name) for name in names], "d.csv")
    assert compared <= 3 * len(names)
    file = written(tmp_path, "e.csv", ",".join([*names, "one"]) + "\n")
    with pytest.raises(DatasetError, match=r"e\.csv:1:1: 10,001 columns; expected at most 10,000"):
        load_cases(file, "e.csv")


def test_the_same_mistake_of_a_column_is_told_five_times_and_then_counted(tmp_path: Path) -> None:
    rows = "".join(f'{{"id": {number}}}\n' for number in range(60)) + '{"id": "a", "tags": 1}\n'
    found = problems_of(written(tmp_path, "d.jsonl", rows))
    assert [line.partition(";")[0] for line in found[4:]] == [
        "d.jsonl:5:1: id: 4",
        "d.jsonl:6:1: id: 55 more rows like these, the last at line 60",
        "d.jsonl:61:1: tags: 1",
    ]


def test_no_dataset_has_more_mistakes_than_fit_on_a_page_and_the_rest_is_counted(tmp_path: Path) -> None:
    rows = "".join(f'{{"id": "{number}", "x{number}": NaN}}\n' for number in range(1000))
    text = "".join(f'{{"id": "{number}", "x{number}": {"[" * 70 + "]" * 70}}}\n' for number in range(1000))
    assert len(problems_of(written(tmp_path, "d.jsonl", rows))) == 6
    found = problems_of(written(tmp_path, "d.jsonl", text))
    assert len(found) == MAX_PROBLEMS + 1
    assert found[-1].startswith("d.jsonl:51:1: 950 more mistakes, the last at line 1000; ")


def test_a_dataset_larger_than_the_bound_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "MAX_BYTES", 2**20)
    bomb = gzip.compress(b"\n" * (2**20 + 1), mtime=0)
    assert problems_of(written(tmp_path, "d.jsonl.gz", bomb)) == [
        "d.jsonl.gz: more than 1 MB; expected a smaller dataset"
    ]


ids = st.lists(st.text("abcdefgh", min_size=1, max_size=4), unique=True, min_size=1, max_size=6)
values = st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8"), max_size=5)


@given(st.data(), ids)
def test_jsonl_round_trips(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, names: list[str]) -> None:
    rows: list[dict[str, Any]] = [{"id": name, "x": data.draw(values), "expected": data.draw(values)} for name in names]
    path = tmp_path_factory.mktemp("rows") / "d.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    found = [{"id": case.id, **case.variables, "expected": case.expected} for case in load_cases(path, "d.jsonl")]
    assert found == rows


def test_the_hash_of_a_dataset_does_not_depend_on_the_order_of_its_rows() -> None:
    b = Case("b", {"q": "2"})
    assert dataset_hash([A, b]) == dataset_hash([b, A])


@pytest.mark.parametrize(
    "changed", [Case("a", {"q": "2"}, "x", ("t", "u"), "k"), Case("a", {"q": "1"}, "x", ("t",), "k")]
)
def test_the_hash_of_a_dataset_changes_with_any_column(changed: Case) -> None:
    assert dataset_hash([A]) != dataset_hash([changed])


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.parquet"])
def test_a_dataset_of_more_rows_than_the_bound_is_refused(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    monkeypatch.setattr("snapdrift.suites.datasets.MAX_ROWS", 3)
    rows = [{"id": str(number)} for number in range(4)]
    if name.endswith("parquet"):
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / name)
    else:
        lines = [json.dumps(row) for row in rows] if name.endswith("jsonl") else ["id", *(row["id"] for row in rows)]
        (tmp_path / name).write_text("\n".join(lines))
    with pytest.raises(DatasetError, match="more than 3 rows; expected a smaller dataset"):
        load_cases(tmp_path / name, name)


def test_parquet_that_unpacks_to_more_than_it_says_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One long text a thousand times is a few bytes in a file, which count as its size."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    monkeypatch.setattr("snapdrift.suites.datasets.MAX_BYTES", 300_000)
    rows = [{"id": str(number), "text": "x" * 5_000} for number in range(1_000)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet", compression="snappy")
    assert (tmp_path / "a.parquet").stat().st_size < 100_000
    with pytest.raises(DatasetError, match="MB unpacked"):
        load_cases(tmp_path / "a.parquet", "a.parquet")
