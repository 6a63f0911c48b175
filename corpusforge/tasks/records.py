"""Records of a shard's files, with an account of what never becomes a document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from corpusforge import ledger, storage
from corpusforge.document import canonical_json
from corpusforge.sources.base import Damaged, Record, Shard, Skipped, Source

ERROR_CHARACTERS = 1000
"""Longest error of one record in the quarantine."""


def checked(item: Record | Skipped | Damaged) -> Record | Skipped | Damaged:
    """Give the item back, or the damage that it is: strings that are no Unicode, metadata that are no JSON.

    JSON lets lone surrogates and NaN through, and no column or file of ours can hold them.
    """
    if not isinstance(item, Record):
        return item
    strings = (
        item.origin_key,
        item.locator,
        item.content_type,
        item.charset,
        item.url,
        item.date,
        item.license,
    )
    try:
        for value in strings:
            if value is not None and not value.isascii():
                value.encode("utf-8")
        if item.meta:
            canonical_json(dict(item.meta)).encode("utf-8")
    except UnicodeEncodeError as error:
        return Damaged(_printable(item.locator), "bad_unicode", f"not Unicode: {error.reason}", item.size)
    except (TypeError, ValueError, RecursionError) as error:
        return Damaged(item.locator, "bad_metadata", f"not JSON: {type(error).__name__}", item.size)
    return item


def _printable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


class RecordReader:
    """Reads the files of a shard. `account` and `errors` are complete once `records` is exhausted."""

    def __init__(self, shard: Shard, source: Source) -> None:
        self.shard, self.source = shard, source
        self.account = ledger.new_record_account()
        self.errors: list[dict[str, Any]] = []

    def records(self) -> Iterator[Record]:
        """Records that can become documents; everything else is counted, damage goes to quarantine."""
        account = self.account
        for file in self.shard.files:
            with storage.open_read(file.url) as stream:
                for item in map(checked, self.source.records(file, stream)):
                    account["records"] += 1
                    account["bytes"] += item.size
                    if isinstance(item, Skipped):
                        self.skip(item)
                    elif isinstance(item, Damaged):
                        self.give_up(item)
                    else:
                        account["document_bytes"] += item.size
                        yield item

    def skip(self, item: Skipped) -> None:
        """Count what is no document by declaration."""
        self.account["skipped"][item.kind] = self.account["skipped"].get(item.kind, 0) + 1
        self.account["skipped_bytes"] += item.size

    def give_up(self, item: Damaged) -> None:
        """Count what could not be read and note it for the quarantine."""
        account = self.account
        account["damaged"][item.kind] = account["damaged"].get(item.kind, 0) + 1
        account["damaged_bytes"] += item.size
        error = {"locator": item.locator, "source": self.shard.source, "step": "read", "kind": item.kind}
        self.errors.append({**error, "error": item.error[:ERROR_CHARACTERS]})

    def became_document(self, record: Record) -> None:
        """Count a record that goes on as a document."""
        self.account["documents"] += 1
        self.account["payload_bytes"] += len(record.payload)
