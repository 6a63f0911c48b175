"""Documents of finished runs and of text files, for training and measuring tokenizers outside of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from corpusforge.apportion import largest_remainder
from corpusforge.document import document_id
from corpusforge.errors import UsageError
from corpusforge.names import nearest
from corpusforge.reference_texts import TextReader
from corpusforge.step import LiveRows
from corpusforge.texts import Texts
from corpusforge.tokenize.sample import TokenizerSample, select

COLUMNS = ("id", "source", "text")
BATCH = 512
"""Texts of a file that are looked at together."""


class Corpus:
    """Documents in batches with `id`, `source` and text, from run directories and from text files.

    A run gives the documents that it kept (folder "documents") or dropped ("dropped"). A text file (``.txt``,
    ``.jsonl``, both also ``.gz`` or ``.zst``) is a source of its own, named like the file; its documents are numbered.
    """

    def __init__(self, paths: Sequence[Path], folder: str = "documents") -> None:
        """Raise `UsageError` for paths that are neither."""
        self.paths = list(paths)
        self.folder = folder
        for path in self.paths:
            if path.is_dir() and not (path / folder).is_dir():
                raise UsageError(f"{path} holds no folder {folder!r}: is it a run directory?")
            if not path.exists():
                raise UsageError(f"there is no {path}")

    def __iter__(self) -> Iterator[LiveRows]:
        for path in self.paths:
            batches = self._run(path) if path.is_dir() else self._file(path)
            for batch in batches:
                columns = {name: batch.column(name) for name in ("id", "source")}
                yield LiveRows(Texts.from_arrow(batch.column("text")), columns)

    def _run(self, path: Path) -> Iterator[pa.RecordBatch]:
        for file in sorted((path / self.folder).glob("*.parquet")):
            try:
                parquet = pq.ParquetFile(file)
                for group in range(parquet.num_row_groups):
                    table = parquet.read_row_group(group, columns=list(COLUMNS), use_threads=False)
                    yield from table.combine_chunks().to_batches()
            except (pa.ArrowException, OSError) as error:
                raise UsageError(f"cannot read {file}: {error}") from error

    def _file(self, path: Path) -> Iterator[pa.RecordBatch]:
        name = path.name.split(".")[0]
        held: list[tuple[bytes, str, str]] = []
        for number, text in enumerate(TextReader([path], "")):
            held.append((document_id(name, str(number)), name, text))
            if len(held) == BATCH:
                yield _batch(held)
                held = []
        if held:
            yield _batch(held)


def _batch(rows: Sequence[tuple[bytes, str, str]]) -> pa.RecordBatch:
    identities, sources, texts = zip(*rows, strict=True)
    arrays = [
        pa.array(identities, pa.binary(16)),
        pa.array(sources, pa.string()),
        pa.array([text.encode("utf-8", "replace") for text in texts], pa.large_binary()),
    ]
    return pa.RecordBatch.from_arrays(arrays, names=list(COLUMNS))


def quotas(
    available: Mapping[str, int], sample_bytes: int, weights: Mapping[str, Fraction] | None = None
) -> dict[str, int]:
    """Bytes to take of each source, `sample_bytes` in all: by weight, without weights by the bytes that there are.

    A source with less than its quota gives all it has, and the others no more for it. Raises `UsageError` for weights
    of sources that are not there, and where no weight is positive.
    """
    if weights is None:
        weights = {name: Fraction(size) for name, size in available.items()}
    for name in weights:
        if name not in available:
            raise UsageError(f"no document has the source {name!r}{nearest(name, available)}")
    if not any(weight > 0 for weight in weights.values()):
        raise UsageError("no source with documents has a positive weight")
    names = sorted(weights)
    return dict(zip(names, largest_remainder(sample_bytes, [weights[name] for name in names])))


def sizes_of(corpus: Corpus) -> dict[str, int]:
    """Bytes of text by source."""
    sizes: dict[str, int] = {}
    for rows in corpus:
        for name, size in zip(rows.column("source").to_pylist(), rows.texts.sizes.tolist(), strict=True):
            sizes[name] = sizes.get(name, 0) + size
    return dict(sorted(sizes.items()))


def decide(corpus: Corpus, seed: int, quota_bytes: Mapping[str, int]) -> dict[str, Any]:
    """The cut-offs of a sample with these quotas: what the step `tokenize` decides by a fold."""
    folder = TokenizerSample(seed, dict(quota_bytes))
    totals: dict[str, int] = {}
    for rows in corpus:
        for key, value in folder.partial(rows).items():
            totals[key] = totals.get(key, 0) + int(value)
    return dict(folder.finish(totals))


def sampled(corpus: Corpus, value: Mapping[str, Any]) -> list[tuple[bytes, str, bytes]]:
    """The sample's documents as (id, source, text), sorted by id; all are in memory."""
    found = []
    for rows in corpus:
        ids, sources = rows.column("id"), rows.column("source")
        for row in np.flatnonzero(select(rows, value)).tolist():
            found.append((ids[row].as_py(), sources[row].as_py(), rows.texts.bytes_of(row)))
    return sorted(found)
