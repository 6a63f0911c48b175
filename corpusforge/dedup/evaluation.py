"""Evaluation texts: items of .txt and .jsonl files, and the index of their word n-grams."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from corpusforge import storage
from corpusforge.errors import UsageError
from corpusforge.kernels.shingles import shingle_hashes
from corpusforge.kernels.words import split_terms
from corpusforge.operations import DocumentReader, SingleTask
from corpusforge.step import RunContext
from corpusforge.texts import Texts

UInt64 = npt.NDArray[np.uint64]
TextItems = Literal["paragraph", "file"]

SUFFIXES = (".txt", ".txt.gz", ".jsonl", ".jsonl.gz")
"""Endings of the files that are read."""

_BATCH = 4096


@dataclass(frozen=True)
class Item:
    """One evaluation item: `name` is its file and its number there, counted from 0."""

    name: str
    text: str


def evaluation_files(against: str) -> list[tuple[str, str]]:
    """(path below the folder, location) of the evaluation files in a file, folder or glob, sorted by path.

    Raises `UsageError` when there is none.
    """
    return [(path, location) for path, location, _ in storage.list_input(against, SUFFIXES)]


def evaluation_digest(against: str) -> str:
    """Hash of the names and bytes of all evaluation files."""
    digest = hashlib.blake2b(digest_size=16)
    for path, location in evaluation_files(against):
        content = hashlib.blake2b(storage.read_bytes(location), digest_size=16).digest()
        digest.update(len(path.encode("utf-8")).to_bytes(8, "little") + path.encode("utf-8") + content)
    return digest.hexdigest()


def evaluation_items(against: str, fields: Sequence[str] | None, text_items: TextItems) -> Iterator[Item]:
    """Items in the order of files and lines.

    A .txt file is one item, or one per paragraph (paragraphs are separated by empty lines). A line of a .jsonl
    file is one: its string fields at any depth in the order of the line, or only the top-level `fields`, joined
    by line feeds. Raises `UsageError` that names file and line for what is no UTF-8 or no JSON object.
    """
    for path, location in evaluation_files(against):
        text = _decoded(path, storage.read_bytes(location))
        if ".jsonl" in path:
            lines = ((number, line) for number, line in enumerate(text.split("\n")) if line.strip())
            texts = [(number, _json_text(path, number, line, fields)) for number, line in lines]
        elif text_items == "file":
            texts = [(0, text)]
        else:
            texts = list(enumerate(_paragraphs(text)))
        yield from (Item(f"{path}#{number}", one) for number, one in texts)


def _decoded(path: str, data: bytes) -> str:
    try:
        if path.endswith(".gz"):
            with gzip.open(io.BytesIO(data)) as file:
                data = file.read()
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise UsageError(f"evaluation file {path} is not readable UTF-8: {error}") from error


def _paragraphs(text: str) -> list[str]:
    """Runs of lines that are not empty."""
    paragraphs: list[list[str]] = [[]]
    for line in text.split("\n"):
        if line.strip():
            paragraphs[-1].append(line)
        elif paragraphs[-1]:
            paragraphs.append([])
    return ["\n".join(lines) for lines in paragraphs if lines]


def _json_text(path: str, number: int, line: str, fields: Sequence[str] | None) -> str:
    try:
        value = json.loads(line)
    except ValueError as error:
        raise UsageError(f"evaluation file {path}, line {number + 1}: {error}") from error
    if not isinstance(value, dict):
        raise UsageError(f"evaluation file {path}, line {number + 1} is no JSON object")
    kept = value if fields is None else {name: value[name] for name in fields if name in value}
    return "\n".join(_strings(kept))


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _strings(part)
    elif isinstance(value, list):
        for part in value:
            yield from _strings(part)


@dataclass
class BuildIndex(SingleTask):
    """Writes the index of the n-grams of all evaluation items.

    `ngrams.npy`: uint64[2, m], row 0 the hashes of n-grams, row 1 the numbers of their items, sorted by hash
    and item, each pair once. `items.json`: the items' names by number, and `widths`, the numbers of words in
    an n-gram: `ngram`, and those of shorter items, each indexed as a whole when it has `min_words` words.
    The value counts files, items, n-grams, and the items ignored for having fewer words.
    """

    against: str
    ngram: int
    min_words: int
    fields: tuple[str, ...] | None
    text_items: TextItems

    def run(self, context: RunContext, shards: DocumentReader, directory: Path) -> dict[str, int]:
        """Read the evaluation texts and write both files below `directory`."""
        names: list[str] = []
        parts: list[UInt64] = []
        widths: set[int] = set()
        ignored = 0
        batch: list[Item] = []

        def index() -> int:
            kept, pairs, found = _index(batch, self.ngram, self.min_words, len(names))
            names.extend(kept)
            parts.append(pairs)
            widths.update(found)
            return len(batch) - len(kept)

        for item in evaluation_items(self.against, self.fields, self.text_items):
            batch.append(item)
            if len(batch) == _BATCH:
                ignored += index()
                batch = []
        ignored += index()
        pairs = _sorted_pairs(np.concatenate(parts, axis=1))
        np.save(directory / "ngrams.npy", pairs)
        facts = {"items": names, "widths": sorted(widths)}
        (directory / "items.json").write_text(json.dumps(facts, ensure_ascii=False), encoding="utf-8")
        files = len(evaluation_files(self.against))
        ngrams = len(np.unique(pairs[0]))
        return {"files": files, "items": len(names), "ignored_items": ignored, "ngrams": ngrams}


def _index(items: list[Item], ngram: int, min_words: int, first: int) -> tuple[list[str], UInt64, set[int]]:
    """Names of the items with enough words, their (hash, number) pairs uint64[2, m], and their widths."""
    texts = Texts.from_strings([item.text for item in items])
    document_offsets, terms, _, _ = split_terms(texts.data, texts.offsets)
    offsets, hashes = shingle_hashes(document_offsets, terms, ngram)
    words = np.diff(document_offsets)
    enough = words >= max(1, min_words)
    numbers = np.cumsum(enough) - 1 + first
    per_item = np.diff(offsets)
    keep = np.repeat(enough, per_item)
    pairs = np.stack([hashes[keep], np.repeat(numbers, per_item)[keep].astype(np.uint64)])
    names = [item.name for item, kept in zip(items, enough.tolist()) if kept]
    return names, pairs, {min(ngram, width) for width in words[enough].tolist()}


def _sorted_pairs(pairs: UInt64) -> UInt64:
    """Columns of uint64[2, m] in order of row 0, then row 1, each once."""
    pairs = pairs[:, np.lexsort((pairs[1], pairs[0]))]
    new = np.ones(pairs.shape[1], np.bool_)
    new[1:] = np.any(pairs[:, 1:] != pairs[:, :-1], axis=0)
    return pairs[:, new]
