"""Writes `invoices.jsonl`: the layouts of `invoice_parts.yaml`, filled with made-up dates, quantities and numbers.

Run it as `python datasets/make_invoices.py`; it needs PyYAML. The same program always writes the same file. An invoice
is computed first (`Invoice`) and set in type afterwards (`typeset`), so that what is expected is never read off a text.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import yaml

PARTS = Path(__file__).with_name("invoice_parts.yaml")
TARGET = Path(__file__).with_name("invoices.jsonl")
PER_LAYOUT = 11
SEED = 2024
CENT = Decimal("0.01")

ENGLISH = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
FRENCH = (
    "janvier", "février", "mars", "avril", "mai", "juin",
    "juillet", "août", "septembre", "octobre", "novembre", "décembre",
)  # fmt: skip
SPANISH = (
    "enero", "febrero", "marzo", "abril", "mayo", "junio",
    "julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre",
)  # fmt: skip

# Both tables are keyed by how 14 March 2024 and 1,234.50 look in that style, which is what the layouts name.
DATES: Mapping[str, Callable[[date], str]] = {
    "14.03.2024": lambda day: f"{day:%d.%m.%Y}",
    "14/03/2024": lambda day: f"{day:%d/%m/%Y}",
    "03/14/2024": lambda day: f"{day:%m/%d/%Y}",
    "14 March 2024": lambda day: f"{day.day} {ENGLISH[day.month - 1]} {day.year}",
    "March 14, 2024": lambda day: f"{ENGLISH[day.month - 1]} {day.day}, {day.year}",
    "14 mars 2024": lambda day: f"{day.day} {FRENCH[day.month - 1]} {day.year}",
    "14 de marzo de 2024": lambda day: f"{day.day} de {SPANISH[day.month - 1]} de {day.year}",
}
MARKS: Mapping[str, tuple[str, str]] = {  # for thousands, for decimals
    "1,234.50": (",", "."),
    "1.234,50": (".", ","),
    "1 234,50": (" ", ","),
    "1'234.50": ("'", "."),
}


@dataclass(frozen=True, slots=True)
class Item:
    """One line of an invoice: what, how many, at which price before tax."""

    name: str
    quantity: int
    price: Decimal


@dataclass(frozen=True, slots=True)
class Invoice:
    """What an invoice says, whatever it looks like.

    `rate` is the tax rate in percent, `due` is None where no date for payment is named.
    """

    vendor: str
    number: str
    reference: str
    issued: date
    due: date | None
    currency: str
    rate: Decimal
    items: tuple[Item, ...]

    @property
    def net(self) -> Decimal:
        """The items together, before tax."""
        return sum((item.quantity * item.price for item in self.items), Decimal(0))

    @property
    def tax(self) -> Decimal:
        """The tax on the net amount, rounded to cents."""
        return cents(self.net * self.rate / 100)

    @property
    def total(self) -> Decimal:
        """Net and tax."""
        return self.net + self.tax

    def expected(self) -> dict[str, str | float | None]:
        """The answer that the suite wants."""
        return {
            "vendor": self.vendor,
            "number": self.number,
            "date": self.issued.isoformat(),
            "due": self.due.isoformat() if self.due else None,
            "currency": self.currency,
            "net": float(self.net),
            "tax": float(self.tax),
            "total": float(self.total),
        }


def cents(amount: Decimal) -> Decimal:
    """The amount rounded to cents, half a cent up."""
    return amount.quantize(CENT, ROUND_HALF_UP)


def punctuate(amount: Decimal, style: str) -> str:
    """The amount with two decimals and the marks of a style."""
    thousands, decimal = MARKS[style]
    return f"{amount:,.2f}".translate(str.maketrans(",.", thousands + decimal))


def draw_invoice(layout: Mapping[str, Any], region: Mapping[str, Any], chance: random.Random) -> Invoice:
    """An invoice with made-up values, from one vendor of the region."""
    issued = date(2023, 1, 1) + timedelta(days=chance.randrange(730))
    vendor, goods = chance.choice(list(region["trades"].items()))
    chosen = chance.sample(list(goods.items()), chance.randint(1, len(goods)))
    serial = chance.randint(100, 9999)
    numbers = (f"{issued.year}-{serial:04d}", f"INV{serial + 20000}", f"R-{serial}/{issued:%y}", f"{serial + 70000}")
    return Invoice(
        vendor=vendor,
        number=chance.choice(numbers),
        reference=f"{chance.choice('ABKPX')}{chance.randint(100, 999)}-{chance.randint(10, 99)}",
        issued=issued,
        due=issued + timedelta(days=chance.choice((7, 14, 21, 30))) if layout.get("due") else None,
        currency=region["currency"],
        rate=Decimal(chance.choice(region["rates"])),
        items=tuple(
            Item(name, chance.choice((1, 1, 2, 3, 4, 6, 10, 12, 25)), Decimal(price)) for name, price in chosen
        ),
    )


def typeset(invoice: Invoice, layout: Mapping[str, Any], region: Mapping[str, Any]) -> str:
    """The invoice as text, in a layout and in the number style of a region."""

    def money(amount: Decimal) -> str:
        return punctuate(amount, region["money"])

    def written(day: date | None) -> str:
        return DATES[layout["date"]](day) if day else ""

    rows = [
        layout["line"].format(
            name=i.name, quantity=i.quantity, price=money(i.price), amount=money(i.quantity * i.price)
        )
        for i in invoice.items
    ]
    extra = cents(invoice.total * Decimal(layout.get("extra", "0")))
    text: str = layout["text"].format(
        vendor=invoice.vendor,
        number=invoice.number,
        reference=invoice.reference,
        issued=written(invoice.issued),
        due=written(invoice.due),
        lines=layout.get("join", "\n").join(rows),
        net=money(invoice.net),
        rate=str(invoice.rate).replace(".", MARKS[region["money"]][1]),
        tax=money(invoice.tax),
        total=money(invoice.total),
        extra=money(extra),
        total_and_extra=money(invoice.total + extra),
    )
    return text


def main() -> None:
    """Writes all cases, the layouts taking turns."""
    parts = yaml.safe_load(PARTS.read_text(encoding="utf-8"))
    chance = random.Random(SEED)  # noqa: S311  it has to be the same each time, and hides nothing
    rows: list[dict[str, Any]] = []
    for turn in range(1, PER_LAYOUT + 1):
        for name, layout in parts["layouts"].items():
            region = parts["regions"][layout["region"]]
            invoice = draw_invoice(layout, region, chance)
            row: dict[str, Any] = {"id": f"{name}-{turn:02d}", "invoice": typeset(invoice, layout, region)}
            row |= {"language": layout["language"], "tags": layout.get("tags", []), "expected": invoice.expected()}
            rows.append(row)
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    TARGET.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
