"""ARPA files: exact bytes, strict reading, scores by the back-off recursion."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from corpusforge.models.arpa import UNKNOWN_MISSING, read_arpa, write_arpa
from corpusforge.models.kneser_ney import NgramModel, estimate
from corpusforge.models.ngram_counts import FIRST_WORD

SMALL = """\\data\\
ngram 1=5
ngram 2=4

\\1-grams:
-0.9030900\t<unk>\t0.0000000
-99.0000000\t<s>\t-0.3010300
-0.4259687\t</s>\t0.0000000
-0.6020600\ta\t-0.3010300
-0.6020600\té\t-0.3010300

\\2-grams:
-0.2041200\t<s> a
-0.3590219\ta </s>
-0.4259687\ta é
-0.1627273\té </s>

\\end\\
"""


@pytest.fixture
def model() -> NgramModel:
    return estimate(np.array([FIRST_WORD, FIRST_WORD + 1, FIRST_WORD]), np.array([0, 2, 3]), 2)


def test_exact_bytes(model: NgramModel) -> None:
    stream = io.BytesIO()
    write_arpa(model, ["a", "é"], stream)
    assert stream.getvalue().decode() == SMALL


def test_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "small.arpa"
    path.write_text(SMALL, encoding="utf-8")
    read = read_arpa(path)
    assert read.order == 2
    assert read.ngrams[("a", "é")] == (-0.4259687, 0.0)
    assert read.ngrams[("<s>",)] == (-99.0, -0.30103)
    # <s> a | a é | é </s>
    assert read.score(["a", "é"]) == pytest.approx(-0.20412 - 0.4259687 - 0.1627273)
    # <s> é is backed off: b(<s>) + p(é)
    assert read.score(["é"]) == pytest.approx(-0.30103 - 0.60206 - 0.1627273)
    # unknown: b(<s>) + p(<unk>), then b(<unk>) + p(</s>)
    assert read.score(["zzz"]) == pytest.approx(-0.30103 - 0.90309 - 0.4259687)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a"], "1 names for 2"),
        (["a", "a"], "twice"),
        (["a", "</s>"], "twice"),
        (["a", ""], "cannot hold"),
        (["a", "b c"], "cannot hold"),
        (["a", "b\0"], "cannot hold"),
    ],
)
def test_refuses_names(model: NgramModel, words: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        write_arpa(model, words, io.BytesIO())


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("\\data\\", "data", "not an ARPA file"),
        ("ngram 2=4", "ngram 2=5", "4 2-grams, not 5"),
        ("ngram 2=4", "ngram 3=4", "not a count"),
        ("ngram 2=4", "ngram 2=x", "not a count"),
        ("ngram 1=5", "hello", "not part of a header"),
        ("\\end\\", "", "no .end"),
        ("-0.4259687\ta é", "-0.4259687\ta", "not a 2-gram"),
        ("-0.4259687\ta é", "x\ta é", "not a 2-gram"),
        ("-0.6020600\ta\t-0.3010300\n", "", "4 1-grams, not 5"),
    ],
)
def test_refuses_damaged_files(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "damaged.arpa"
    path.write_text(SMALL.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        read_arpa(path)


def test_refuses_other_files(tmp_path: Path) -> None:
    path = tmp_path / "binary"
    path.write_bytes(bytes(range(256)) * 4)
    with pytest.raises(ValueError, match="not an ARPA file"):
        read_arpa(path)


def test_kenlm_reads_its_own_test_model_alike(shared_data: Path) -> None:
    kenlm = pytest.importorskip("kenlm")
    path = shared_data / "models" / "kenlm-test.arpa"
    ours = read_arpa(path)
    assert ours.order == 5
    assert len(ours.ngrams) == 37 + 47 + 11 + 6 + 4
    config = kenlm.Config()
    config.show_progress = False
    theirs = kenlm.Model(str(path), config)
    for sentence in ["looking on a little", "also would consider higher looking", "unknown words here", ""]:
        assert ours.score(sentence.split()) == pytest.approx(theirs.score(sentence), abs=1e-4)


def test_a_model_without_unknown_word(tmp_path: Path) -> None:
    path = tmp_path / "one.arpa"
    path.write_text("\\data\\\nngram 1=2\n\n\\1-grams:\n-99\t<s>\n-0.3\t</s>\n\n\\end\\\n", encoding="utf-8")
    assert read_arpa(path).score(["x"]) == pytest.approx(UNKNOWN_MISSING - 0.3)
