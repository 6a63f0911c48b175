"""Facts about input files, for the manifest."""

from __future__ import annotations

import hashlib
from typing import Any

from corpusforge import storage
from corpusforge.sources.base import SourceFile


def file_facts(file: SourceFile) -> dict[str, Any]:
    """Path, bytes and SHA-256 of an input file as it was when the task read it."""
    digest = hashlib.sha256()
    with storage.open_read(file.url) as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return {"path": file.path, "bytes": file.size, "sha256": digest.hexdigest()}
