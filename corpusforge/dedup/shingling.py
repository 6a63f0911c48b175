"""What a document's shingles are made of: words, characters or tokens.

Projects that name the same number of grams mean different things by it, and the similarity of two documents changes
with the unit: one changed word changes 5 shingles of 5 words, and some 17 shingles of 13 characters.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from corpusforge.errors import UsageError
from corpusforge.kernels.characters import character_terms
from corpusforge.kernels.mixing import mix64_array
from corpusforge.kernels.shingles import shingle_hashes
from corpusforge.kernels.words import split_terms
from corpusforge.texts import Texts

if TYPE_CHECKING:
    from corpusforge.dedup.minhash import MinhashParameters
    from corpusforge.tokenize.tokenizer import Tokenizer

Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]
ShingleUnit = Literal["word", "space", "character", "token"]


def shingles_of(texts: Texts, parameters: MinhashParameters) -> tuple[Int64, UInt64]:
    """Shingle hashes of each text in order: offsets int64[n + 1], hashes uint64."""
    offsets, hashes = shingle_hashes(*terms_of(texts, parameters), parameters.ngram)
    return offsets, hashes


def terms_of(texts: Texts, parameters: MinhashParameters) -> tuple[Int64, UInt64]:
    """Hashes of the units of each text in order: offsets int64[n + 1], hashes uint64."""
    if parameters.shingle == "space":
        return texts.words.document_offsets, texts.words.hashes
    if parameters.shingle == "character":
        return character_terms(texts.data, texts.offsets, parameters.lowercase, parameters.remove_punctuation)
    if parameters.shingle == "token":
        ids, offsets = _tokenizer(parameters.tokenizer).encode(texts, end=False)
        return offsets, mix64_array(ids.astype(np.uint64) + np.uint64(1))
    offsets, hashes, _, _ = split_terms(texts.data, texts.offsets, parameters.lowercase)
    return offsets, hashes


def check_tokenizer(parameters: MinhashParameters, instance: str) -> None:
    """Raise `UsageError` when shingles of tokens have no tokenizer, or one that cannot be read."""
    if parameters.shingle != "token":
        if parameters.tokenizer is not None:
            raise UsageError(
                f"step {instance!r}: tokenizer is given, but shingles are of {parameters.shingle}s (shingle: token "
                "takes tokens)"
            )
        return
    if parameters.tokenizer is None:
        raise UsageError(
            f"step {instance!r}: shingle: token needs tokenizer: the file of a SentencePiece model or a "
            "tokenizer.json"
        )
    _tokenizer(parameters.tokenizer)


def tokenizer_fingerprint(parameters: MinhashParameters) -> dict[str, str]:
    """Hash of the tokenizer, when shingles are of tokens."""
    if parameters.shingle != "token" or parameters.tokenizer is None:
        return {}
    from corpusforge.model_store import find, sha256_of

    return {"tokenizer": sha256_of(find(parameters.tokenizer))}


@lru_cache(maxsize=1)
def _tokenizer(model: str | None) -> Tokenizer:
    """Load a model once per process."""
    from corpusforge.model_store import find
    from corpusforge.tokenize.loading import load_tokenizer

    if model is None:
        raise UsageError("shingles of tokens need a tokenizer")
    return load_tokenizer(find(model).read_bytes(), needs_end=False)
