"""The panel: held-out texts of several domains on which every model of a comparison is measured.

A panel file is JSON lines with `domain` and `text`. Bits per byte on it can be compared between tokenizers and
between corpora, because the bytes are the same for all.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from corpusforge.errors import UsageError
from corpusforge.train.corpora import TEXT_KINDS, bare_name, read_json_lines, read_texts

Int64 = npt.NDArray[np.int64]

NGRAM = 13
"""Words in a row that two texts must share to overlap (Brown et al., arXiv:2005.14165, appendix C)."""

MINIMUM_WORDS = 8
"""Shorter texts are not looked for; those of fewer than `NGRAM` words are looked for as a whole (same source)."""

DOCUMENTS = 200
"""Documents that a domain of a folder gives at most."""

DOCUMENT_BYTES = 16384
"""Bytes of a document that are read at most: it ends at a space before."""


@dataclass(frozen=True)
class Passage:
    """One held-out text."""

    domain: str
    text: str


@dataclass(frozen=True)
class Panel:
    """Passages in a fixed order."""

    passages: tuple[Passage, ...]

    @property
    def domains(self) -> list[str]:
        """Names of domains in order."""
        return sorted({passage.domain for passage in self.passages})

    @property
    def digest(self) -> str:
        """SHA-256 in hex of the passages."""
        return hashlib.sha256(self.lines()).hexdigest()

    def lines(self) -> bytes:
        """The panel file's bytes."""
        rows = ({"domain": one.domain, "text": one.text} for one in self.passages)
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode("utf-8")

    def counts(self) -> dict[str, dict[str, int]]:
        """Documents and bytes per domain."""
        result: dict[str, dict[str, int]] = {}
        for domain in self.domains:
            inside = [passage.text for passage in self.passages if passage.domain == domain]
            result[domain] = {"documents": len(inside), "bytes": sum(len(text.encode()) for text in inside)}
        return result


def read_panel(path: Path) -> Panel:
    """Read a panel file (.jsonl, also .gz and .zst), or make a panel of a folder or file of texts.

    In a folder each file is a domain named by its stem: .txt (documents between empty lines), .jsonl or
    .parquet with `text`. Of each the `DOCUMENTS` of least hash are taken, and of a document the first
    `DOCUMENT_BYTES`. Raises `UsageError` for what cannot be read, and where nothing is left.
    """
    if not path.exists():
        raise UsageError(f"no panel at {path}")
    is_panel_file = path.is_file() and bare_name(path).endswith(".jsonl")
    passages = tuple(_read_lines(path)) if is_panel_file else _of_folder(path)
    if not passages:
        raise UsageError(f"the panel {path} holds no text")
    return Panel(passages)


def _read_lines(path: Path) -> Iterator[Passage]:
    for number, row in read_json_lines(path):
        domain, text = (row.get("domain"), row.get("text")) if row is not None else (None, None)
        if not isinstance(domain, str) or not isinstance(text, str) or not domain:
            raise UsageError(f"{path}, line {number}: a panel's lines are objects with `domain` and `text`")
        if text.strip():
            yield Passage(domain, text)


def _of_folder(path: Path) -> tuple[Passage, ...]:
    files = [path] if path.is_file() else sorted(item for item in path.iterdir() if item.is_file())
    files = [file for file in files if bare_name(file).endswith(TEXT_KINDS)]
    passages = []
    for file in files:
        domain = bare_name(file).rsplit(".", 1)[0]
        chosen = choose(read_texts(file), DOCUMENTS)
        passages += [Passage(domain, text) for text in chosen]
    return tuple(passages)


def choose(texts: Iterator[str], count: int) -> list[str]:
    """At most `count` distinct texts of least hash, cut to `DOCUMENT_BYTES`, in the order of their hashes."""
    best: dict[bytes, str] = {}
    for text in texts:
        if text.strip():
            short = shorten(text)
            best[hashlib.blake2b(short.encode("utf-8"), digest_size=16).digest()] = short
            if len(best) >= 4 * count + 64:
                best = dict(sorted(best.items())[:count])
    return [text for _, text in sorted(best.items())[:count]]


