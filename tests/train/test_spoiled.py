from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from corpusforge.sample.draw import Draw
from corpusforge.sample.pages import LANGUAGES
from corpusforge.sample.text import Writer
from corpusforge.train.spoiled import duplicated, noisy, pieces, shuffled


@pytest.fixture(scope="module")
def texts() -> list[str]:
    writer = Writer(LANGUAGES["en"], Draw(0, "guards"))
    return [writer.paragraph(4) for _ in range(300)]


def test_spoiled_corpora_are_what_they_are_called(texts: list[str]) -> None:
    copies = duplicated(texts)
    assert len(copies) == len(texts)
    assert set(Counter(text for _, text in copies).values()) == {4}
    for (key, text), whole in zip(shuffled(texts), texts, strict=True):
        assert sorted(text.split()) == sorted(whole.split())
        assert key.startswith("document ")
    assert any(text != whole for (_, text), whole in zip(shuffled(texts), texts, strict=True))
    for share in (0.0, 0.1, 0.3, 1.0):
        changed = [text != whole for (_, text), whole in zip(noisy(texts, share), texts, strict=True)]
        assert np.mean(changed) == pytest.approx(share, abs=0.06)
    few = {key for (key, text), whole in zip(noisy(texts, 0.1), texts, strict=True) if text != whole}
    many = {key for (key, text), whole in zip(noisy(texts, 0.3), texts, strict=True) if text != whole}
    assert few < many


def test_pieces_hold_all_words() -> None:
    text = " ".join(f"word{number}" for number in range(1000))
    found = list(pieces(text))
    assert all(900 < len(piece) < 1100 for piece in found[:-1])
    assert text.startswith(" ".join(found))
    assert list(pieces("short text")) == ["short text"]
