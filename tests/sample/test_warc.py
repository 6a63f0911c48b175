from __future__ import annotations

import gzip
import zlib

from hypothesis import given
from hypothesis import strategies as st

from corpusforge.sample.warc import gzip_member, record_id


@given(st.binary(max_size=2000))
def test_gzip_members_are_valid_and_carry_no_time(data: bytes) -> None:
    member = gzip_member(data)
    assert gzip.decompress(member) == data
    assert member[4:8] == bytes(4)
    assert member == gzip_member(data)
    assert zlib.decompress(member, wbits=31) == data


def test_record_ids_are_version_4_uuids_by_label() -> None:
    assert record_id(0, "response", 1) == record_id(0, "response", 1)
    assert record_id(0, "response", 1) != record_id(0, "response", 2)
    assert record_id(0, "response", 1).startswith("<urn:uuid:")
    assert record_id(0, "response", 1)[24] == "4"
