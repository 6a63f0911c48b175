"""ARPA files: the plain-text format of back-off n-gram models, written deterministically and read strictly.

The layout is SRILM's ``ngram-format(5)``: a ``\\data\\`` header with the number of n-grams per order, then
for every order lines of log10 probability, words, and (below the highest order) log10 back-off weight, and at
last ``\\end\\``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpusforge.models.kneser_ney import NgramModel, Order
from corpusforge.models.ngram_counts import FIRST_WORD

SPECIAL_WORDS = ("<unk>", "<s>", "</s>")
"""Names of the first word ids (`UNKNOWN`, `BEGIN`, `END`)."""

DECIMALS = 7
"""Decimals written: about what a 32-bit float, the type KenLM reads into, can hold."""

UNKNOWN_MISSING = -100.0
"""log10 probability of an unknown word where a model has no ``<unk>``, as KenLM counts it."""

_BLOCK = 1 << 18
"""N-grams that are written at once."""


class Writable(Protocol):
    """What an ARPA file is written to."""

    def write(self, data: bytes | memoryview, /) -> object:
        """Append bytes."""


_SEPARATORS = frozenset(" \t\n\v\f\r\0")


def write_arpa(model: NgramModel, words: Sequence[str], stream: Writable) -> None:
    """Write a model; `words` are the names of the ids from `FIRST_WORD` on.

    Equal models give equal bytes. Raises `ValueError` for a name that the format cannot hold: an empty one,
    one with white space or NUL, a repeated one, or one of `SPECIAL_WORDS`.
    """
    names = [*SPECIAL_WORDS, *words]
    _check_words(names, len(model.orders[0].last))
    stream.write(b"\\data\\\n")
    for length, order in enumerate(model.orders, 1):
        stream.write(f"ngram {length}={int(order.kept.sum())}\n".encode())
    vocabulary = pa.array(names, pa.large_string())
    for length, order in enumerate(model.orders, 1):
        stream.write(f"\n\\{length}-grams:\n".encode())
        for start in range(0, len(order.last), _BLOCK):
            stop = min(start + _BLOCK, len(order.last))
            texts = _texts(model, vocabulary, length, start, stop)
            _write_block(order, start, texts, length < model.order, stream)
    stream.write(b"\n\\end\\\n")


def _texts(model: NgramModel, vocabulary: pa.Array, length: int, start: int, stop: int) -> pa.Array:
    """N-grams as words, for the rows from `start` to `stop`: their contexts are a range of rows too."""
    if length == 1:
        return vocabulary.slice(start, stop - start)
    order = model.orders[length - 1]
    prefix = order.prefix[start:stop]
    first = int(prefix[0])
    contexts = _texts(model, vocabulary, length - 1, first, int(prefix[-1]) + 1)
    return _join(
        " ", contexts.take(pa.array(prefix - first)), vocabulary.take(pa.array(order.last[start:stop]))
    )


def _check_words(names: Sequence[str], expected: int) -> None:
    if len(names) != expected:
        raise ValueError(f"{len(names) - FIRST_WORD} names for {expected - FIRST_WORD} words")
    if len(set(names)) != len(names):
        raise ValueError("a word is named twice, or like one of " + " ".join(SPECIAL_WORDS))
    for name in names:
        if not name or not _SEPARATORS.isdisjoint(name):
            raise ValueError(f"the ARPA format cannot hold the word {name!r}")


def _write_block(order: Order, start: int, texts: pa.Array, with_backoff: bool, stream: Writable) -> None:
    """Write the kept n-grams of a block; `texts` are all of it."""
    rows = np.flatnonzero(order.kept[start : start + len(texts)])
    if not len(rows):
        return
    columns = [_decimal(order.log10_probability[start + rows]), texts.take(pa.array(rows))]
    if with_backoff:
        columns.append(_decimal(order.log10_backoff[start + rows]))
    columns[-1] = _join("", columns[-1], pa.scalar("\n", pa.large_string()))
    lines = _join("\t", *columns)
    stream.write(memoryview(lines.buffers()[2])[: pc.sum(pc.binary_length(lines)).as_py()])


def _decimal(values: npt.NDArray[np.float64]) -> pa.Array:
    """Format numbers with exactly `DECIMALS` decimals as a large_string array; zero has no sign."""
    units = np.rint(values * 10**DECIMALS).astype(np.int64)
    whole, fraction = np.divmod(np.abs(units), 10**DECIMALS)
    sign = pa.array(np.where(units < 0, "-", "")).cast(pa.large_string())
    integer = pa.array(whole).cast(pa.large_string())
    padded = pc.utf8_lpad(pa.array(fraction).cast(pa.large_string()), DECIMALS, "0")
    return _join(".", _join("", sign, integer), padded)


def _join(separator: str, *columns: pa.Array | pa.Scalar) -> pa.Array:
    """Join large_string columns row by row."""
    return pc.binary_join_element_wise(*columns, pa.scalar(separator, pa.large_string()))


@dataclass(frozen=True)
class ArpaModel:
    """A model read back: words of an n-gram to (log10 probability, log10 back-off weight)."""

    order: int
    ngrams: dict[tuple[str, ...], tuple[float, float]]

    def log10_probability(self, context: Sequence[str], word: str) -> float:
        """log10 probability of `word` after `context`, by the back-off recursion."""
        if (word,) not in self.ngrams:
            word = SPECIAL_WORDS[0]
        history = tuple(context)[len(context) - min(len(context), self.order - 1) :]
        weight = 0.0
        while True:
            entry = self.ngrams.get((*history, word))
            if entry is not None:
                return weight + entry[0]
            if not history:
                return weight + UNKNOWN_MISSING
            weight += self.ngrams.get(history, (0.0, 0.0))[1]
            history = history[1:]

    def score(self, words: Sequence[str]) -> float:
        """log10 probability of a sentence, from ``<s>`` to ``</s>``."""
        context = [SPECIAL_WORDS[1]]
        total = 0.0
        for word in [*words, SPECIAL_WORDS[2]]:
            total += self.log10_probability(context, word)
            context.append(word if (word,) in self.ngrams else SPECIAL_WORDS[0])
        return total


def read_arpa(path: Path) -> ArpaModel:
    """Read an ARPA file into memory (for tests and small models; KenLM reads large ones).

    Raises `ValueError` with the line number for anything that is not in the format, and for counts that the
    header and the sections disagree on.
    """
    with path.open("rb") as stream:
        lines = enumerate((line.rstrip(b"\r\n") for line in stream), 1)
        counts = read_header(path, lines)
        ngrams: dict[tuple[str, ...], tuple[float, float]] = {}
        length = 1
        before = 0
        for number, line in lines:
            if not line or line == b"\\%d-grams:" % length:
                continue
            if line == b"\\%d-grams:" % (length + 1) or line == b"\\end\\":
                if len(ngrams) - before != counts[length - 1]:
                    raise ValueError(
                        f"{path}:{number}: {len(ngrams) - before} {length}-grams, not {counts[length - 1]}"
                    )
                if line == b"\\end\\":
                    if length != len(counts):
                        raise ValueError(f"{path}:{number}: ends before the {length + 1}-grams")
                    return ArpaModel(len(counts), ngrams)
                length, before = length + 1, len(ngrams)
                continue
            words, numbers = _read_entry(path, number, line, length)
            ngrams[words] = numbers
    raise ValueError(f"{path}: no \\end\\")


def read_header(path: Path, lines: Iterator[tuple[int, bytes]]) -> list[int]:
    """Read up to the first section: the number of n-grams of each order."""
    counts: list[int] = []
    inside = False
    for number, line in lines:
        if line == b"\\data\\":
            inside = True
        elif inside and line.startswith(b"ngram "):
            length, equals, count = line[len(b"ngram ") :].partition(b"=")
            if not equals or not count.strip().isdigit() or length.strip() != b"%d" % (len(counts) + 1):
                raise ValueError(f"{path}:{number}: not a count of n-grams: {line[:80]!r}")
            counts.append(int(count))
        elif inside and line == b"\\1-grams:":
            if not counts:
                raise ValueError(f"{path}:{number}: the header counts no n-grams")
            return counts
        elif inside and line:
            raise ValueError(f"{path}:{number}: not part of a header: {line[:80]!r}")
    raise ValueError(f"{path}: not an ARPA file")


def _read_entry(
    path: Path, number: int, line: bytes, length: int
) -> tuple[tuple[str, ...], tuple[float, float]]:
    """Read one n-gram line: the words, and (log10 probability, log10 back-off weight)."""
    fields = line.split()
    if len(fields) not in (length + 1, length + 2):
        raise ValueError(f"{path}:{number}: not a {length}-gram: {line[:80]!r}")
    try:
        words = tuple(field.decode("utf-8") for field in fields[1 : length + 1])
        numbers = float(fields[0]), float(fields[-1]) if len(fields) == length + 2 else 0.0
    except ValueError as error:
        raise ValueError(f"{path}:{number}: not a {length}-gram: {line[:80]!r}") from error
    return words, numbers
