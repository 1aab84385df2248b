"""Records to JSON and back, by the types of their fields.

Works for frozen dataclasses of primitives, enums, tuples, frozensets, mappings and each other: all of
`model` and `conclusions`.
Reading is strict about types (a run file may be somebody else's) and lenient about fields: one that is missing takes
its default, one that is unknown is ignored, so that adding a field with a default needs no new format.
"""

from __future__ import annotations

import dataclasses
import json
import types
from collections.abc import Callable, Hashable, Mapping, Sequence
from enum import Enum
from functools import cache
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from snapdrift.errors import StoreError
from snapdrift.keys import without_keys

T = TypeVar("T")
Decoder = Callable[[Any, str], Any]


class CodecError(StoreError):
    """Stored JSON is not the record that it should be."""

    def __init__(self, place: str, found: Any, expected: str) -> None:
        shown = repr(found)
        shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
        super().__init__(f"{place or 'record'}: found {shown}, expected {expected}")


_PLAIN = frozenset({str, int, float, bool, type(None)})
_COMPACT = json.JSONEncoder(separators=(",", ":"))


def to_json(value: Any) -> Any:
    """The plain JSON form of a record. What is no JSON inside an `Any` field (a date, say) becomes its text."""
    kind: Any = type(value)
    if kind in _PLAIN:
        return value
    if kind is dict:
        return {str(key): item if type(item) in _PLAIN else to_json(item) for key, item in value.items()}
    if isinstance(value, (bool, float)):
        return value
    if isinstance(value, Enum):
        return value.value
    names = _field_names(kind)
    if names is not None:
        found = {name: getattr(value, name) for name in names}
        return {name: item if type(item) in _PLAIN else to_json(item) for name, item in found.items()}
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, (frozenset, set)):
        return sorted(to_json(item) for item in value)
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    return str(value)


def from_json(kind: type[T], data: Any, place: str = "") -> T:
    """The record of type `kind` that `data` is the JSON form of; raises `CodecError` naming the place."""
    read: Decoder = _decoder(cast("Hashable", kind))
    result: T = read(data, place)
    return result


def dumps(value: Any) -> str:
    """A record as ASCII JSON text; lone surrogates, which models do write, survive as escapes."""
    return text_of(to_json(value))


def text_of(data: Any) -> str:
    """Plain JSON data as the text that `parse` reads, without the keys that this process knows."""
    return without_keys(_COMPACT.encode(data))


def loads(kind: type[T], text: str | bytes, place: str = "") -> T:
    """The record in a JSON text; raises `CodecError`."""
    return from_json(kind, parse(text, place), place)


