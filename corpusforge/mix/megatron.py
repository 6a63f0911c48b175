"""Megatron's indexed data set: `.bin` and `.idx`. Writer and reader; only numpy is needed.

`.bin` is token ids back to back. `.idx` is "MMIDIDX\\0\\0", uint64 version 1, uint8 type code, uint64 number
of sequences, uint64 number of document indexes, int32 lengths in tokens, int64 byte offsets into `.bin`,
int64 sequence index of each document's start and one past the end (read from
megatron/core/datasets/indexed_dataset.py).
Here a sequence is a document, and its end token is part of the data.
"""

from __future__ import annotations

import struct
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from corpusforge import storage
from corpusforge.atomic_file import AtomicFile, WrittenFile, write_atomically

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]

MAGIC = b"MMIDIDX\x00\x00"
_HEADER = struct.Struct("<9sQBQQ")
_TYPES = {1: "<u1", 2: "<i1", 3: "<i2", 4: "<i4", 5: "<i8", 8: "<u2"}
_INT32 = 4
_UINT16 = 8

UINT16_VOCABULARY = 65_500
"""Megatron stores ids as uint16 for vocabularies smaller than this, else as int32."""


class MegatronWriter:
    """Streams documents to ``<prefix>_00000.bin`` and ``.idx``; a new pair begins before `size_limit` bytes.

    `size_limit` None gives one pair. 8 bytes per document of the open pair are in memory, 28 at its commit.
    Use it as a context manager: an error leaves no unfinished file.
    """

    def __init__(
        self, directory: Path | str, prefix: str, vocabulary_size: int, size_limit: int | None = None
    ) -> None:
        self.directory = str(directory)
        self.prefix = prefix
        self._code = _UINT16 if vocabulary_size < UINT16_VOCABULARY else _INT32
        self._type = np.dtype(_TYPES[self._code])
        self._vocabulary_size = vocabulary_size
        self._limit = size_limit
        self._file: AtomicFile | None = None
        self._lengths: list[Int64] = []
        self._files: list[WrittenFile] = []

    def __enter__(self) -> MegatronWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.discard()

    def write(self, ids: npt.NDArray[Any], offsets: Int64) -> None:
        """Append n documents; document i is ``ids[offsets[i]:offsets[i + 1]]``.

        Raises `ValueError` for a document without tokens or an id outside the vocabulary.
        """
        offsets = np.asarray(offsets, np.int64)
        lengths = np.diff(offsets)
        if lengths.size and int(lengths.min()) < 1:
            raise ValueError("a document without tokens cannot be written: it lacks even its end token")
        used = ids[offsets[0] : offsets[-1]]
        if used.size and not 0 <= int(used.min()) <= int(used.max()) < self._vocabulary_size:
            raise ValueError(f"a token id lies outside the vocabulary of {self._vocabulary_size}")
        first = 0
        while first < len(lengths):
            last = self._fitting(offsets, first)
            if self._file is None:
                self._file = AtomicFile(storage.join(self.directory, f"{self._name()}.bin"))
            self._file.write(ids[offsets[first] : offsets[last]].astype(self._type).tobytes())
            self._lengths.append(lengths[first:last])
            first = last
            if first < len(lengths):
                self._commit()

    def finish(self) -> list[WrittenFile]:
        """Commit the open pair and give all files in order: `.bin`, then its `.idx`."""
        if self._file is not None:
            self._commit()
        return self._files

    def _name(self) -> str:
        return f"{self.prefix}_{len(self._files) // 2:05}"

    def _fitting(self, offsets: Int64, first: int) -> int:
        """One past the last document that still goes into the open file; at least one into an empty one."""
        if self._limit is None:
            return len(offsets) - 1
        size = self._file.size if self._file is not None else 0
        if size and size + int(offsets[first + 1] - offsets[first]) * self._type.itemsize > self._limit:
            self._commit()
            size = 0
        room = (self._limit - size) // self._type.itemsize
        last = int(np.searchsorted(offsets, offsets[first] + room, "right")) - 1
        return max(first + 1, last)

    def _commit(self) -> None:
        if self._file is None:
            raise RuntimeError("no file is open")
        lengths = np.concatenate(self._lengths)
        name = self._name()
        data = self._file.commit(len(lengths))
        self._file = None
        self._lengths = []
        index = write_atomically(
            storage.join(self.directory, f"{name}.idx"), index_bytes(lengths, self._code)
        )
        self._files += [data, index]


