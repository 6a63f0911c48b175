"""Structs in the compact protocol of Apache Thrift (thrift-compact-protocol.md), from bytes that nobody vouches for.

What is read takes no more memory than the bytes it is read from, and goes no deeper than `DEPTH`.
"""

from __future__ import annotations

from typing import Any

INT32, INT64, BINARY = 5, 6, 8
"""Kinds of values."""

Wanted = dict[int, Any]
"""Fields of a struct by number: the kind of a value, the fields of a struct, or a list of one such thing."""

DEPTH = 16
"""Most levels of structs and lists."""


class HeaderError(ValueError):
    """Headers that cannot be."""

    kind = "bad_row_group"


def read_struct(data: bytes, place: int, wanted: Wanted, depth: int = 0) -> tuple[dict[int, Any], int]:
    """A struct in Thrift's compact protocol: its wanted fields by number, and its end.

    A wanted field of another kind, or given twice, is an error: readers differ in what they make of it.
    """
    fields: dict[int, Any] = {}
    number = 0
    try:
        while data[place]:
            head = data[place]
            place += 1
            if head >> 4:
                number += head >> 4
            else:
                number, place = _integer(data, place)
            want = wanted.get(number)
            value, place = _value(data, place, head & 15, want, depth)
            if want is not None:
                if number in fields:
                    raise HeaderError(f"field {number} twice")
                fields[number] = value
    except IndexError as error:
        raise HeaderError("a header is cut") from error
    return fields, place + 1


def _value(data: bytes, place: int, kind: int, want: Any, depth: int) -> tuple[Any, int]:
    if want is not None and kind != (12 if isinstance(want, dict) else 9 if isinstance(want, list) else want):
        raise HeaderError(f"a field of kind {kind} where another belongs")
    if kind in (1, 2):
        return kind == 1, place
    if kind == 3:
        return data[place], place + 1
    if kind in (4, 5, 6):
        return _integer(data, place)
    if kind == 7:
        return None, place + 8
    if kind == 8:
        size, place = _varint(data, place)
        return data[place : place + size] if want else None, place + size
    if kind == 12 and depth < DEPTH:
        return read_struct(data, place, want or {}, depth + 1)
    if kind in (9, 10) and depth < DEPTH:
        return _list(data, place, want, depth + 1)
    raise HeaderError(f"a field of kind {kind} in a header")


def _list(data: bytes, place: int, want: Any, depth: int) -> tuple[list[Any], int]:
    """A list, of whose values none is kept that is not wanted."""
    head = data[place]
    count, kind, place = head >> 4, head & 15, place + 1
    if count == 15:
        count, place = _varint(data, place)
    if count > len(data) - place:  # a value takes a byte at least
        raise HeaderError(f"a list of {count} values in {len(data) - place} bytes")
    values: list[Any] = []
    for _ in range(count):
        if kind in (1, 2):
            place += 1
            continue
        value, place = _value(data, place, kind, want[0] if want else None, depth)
        if want:
            values.append(value)
    return values, place


def _integer(data: bytes, place: int) -> tuple[int, int]:
    value, place = _varint(data, place)
    return value >> 1 ^ -(value & 1), place


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        value |= (data[place] & 127) << shift
        place += 1
        if data[place - 1] < 128:
            return value, place
    raise HeaderError("a number of more than ten bytes")
