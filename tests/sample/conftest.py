"""Reading sample folders with the sources that read the real formats."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from corpusforge.registry import source_class
from corpusforge.sample.containers import Folder
from corpusforge.sources.base import Damaged, Record, Skipped, SourceFile

Found = tuple[list[Record], Counter[str], Counter[str]]


@pytest.fixture
def read() -> Callable[[Folder], Found]:
    """Give the records of a folder's files, and those skipped and damaged by kind."""

    def read_folder(folder: Folder) -> Found:
        source = source_class(folder.name)()
        found: list[Any] = []
        for name, size in folder.files:
            path = folder.directory / name
            with path.open("rb") as stream:
                found += list(source.records(SourceFile(name, str(path), size), stream))
        records = [item for item in found if isinstance(item, Record)]
        skipped = Counter(item.kind for item in found if isinstance(item, Skipped))
        return records, skipped, Counter(item.kind for item in found if isinstance(item, Damaged))

    return read_folder
