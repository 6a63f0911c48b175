from __future__ import annotations

from pathlib import Path

import numpy as np

from corpusforge.filters import bad_words
from corpusforge.texts import Texts


def test_numbers_of_lists(tmp_path: Path) -> None:
    (tmp_path / "en").write_text("a\n", "utf-8")
    (tmp_path / "ja").write_text("b\n", "utf-8")
    lists = bad_words.load(str(tmp_path))
    assert bad_words.list_numbers(lists, ["ja", None, "en", "xx", ""]).tolist() == [1, -1, 0, -1, -1]
    one = bad_words.load(str(tmp_path / "en"))
    assert bad_words.list_numbers(one, ["ja", None]).tolist() == [0, 0]


def test_letters_of_other_scripts_are_no_border(tmp_path: Path) -> None:
    """As in C4's expression: only a to z hold a phrase together, so phrases match inside Chinese text."""
    (tmp_path / "zh").write_text("坏话\nbad\n", "utf-8")
    lists = bad_words.load(str(tmp_path))
    texts = Texts.from_strings(["这是坏话吗", "BAD", "badly", "ébad", "not so bad."])
    counts = bad_words.count_bad_words(
        lists, np.zeros(len(texts), np.int64), texts.data, texts.offsets[:-1], texts.offsets[1:]
    )
    assert counts.tolist() == [1, 1, 0, 1, 1]
