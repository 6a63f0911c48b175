"""What stands several times in a few documents, found by comparing the text itself.

Deduplicating steps compare hashes that travel between machines. Here the same parts (documents, lines, sentences,
passages) are numbered by a dictionary of their bytes, in one process, and what a step removed is held against that.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpusforge.dedup.exact import ExactDedup
from corpusforge.dedup.lines import LineDedup, document_runs
from corpusforge.dedup.ngrams import NgramDedup
from corpusforge.dedup.normalize import normalized
from corpusforge.dedup.scopes import domain_scopes, dump_scopes
from corpusforge.dedup.substring import SubstringDedup
from corpusforge.dedup.units import pieces_of
from corpusforge.kernels.words import split_terms
from corpusforge.report.intervals import share
from corpusforge.step import RATIO, LiveRows, MapStep, fixed_ratio
from corpusforge.texts import Texts

Bool = npt.NDArray[np.bool_]
Int64 = npt.NDArray[np.int64]
Spans = Sequence[Sequence[tuple[int, int]]]

_STRIDE = 1 << 40


@dataclass(frozen=True)
class Parts:
    """What a step may remove of some texts, and what it compares.

    Atoms are removed whole: atom i stands in text ``rows[i]`` at bytes ``starts[i]:ends[i]`` of it, int64[a]. Place j
    is the `width` atoms from ``firsts[j]`` on, int64[p]; places of one number ``keys[j]`` are equal. `may_go` bool[a]
    are atoms that the step's rule lets go; None: those of places that are equal to another one.
    """

    rows: Int64
    starts: Int64
    ends: Int64
    keys: Int64
    firsts: Int64
    width: int
    may_go: Bool | None = None

    def removed(self, spans: Spans) -> Bool:
        """Which atoms begin in one of the spans of bytes of their texts, bool[a]."""
        flat = sorted(
            (row * _STRIDE + start, row * _STRIDE + end)
            for row, part in enumerate(spans)
            for start, end in part
        )
        if not flat:
            return np.zeros(len(self.rows), np.bool_)
        edges = np.array(flat, np.int64)
        at = self.rows * _STRIDE + self.starts
        place = np.searchsorted(edges[:, 0], at, "right") - 1
        return np.asarray((place >= 0) & (at < edges[np.maximum(place, 0), 1]))

    def inside(self, row: int, start: int, end: int) -> slice:
        """The atoms that begin in a stretch of a text."""
        low, high = np.searchsorted(
            self.rows * _STRIDE + self.starts, [row * _STRIDE + start, row * _STRIDE + end]
        )
        return slice(int(low), int(high))

    def repeated(self) -> Bool:
        """Which atoms are part of a place that is equal to another one, bool[a]."""
        covered = np.zeros(len(self.rows) + 1, np.int64)
        several = self._holders()[self.keys] > 1
        np.add.at(covered, self.firsts[several], 1)
        np.add.at(covered, self.firsts[several] + self.width, -1)
        return np.cumsum(covered[:-1]) > 0

    def judged(self, gone: Bool) -> tuple[int, int]:
        """Copies (places beyond one, of equal ones), and of these how many are gone or damaged."""
        before = np.zeros(len(gone) + 1, np.int64)
        np.cumsum(gone, out=before[1:])
        intact = before[self.firsts + self.width] == before[self.firsts]
        left = np.bincount(self.keys[intact], minlength=self._numbers())
        copies = int((self._holders() - 1).sum())
        return copies, copies - int(np.maximum(left - 1, 0).sum())

    def _numbers(self) -> int:
        return int(self.keys.max()) + 1 if len(self.keys) else 0

    def _holders(self) -> Int64:
        return np.bincount(self.keys, minlength=self._numbers()).astype(np.int64)


def outcome(parts: Parts, removed: Bool, dropped: Bool, complete: bool = True) -> dict[str, Any]:
    """Copies that are gone, and removed atoms that were allowed to go, as shares.

    `removed` bool[a] are the atoms that the step took, `dropped` bool[n] the texts that it dropped. Where the texts are
    not `complete`, an atom without a copy among them may have one elsewhere: it is counted as `unjudged`.
    """
    copies, found = parts.judged(removed | dropped[parts.rows])
    right = (parts.repeated() if parts.may_go is None else parts.may_go) & removed
    judged = removed if complete else right
    return {
        "copies": share(found, copies),
        "removed": share(int(right.sum()), int(judged.sum())),
        "unjudged": int(removed.sum()) - int(judged.sum()),
    }


def parts_of(
    step: MapStep, texts: Texts, columns: Mapping[str, pa.Array], generations: Int64 | None = None
) -> Parts:
    """The parts of n texts that a deduplicating step compares; `generations` int64[n] number their dumps (None: all 0).

    Raises `TypeError` for other steps.
    """
    scopes = scopes_of(step, texts, columns, generations)
    if isinstance(step, ExactDedup):
        return _documents(step, texts, columns, scopes)
    if isinstance(step, LineDedup):
        return _units(step, texts, columns, scopes)
    if isinstance(step, NgramDedup):
        return _units_by_ngrams(step, texts, scopes)
    if isinstance(step, SubstringDedup):
        return _passages(step, texts)
    raise TypeError(f"step {step.instance!r} compares no parts of documents")


def _numbered(values: Iterable[Hashable]) -> Int64:
    """Equal values by equal numbers from 0 on, int64[n]."""
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(value, len(numbers)) for value in values], np.int64)


def scopes_of(
    step: MapStep, texts: Texts, columns: Mapping[str, pa.Array], generations: Int64 | None = None
) -> Int64:
    """The number of what each of n texts is compared within (a domain, a dump, everything), int64[n]."""
    kind = getattr(step.parameters, "scope", "global")
    if kind == "global" or len(texts) == 0:
        return np.zeros(len(texts), np.int64)
    if kind == "domain":
        return domain_scopes(LiveRows(texts, columns)).of
    numbers = np.zeros(len(texts), np.int64) if generations is None else generations
    names = [b""] * len(texts)
    for generation in np.unique(numbers).tolist():
        scopes = dump_scopes(LiveRows(texts, columns, generation=generation), step.parameters)
        for row in np.flatnonzero(numbers == generation).tolist():
            names[row] = scopes.digests[scopes.of[row]].tobytes()
    return _numbered(names)


def _documents(step: ExactDedup, texts: Texts, columns: Mapping[str, pa.Array], scopes: Int64) -> Parts:
    parameters = step.parameters
    if parameters.key == "url":
        values = columns["url_key"].to_pylist()
    else:
        values = [
            normalized(texts.bytes_of(row), parameters.normalization) or None for row in range(len(texts))
        ]
    compared = np.array([row for row, value in enumerate(values) if value is not None], np.int64)
    keys = _numbered((int(scopes[row]), values[row]) for row in compared.tolist())
    rows = np.arange(len(texts))
    return Parts(rows, np.zeros(len(texts), np.int64), texts.sizes, keys, compared, 1)


def _units(step: LineDedup, texts: Texts, columns: Mapping[str, pa.Array], scopes: Int64) -> Parts:
    pieces, runs = document_runs(LiveRows(texts, columns), step.parameters)
    starts, ends = pieces.starts[runs.chosen], pieces.ends[runs.chosen]
    rows = pieces.owners[runs.chosen]
    units = _numbered(
        normalized(texts.data[start:end].tobytes(), step.parameters.normalization)
        for start, end in zip(starts.tolist(), ends.tolist())
    )
    keys = _numbered(
        (int(scopes[rows[first]]), units[first : first + runs.length].tobytes())
        for first in runs.firsts.tolist()
    )
    begin = texts.offsets[rows]
    return Parts(rows, starts - begin, ends - begin, keys, runs.firsts, runs.length)


def _units_by_ngrams(step: NgramDedup, texts: Texts, scopes: Int64) -> Parts:
    parameters = step.parameters
    pieces = pieces_of(texts, parameters.unit)
    _, _, starts, ends = split_terms(texts.data, texts.offsets, parameters.lowercase)
    words = _numbered(
        value.decode("utf-8", "replace").lower() if parameters.lowercase else value
        for value in (texts.data[start:end].tobytes() for start, end in zip(starts.tolist(), ends.tolist()))
    ).astype(np.int32)
    edges = np.append(np.searchsorted(starts, pieces.starts), len(starts)).tolist()
    within = scopes[pieces.owners].tolist()
    units: list[int] = []
    contents: list[Hashable] = []
    ngrams: list[Hashable] = []
    counts: list[int] = []
    for unit, (first, last) in enumerate(zip(edges[:-1], edges[1:])):
        size = last - first
        if size < max(1, min(parameters.min_ngram, parameters.ngram)):
            continue
        width = min(parameters.ngram, size)
        units.append(unit)
        contents.append((within[unit], words[first:last].tobytes()))
        counts.append(size - width + 1)
        ngrams += [(within[unit], words[at : at + width].tobytes()) for at in range(first, last - width + 1)]
    chosen, whole = np.array(units, np.int64), np.array(counts, np.int64)
    numbers = _numbered(ngrams)
    again = (np.bincount(numbers)[numbers] > 1).astype(np.int64) if len(numbers) else numbers
    met = np.bincount(np.repeat(np.arange(len(whole)), whole), again, len(whole)).astype(np.int64)
    limit = int(Decimal(str(parameters.max_unit_share)) * RATIO)
    rows = pieces.owners[chosen]
    begin = texts.offsets[rows]
    return Parts(
        rows,
        pieces.starts[chosen] - begin,
        pieces.ends[chosen] - begin,
        _numbered(contents),
        np.arange(len(chosen)),
        1,
        fixed_ratio(met, whole) > limit,
    )


def _passages(step: SubstringDedup, texts: Texts) -> Parts:
    view, width = texts.words, step.parameters.words
    spans = zip(view.starts.tolist(), view.ends.tolist())
    words = _numbered(texts.data[start:end].tobytes() for start, end in spans).astype(np.int32)
    edges = view.document_offsets.tolist()
    firsts = [first for begin, end in zip(edges[:-1], edges[1:]) for first in range(begin, end - width + 1)]
    data = words.tobytes()
    keys = _numbered(data[4 * first : 4 * (first + width)] for first in firsts)
    rows = np.repeat(np.arange(len(texts)), np.diff(view.document_offsets))
    begins = texts.offsets[rows]
    return Parts(rows, view.starts - begins, view.ends - begins, keys, np.array(firsts, np.int64), width)
