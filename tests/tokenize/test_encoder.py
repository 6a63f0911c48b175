from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sentencepiece import SentencePieceProcessor

from corpusforge.errors import UsageError
from corpusforge.texts import Texts
from corpusforge.tokenize.encoder import Encoder, token_array
from corpusforge.tokenize.sentencepiece_bpe import TokenizerParameters, train

WORDS = ["the", "cat", "  sat", "on\n", "a", "mat.", "naïve", "12 345", "\n\n    if x:", "▁", "été", "\t"]


def model(**changes: object) -> bytes:
    texts = [" ".join(WORDS[(number * step) % len(WORDS)] for step in range(9)) for number in range(120)]
    parameters = {"vocabulary_size": 400, "character_coverage": 1.0} | changes
    return train(texts, TokenizerParameters.model_validate(parameters))


MODEL = model()
ENCODER = Encoder(MODEL)
REFERENCE = SentencePieceProcessor(model_proto=MODEL)
texts_strategy = st.lists(
    st.one_of(
        st.text(max_size=30),
        st.lists(st.sampled_from([*WORDS, " ", "  ", "\n", "\0", "\r", "▅", "🙂"]), max_size=12).map("".join),
        # Chunks longer than the merges scan, and than the cache keeps.
        st.lists(st.sampled_from(["the", "cat", "mat", "é", "12", "▁", "🙂"]), min_size=30, max_size=60).map(
            "".join
        ),
    ),
    max_size=6,
)


def parts(encoded: tuple[np.ndarray, np.ndarray]) -> list[list[int]]:
    ids, offsets = encoded
    return [ids[first:last].tolist() for first, last in zip(offsets[:-1], offsets[1:])]


@given(texts_strategy)
@settings(max_examples=400, deadline=None)
def test_chunks_give_what_sentencepiece_gives(strings: list[str]) -> None:
    assert ENCODER.file.chunks_are_independent
    expected = REFERENCE.encode(strings)
    found = parts(ENCODER.encode(Texts.from_strings(strings)))
    assert found == [[*ids, ENCODER.eos_id] for ids in expected]
    assert parts(ENCODER.encode(Texts.from_strings(strings), end=False)) == expected


@pytest.mark.parametrize(
    "changes",
    [
        {"add_dummy_prefix": False},
        {"normalization": "nfkc"},
        {"remove_extra_whitespaces": True},
        {"byte_fallback": False, "vocabulary_size": 300},
        {"model_type": "unigram", "vocabulary_size": 320},
        {"control_symbols": ["<fim>"]},
        {"control_symbols": ["🙂"]},
    ],
)
@given(texts_strategy)
@settings(max_examples=60, deadline=None)
def test_other_models(changes: dict[str, object], strings: list[str]) -> None:
    data = model_of(json.dumps(changes))
    expected = SentencePieceProcessor(model_proto=data).encode(strings)
    assert parts(Encoder(data).encode(Texts.from_strings(strings), end=False)) == expected


MODELS: dict[str, bytes] = {}


def model_of(changes: str) -> bytes:
    if changes not in MODELS:
        MODELS[changes] = model(**json.loads(changes))
    return MODELS[changes]


def test_real_text_with_llamas_model(shared_data: Path) -> None:
    data = (shared_data / "models" / "llama2-tokenizer.model").read_bytes()
    with gzip.open(shared_data / "c4" / "wimbd-c4-sample.00000-of-00001.json.gz", "rt") as file:
        strings = [json.loads(line)["text"] for line in file][:200]
    strings += json.loads((shared_data / "hostile" / "blns.json").read_text())
    texts = Texts.from_strings(strings)
    encoder = Encoder(data)
    by_chunks, whole = encoder.encode(texts), Encoder(data, whole_texts=True).encode(texts)
    assert encoder.file.chunks_are_independent
    assert by_chunks[0].dtype == np.uint16
    assert np.array_equal(by_chunks[0], whole[0])
    assert np.array_equal(by_chunks[1], whole[1])
    ids = by_chunks[0][by_chunks[1][0] : by_chunks[1][1]]
    assert (encoder.decode(ids), ids[-1]) == (strings[0], 2)


def test_batches_do_not_matter() -> None:
    encoder = Encoder(MODEL)
    strings = [" ".join(WORDS[number:]) for number in range(len(WORDS))]
    whole = parts(encoder.encode(Texts.from_strings(strings)))
    assert whole == [parts(encoder.encode(Texts.from_strings([string])))[0] for string in strings]
    # A view that does not begin at the buffer's start.
    sliced = Texts.from_arrow(pa.array(strings, pa.large_string()).slice(3, 4))
    assert parts(encoder.encode(sliced)) == whole[3:7]


def test_nothing_and_empty_texts() -> None:
    encoder = Encoder(MODEL)
    ids, offsets = encoder.encode(Texts.from_strings([]))
    assert (len(ids), offsets.tolist()) == (0, [0])
    assert parts(encoder.encode(Texts.from_strings(["", "", "a"])))[:2] == [[2], [2]]


def test_a_model_without_an_end_token() -> None:
    encoder = Encoder(model(end_id=-1))
    assert encoder.eos_id == -1
    with pytest.raises(ValueError, match="no end-of-text token"):
        encoder.encode(Texts.from_strings(["a"]))
    assert len(encoder.encode(Texts.from_strings(["a"]), end=False)[0])


def test_bytes_that_are_no_model() -> None:
    with pytest.raises(UsageError, match="not a SentencePiece model"):
        Encoder(b"no model")


def test_token_array_goes_through_parquet(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    encoder = Encoder(MODEL)
    array = token_array(*encoder.encode(Texts.from_strings(["the cat", "", "sat"])))
    assert array.type == pa.large_list(pa.uint16())
    pq.write_table(pa.table({"ids": array}), tmp_path / "a.parquet")
    back = pq.read_table(tmp_path / "a.parquet")["ids"]
    assert (
        back.to_pylist()
        == array.to_pylist()
        == parts(encoder.encode(Texts.from_strings(["the cat", "", "sat"])))
    )
