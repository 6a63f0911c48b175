"""Corpora under test: a run directory's parts, or a folder of Parquet or JSON lines, read in a fixed order."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from corpusforge.document import document_id, text_hash
from corpusforge.errors import UsageError

IdBytes = npt.NDArray[np.uint8]
Int64 = npt.NDArray[np.int64]

PARTS = {"kept": ("documents",), "dropped": ("dropped",), "raw": ("documents", "dropped")}
"""What can follow a run directory's name, and the folders it reads."""

TEXT_KINDS = (".txt", ".jsonl", ".parquet")
"""Endings that `read_texts` knows, the first two also with .gz and .zst."""

MAXIMUM_LINE = 64 << 20
"""Bytes of one line; a longer one is skipped and counted."""


@dataclass(frozen=True)
class Document:
    """A text as UTF-8, and an identity: equal in two corpora that hold the same document."""

    id: bytes
    text: bytes


@dataclass
class Corpus:
    """One corpus under test. `skipped` counts lines that held no text when `documents` was last read."""

    spec: str
    root: Path
    files: tuple[Path, ...]
    skipped: int = field(default=0, compare=False)

    def documents(self) -> Iterator[Document]:
        """Documents with text in the order of files and rows; copies of a document get identities of their own.

        An identity is the column or field `id` where there is one, else the hash of the text; the n-th copy
        hashes n with it. Raises `UsageError` for a damaged file.
        """
        self.skipped = 0
        copies: dict[bytes, int] = {}
        for file in self.files:
            try:
                for key, text in self._rows(file):
                    number = copies.get(key, 0)
                    copies[key] = number + 1
                    yield Document(key if number == 0 else document_id(f"copy{number}", key.hex()), text)
            except (*_reading_errors(), pa.ArrowException) as error:
                raise UsageError(f"cannot read {file}: {error}") from error

    def _rows(self, file: Path) -> Iterator[tuple[bytes, bytes]]:
        if file.suffix == ".parquet":
            yield from self._parquet(file)
            return
        for _, row in read_json_lines(file):
            text = row.get("text") if row is not None else None
            if row is None or not isinstance(text, str) or not text.strip():
                self.skipped += 1
                continue
            data = text.encode("utf-8", "replace")
            name = row.get("id")
            yield document_id("line", name) if isinstance(name, str) else text_hash(data), data

    def _parquet(self, file: Path) -> Iterator[tuple[bytes, bytes]]:
        with pq.ParquetFile(file) as parquet:
            names = parquet.schema_arrow.names
            if "text" not in names:
                raise UsageError(f"{file} has no column 'text'")
            columns = [name for name in ("id", "text") if name in names]
            for batch in parquet.iter_batches(batch_size=512, columns=columns, use_threads=False):
                rows = batch.to_pydict()
                for key, text in zip(rows.get("id", [None] * batch.num_rows), rows["text"]):
                    if not isinstance(text, str) or not text.strip():
                        self.skipped += 1
                        continue
                    data = text.encode("utf-8")
                    yield _identity(key, data), data


def _identity(key: Any, text: bytes) -> bytes:
    if isinstance(key, bytes) and len(key) == 16:
        return key
    return document_id("line", key) if isinstance(key, str) else text_hash(text)


def open_corpus(spec: str) -> Corpus:
    """Find a corpus: RUN, RUN:kept, RUN:dropped, RUN:raw, or a folder or file of Parquet or JSON lines.

    A run directory is one with `manifest.json`; without a part its kept documents are meant. Folders are
    searched below, except for hidden files. Raises `UsageError` when there is nothing.
    """
    name, _, part = spec.rpartition(":")
    root = Path(spec)
    if name and part in PARTS and not root.exists():
        root = Path(name)
        if not (root / "manifest.json").is_file():
            raise UsageError(f"{root} is no finished run directory, so it has no part {part!r}")
        return Corpus(spec, root, _run_files(root, part))
    if not root.exists():
        if name and Path(name).is_dir():
            raise UsageError(f"{name} has no part {part!r}: the parts of a run are {', '.join(PARTS)}")
        raise UsageError(f"no corpus at {spec}")
    if root.is_dir() and (root / "manifest.json").is_file() and (root / "documents").is_dir():
        return Corpus(spec, root, _run_files(root, "kept"))
    candidates = [root] if root.is_file() else sorted(root.rglob("*"))
    files = tuple(file for file in candidates if file.is_file() and _is_corpus_file(file))
    if not files:
        raise UsageError(f"{spec} holds no .parquet or .jsonl (.gz, .zst) files")
    return Corpus(spec, root, files)


