"""Training of perplexity models: deterministic, complete files that KenLM and SentencePiece read."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import sentencepiece

from corpusforge.errors import MissingModelError, UsageError
from corpusforge.model_store import language_models, write_whole
from corpusforge.models import train_lm
from corpusforge.models.arpa import read_arpa
from corpusforge.models.train_lm import _TRAINING_LINE, _training_lines, as_words, train_language_model

TEXTS = [
    "The quick brown fox jumps over the lazy dog.\nIt was the best of times.",
    "It was the worst of times; the dog and the fox were there, 1859.",
    "Call me Ishmael. Some years ago, never mind how long precisely.",
    "",
]


def test_files_and_description(tmp_path: Path) -> None:
    description = train_language_model(TEXTS, "en", 3, tmp_path, vocabulary_size=80)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["en.arpa", "en.json", "en.sp.model"]
    assert json.loads((tmp_path / "en.json").read_text(encoding="utf-8")) == description
    for name, digest in description["sha256"].items():
        assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == digest
    assert description["documents"] == 3
    assert description["ngrams"][2] > description["ngrams"][0]
    model = read_arpa(tmp_path / "en.arpa")
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "en.sp.model"))
    known = pieces.encode("the dog and the fox", out_type=str)
    strange = pieces.encode("zzz qqq xxx vvv jjj", out_type=str)
    assert model.score(known) / len(known) > model.score(strange) / len(strange)


def test_order_of_texts_does_not_matter(tmp_path: Path) -> None:
    first = train_language_model(TEXTS, "en", 4, tmp_path / "a", vocabulary_size=80)
    second = train_language_model(TEXTS[::-1], "en", 4, tmp_path / "b", vocabulary_size=80)
    assert first == second
    for name in ("en.arpa", "en.json", "en.sp.model"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.mark.parametrize("piece_type", ["bpe", "unigram"])
def test_hostile_texts(tmp_path: Path, piece_type: str) -> None:
    kenlm = pytest.importorskip("kenlm")
    hostile = [
        "a<s>b </s> <unk> <s>" * 20,
        "tab\tnul\0 vertical\x0b form\x0c next\x85 line\u2028 wide\u3000space \u00a0",
        "reserved \u2585 and \u2047 and \u2581 marks",
        "\ud800 lone surrogate",
        "x" * 20_000,
        "日本語のテキスト" * 50,
        " \n ",
    ]
    train_language_model(
        hostile, "xx", 3, tmp_path, vocabulary_size=200, normalization="none", piece_type=piece_type
    )
    config = kenlm.Config()
    config.show_progress = False
    model = kenlm.Model(str(tmp_path / "xx.arpa"), config)
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "xx.sp.model"))
    for text in hostile[1:3]:
        words = pieces.encode(text.replace("\0", " "), out_type=str)
        scores = list(model.full_scores(as_words(words)))
        assert len(scores) == len(words) + 1, "KenLM sees one word per piece"
        assert not any(oov for _, _, oov in scores)


def test_marks_of_the_model_are_escaped() -> None:
    assert as_words(["▁a", "<s>", "b</s>", "</s>", "<unk>"]) == "▁a ‹s› b</s> ‹/s› ‹unk›"
    assert as_words(["▁a", "b"]) == "▁a b"
    assert as_words([]) == ""


def test_training_lines_are_bounded_and_complete() -> None:
    documents = [("wörter und " * 2000).encode(), ("日" * 5000).encode(), b"short"]
    lines = list(_training_lines(documents))
    assert "".join(lines) == b"".join(documents).decode()
    assert max(len(line.encode()) for line in lines) <= _TRAINING_LINE


@pytest.mark.parametrize("texts", [[], [""], ["\n\t "]])
def test_no_text(tmp_path: Path, texts: list[str]) -> None:
    with pytest.raises(UsageError, match="no text"):
        train_language_model(texts, "en", 3, tmp_path)
    assert not list(tmp_path.iterdir())


def test_one_word(tmp_path: Path) -> None:
    description = train_language_model(["word"], "en", 5, tmp_path)
    assert description["fallback_discounts"] == list(range(1, len(description["ngrams"]) + 1))
    assert read_arpa(tmp_path / "en.arpa").order == len(description["ngrams"]) <= 5


@pytest.mark.parametrize("order", [1, 7])
def test_orders(tmp_path: Path, order: int) -> None:
    with pytest.raises(UsageError, match="order"):
        train_language_model(TEXTS, "en", order, tmp_path)


def test_vocabulary_too_small(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="SentencePiece"):
        train_language_model(TEXTS, "en", 3, tmp_path, vocabulary_size=8)


def test_a_training_that_is_cut_off_leaves_no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train_language_model(TEXTS, "en", 3, tmp_path, vocabulary_size=80)

    def fail(path: Path, content: bytes) -> None:
        if path.suffix == ".json":
            raise OSError("disk full")
        write_whole(path, content)

    monkeypatch.setattr(train_lm, "write_whole", fail)
    with pytest.raises(OSError, match="disk full"):
        train_language_model(TEXTS[:1], "en", 3, tmp_path, vocabulary_size=60)
    with pytest.raises(MissingModelError):
        language_models(str(tmp_path))


def test_refuses_to_join_another_model(tmp_path: Path) -> None:
    (tmp_path / "en.arpa.bin").touch()
    with pytest.raises(UsageError, match="another training"):
        train_language_model(TEXTS, "en", 3, tmp_path)


def test_pieces_of_large_texts_are_trained_on_those_with_the_least_hashes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [f"document {number} of a text about {number * 7919 % 101} things" for number in range(60)]
    monkeypatch.setattr(train_lm, "PIECES_BYTES", 1000)
    first = train_language_model(texts, "en", 3, tmp_path / "a", vocabulary_size=60, scratch=tmp_path)
    second = train_language_model(texts[::-1], "en", 3, tmp_path / "b", vocabulary_size=60)
    assert first == second
    assert 20 < first["documents_for_pieces"] < 30
    assert first["documents"] == 60
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]
    monkeypatch.undo()
    assert "documents_for_pieces" not in train_language_model(
        texts, "en", 3, tmp_path / "c", vocabulary_size=60
    )


def test_bad_pruning(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="must not fall"):
        train_language_model(TEXTS, "en", 3, tmp_path, vocabulary_size=80, prune=[0, 2, 1])


def test_lines_are_sentences_of_their_own(tmp_path: Path) -> None:
    texts = [
        "It was the best of times,\n\nit was the worst of times.\r\n",
        "\n \n",
        "It was the age of wisdom.",
    ]
    lines = ["it was the best of times,", "it was the worst of times.", "it was the age of wisdom."]
    (tmp_path / "lines").mkdir()
    (tmp_path / "each").mkdir()
    found = train_language_model(
        texts, "en", 3, tmp_path / "lines", vocabulary_size=60, normalization="lines"
    )
    expected = train_language_model(lines, "en", 3, tmp_path / "each", vocabulary_size=60)
    assert found["documents"] == 3
    assert found["sha256"] == expected["sha256"]
    whole = train_language_model(texts, "en", 3, tmp_path / "each", vocabulary_size=60)
    assert whole["sha256"] != expected["sha256"]
