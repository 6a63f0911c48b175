"""Training of perplexity models: SentencePiece pieces and a Kneser-Ney n-gram model over them.

One thread, sorted documents: equal texts and parameters give equal files, in whatever order the texts come. Texts,
pieces and counts lie in files on the way (`corpusforge.models.scratch`), about 150 bytes for each piece of the text at
order 5; in memory are the vocabulary, a block of each, and what SentencePiece is trained on.
"""

from __future__ import annotations

import hashlib
import heapq
import io
import tempfile
from array import array
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import sentencepiece

from corpusforge import storage
from corpusforge.document import canonical_json
from corpusforge.errors import UsageError
from corpusforge.model_store import write_whole
from corpusforge.models.arpa import SPECIAL_WORDS, write_arpa
from corpusforge.models.kneser_ney import NgramModel, estimate
from corpusforge.models.ngram_counts import FIRST_WORD, Int64
from corpusforge.models.normalization import Normalization, cut, sentences
from corpusforge.models.scratch import Scratch

PieceType = Literal["bpe", "unigram"]

MAXIMUM_DOCUMENT = 1_000_000
"""Bytes of a document that are used, after normalization; the rest is left out and counted."""

PIECES_BYTES = 128 << 20
"""Bytes of the documents, after normalization, that SentencePiece is trained on: those with the least hashes."""

_TRAINING_LINE = 4000
"""Bytes of the lines that SentencePiece is trained on: documents are cut at spaces below that size."""

_RESERVED_BY_SENTENCEPIECE = "\u2585"
"""SentencePiece leaves out every training line that holds this character (its mark for unknown ones)."""


def train_language_model(
    texts: Iterable[str],
    language: str,
    order: int,
    output: Path,
    *,
    vocabulary_size: int = 16_000,
    piece_type: PieceType = "bpe",
    normalization: Normalization = "ccnet",
    prune: Sequence[int] = (),
    scratch: Path | None = None,
) -> dict[str, Any]:
    """Train on documents and write ``<language>.sp.model``, ``.arpa`` and ``.json`` to the folder `output`.

    Every document is normalized and is one sentence of the n-gram model, as in scoring; with the normalization
    ``lines`` every line that holds something is, and lines are what is counted as documents. `vocabulary_size` is
    an upper bound. `order` is 2..6 (KenLM reads no unigram models); `prune` as in `kneser_ney.estimate`. `scratch`:
    folder for files on the way, the system's for temporary files by default. Of texts that hold more than
    `PIECES_BYTES`, SentencePiece sees some. Returns what the JSON file holds: parameters, counts, discounts, and the
    hashes of both files. The ARPA file is removed first and put in its place last: the pair that makes a model never
    mixes two trainings.

    Raises `UsageError` when there is no text, too small a vocabulary for its characters, or a KenLM binary
    (``<language>.arpa.bin``) of another training in the folder, and `OSError` when a disk is full.
    """
    if not 2 <= order <= 6:
        raise UsageError(f"order {order} is not in 2..6")
    if (output / f"{language}.arpa.bin").exists():
        raise UsageError(f"{output} holds {language}.arpa.bin of another training: choose another folder")
    space = Scratch(scratch if scratch is not None else Path(tempfile.gettempdir()))
    corpus = _Corpus(texts, normalization, space)
    if not corpus.count:
        raise UsageError("there is no text to train a language model on")
    sample = corpus.sample()
    pieces = train_pieces(sample, vocabulary_size, piece_type)
    processor = sentencepiece.SentencePieceProcessor(model_proto=pieces)
    tokens, offsets, words = _encode(corpus.documents(), processor, space)
    try:
        model = estimate(tokens, offsets, order, prune, space)
    except ValueError as error:
        raise UsageError(str(error)) from error
    location = output / f"{language}.arpa"
    with storage.commit(str(location)) as ngrams:
        write_arpa(model, words, ngrams)
        description = {
            "language": language,
            "order": order,
            "piece_type": piece_type,
            "vocabulary_size": vocabulary_size,
            "normalization": normalization,
            "prune": list(prune),
            "documents": corpus.count,
            "documents_truncated": corpus.truncated,
            "bytes": corpus.bytes,
            "pieces": processor.get_piece_size(),
            "tokens": len(tokens),
            **({"documents_for_pieces": len(sample)} if len(sample) < corpus.count else {}),
            **_describe(model),
            "sha256": {
                f"{language}.sp.model": hashlib.sha256(pieces).hexdigest(),
                f"{language}.arpa": ngrams.sha256,
            },
        }
        location.unlink(missing_ok=True)
        write_whole(output / f"{language}.sp.model", pieces)
        write_whole(output / f"{language}.json", (canonical_json(description) + "\n").encode())
    return description


