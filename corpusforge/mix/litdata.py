"""Packed rows in LitData's chunks, as its `TokensLoader` (and with it LitGPT) reads them.

A chunk is uint32 n; uint32[n + 1] absolute offsets of the rows; the rows' ids one after the other; all little-endian.
``index.json`` lists the chunks with their bytes, rows (``chunk_size``) and tokens (``dim``), and says what a row is
(layout read from litdata/streaming/writer.py and item_loader.py, and compared with files of litdata 0.2.76). A reader
takes blocks of as many tokens as a row has: ``TokensLoader(block_size=sequence_length + 1)``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from corpusforge import storage
from corpusforge.atomic_file import WrittenFile, write_atomically

CHUNK_BYTES = 1 << 26
"""Of a chunk at most, unless one row is larger."""
TYPE_CODES = {"int32": 16, "uint16": 20}
"""Numbers of types in litdata/constants.py; that of uint16 came in 2024."""


class LitDataWriter:
    """Writes rows to chunks of one folder, whose names begin with `prefix`; `chunks` is what the index says of them.

    At most one chunk is in memory. Equal rows give equal bytes.
    """

    def __init__(self, folder: str, prefix: str, token_type: str, chunk_bytes: int = CHUNK_BYTES) -> None:
        self._folder, self._prefix, self._limit = folder, prefix, chunk_bytes
        self._type = np.dtype(token_type).newbyteorder("<")
        self._rows: list[bytes] = []
        self._size = 0
        self._tokens = 0
        self._files: list[WrittenFile] = []
        self.chunks: list[dict[str, Any]] = []

    def write(self, tokens: npt.NDArray[Any]) -> None:
        """Append a row. Raises `ValueError` for ids that do not fit the type."""
        stored = tokens.astype(self._type)
        if not np.array_equal(stored, tokens):
            raise ValueError(f"a token id does not fit {self._type}")
        data = stored.tobytes()
        if self._rows and self._size + len(data) + 4 > self._limit:
            self._flush()
        self._rows.append(data)
        self._size += len(data) + 4
        self._tokens += len(tokens)

    def finish(self) -> list[WrittenFile]:
        """Commit the last chunk; give all files in order."""
        if self._rows:
            self._flush()
        return self._files

    def _flush(self) -> None:
        count = len(self._rows)
        offsets = np.zeros(count + 1, np.int64)
        np.cumsum([len(row) for row in self._rows], out=offsets[1:])
        offsets += 4 * (count + 2)
        head = np.array([count], "<u4").tobytes() + offsets.astype("<u4").tobytes()
        name = f"chunk-{self._prefix}-{len(self.chunks)}.bin"
        written = write_atomically(storage.join(self._folder, name), head + b"".join(self._rows), count)
        self._files.append(written)
        entry = {"chunk_bytes": written.bytes, "chunk_size": count, "dim": self._tokens, "filename": name}
        self.chunks.append(entry)
        self._rows, self._size, self._tokens = [], 0, 0


def litdata_index(chunks: Sequence[dict[str, Any]], token_type: str) -> bytes:
    """``index.json`` over chunks of one folder."""
    config = {
        "chunk_bytes": CHUNK_BYTES,
        "chunk_size": None,
        "compression": None,
        "data_format": [f"no_header_tensor:{TYPE_CODES[token_type]}"],
        # One tensor, no structure around it.
        "data_spec": json.dumps([1, {"type": None, "context": None, "children_spec": []}]),
        "encryption": None,
        "item_loader": "TokensLoader",
    }
    return json.dumps({"chunks": list(chunks), "config": config}, sort_keys=True).encode()
