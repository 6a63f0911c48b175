"""The fit of a tokenizer: counts that can be checked by hand."""

from __future__ import annotations

import pytest

from corpusforge.tokenize.encoder import Encoder
from corpusforge.tokenize.report import Fit, measure
from corpusforge.tokenize.sentencepiece_bpe import TokenizerParameters, train


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    parameters = TokenizerParameters(vocabulary_size=300)
    return Encoder(train(["the cat sat on the mat and the dog ran"] * 20, parameters))


def test_counts_are_those_of_the_ids(encoder):
    documents = [(b"1", "web", b"the cat sat"), (b"2", "web", b""), (b"3", "code", "日 the".encode())]
    found = measure(encoder, documents)
    assert list(found) == ["code", "web"]
    web = found["web"]
    assert (web.documents, web.bytes, web.words, web.byte_tokens) == (2, 11, 3, 0)
    assert web.tokens >= 3
    assert web.ratios()["fertility"] == web.tokens / 3
    assert web.ratios()["bytes_per_token"] == 11 / web.tokens
    code = found["code"]
    assert code.byte_tokens == 3, "a character that the vocabulary lacks is its three bytes"
    assert code.unknown_tokens == 0
    assert code.words == 2
    assert code.to_json()["byte_fallback"] == 3 / code.tokens


def test_the_order_of_documents_and_batches_does_not_matter(encoder):
    documents = [(bytes([number]), "ab"[number % 2], b"the mat " * number) for number in range(60)]
    assert measure(encoder, documents) == measure(encoder, documents[::-1])


def test_nothing_has_no_ratios(encoder):
    assert measure(encoder, []) == {}
    assert set(Fit().ratios().values()) == {None}