def limited(panel: Panel, size: int) -> Panel:
    """The first passages of each domain that have at most `size` bytes together, at least one."""
    used: dict[str, int] = {}
    passages = []
    for passage in panel.passages:
        total = used.get(passage.domain, 0) + len(passage.text.encode("utf-8"))
        if total <= size or passage.domain not in used:
            used[passage.domain] = total
            passages.append(passage)
    return Panel(tuple(passages))


def shorten(text: str) -> str:
    """The text, or as many of its words as `DOCUMENT_BYTES` hold."""
    data = text.encode("utf-8", "replace")
    if len(data) <= DOCUMENT_BYTES:
        return data.decode("utf-8")
    whole = data[:DOCUMENT_BYTES].decode("utf-8", "ignore")
    return whole.rsplit(" ", 1)[0] if " " in whole else whole


class Overlap:
    """Looks for the panel's word 13-grams in texts.

    `shared` bool per n-gram of the panel is set by `scan`; n-grams are compared by 64-bit hashes.
    """

    def __init__(self, panel: Panel) -> None:
        self._panel = panel
        offsets, terms = _terms([passage.text for passage in panel.passages])
        from corpusforge.kernels.shingles import shingle_hashes

        self._firsts, self._hashes = shingle_hashes(offsets, terms, NGRAM)
        self._words = np.diff(offsets)
        self._sorted = np.unique(self._hashes)
        self._seen = np.zeros(len(self._sorted), np.bool_)
        # Passages shorter than the n-gram are one n-gram of all their words: those widths are looked for too.
        short = self._words[(self._words >= MINIMUM_WORDS) & (self._words < NGRAM)]
        self._widths = sorted({NGRAM, *short.tolist()})

    def scan(self, texts: Sequence[str]) -> None:
        """Mark what these texts share with the panel."""
        from corpusforge.kernels.shingles import shingle_hashes

        if not len(self._sorted):
            return
        offsets, terms = _terms(texts)
        for width in self._widths:
            _, hashes = shingle_hashes(offsets, terms, width)
            places = np.minimum(np.searchsorted(self._sorted, hashes), len(self._sorted) - 1)
            self._seen[places[self._sorted[places] == hashes]] = True

    def shares(self) -> npt.NDArray[np.float64]:
        """Share of each passage's n-grams that were seen, float64[passages]; 0 for passages without any."""
        seen = self._seen[np.searchsorted(self._sorted, self._hashes)].astype(np.int64)
        counts = np.diff(self._firsts)
        ends = np.concatenate([[0], np.cumsum(seen)])
        found = ends[self._firsts[1:]] - ends[self._firsts[:-1]]
        found[self._words < MINIMUM_WORDS] = 0
        return np.asarray(found / np.maximum(counts, 1), np.float64)


def _terms(texts: Sequence[str]) -> tuple[Int64, npt.NDArray[np.uint64]]:
    from corpusforge.kernels.words import split_terms
    from corpusforge.texts import Texts

    column = Texts.from_strings(list(texts))
    offsets, terms, _, _ = split_terms(column.data, column.offsets)
    return offsets, terms


@dataclass(frozen=True)
class Decontamination:
    """What is left of a panel, and per corpus how many passages overlap and how many of their n-grams."""

    panel: Panel
    removed: int
    by_corpus: dict[str, dict[str, float]]


def decontaminate(panel: Panel, overlaps: dict[str, Overlap], limit: float) -> Decontamination:
    """Take out passages of whose n-grams any one corpus shares more than the share `limit`.

    `overlaps` have scanned the texts of a corpus each. Raises `UsageError` when a domain has nothing left.
    """
    shares = {label: overlap.shares() for label, overlap in overlaps.items()}
    worst = np.max(np.stack(list(shares.values())), axis=0) if shares else np.zeros(len(panel.passages))
    kept = Panel(tuple(one for one, share in zip(panel.passages, worst.tolist()) if share <= limit))
    gone = sorted(set(panel.domains) - set(kept.domains))
    if gone:
        raise UsageError(
            f"every panel text of {', '.join(gone)} shares more than {limit:.0%} of its {NGRAM}-grams with a corpus "
            f"under test: give another panel, or a higher --max-overlap"
        )
    by_corpus = {
        label: {
            "passages_overlapping": int(np.count_nonzero(share)),
            "mean_share_of_ngrams": round(float(share.mean()), 6),
        }
        for label, share in shares.items()
    }
    return Decontamination(kept, len(panel.passages) - len(kept.passages), by_corpus)
