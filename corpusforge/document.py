"""The document: one schema for every source, and identities that survive a move of the files."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pyarrow as pa

DOCUMENT_SCHEMA = pa.schema(
    [
        pa.field("id", pa.binary(16), nullable=False),
        pa.field("text_hash", pa.binary(16)),
        pa.field("url_key", pa.binary(16)),
        pa.field("source", pa.string(), nullable=False),
        pa.field("locator", pa.string(), nullable=False),
        pa.field("text", pa.large_string()),
        pa.field("url", pa.string()),
        pa.field("date", pa.string()),
        pa.field("license", pa.string()),
        pa.field("lang", pa.string()),
        pa.field("meta", pa.string()),
        pa.field("verdict", pa.string()),
    ]
)
"""Columns of a document batch.

`locator` is a path below the declared input root plus an offset or member; `date` is ISO 8601 in UTC with
second precision; `meta` is canonical JSON; `verdict` is ``step.rule`` of the first rule that dropped the
document, null while it is kept.
"""


def document_id(source: str, origin_key: str) -> bytes:
    """128-bit identity of a document: BLAKE2b of (source, the publisher's own name for it).

    The two parts are separated by a NUL, which no source name holds, so no two pairs collide by concatenation.
    """
    digest = hashlib.blake2b(digest_size=16, person=b"corpusforge-id")
    digest.update(source.encode("utf-8"))
    digest.update(b"\0")
    digest.update(origin_key.encode("utf-8", "surrogatepass"))
    return digest.digest()


def text_hash(text: bytes | memoryview) -> bytes:
    """128-bit hash of a text's UTF-8 bytes (BLAKE2b: pages are hostile, and the hash decides exact duplicates)."""
    return hashlib.blake2b(text, digest_size=16, person=b"corpusforge-text").digest()


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values give equal bytes.

    Raises `TypeError` for values that JSON does not know and `ValueError` for NaN and infinities.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
