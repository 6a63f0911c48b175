from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.errors import UsageError
from corpusforge.tokenize.model_file import BYTE, CONTROL, NORMAL, UNKNOWN, read_model_file
from corpusforge.tokenize.sentencepiece_bpe import TokenizerParameters, train

TEXTS = [f"the cat and the dog number {number} sat" for number in range(60)]


def model(**changes: object) -> bytes:
    parameters = {"vocabulary_size": 330, "character_coverage": 1.0} | changes
    return train(TEXTS, TokenizerParameters.model_validate(parameters))


def test_a_trained_model() -> None:
    file = read_model_file(model())
    assert file.pieces[:4] == (("<unk>", UNKNOWN), ("<s>", CONTROL), ("</s>", CONTROL), ("<0x00>", BYTE))
    assert ("▁the", NORMAL) in file.pieces
    assert file.is_bpe
    assert file.byte_fallback
    assert file.dummy_prefix
    assert not file.normalizes
    assert not file.spaces_as_suffix
    assert file.chunks_are_independent


@pytest.mark.parametrize(
    "changes",
    [
        {"normalization": "nfkc"},
        {"remove_extra_whitespaces": True},
        {"byte_fallback": False, "vocabulary_size": 300},
        {"model_type": "unigram", "vocabulary_size": 300, "byte_fallback": False},
    ],
)
def test_models_whose_chunks_depend_on_each_other(changes: dict[str, object]) -> None:
    assert not read_model_file(model(**changes)).chunks_are_independent


def test_the_published_models(shared_data: Path) -> None:
    llama = read_model_file((shared_data / "models" / "llama2-tokenizer.model").read_bytes())
    assert (len(llama.pieces), llama.chunks_are_independent) == (32_000, True)
    unigram = read_model_file((shared_data / "models" / "spm-test_model.model").read_bytes())
    assert (len(unigram.pieces), unigram.is_bpe, unigram.chunks_are_independent) == (1000, False, False)


def read_or_refuse(data: bytes) -> str:
    try:
        return f"{len(read_model_file(data).pieces)} pieces"
    except UsageError as error:
        return str(error)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused_or_read(data: bytes) -> None:
    answer = read_or_refuse(data)
    assert answer.endswith("pieces") or answer.startswith("not a SentencePiece model")


def test_a_cut_model_is_refused() -> None:
    data = model()
    for size in (0, 1, 5, len(data) - 1):
        with pytest.raises(UsageError, match="not a SentencePiece model"):
            read_model_file(data[:size])
