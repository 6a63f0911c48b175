"""Records of a shard's files, with an account of what never becomes a document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from corpusforge import ledger, storage
from corpusforge.sources.base import Damaged, Record, Shard, Skipped, Source


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
                for item in self.source.records(file, stream):
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
        self.errors.append({**error, "error": item.error})

    def became_document(self, record: Record) -> None:
        """Count a record that goes on as a document."""
        self.account["documents"] += 1
        self.account["payload_bytes"] += len(record.payload)
