"""Element classes as the kernels look them up."""

from __future__ import annotations

import numpy as np

from corpusforge.kernels.html_elements import CANONICAL, CLASSES, FORMATTING, HASHES, SPECIAL, VOID, signed
from corpusforge.kernels.html_tokens import name_hash


def class_of(name: str) -> int:
    position = int(np.searchsorted(HASHES, np.uint64(name_hash(name))))
    assert HASHES[position] == name_hash(name)
    return int(CLASSES[position])


def test_lookup() -> None:
    assert (HASHES[1:] > HASHES[:-1]).all()
    assert class_of("br") & VOID
    assert class_of("br") & SPECIAL
    assert class_of("b") & FORMATTING
    assert not class_of("b") & VOID
    assert not class_of("foreignobject") & FORMATTING


def test_elements_that_close_each_other_have_one_name() -> None:
    names = {int(HASHES[k]): int(CANONICAL[k]) for k in range(len(HASHES))}
    assert names[name_hash("h6")] == name_hash("h1") == names[name_hash("h1")]
    assert names[name_hash("dt")] == name_hash("dd")
    assert names[name_hash("li")] == name_hash("li")


def test_signed_hashes_are_the_same_bits() -> None:
    assert signed("tr") % 2**64 == name_hash("tr")
