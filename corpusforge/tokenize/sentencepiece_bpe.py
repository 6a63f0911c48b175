"""Training a BPE tokenizer on the corpus with SentencePiece, so that equal texts give equal bytes.

One thread, no sampling inside SentencePiece, and an order that the caller fixes: SentencePiece stores the
number of threads in the model, and its results may depend on the order of sentences.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from corpusforge.atomic_file import write_atomically
from corpusforge.errors import RunFailedError, UsageError
from corpusforge.model_store import find
from corpusforge.operations import DocumentReader, SingleTask
from corpusforge.step import RunContext, StepParameters
from corpusforge.tokenize.loading import load_tokenizer
from corpusforge.tokenize.sample import select

MODEL_NAME = "tokenizer.model"

RESERVED = "▅"
"""U+2585: SentencePiece writes it for characters outside the alphabet, and skips sentences that hold it."""


class TokenizerParameters(StepParameters):
    """How a tokenizer is trained, or the path of one that exists.

    The defaults are LLaMA's (see tokenizers/llama_bpe.yaml for their source).
    """

    model: str | None = None
    """Path, or name in the model store, of a tokenizer to use (a SentencePiece model, a tokenizer.json of Hugging
    Face, a file of tiktoken's ranks); nothing is trained then."""
    scheme: Literal["gpt2", "cl100k", "llama3", "o200k"] | None = None
    """Pattern and control tokens of a file of tiktoken's, which does not hold them."""
    end_token: str | None = None
    """Spelling of the token that ends a document, for a tokenizer.json that does not make it plain."""
    vocabulary_size: int = Field(default=32_000, ge=300, le=1 << 20)
    """Pieces at most; a small corpus gives fewer."""
    model_type: Literal["bpe", "unigram"] = "bpe"
    byte_fallback: bool = True
    """Characters outside the alphabet become their UTF-8 bytes, not an unknown token."""
    split_digits: bool = True
    """Each digit is a token of its own."""
    character_coverage: float = Field(default=0.99995, ge=0.98, le=1.0)
    """Share of character occurrences that the alphabet covers."""
    normalization: Literal["identity", "nfkc", "nmt_nfkc"] = "identity"
    add_dummy_prefix: bool = True
    """A space is put before every text, so that a first word looks like any other."""
    remove_extra_whitespaces: bool = False
    allow_whitespace_only_pieces: bool = True
    """Runs of spaces may be pieces (indented code)."""
    maximum_piece_characters: int = Field(default=16, ge=1, le=512)
    maximum_sentence_bytes: int = Field(default=4192, ge=64, le=1 << 20)
    """Lines longer than this are cut at a space, else between characters."""
    sample_bytes: int | dict[str, int] = 50_000_000
    """Text to train on: bytes of every source, or bytes by source."""
    unknown_id: int = 0
    begin_id: int = 1
    end_id: int = 2
    pad_id: int = -1
    """-1: the model has no such token."""
    control_symbols: list[str] = Field(default_factory=list)
    """Further tokens that no text encodes to."""


def sentences(text: str, maximum_bytes: int) -> Iterator[str]:
    """Cut a text into the sentences to train on: its lines, long ones cut to `maximum_bytes` of UTF-8.

    A long line is cut at its last space that fits (the space is dropped, a line's begin stands for it) or,
    without one, between characters. Lines also end at U+2585, which cannot be trained on. Nothing else is
    lost; empty lines have no sentence.
    """
    for line in text.replace(RESERVED, "\n").split("\n"):
        line = line.rstrip("\r")
        # Four bytes are the most that a character takes.
        if len(line) * 4 <= maximum_bytes or len(line.encode()) <= maximum_bytes:
            if line:
                yield line
        else:
            yield from _cut(line.encode(), maximum_bytes)


def _cut(line: bytes, maximum_bytes: int) -> Iterator[str]:
    start = 0
    while len(line) - start > maximum_bytes:
        # A space right behind the limit is a fit as well.
        end = line.rfind(b" ", start + 1, start + maximum_bytes + 1)
        following = end + 1
        if end < 0:
            end = start + maximum_bytes
            while line[end] & 0xC0 == 0x80:
                end -= 1
            following = end
        yield line[start:end].decode()
        start = following
    if start < len(line):
        yield line[start:].decode()


def train(texts: Iterable[str], parameters: TokenizerParameters) -> bytes:
    """Train on `texts` in the order given and return the model's bytes: equal texts give equal bytes.

    SentencePiece keeps the sentences in memory, and then the distinct words and pairs: 64 MB of web text took
    500 MB beyond the texts themselves, and 9.6 CPU seconds. Raises `corpusforge.errors.RunFailedError` when
    SentencePiece cannot make a vocabulary of them (no text, or an alphabet larger than the vocabulary).
    """
    from sentencepiece import SentencePieceTrainer

    stream = (part for text in texts for part in sentences(text, parameters.maximum_sentence_bytes))
    model = io.BytesIO()
    try:
        SentencePieceTrainer.train(
            sentence_iterator=stream, model_writer=model, minloglevel=2, **_options(parameters)
        )
    except RuntimeError as error:
        raise RunFailedError(f"the tokenizer could not be trained: {error}") from error
    return model.getvalue()


def _options(parameters: TokenizerParameters) -> dict[str, Any]:
    return {
        "model_type": parameters.model_type,
        "vocab_size": parameters.vocabulary_size,
        "hard_vocab_limit": False,
        "character_coverage": parameters.character_coverage,
        "byte_fallback": parameters.byte_fallback,
        "split_digits": parameters.split_digits,
        "normalization_rule_name": parameters.normalization,
        "add_dummy_prefix": parameters.add_dummy_prefix,
        "remove_extra_whitespaces": parameters.remove_extra_whitespaces,
        "allow_whitespace_only_pieces": parameters.allow_whitespace_only_pieces,
        "max_sentencepiece_length": parameters.maximum_piece_characters,
        "max_sentence_length": parameters.maximum_sentence_bytes,
        "unk_id": parameters.unknown_id,
        "bos_id": parameters.begin_id,
        "eos_id": parameters.end_id,
        "pad_id": parameters.pad_id,
        "control_symbols": parameters.control_symbols,
        # SentencePiece would otherwise draw sentences at random, and store the number of threads.
        "input_sentence_size": 0,
        "shuffle_input_sentence": False,
        "num_threads": 1,
    }


def existing_model(name_or_path: str) -> bytes:
    """Bytes of a tokenizer that exists, by its path or its name in the model store.

    Raises `corpusforge.errors.MissingModelError` when it is not there.
    """
    return find(name_or_path).read_bytes()


NO_TOKENIZER: dict[str, int | str] = {
    "sha256": "",
    "vocabulary_size": 0,
    "end_id": 0,
    "padding_id": 0,
    "documents": 0,
    "bytes": 0,
}
"""The value where no document was kept: there is no model, nothing is encoded, and the report says why."""


class TrainTokenizer(SingleTask):
    """Trains on the sample that a `TokenizerSample` decided, or copies the model that the recipe names.

    Writes `tokenizer.model` (or the file of another kind, named as in `corpusforge.tokenize.loading.FILE_NAMES`) and
    returns {"sha256", "vocabulary_size", "end_id", "padding_id", "documents", "bytes"}, and "scheme" and "end_token"
    where they were given: of documents and bytes those trained on; rows are padded with the pad token, or with the end
    token by a model without one. `sample` is the name of the fold's value in the run's context, None when the
    recipe names a model.
    """

    def __init__(self, parameters: TokenizerParameters, sample: str | None = "tokenizer_sample") -> None:
        """Raise `ValueError` when there is neither a model nor a sample to train on."""
        if parameters.model is None and sample is None:
            raise ValueError("training a tokenizer needs a sample")
        self.parameters = parameters
        self.sample = sample

    def run(self, context: RunContext, shards: DocumentReader, directory: Path) -> dict[str, int | str]:
        """Train or copy. The sampled texts are in memory, sorted by id whatever order the shards come in.

        Without a kept document there is nothing to train on: no file is written, and the value is
        `NO_TOKENIZER`. Raises `corpusforge.errors.RunFailedError` when all kept documents are empty, and
        `corpusforge.errors.UsageError` for a model without an end token.
        """
        documents: list[tuple[bytes, bytes]] = []
        if self.parameters.model is not None:
            model = existing_model(self.parameters.model)
        else:
            documents = self._sampled(context, shards)
            if not documents:
                return dict(NO_TOKENIZER)
            if not any(text.strip() for _, text in documents):
                raise RunFailedError("there is no text to train a tokenizer on: all kept documents are empty")
            model = train((text.decode() for _, text in documents), self.parameters)
        encoder = load_tokenizer(model, self.parameters.scheme, self.parameters.end_token)
        if encoder.eos_id < 0:
            raise UsageError("the tokenizer has no end-of-text token (eos), which ends every document")
        write_atomically(directory / encoder.file_name, model)
        given = {"scheme": self.parameters.scheme, "end_token": self.parameters.end_token}
        return {
            **{name: value for name, value in given.items() if value is not None},
            "sha256": encoder.sha256,
            "vocabulary_size": encoder.vocabulary_size,
            "end_id": encoder.eos_id,
            "padding_id": encoder.pad_id if encoder.pad_id >= 0 else encoder.eos_id,
            "documents": len(documents),
            "bytes": sum(len(text) for _, text in documents),
        }

    def _sampled(self, context: RunContext, shards: DocumentReader) -> list[tuple[bytes, bytes]]:
        value = context.values[str(self.sample)]
        documents = []
        for rows in shards:
            ids = rows.column("id")
            for row in select(rows, value).nonzero()[0].tolist():
                documents.append((ids[row].as_py(), rows.texts.bytes_of(row)))
        return sorted(documents)
