"""Expressions that only go down into the data are looked up without Jinja, and yield what Jinja yields."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapdrift.suites.templates import Template, TemplateError

CONTEXT: dict[str, Any] = {
    "expected": {
        "queue": "billing", "items": [1, 2], "get": "a key", "deep": {"a b": {"x": None}}, "flag": True, "text": "abc",
        "2": "two", "_private": 1, "many": [{"n": 1}], "__class__": "data",
    },
    "items": {"keys": 3},
    "dict": {"a": 1},
    "self": {"a": 1},
    "text": "abc",
}  # fmt: skip
CHAINS = [
    "expected", "expected.queue", "expected.items", "expected.get", "expected.keys", "expected.pop", "items.keys",
    "expected['queue']", 'expected["deep"]["a b"].x', "expected.deep.missing", "expected.deep['a b'].x.y", "missing",
    "missing.x", "expected.text.upper", "expected.text['upper']", "expected['2']", "expected[2]", "expected.many[0].n",
    "expected.many[0]", "dict.a", "dict", "self.a", "self", "text.upper", "expected._private", "expected.__class__",
    "expected.many.n", "text.__class__", "range", "namespace", "loop", "expected.flag", "none", "true", "true.x",
]  # fmt: skip


def outcome(source: str, context: dict[str, Any]) -> str:
    try:
        return repr(Template(source).render(context))
    except TemplateError as error:
        return f"{error} {error.undefined}"


@pytest.mark.parametrize("chain", CHAINS)
def test_a_chain_yields_what_the_same_expression_yields_in_a_list(chain: str) -> None:
    # A list is no chain: Jinja evaluates it.
    assert outcome(f"{{{{ {chain} }}}}", CONTEXT) == outcome(f"{{{{ [{chain}][0] }}}}", CONTEXT)


KEYS = st.sampled_from(["a", "items", "get", "pop", "__class__", "x y", "upper", "self", ""])
DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=4),
)


@given(st.dictionaries(KEYS, DATA), st.lists(KEYS, min_size=1, max_size=3))
def test_any_chain_of_keys_yields_what_jinja_yields(data: dict[str, Any], keys: list[str]) -> None:
    chain = "expected" + "".join(f'["{key}"]' for key in keys)

    assert outcome(f"{{{{ {chain} }}}}", {"expected": data}) == outcome(f"{{{{ [{chain}][0] }}}}", {"expected": data})


def test_what_a_chain_yields_is_not_the_data_itself() -> None:
    value = Template("{{ expected.deep }}").render(CONTEXT)

    assert value == CONTEXT["expected"]["deep"]
    assert value is not CONTEXT["expected"]["deep"]
    assert value["a b"] is not CONTEXT["expected"]["deep"]["a b"]
