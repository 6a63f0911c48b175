"""Records that no column can hold cost themselves, and every record is counted once."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusforge import ledger
from corpusforge.sources.base import Damaged, Record, Shard, Skipped, Source, SourceFile
from corpusforge.tasks import records
from corpusforge.tasks.records import RecordReader, checked


def record(**changes: object) -> Record:
    return Record(**{"origin_key": "key", "locator": "a@0", "payload": b"text", "size": 9, **changes})


@pytest.mark.parametrize(
    "field", ["origin_key", "locator", "content_type", "charset", "url", "date", "license"]
)
def test_a_string_that_is_no_unicode_costs_its_record(field):
    assert checked(record(**{field: "fine é"})) == record(**{field: "fine é"})
    found = checked(record(**{field: "lone \ud800"}))
    assert isinstance(found, Damaged)
    assert (found.kind, found.size) == ("bad_unicode", 9)
    found.locator.encode("utf-8")


@pytest.mark.parametrize(
    ("meta", "kind"),
    [
        ({"a": "\udfff"}, "bad_unicode"),
        ({"\udfff": 1}, "bad_unicode"),
        ({"a": float("nan")}, "bad_metadata"),
        ({"a": [float("inf")]}, "bad_metadata"),
        ({"a": object()}, "bad_metadata"),
        ({"a": 1, 2: 3}, "bad_metadata"),
    ],
)
def test_metadata_that_are_no_json_cost_their_record(meta, kind):
    found = checked(record(meta=meta))
    assert isinstance(found, Damaged)
    assert found.kind == kind


def test_metadata_nested_without_end_cost_their_record():
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    assert checked(record(meta={"a": deep})).kind == "bad_metadata"


items = st.lists(
    st.builds(record, size=st.integers(0, 50), url=st.none() | st.text(max_size=3) | st.just("\ud800"))
    | st.builds(Skipped, st.sampled_from(["warcinfo", "dns"]), st.integers(0, 50))
    | st.builds(Damaged, st.just("a@1"), st.just("torn"), st.text(max_size=3), st.integers(0, 50)),
    max_size=12,
)


@given(given_items=items)
def test_every_record_is_counted_once(given_items):
    class Canned(Source):
        name = "canned"

        def records(self, file: SourceFile, stream: BinaryIO) -> Iterator[Record | Skipped | Damaged]:
            yield from given_items

    reader = RecordReader(Shard(0, "canned", (SourceFile("a", "a", 1),)), Canned())
    original, records.storage.open_read = records.storage.open_read, lambda location: io.BytesIO()
    try:
        for good in reader.records():
            reader.became_document(good)
    finally:
        records.storage.open_read = original
    checks = ledger.Checks()
    ledger.check_records(checks, {"canned": reader.account})
    assert checks.closed, checks.rows
    assert reader.account["records"] == len(given_items)
    assert len(reader.errors) == sum(reader.account["damaged"].values())


def test_long_errors_are_cut():
    reader = RecordReader(Shard(0, "canned", ()), None)  # type: ignore[arg-type]
    reader.give_up(Damaged("a", "torn", "x" * 10_000, 1))
    assert len(reader.errors[0]["error"]) == records.ERROR_CHARACTERS