def index_bytes(lengths: Int64, code: int) -> bytes:
    """Bytes of an `.idx` for documents of `lengths` int64[n] tokens of the type `code`."""
    if lengths.size and int(lengths.max()) > 2**31 - 1:
        raise ValueError("a document has more than 2^31 - 1 tokens")
    starts = np.zeros(len(lengths), np.int64)
    np.cumsum(lengths[:-1], out=starts[1:])
    return b"".join(
        (
            _HEADER.pack(MAGIC, 1, code, len(lengths), len(lengths) + 1),
            lengths.astype("<i4").tobytes(),
            (starts * np.dtype(_TYPES[code]).itemsize).astype("<i8").tobytes(),
            np.arange(len(lengths) + 1).astype("<i8").tobytes(),
        )
    )


class MegatronReader:
    """Memory-mapped documents of one pair: `len()`, `document(i)`, and the arrays of the index.

    `lengths` int32 per sequence, `offsets` int64 of their first byte, `documents` int64[n + 1] sequence
    indexes.
    """

    def __init__(self, prefix: Path) -> None:
        """Open ``prefix.bin`` and ``prefix.idx``. Raises `ValueError` when they do not fit together."""
        self.prefix = prefix
        index = np.fromfile(prefix.with_name(prefix.name + ".idx"), np.uint8)
        if len(index) < _HEADER.size:
            raise ValueError(f"{prefix}.idx is too short for a Megatron index")
        magic, version, code, sequences, entries = _HEADER.unpack(index[: _HEADER.size].tobytes())
        if magic != MAGIC or version != 1 or code not in _TYPES:
            raise ValueError(f"{prefix}.idx is not a Megatron index of version 1 with integer ids")
        # An int8 mode per sequence may follow (multimodal data); it is not read.
        size = _HEADER.size + 12 * sequences + 8 * entries
        if len(index) not in (size, size + sequences):
            raise ValueError(f"{prefix}.idx has {len(index)} bytes where its header asks for {size}")
        first, second = _HEADER.size + 4 * sequences, _HEADER.size + 12 * sequences
        self.lengths: Int32 = index[_HEADER.size : first].view("<i4")
        self.offsets: Int64 = index[first:second].view("<i8")
        self.documents: Int64 = index[second:size].view("<i8")
        self._type = np.dtype(_TYPES[code])
        self._check(prefix.with_name(prefix.name + ".bin"), sequences)

    def _check(self, path: Path, sequences: int) -> None:
        size = path.stat().st_size
        ends = self.offsets + self.lengths.astype(np.int64) * self._type.itemsize
        if sequences and (
            int(self.offsets.min()) < 0 or int(self.lengths.min()) < 0 or int(ends.max()) > size
        ):
            raise ValueError(f"{path} has {size} bytes, its index points elsewhere")
        if len(self.documents) == 0 or bool((np.diff(self.documents) < 0).any()):
            raise ValueError(f"{path}: the document indexes do not rise")
        if int(self.documents[0]) != 0 or int(self.documents[-1]) != sequences:
            raise ValueError(f"{path}: the document indexes do not cover the sequences")
        self.tokens: npt.NDArray[Any] = np.memmap(path, self._type, "r") if size else np.zeros(0, self._type)

    def __len__(self) -> int:
        return len(self.documents) - 1

    def document(self, index: int) -> npt.NDArray[Any]:
        """Token ids of a document (a view of the file when it is one sequence)."""
        first, last = int(self.documents[index]), int(self.documents[index + 1])
        parts = [self._sequence(sequence) for sequence in range(first, last)]
        if len(parts) == 1:
            return parts[0]
        return np.concatenate(parts) if parts else np.zeros(0, self._type)

    def _sequence(self, sequence: int) -> npt.NDArray[Any]:
        start = int(self.offsets[sequence]) // self._type.itemsize
        return self.tokens[start : start + int(self.lengths[sequence])]
