from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from corpusforge.sources.thrift import BINARY, INT32, HeaderError, read_struct

WANTED = {1: INT32, 2: {1: INT32, 3: [BINARY]}, 4: [{1: INT32}]}


@given(st.binary(max_size=60))
def test_any_bytes_are_a_struct_or_an_error(data: bytes) -> None:
    try:
        _, end = read_struct(data, 0, WANTED)
    except HeaderError:
        return
    assert end <= len(data)


def test_a_struct_by_hand() -> None:
    # Field 1: 150 (zigzag 300 = 0xAC 0x02); field 2: a struct of a list of two strings; field 3 is passed over.
    data = bytes([0x15, 0xAC, 0x02, 0x1C, 0x39, 0x28, 1, 0x61, 2, 0x62, 0x63, 0, 0x15, 2, 0])
    assert read_struct(data, 0, WANTED) == ({1: 150, 2: {3: [b"a", b"bc"]}}, len(data))