def _is_corpus_file(file: Path) -> bool:
    return not file.name.startswith((".", "_")) and bare_name(file).endswith((".jsonl", ".parquet"))


def _run_files(root: Path, part: str) -> tuple[Path, ...]:
    files = tuple(file for folder in PARTS[part] for file in sorted((root / folder).glob("*.parquet")))
    if not files:
        raise UsageError(f"{root} holds no {part} documents (keep_dropped of its recipe may be none)")
    return files


def bare_name(path: Path) -> str:
    """File name without the ending of its compression."""
    return path.name.removesuffix(".gz").removesuffix(".zst")


def open_stream(path: Path) -> BinaryIO:
    """Open a file, decompressed by its ending."""
    if path.suffix == ".gz":
        return io.BufferedReader(gzip.open(path, "rb"))
    if path.suffix == ".zst":
        from corpusforge.sources.decompress import ZstdFrames

        return io.BufferedReader(ZstdFrames(path.open("rb")))
    return path.open("rb")


def _reading_errors() -> tuple[type[Exception], ...]:
    """What reading a damaged file raises; zstandard is needed for its own files only."""
    errors: tuple[type[Exception], ...] = (OSError, EOFError, zlib.error)
    zstandard = sys.modules.get("zstandard")
    return errors if zstandard is None else (*errors, zstandard.ZstdError)


def read_json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """Number (from 1) and object of each line that is not blank; None for what is no object, or too long.

    Raises `UsageError` for a file that cannot be read, or not to its end.
    """
    try:
        yield from _lines(path)
    except _reading_errors() as error:
        raise UsageError(f"cannot read {path}: {error}") from error


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any] | None]]:
    with open_stream(path) as stream:
        number = 0
        while line := stream.readline(MAXIMUM_LINE + 1):
            number += 1
            if len(line) > MAXIMUM_LINE:
                while line and not line.endswith(b"\n"):
                    line = stream.readline(MAXIMUM_LINE + 1)
                yield number, None
            elif line.strip():
                yield number, _object(line)


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def read_texts(path: Path) -> Iterator[str]:
    """Texts of one file of any of `TEXT_KINDS`; a .txt file is cut at its empty lines, or where none is, at all.

    Raises `UsageError` for a damaged file.
    """
    if not bare_name(path).endswith(".txt"):
        yield from (
            document.text.decode("utf-8") for document in Corpus(str(path), path, (path,)).documents()
        )
        return
    try:
        with open_stream(path) as stream:
            text = stream.read(MAXIMUM_LINE).decode("utf-8", "replace").replace("\r\n", "\n")
    except _reading_errors() as error:
        raise UsageError(f"cannot read {path}: {error}") from error
    separator = "\n\n" if "\n\n" in text else "\n"
    yield from (part.strip("\n") for part in text.split(separator) if part.strip())


@dataclass(frozen=True)
class Index:
    """What a first pass over a corpus learned: ids and hashes of texts uint8[n, 16], sizes int64[n] in bytes.

    Corpora with equal digests hold the same documents in the same order.
    """

    ids: IdBytes
    texts: IdBytes
    sizes: Int64
    digest: str
    skipped: int

    def __len__(self) -> int:
        return len(self.sizes)


def index(corpus: Corpus) -> Index:
    """Read a corpus once. Raises `UsageError` when it holds no text."""
    digest = hashlib.sha256()
    ids, texts = bytearray(), bytearray()
    sizes = []
    for document in corpus.documents():
        content = text_hash(document.text)
        digest.update(document.id + content)
        texts += content
        ids += document.id
        sizes.append(len(document.text))
    if not sizes:
        raise UsageError(f"{corpus.spec} holds no document with text")
    columns = [np.frombuffer(bytes(column), np.uint8).reshape(-1, 16) for column in (ids, texts)]
    return Index(columns[0], columns[1], np.array(sizes, np.int64), digest.hexdigest(), corpus.skipped)


def sample_order(ids: IdBytes, seed: int, epoch: int = 0, salt: int = 0) -> Int64:
    """Rows int64[n] in the order in which a seed takes them: a function of (seed, epoch, salt, id) alone.

    A document stands at the same place of the draw in every corpus that holds it, which makes runs of one seed
    as alike as the corpora are. `salt` gives an independent draw for the same seed.
    """
    from corpusforge.randomness import STREAM_BENCHMARK, id_words, uniform_bits

    low, high = id_words(ids)
    bits = uniform_bits(seed, (low, high), STREAM_BENCHMARK + (epoch << 8) + (salt << 40))
    return np.lexsort((high, low, bits)).astype(np.int64)