class _Corpus:
    """Documents, normalized and bounded, without empty ones, in a file; and those that SentencePiece is trained on."""

    def __init__(self, texts: Iterable[str], normalization: Normalization, scratch: Scratch) -> None:
        self.count = self.bytes = self.truncated = 0
        self._file = scratch.file()
        self._sizes = array("q")
        # The greatest hash first: those with the least ones, in whatever order they come.
        self._chosen: list[tuple[int, bytes]] = []
        chosen_bytes = 0
        for sentence in (part for text in texts for part in sentences(text, normalization)):
            whole = sentence.encode("utf-8", "replace")
            document = cut(whole, MAXIMUM_DOCUMENT)
            self.truncated += len(document) < len(whole)
            if not document.strip():
                continue
            self.count += 1
            self.bytes += len(document)
            self._file.write(document)
            self._sizes.append(len(document))
            digest = hashlib.blake2b(document, digest_size=16).digest()
            heapq.heappush(self._chosen, (-int.from_bytes(digest), document))
            chosen_bytes += len(document)
            while chosen_bytes > PIECES_BYTES and len(self._chosen) > 1:
                chosen_bytes -= len(heapq.heappop(self._chosen)[1])

    def sample(self) -> list[bytes]:
        """Documents for SentencePiece, sorted. Once: they are held no longer."""
        chosen = sorted(document for _, document in self._chosen)
        self._chosen = []
        return chosen

    def documents(self) -> Iterator[bytes]:
        """All documents, as they came."""
        self._file.seek(0)
        for size in self._sizes:
            yield self._file.read(size)


def train_pieces(documents: Sequence[bytes], vocabulary_size: int, piece_type: PieceType) -> bytes:
    """Train SentencePiece on UTF-8 documents without line feeds; gives the bytes of the model file.

    Raises `UsageError` when the vocabulary cannot hold the characters of the text.
    """
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=_training_lines(documents),
            model_writer=model,
            model_type=piece_type,
            vocab_size=vocabulary_size,
            hard_vocab_limit=False,
            character_coverage=0.9995,
            max_sentence_length=_TRAINING_LINE * 8,
            num_threads=1,
            minloglevel=2,
        )
    except RuntimeError as error:
        raise UsageError(f"SentencePiece cannot be trained on this text: {str(error).strip()}") from error
    return model.getvalue()


def as_words(pieces: Sequence[str]) -> str:
    """Join pieces to the sentence that the n-gram model reads: one word per piece, separated by spaces.

    A piece that spells ``<s>``, ``</s>`` or ``<unk>`` (only a run of unknown characters can) must not act as
    the model's own mark: its angle brackets are replaced by single quotation marks of that shape.
    """
    sentence = " ".join(pieces)
    if any(special in sentence for special in SPECIAL_WORDS):
        escaped = (f"‹{piece[1:-1]}›" if piece in SPECIAL_WORDS else piece for piece in pieces)
        return " ".join(escaped)
    return sentence


def _training_lines(documents: Sequence[bytes]) -> Iterator[str]:
    """Cut documents into lines that SentencePiece takes: at spaces, or else at characters."""
    for document in documents:
        start = 0
        while start < len(document):
            line = cut(document[start : start + _TRAINING_LINE + 4], _TRAINING_LINE)
            if start + len(line) < len(document):
                space = line.rfind(b" ")
                line = line[: space + 1] if space > 0 else line
            start += len(line)
            yield line.decode("utf-8").replace(_RESERVED_BY_SENTENCEPIECE, " ")


def _encode(
    documents: Iterable[bytes], processor: sentencepiece.SentencePieceProcessor, scratch: Scratch
) -> tuple[Int64, Int64, list[str]]:
    """Encode documents: word ids, sentence offsets, and the words in the order of their ids (sorted)."""
    ids: dict[str, int] = {}
    stream, held = scratch.appending(np.int64), array("q")
    offsets = array("q", [0])
    for document in documents:
        sentence = as_words(processor.encode(document.decode("utf-8"), out_type=str))
        held.extend([ids.setdefault(word, len(ids)) for word in sentence.split(" ") if word])
        offsets.append(stream.count + len(held))
        if len(held) >= scratch.block:
            stream.add(np.array(held, np.int64))
            held = array("q")
    stream.add(np.array(held, np.int64))
    words = sorted(ids)
    rank = np.zeros(len(words), np.int64)
    rank[[ids[word] for word in words]] = np.arange(len(words)) + FIRST_WORD
    found = stream.done()
    for start, stop in scratch.spans(len(found)):
        found[start:stop] = rank[found[start:stop]]
    return found, np.array(offsets, np.int64), words


def _describe(model: NgramModel) -> dict[str, Any]:
    return {
        "ngrams": [int(order.kept.sum()) for order in model.orders],
        "discounts": [
            [round(order.discounts.one, 6), round(order.discounts.two, 6), round(order.discounts.three, 6)]
            for order in model.orders
        ],
        "fallback_discounts": [n for n, order in enumerate(model.orders, 1) if order.discounts.fallback],
    }
