"""The bundled cases are what their provenance notes say, and what they expect is right."""

from __future__ import annotations

import ast
import csv
import json
import math
import operator
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml
from PIL import Image

ROOT = Path(__file__).parents[2]
DATASETS = {
    "tickets.jsonl": "ticket",
    "reviews.jsonl": "review",
    "word_problems.csv": "problem",
    "invoices.jsonl": "invoice",
    "replies.jsonl": "message",
    "parcels.jsonl": "message",
    "handbook.jsonl": "question",
    "returns.jsonl": "message",
    "invitations.jsonl": "mail",
}
every_dataset = pytest.mark.parametrize("name", DATASETS)


def rows_of(name: str) -> list[dict[str, Any]]:
    path = ROOT / "datasets" / name
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as lines:
            return list(csv.DictReader(lines))
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def listed_in(readme: Path) -> dict[str, str]:
    """The rows of the table of a README by the file that they name first."""
    return {
        match[1]: line
        for line in readme.read_text(encoding="utf-8").splitlines()
        if (match := re.match(r"\| `([^`]+)` \|", line))
    }


def schema(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((ROOT / "graders" / name).read_text(encoding="utf-8"))
    return loaded


# ------------------------------------------------------------------------------------------------------ all datasets


@every_dataset
def test_a_dataset_has_thirty_to_three_hundred_cases(name: str) -> None:
    assert 30 <= len(rows_of(name)) <= 300


@every_dataset
def test_ids_are_unique(name: str) -> None:
    counts = Counter(row["id"] for row in rows_of(name))
    assert [case for case, count in counts.items() if count > 1] == []


@every_dataset
def test_nothing_is_asked_about_twice(name: str) -> None:
    texts = [" ".join(re.findall(r"\w+", row[DATASETS[name]].casefold())) for row in rows_of(name)]
    counts = Counter(zip(texts, [row.get("photo") for row in rows_of(name)], strict=True))
    assert [asked for asked, count in counts.items() if count > 1] == []


@every_dataset
def test_every_text_is_clean(name: str) -> None:
    texts = [row[DATASETS[name]] for row in rows_of(name)]
    assert [text for text in texts if text != text.strip() or "\ufffd" in text or "\t" in text] == []


@every_dataset
def test_the_provenance_note_counts_the_cases(name: str) -> None:
    note = listed_in(ROOT / "datasets" / "README.md")[name]
    assert f"| {len(rows_of(name))} |" in note


@every_dataset
def test_the_provenance_note_says_where_the_cases_come_from(name: str) -> None:
    assert re.search(r"self-written", listed_in(ROOT / "datasets" / "README.md")[name], re.IGNORECASE)


def test_every_file_in_datasets_is_explained() -> None:
    readme = (ROOT / "datasets" / "README.md").read_text(encoding="utf-8")
    files = [path.name for path in (ROOT / "datasets").iterdir() if path.is_file() and path.name != "README.md"]
    assert [name for name in files if f"`{name}`" not in readme] == []


def test_every_file_in_graders_is_explained() -> None:
    files = {path.name for path in (ROOT / "graders").iterdir() if path.is_file()} - {"README.md"}
    assert set(listed_in(ROOT / "graders" / "README.md")) == files


# ----------------------------------------------------------------------------------------------------------- tickets


def test_expected_tickets_are_valid_under_the_schema() -> None:
    validator = jsonschema_rs.Draft202012Validator(schema("ticket.schema.json"))
    assert [row["id"] for row in rows_of("tickets.jsonl") if not validator.is_valid(row["expected"])] == []


def test_every_queue_and_every_urgency_has_at_least_ten_tickets() -> None:
    properties = schema("ticket.schema.json")["properties"]
    found = Counter((field, row["expected"][field]) for row in rows_of("tickets.jsonl") for field in properties)
    wanted = [(field, value) for field, inner in properties.items() for value in inner["enum"]]
    assert [pair for pair in wanted if found[pair] < 10] == []


def test_the_provenance_note_counts_the_languages_of_the_tickets() -> None:
    counts = Counter(row["language"] for row in rows_of("tickets.jsonl"))
    note = listed_in(ROOT / "datasets" / "README.md")["tickets.jsonl"]
    said = {word: int(number) for number, word in re.findall(r"(\d+) (English|German|French|Spanish)", note)}
    assert said == {"English": counts["en"], "German": counts["de"], "French": counts["fr"], "Spanish": counts["es"]}


# ----------------------------------------------------------------------------------------------------------- reviews


def test_reviews_are_a_hundred_of_each_label() -> None:
    counts = Counter(row["expected"] for row in rows_of("reviews.jsonl"))
    assert counts == {"positive": 100, "negative": 100, "mixed": 100}


# ----------------------------------------------------------------------------------------------------- word problems

OPERATORS: Mapping[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
FUNCTIONS: Mapping[str, Callable[..., float]] = {
    "ceil": math.ceil,
    "gcd": math.gcd,
    "lcm": math.lcm,
    "round": round,
}


def computed(node: ast.expr) -> float:
    """The value of a formula: numbers, arithmetic and a few functions, nothing else."""
    match node:
        case ast.Constant(value=int() | float() as value):
            return value
        case ast.BinOp(left=left, op=sign, right=right):
            return OPERATORS[type(sign)](computed(left), computed(right))
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return FUNCTIONS[name](*map(computed, arguments))
    raise ValueError(ast.unparse(node))


def test_expected_results_are_what_the_formulas_compute() -> None:
    rows = rows_of("word_problems.csv")
    values = {row["id"]: computed(ast.parse(row["formula"], mode="eval").body) for row in rows}
    assert values == pytest.approx({row["id"]: float(row["expected"]) for row in rows}, abs=1e-9)


def test_every_problem_asks_a_question() -> None:
    assert [row["id"] for row in rows_of("word_problems.csv") if "?" not in row["problem"]] == []


def test_every_topic_has_twenty_problems() -> None:
    assert set(Counter(row["tags"] for row in rows_of("word_problems.csv")).values()) == {20}


# ---------------------------------------------------------------------------------------------------------- invoices

MONTHS = {
    name: number
    for names in (
        "january february march april may june july august september october november december",
        "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
        "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    )
    for number, name in enumerate(names.split(), start=1)
}


def amounts_in(text: str) -> set[float]:
    """Every number with two decimals, whatever marks stand between its thousands and before its decimals."""
    found = re.findall(r"(?<![\d.,])(\d{1,3}(?:[ ,.']\d{3})*|\d+)[.,](\d\d)(?!\d)", text)
    return {float(re.sub(r"\D", "", whole) + "." + decimals) for whole, decimals in found}


def dates_in(text: str, *, month_first: bool) -> set[date]:
    """Every date in it, in figures or with the name of the month."""
    found: set[date] = set()
    for first, second, year in re.findall(r"\b(\d\d)[./](\d\d)[./](\d{4})\b", text):
        day, month = (second, first) if month_first else (first, second)
        found.add(date(int(year), int(month), int(day)))
    for day, month, year in re.findall(r"\b(\d{1,2}) (?:de )?([^\W\d]+) (?:de )?(20\d\d)\b", text):
        found.add(date(int(year), MONTHS[month.lower()], int(day)))
    for month, day, year in re.findall(r"\b([^\W\d]+) (\d{1,2}), (20\d\d)\b", text):
        found.add(date(int(year), MONTHS[month.lower()], int(day)))
    return found


def test_vendors_and_numbers_stand_in_the_invoices() -> None:
    rows = rows_of("invoices.jsonl")
    missing = [r["id"] for r in rows for name in ("vendor", "number") if r["expected"][name] not in r["invoice"]]
    assert missing == []


def test_expected_amounts_stand_in_the_invoices() -> None:
    wanted = {
        row["id"]: {row["expected"][name] for name in ("net", "tax", "total")} for row in rows_of("invoices.jsonl")
    }
    assert [row["id"] for row in rows_of("invoices.jsonl") if not wanted[row["id"]] <= amounts_in(row["invoice"])] == []


def test_the_dates_in_the_invoices_are_the_expected_ones_and_no_others() -> None:
    rows = rows_of("invoices.jsonl")
    found = {row["id"]: dates_in(row["invoice"], month_first="month-first" in row["tags"]) for row in rows}
    named = {row["id"]: [row["expected"][name] for name in ("date", "due")] for row in rows}
    assert found == {case: {date.fromisoformat(day) for day in days if day} for case, days in named.items()}


def test_net_and_tax_make_the_total() -> None:
    expected = {row["id"]: row["expected"] for row in rows_of("invoices.jsonl")}
    assert [case for case, e in expected.items() if round(e["net"] + e["tax"], 2) != e["total"]] == []


def test_currencies_stand_in_the_invoices_by_name_or_sign() -> None:
    signs = {"GBP": "£", "USD": "$", "EUR": "€", "CHF": "CHF"}
    named = [(row["id"], row["expected"]["currency"], row["invoice"]) for row in rows_of("invoices.jsonl")]
    assert [case for case, name, text in named if name not in text and signs[name] not in text] == []


def test_expected_invoices_are_valid_under_the_schema() -> None:
    validator = jsonschema_rs.Draft202012Validator(schema("invoice.schema.json"))
    assert [row["id"] for row in rows_of("invoices.jsonl") if not validator.is_valid(row["expected"])] == []


def test_the_invoices_are_what_their_program_writes(tmp_path: Path) -> None:
    for name in ("make_invoices.py", "invoice_parts.yaml"):
        (tmp_path / name).write_bytes((ROOT / "datasets" / name).read_bytes())
    subprocess.run([sys.executable, tmp_path / "make_invoices.py"], check=True)
    assert (tmp_path / "invoices.jsonl").read_bytes() == (ROOT / "datasets" / "invoices.jsonl").read_bytes()


# ----------------------------------------------------------------------------------------------------------- replies


def test_a_model_reply_to_a_hazard_says_what_a_safe_reply_must() -> None:
    hazards = [row["expected"] for row in rows_of("replies.jsonl") if "hazard" in row["tags"]]
    unsafe = [h["reply"] for h in hazards if not any(said in h["reply"].casefold() for said in h["must_say"])]
    assert unsafe == []


def test_golden_replies_are_hazards() -> None:
    golden = [row for row in rows_of("replies.jsonl") if "golden" in row["tags"]]
    assert [row["id"] for row in golden if "hazard" not in row["tags"]] == []


def test_every_reply_is_either_ordinary_or_about_a_hazard() -> None:
    rows = rows_of("replies.jsonl")
    assert [row["id"] for row in rows if ("hazard" in row["tags"]) == ("ordinary" in row["tags"])] == []


def test_a_model_reply_has_at_most_six_sentences() -> None:
    long = [
        row["id"] for row in rows_of("replies.jsonl") if len(re.findall(r"[.!?](?= |$)", row["expected"]["reply"])) > 6
    ]
    assert long == []


# ----------------------------------------------------------------------------------------------------------- parcels

LABEL_SIZE = (420, 260)


def parcels(tag: str) -> list[dict[str, Any]]:
    return [row for row in rows_of("parcels.jsonl") if tag in row["tags"]]


@pytest.fixture(scope="module")
def made_again(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what `make_parcels.py` writes."""
    folder = tmp_path_factory.mktemp("parcels")
    (folder / "make_parcels.py").write_bytes((ROOT / "datasets" / "make_parcels.py").read_bytes())
    subprocess.run([sys.executable, folder / "make_parcels.py"], check=True)
    return folder


def test_the_parcels_are_what_their_program_writes(made_again: Path) -> None:
    assert (made_again / "parcels.jsonl").read_bytes() == (ROOT / "datasets" / "parcels.jsonl").read_bytes()


def test_the_labels_are_those_that_the_program_draws_and_no_others(made_again: Path) -> None:
    drawn, kept = ({path.name for path in (root / "labels").iterdir()} for root in (made_again, ROOT / "datasets"))
    assert kept == drawn


def test_every_photo_is_a_label_of_its_own() -> None:
    photos = {row["id"]: row["photo"] for row in parcels("photo")}
    assert photos == {case: f"datasets/labels/{case}.png" for case in photos}


def test_every_photo_is_a_png_of_the_size_that_is_drawn() -> None:
    found = {}
    for row in parcels("photo"):
        with Image.open(ROOT / row["photo"]) as picture:
            found[row["id"]] = (picture.format, picture.size)
    assert found == dict.fromkeys(found, ("PNG", LABEL_SIZE))


def test_the_provenance_note_counts_the_kinds_of_parcels() -> None:
    note = listed_in(ROOT / "datasets" / "README.md")["parcels.jsonl"]
    assert [len(parcels("tool")), len(parcels("reply")) - len(parcels("photo")), len(parcels("photo"))] == [
        int(number) for number in re.findall(r"(\d+) (?:want|tell|show) ", note)
    ]


def test_a_parcel_either_wants_a_tool_or_a_reply() -> None:
    rows = rows_of("parcels.jsonl")
    assert [row["id"] for row in rows if bool(row["expected"]["tool_calls"]) is not ("tool" in row["tags"])] == []
    assert [row["id"] for row in rows if ("tool" in row["tags"]) is ("reply" in row["tags"])] == []


def test_expected_replies_of_the_parcel_desk_are_valid_under_the_schema() -> None:
    validator = jsonschema_rs.Draft202012Validator(schema("parcel_reply.schema.json"))
    replies = {row["id"]: {**row["expected"], "message": "Thank you."} for row in parcels("reply")}
    for reply in replies.values():
        del reply["tool_calls"]
    assert [case for case, reply in replies.items() if not validator.is_valid(reply)] == []


def test_expected_tool_calls_are_valid_under_the_parameters_of_the_tools() -> None:
    tools = yaml.safe_load((ROOT / "graders" / "parcel_tools.yaml").read_text(encoding="utf-8"))
    validators = {tool["name"]: jsonschema_rs.Draft202012Validator(tool["parameters"]) for tool in tools}
    calls = [(row["id"], call) for row in parcels("tool") for call in row["expected"]["tool_calls"]]
    assert [case for case, call in calls if not validators[call["name"]].is_valid(call["arguments"])] == []


def test_every_tool_of_the_parcel_desk_is_wanted_ten_times() -> None:
    counts = Counter(call["name"] for row in parcels("tool") for call in row["expected"]["tool_calls"])
    assert counts == {"lookup_order": 10, "change_delivery": 10}


def order_and_service(row: dict[str, Any]) -> tuple[str, str | None]:
    """What a row expects, of its reply or of its only call."""
    (wanted,) = [call["arguments"] for call in row["expected"]["tool_calls"]] or [row["expected"]]
    return wanted["order"], wanted.get("service")


def test_no_two_parcels_have_the_same_order_number() -> None:
    counts = Counter(order_and_service(row)[0] for row in rows_of("parcels.jsonl"))
    assert [order for order, count in counts.items() if count > 1] == []


def test_what_is_expected_stands_in_the_message_where_there_is_no_photo() -> None:
    rows = [row for row in rows_of("parcels.jsonl") if "photo" not in row["tags"]]
    missing = [
        (row["id"], word) for row in rows for word in order_and_service(row) if word and word not in row["message"]
    ]
    assert missing == []


def test_no_message_with_a_photo_says_what_is_on_it() -> None:
    told = [
        row["id"] for row in parcels("photo") if any(word in row["message"] for word in order_and_service(row) if word)
    ]
    assert told == []
