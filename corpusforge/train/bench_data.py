"""What the runs of a benchmark read: documents drawn by a seed, encoded, and cut to rows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from corpusforge.errors import UsageError
from corpusforge.train.corpora import Corpus, Index, sample_order

if TYPE_CHECKING:
    from corpusforge.tokenize.tokenizer import Tokenizer
    from corpusforge.train.panel import Overlap

Int64 = npt.NDArray[np.int64]
Tokens = npt.NDArray[Any]

REPETITION_LIMIT = 4
"""Epochs up to which repeated text is nearly worth new text (Muennighoff et al. 2023, arXiv:2305.16264)."""

_BATCH = 256
_BYTES_PER_TOKEN = 5
"""First guess; more documents are encoded where it is too low."""


@dataclass(frozen=True)
class Drawn:
    """Rows for one run and what is in them.

    `rows` uint16 or uint32 [N, T + 1]. `documents` and `texts` count the documents drawn and the distinct texts
    among them, `unique_tokens` the tokens of the latter, at most those read; `epochs` = tokens read / unique_tokens.
    """

    rows: Tokens
    documents: int
    texts: int
    unique_tokens: int
    epochs: float

    @property
    def digest(self) -> str:
        """SHA-256 in hex of the rows."""
        return hashlib.sha256(np.ascontiguousarray(self.rows, "<u4").tobytes()).hexdigest()

    def facts(self) -> dict[str, Any]:
        """Everything but the rows, as plain values."""
        return {
            "rows": len(self.rows),
            "tokens": int(self.rows.size),
            "documents": self.documents,
            "texts": self.texts,
            "unique_tokens": self.unique_tokens,
            "epochs": round(self.epochs, 4),
            "sha256": self.digest,
        }


class TokenSource:
    """A corpus as tokens, encoded as far as draws need them.

    Documents in `held_out` (hashes of texts) are left out. Each text that is encoded is also shown to `overlap`.
    """

    def __init__(
        self,
        corpus: Corpus,
        index: Index,
        encoder: Tokenizer,
        held_out: frozenset[bytes] = frozenset(),
        overlap: Overlap | None = None,
    ) -> None:
        """Raise `UsageError` when nothing but held-out documents is there."""
        self._corpus, self._index, self._encoder, self._overlap = corpus, index, encoder, overlap
        texts = [index.texts[row].tobytes() for row in range(len(index))]
        self._texts = texts
        self._allowed = np.array([text not in held_out for text in texts], np.bool_)
        if not self._allowed.any():
            raise UsageError(f"{corpus.spec} holds no document besides those held out for the panel")
        self._tokens: dict[int, Tokens] = {}

    def draw(self, seeds: Iterable[int], rows: int, length: int, salt: int = 0) -> dict[int, Drawn]:
        """For each seed `rows` rows of `length` tokens: documents in the seed's order, end to end.

        Where the corpus is through, it is read again in another order.
        """
        needed = rows * length
        orders = {seed: self._order(seed, 0, salt) for seed in seeds}
        budget = needed * _BYTES_PER_TOKEN
        while True:
            prefixes = {seed: self._prefix(order, budget) for seed, order in orders.items()}
            self._encode({int(row) for prefix in prefixes.values() for row in prefix})
            if all(
                len(prefix) == len(orders[seed]) or self._count(prefix) >= needed
                for seed, prefix in prefixes.items()
            ):
                break
            budget *= 2
        return {seed: self._drawn(seed, order, rows, length, salt) for seed, order in orders.items()}

    def _order(self, seed: int, epoch: int, salt: int) -> Int64:
        order = sample_order(self._index.ids, seed, epoch, salt)
        return order[self._allowed[order]]

    def _prefix(self, order: Int64, budget: int) -> Int64:
        """The first documents whose bytes reach `budget`, or all."""
        ends = np.cumsum(self._index.sizes[order])
        return order[: int(np.searchsorted(ends, budget)) + 1]

    def _count(self, order: Int64) -> int:
        return sum(len(self._tokens[int(row)]) for row in order)

    def _encode(self, wanted: set[int]) -> None:
        """Encode the documents of these rows that are not encoded yet, in one pass over the corpus."""
        from corpusforge.texts import Texts

        missing = wanted - self._tokens.keys()
        if not missing:
            return
        rows: list[int] = []
        texts: list[str] = []

        def flush() -> None:
            if self._overlap is not None:
                self._overlap.scan(texts)
            ids, offsets = self._encoder.encode(Texts.from_strings(texts))
            for number, row in enumerate(rows):
                self._tokens[row] = ids[offsets[number] : offsets[number + 1]].copy()
            rows.clear()
            texts.clear()

        for row, document in enumerate(self._corpus.documents()):
            if row in missing:
                rows.append(row)
                texts.append(document.text.decode("utf-8"))
                if len(rows) == _BATCH:
                    flush()
        if rows:
            flush()
        if missing - self._tokens.keys():
            raise UsageError(f"{self._corpus.spec} changed while it was read")

    def _drawn(self, seed: int, order: Int64, rows: int, length: int, salt: int) -> Drawn:
        needed = rows * length
        pieces: list[Tokens] = []
        used: dict[bytes, int] = {}
        have, documents, epoch = 0, 0, 0
        while have < needed:
            for row in order.tolist():
                tokens = self._tokens[row]
                pieces.append(tokens)
                used[self._texts[row]] = len(tokens)
                have += len(tokens)
                documents += epoch == 0
                if have >= needed:
                    break
            epoch += 1
            order = self._order(seed, epoch, salt) if have < needed else order
        unique = min(needed, sum(used.values()))
        array = np.concatenate(pieces)[:needed].reshape(rows, length)
        return Drawn(array, documents, len(used), unique, needed / unique)


def tokenizer_texts(corpora: Mapping[str, Corpus], indexes: Mapping[str, Index], size: int) -> list[str]:
    """Texts to train one tokenizer for all: of each corpus the same number of bytes, at least a document.

    Documents are drawn by a draw of their own and put in order of their ids, each text once.
    """
    chosen: dict[bytes, str] = {}
    for label, corpus in corpora.items():
        index = indexes[label]
        order = sample_order(index.ids, 0, salt=TOKENIZER_DRAW)
        ends = np.cumsum(index.sizes[order])
        wanted = set(order[: int(np.searchsorted(ends, size // len(corpora))) + 1].tolist())
        for row, document in enumerate(corpus.documents()):
            if row in wanted:
                chosen.setdefault(index.texts[row].tobytes(), document.text.decode("utf-8"))
    return [text for _, text in sorted(chosen.items())]


TOKENIZER_DRAW, PANEL_DRAW = 1 << 20, 1 << 21
"""Salts of draws that no run uses."""
