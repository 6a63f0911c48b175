"""Scores beside the slow reading of ARPA files and beside KenLM, and words encoded once beside whole texts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusforge.models.arpa import read_arpa
from corpusforge.models.ngram_model import NgramModel, PieceIds
from corpusforge.models.normalization import normalize
from corpusforge.models.train_lm import as_words, train_language_model
from corpusforge.texts import Texts
from corpusforge.tokenize.model_file import read_model_file

TEXTS = [
    "It was the best of times, it was the worst of times, it was the age of wisdom.",
    "It was the age of foolishness, it was the epoch of belief, it was the season of Light.",
    "We had everything before us, we had nothing before us, we were all going direct to Heaven.",
]
PRUNED = """\\data\\
ngram 1=5
ngram 2=3
ngram 3=2

\\1-grams:
-1.5\t<unk>
-99\t<s>\t-0.5
-1.25e0\ta\t-0.25
-0.75\tb\t-0.125
-1\t</s>

\\2-grams:
-0.5\t<s> a\t-0.375
-0.25\ta b\t-0.0625
-0.75\tb </s>

\\3-grams:
-0.125\t<s> a b
-0.0625\tb b a

\\end\\
"""


@pytest.fixture(scope="module", params=["bpe", "unigram"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models")
    train_language_model(TEXTS, "en", 4, path, vocabulary_size=80, piece_type=request.param, prune=[0, 0, 1])
    return path


def ids_of(model: NgramModel, sentences: list[list[str]]) -> tuple[np.ndarray, np.ndarray]:
    ids = [model.ids.get(word.encode(), model.unknown) for sentence in sentences for word in sentence]
    return np.array(ids, np.int32), np.cumsum([0, *map(len, sentences)]).astype(np.int64)


@given(st.lists(st.lists(st.sampled_from(["a", "b", "x", "</s>", "<unk>"]), max_size=9), max_size=5))
@settings(deadline=None)
def test_a_model_without_some_suffixes(
    tmp_path_factory: pytest.TempPathFactory, sentences: list[list[str]]
) -> None:
    path = tmp_path_factory.mktemp("arpa") / "x.arpa"
    path.write_text(PRUNED)
    model = NgramModel(path)
    slow = read_arpa(path)
    assert model.score(*ids_of(model, sentences)) == pytest.approx([slow.score(words) for words in sentences])


@given(
    st.lists(
        st.lists(st.sampled_from(["▁it", "▁was", "▁the", "▁of", "e", "s", "t", "▁", ",", "zz"]), max_size=12),
        max_size=5,
    )
)
@settings(deadline=None, max_examples=50)
def test_scores(folder: Path, sentences: list[list[str]]) -> None:
    model = NgramModel(folder / "en.arpa")
    slow = read_arpa(folder / "en.arpa")
    expected = [slow.score(words) for words in sentences]
    assert model.score(*ids_of(model, sentences)) == pytest.approx(expected, abs=1e-5)


texts = st.lists(
    st.one_of(
        st.text(max_size=40),
        st.lists(
            st.sampled_from(
                ["It", "was", "wisdom,", " ", "\n", "naïve", "—", "1859", "ΣΑΣ", "日本", "\u0301", "\u0903",
                 "<s>", "\u3000", "\u200b", "´", "\ue000", "▁", "\x00", "x" * 40, "\u2585", "\u1e9b\u0323", "ｶﾞ"]
            ),
            max_size=12,
        ).map(" ".join),
    ),
    max_size=5,
)  # fmt: skip


@pytest.mark.parametrize("normalization", ["ccnet", "none"])
@given(batches=st.lists(texts, min_size=1, max_size=3))
@settings(deadline=None, max_examples=150)
def test_words_encoded_once_equal_whole_texts(
    folder: Path, normalization: str, batches: list[list[str]]
) -> None:
    model = NgramModel(folder / "en.arpa")
    pieces = (folder / "en.sp.model").read_bytes()
    processor = sentencepiece.SentencePieceProcessor(model_proto=pieces)
    encoder = PieceIds(pieces, model, normalization)
    for documents in batches:
        view = Texts.from_strings(documents)
        ids, offsets, totals = encoder.encode(view.data, view.offsets[:-1], view.offsets[1:])
        for number, document in enumerate(documents):
            whole = processor.encode(normalize(document, normalization), out_type=str)
            words = as_words(whole).encode().split()
            expected = [model.ids.get(word, model.unknown) for word in words]
            assert ids[offsets[number] : offsets[number + 1]].tolist() == expected
            assert totals[number] == len(whole)


def test_the_table_is_used_and_changes_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = NgramModel(folder / "en.arpa")
    pieces = (folder / "en.sp.model").read_bytes()
    monkeypatch.setattr("corpusforge.models.ngram_model.CACHE_SLOTS", 16)
    small = PieceIds(pieces, model, "ccnet")
    monkeypatch.undo()
    for number in range(30):
        view = Texts.from_strings([f"it was{number} the {text} x{number % 7}" for text in TEXTS])
        fresh = PieceIds(pieces, model, "ccnet")
        for one, other in zip(
            small.encode(view.data, view.offsets[:-1], view.offsets[1:]),
            fresh.encode(view.data, view.offsets[:-1], view.offsets[1:]),
        ):
            np.testing.assert_array_equal(one, other)
    assert fresh.words_are_independent == read_model_file(pieces).is_bpe


def test_equals_kenlm(folder: Path, shared_data: Path) -> None:
    kenlm = pytest.importorskip("kenlm")
    for path in (folder / "en.arpa", shared_data / "models" / "kenlm-test.arpa"):
        model, reference = NgramModel(path), kenlm.Model(str(path))
        vocabulary = [word.decode() for word in list(model.ids)[:200] if word not in (b"<s>", b"</s>")]
        random = np.random.default_rng(1)
        sentences = [random.choice([*vocabulary, "unheard"], size).tolist() for size in range(30)]
        expected = [reference.score(" ".join(words)) for words in sentences]
        assert model.score(*ids_of(model, sentences)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("ngram 2=3", "ngram 2=4"),
        ("ngram 2=3", "ngram 2=2"),
        ("\\end\\", ""),
        ("-0.25\ta b", "-0.2x5\ta b"),
        ("-0.25\ta b", "-0.25\ta c"),
        ("-0.25\ta b\t-0.0625", "-0.25\ta"),
        ("-0.25\ta b\t-0.0625", "-0.25\ta b\t1 2"),
        ("\\2-grams:", "\\4-grams:"),
        ("</s>", "end"),
        ("\ta\t", "\tb\t"),
        ("\\data\\", "data"),
        ("ngram 1=5", "ngram 1=5000000"),
    ],
)
def test_damage_is_an_error(tmp_path: Path, old: str, new: str) -> None:
    path = tmp_path / "x.arpa"
    path.write_text(PRUNED.replace(old, new))
    with pytest.raises(ValueError, match="arpa"):
        NgramModel(path)