def parse(text: str | bytes, place: str = "") -> Any:
    """The value of a JSON text; raises `CodecError` also for text nested too deeply to read."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CodecError(place, text[:40], "JSON") from error


@cache
def _field_names(kind: type[Any]) -> tuple[str, ...] | None:
    """The fields of a dataclass, None of another type."""
    return tuple(field.name for field in dataclasses.fields(kind)) if dataclasses.is_dataclass(kind) else None


@cache
def _decoder(kind: Any) -> Decoder:
    """What reads values of one type; made once for each type."""
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return lambda data, _: data
    if kind in _PRIMITIVES:
        return _PRIMITIVES[kind]
    if origin in (Union, types.UnionType):
        return _optional(kind, arguments)
    if origin is tuple:
        return _tuple(arguments)
    if origin is frozenset:
        read = _sequence(arguments[0])
        return lambda data, place: frozenset(read(data, place))
    if origin in (dict, Mapping):
        return _mapping(arguments)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _enum(kind)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _dataclass(kind)
    raise TypeError(f"the store has no JSON form for fields of type {kind}")


def _plain(kind: Any) -> type[Any] | None:
    """The one type whose values are their own JSON form, in a field of such a type; None where there is none."""
    if get_origin(kind) in (Union, types.UnionType):
        inner = [argument for argument in get_args(kind) if argument is not type(None)]
        kind = inner[0] if len(inner) == 1 else None
    return kind if kind in (str, int, bool, float) else None


def _exactly(kind: type[Any], expected: str) -> Decoder:
    def read(data: Any, place: str) -> Any:
        if type(data) is not kind:
            raise CodecError(place, data, expected)
        return data

    return read


def _float(data: Any, place: str) -> float:
    if type(data) not in (int, float):
        raise CodecError(place, data, "a number")
    try:
        return float(data)
    except OverflowError as error:
        raise CodecError(place, data, "a number") from error


_PRIMITIVES: dict[Any, Decoder] = {
    str: _exactly(str, "text"),
    int: _exactly(int, "a whole number"),
    bool: _exactly(bool, "true or false"),
    float: _float,
    dict: _exactly(dict, "a mapping"),
}


def _optional(kind: Any, arguments: tuple[Any, ...]) -> Decoder:
    inner = [argument for argument in arguments if argument is not type(None)]
    if len(inner) != 1:
        raise TypeError(f"the store has no JSON form for fields of type {kind}")
    read = _decoder(inner[0])
    return lambda data, place: None if data is None else read(data, place)


def _sequence(item: Any) -> Callable[[Any, str], Sequence[Any]]:
    read = _decoder(item)

    def read_all(data: Any, place: str) -> list[Any]:
        if type(data) is not list:
            raise CodecError(place, data, "a list")
        try:
            return [read(entry, place) for entry in data]
        except CodecError:  # only now is it worth saying of every entry where it stands; so below
            return [read(entry, f"{place}[{index}]") for index, entry in enumerate(data)]

    return read_all


def _tuple(arguments: tuple[Any, ...]) -> Decoder:
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        read_all = _sequence(arguments[0])
        return lambda data, place: tuple(read_all(data, place))
    readers = [_decoder(argument) for argument in arguments]

    def read(data: Any, place: str) -> tuple[Any, ...]:
        if type(data) is not list or len(data) != len(readers):
            raise CodecError(place, data, f"a list of {len(readers)}")
        pairs = zip(readers, data, strict=True)
        return tuple(reader(item, f"{place}[{index}]") for index, (reader, item) in enumerate(pairs))

    return read


def _mapping(arguments: tuple[Any, ...]) -> Decoder:
    read_value = _decoder(arguments[1])

    def read(data: Any, place: str) -> dict[str, Any]:
        if type(data) is not dict:
            raise CodecError(place, data, "a mapping")
        try:
            return {key: read_value(value, place) for key, value in data.items()}
        except CodecError:
            return {key: read_value(value, f"{place}.{key}") for key, value in data.items()}

    return read


def _enum(kind: type[Enum]) -> Decoder:
    members = {member.value: member for member in kind}
    expected = f"one of {', '.join(map(str, members))}"

    def read(data: Any, place: str) -> Enum:
        if type(data) not in (str, int) or data not in members:
            raise CodecError(place, data, expected)
        return members[data]

    return read


def _dataclass(kind: type[Any]) -> Decoder:
    hints = get_type_hints(kind)
    readers = {field.name: _decoder(hints[field.name]) for field in dataclasses.fields(kind)}
    plain = {name: _plain(hints[name]) for name in readers}
    required = tuple(
        field.name
        for field in dataclasses.fields(kind)
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    )
    needed = frozenset(required)

    def read(data: Any, place: str) -> Any:
        if type(data) is not dict:
            raise CodecError(place, data, f"a {kind.__name__}")
        if not needed <= data.keys():
            name = next(name for name in required if name not in data)
            raise CodecError(f"{place}.{name}".lstrip("."), None, f"a value (it is missing in a {kind.__name__})")
        try:
            return kind(
                **{
                    # Most fields are what they should be, and to ask a reader takes longer than to see that.
                    name: value if type(value) is plain[name] else readers[name](value, place)
                    for name, value in data.items()
                    if name in readers
                }
            )
        except CodecError:
            known = {name: data[name] for name in readers if name in data}
            return kind(**{name: readers[name](value, f"{place}.{name}".lstrip(".")) for name, value in known.items()})

    return read
