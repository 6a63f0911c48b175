"""Reading reference texts for training: plain text, JSON lines, or the documents of a run."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from corpusforge.errors import UsageError
from corpusforge.sources.decompress import ZstdFrames

MAXIMUM_LINE = 64 << 20
"""Bytes of one line of input; a longer one is skipped and counted."""

_KINDS = (".txt", ".jsonl", ".parquet")


@dataclass
class TextReader:
    """Iterates the texts of files and folders in the order given; `skipped` counts unreadable records.

    ``.txt``: documents are separated by empty lines. ``.jsonl``: an object per line with a string ``text``.
    Both may be compressed (``.gz``, ``.zst``). A folder is a run or its ``documents`` folder; ``.parquet``
    files have a column ``text``, and rows with another ``lang`` than `language` are left out
    (None takes all).
    """

    paths: Sequence[Path]
    language: str | None
    skipped: int = 0

    def __iter__(self) -> Iterator[str]:
        """Iterate documents. Raises `UsageError` for a path that is missing, damaged or of unknown kind."""
        for path in self.paths:
            try:
                yield from self._read(path)
            except (OSError, EOFError, zstandard.ZstdError, pa.ArrowException) as error:
                raise UsageError(f"cannot read {path}: {error}") from error

    def _read(self, path: Path) -> Iterator[str]:
        if path.is_dir():
            inner = path / "documents"
            files = sorted((inner if inner.is_dir() else path).glob("*.parquet"))
            if not files:
                raise UsageError(f"{path} holds no documents (*.parquet)")
            for file in files:
                yield from self._parquet(file)
            return
        name = path.name.removesuffix(".gz").removesuffix(".zst")
        if name.endswith(".parquet"):
            yield from self._parquet(path)
        elif name.endswith((".jsonl", ".txt")):
            with _open(path) as stream:
                yield from self._json_lines(stream) if name.endswith(".jsonl") else self._paragraphs(stream)
        else:
            raise UsageError(
                f"{path}: give {', '.join(_KINDS)} (the first two also as .gz, .zst) or a folder"
            )

    def _lines(self, stream: BinaryIO) -> Iterator[bytes]:
        """Iterate lines, skipping those over `MAXIMUM_LINE` without holding them."""
        while line := stream.readline(MAXIMUM_LINE + 1):
            if len(line) <= MAXIMUM_LINE:
                yield line
                continue
            self.skipped += 1
            while line and not line.endswith(b"\n"):
                line = stream.readline(MAXIMUM_LINE + 1)

    def _json_lines(self, stream: BinaryIO) -> Iterator[str]:
        for line in self._lines(stream):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except (ValueError, RecursionError):
                record = None
            text = record.get("text") if isinstance(record, dict) else None
            if isinstance(text, str):
                yield text
            else:
                self.skipped += 1

    def _paragraphs(self, stream: BinaryIO) -> Iterator[str]:
        """Iterate documents between empty lines; a document is handed over early at `MAXIMUM_LINE` bytes."""
        collected: list[bytes] = []
        size = 0
        for line in self._lines(stream):
            if line.strip() and size + len(line) <= MAXIMUM_LINE:
                collected.append(line)
                size += len(line)
                continue
            if collected:
                yield b"".join(collected).decode("utf-8", "replace")
            collected = [line] if line.strip() else []
            size = len(line)
        if collected:
            yield b"".join(collected).decode("utf-8", "replace")

    def _parquet(self, path: Path) -> Iterator[str]:
        with pq.ParquetFile(path) as file:
            columns = [name for name in ("text", "lang") if name in file.schema_arrow.names]
            if "text" not in columns:
                raise UsageError(f"{path} has no column 'text'")
            for batch in file.iter_batches(batch_size=1024, columns=columns):
                rows = batch.to_pydict()
                for text, lang in zip(rows["text"], rows.get("lang", [None] * batch.num_rows)):
                    if text is not None and (self.language is None or lang in (None, self.language)):
                        yield text


def _open(path: Path) -> BinaryIO:
    """Open a file, decompressed by its ending."""
    if path.suffix == ".gz":
        return io.BufferedReader(gzip.open(path, "rb"))
    if path.suffix == ".zst":
        return io.BufferedReader(ZstdFrames(path.open("rb")))
    return path.open("rb")
