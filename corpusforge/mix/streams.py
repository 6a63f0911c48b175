"""Document streams for trainers beside Megatron's: datatrove `.ds`, llm.c `.bin`, nanoGPT `.bin`, OLMo `.npy`.

All hold token ids back to back, little-endian, uint16 for vocabularies of up to 65,536 tokens and else uint32; they
differ in headers, in where the end token stands, and in what lies beside them (layouts read from the projects' code):

- datatrove (`TokenizedFile`): `N.ds` without a header; `N.ds.index`, uint64 ends of the documents in tokens;
  `N.ds.metadata`, lines of text: tokenizer and bytes of a token, number of tokens, the same for people.
- llm.c (`dev/data/data_common.py`): `N.bin` with 256 int32 in front: 20240520, 1, number of tokens, zeros; ids of four
  bytes have 20240801 and 7 there. A document begins with the end token, as a mark of its start.
- nanoGPT (`train.py`): `N.bin`, uint16 ids and nothing else.
- OLMo (`olmo/data/memmap_dataset.py`): `N.npy`, no NumPy header in spite of its name; `N.csv.gz`, a line per document:
  first token, one past the last, id, source.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from corpusforge import storage
from corpusforge.atomic_file import WrittenFile, write_atomically
from corpusforge.errors import UsageError

Int64 = npt.NDArray[np.int64]
StreamFormat = Literal["datatrove", "llmc", "nanogpt", "olmo"]

STREAM_FORMATS: tuple[StreamFormat, ...] = ("datatrove", "llmc", "nanogpt", "olmo")
SMALL_VOCABULARY = 1 << 16
"""Vocabularies up to this are stored as uint16."""
LLMC_HEADER = 256
LLMC_TOKENS = (1 << 31) - 1
"""llm.c counts tokens in an int32."""


def token_type(vocabulary_size: int) -> np.dtype[Any]:
    """The type of ids: uint16 where they fit, else uint32."""
    return np.dtype("<u2" if vocabulary_size <= SMALL_VOCABULARY else "<u4")


def write_stream(
    kind: StreamFormat,
    folder: str,
    name: str,
    tokens: tuple[npt.NDArray[Any], Int64],
    vocabulary_size: int,
    documents: Sequence[str],
    source: str,
    tokenizer: str,
) -> list[WrittenFile]:
    """Write n documents as one stream; gives the files, the ids first.

    `tokens`: ids [t] and offsets int64[n + 1] from 0; each document ends with the end token. `documents`: their n ids
    as text, `tokenizer`: the name that datatrove's metadata tell. Raises `ValueError` for ids outside the vocabulary
    and `UsageError` for a vocabulary or a number of tokens that the format cannot hold.
    """
    ids, offsets = tokens
    if len(ids) and int(ids.max()) >= vocabulary_size:
        raise ValueError(f"a token id lies outside the vocabulary of {vocabulary_size}")
    stored = token_type(vocabulary_size)
    if kind == "nanogpt" and stored.itemsize != 2:
        raise UsageError(f"nanogpt stores ids in two bytes, which do not hold {vocabulary_size} tokens")
    if kind == "llmc" and len(ids) > LLMC_TOKENS:
        raise UsageError(
            f"llmc holds {LLMC_TOKENS} tokens in a file, this has {len(ids)}: use smaller shards"
        )
    files = {
        "datatrove": _datatrove,
        "llmc": _llmc,
        "nanogpt": _nanogpt,
        "olmo": _olmo,
    }[kind](_Stream(ids, offsets, stored, documents, source, tokenizer))
    return [
        write_atomically(storage.join(folder, name + ending), data, len(offsets) - 1 if place == 0 else 0)
        for place, (ending, data) in enumerate(files)
    ]


_Files = list[tuple[str, bytes]]


class _Stream(NamedTuple):
    """What `write_stream` was given, and the type of stored ids."""

    ids: npt.NDArray[Any]
    offsets: Int64
    stored: np.dtype[Any]
    documents: Sequence[str]
    source: str
    tokenizer: str

    def stored_ids(self) -> bytes:
        return self.ids.astype(self.stored).tobytes()


def _datatrove(stream: _Stream) -> _Files:
    metadata = f"{stream.tokenizer}|{stream.stored.itemsize}\n{len(stream.ids)}\n{len(stream.ids)}"
    return [
        (".ds", stream.stored_ids()),
        (".ds.index", stream.offsets[1:].astype("<u8").tobytes()),
        (".ds.metadata", metadata.encode()),
    ]


def _llmc(stream: _Stream) -> _Files:
    ids, offsets, stored = stream.ids, stream.offsets, stream.stored
    header = np.zeros(LLMC_HEADER, "<i4")
    header[:3] = (20240520, 1, len(ids)) if stored.itemsize == 2 else (20240801, 7, len(ids))
    # The end token of each document goes to its front.
    turned = np.empty(len(ids), stored)
    turned[1:] = ids[:-1]
    turned[offsets[:-1]] = ids[offsets[1:] - 1]
    return [(".bin", header.tobytes() + turned.tobytes())]


def _nanogpt(stream: _Stream) -> _Files:
    return [(".bin", stream.stored_ids())]


def _olmo(stream: _Stream) -> _Files:
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    bounds = stream.offsets.tolist()
    for start, end, document in zip(bounds[:-1], bounds[1:], stream.documents, strict=True):
        writer.writerow((start, end, document, stream.source))
    return [
        (".npy", stream.stored_ids()),
        (".csv.gz", gzip.compress(lines.getvalue().encode(), 6, mtime=0)),
    ]
