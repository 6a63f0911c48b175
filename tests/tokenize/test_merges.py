"""Which models have merge tables, and what is in them."""

from __future__ import annotations

import dataclasses

import pytest

from corpusforge.tokenize.merges import merge_table
from corpusforge.tokenize.model_file import BYTE, CONTROL, NORMAL, UNKNOWN, UNUSED, USER_DEFINED, ModelFile

FILE = ModelFile(
    (("<unk>", UNKNOWN), ("▁", NORMAL), ("a", NORMAL), ("ab", NORMAL)),
    is_bpe=True,
    byte_fallback=False,
    spaces_as_suffix=False,
    normalizes=False,
    dummy_prefix=True,
    scores=(0.0, -1.0, -2.0, -3.0),
    rewrites=False,
)


def with_pieces(*more: tuple[str, int], **changes: object) -> ModelFile:
    pieces = FILE.pieces + more
    return dataclasses.replace(FILE, pieces=pieces, scores=tuple(map(float, range(len(pieces)))), **changes)


def test_a_character_that_is_no_piece_can_be_part_of_one() -> None:
    table = merge_table(FILE)
    assert table is not None
    assert table.symbol_of[ord("a")] == 2
    assert table.symbol_of[ord("b")] >= table.pieces == 4
    assert table.symbol_of[ord("z")] == -1
    assert table.symbol_of[ord(" ")] == table.symbol_of[ord("▁")] == 1


@pytest.mark.parametrize(
    "file",
    [
        with_pieces(is_bpe=False),
        with_pieces(("<x>", USER_DEFINED)),
        with_pieces(("xx", UNUSED)),
        with_pieces(("x", CONTROL)),
        with_pieces(("<0x41>", BYTE), byte_fallback=True),
        dataclasses.replace(FILE, pieces=FILE.pieces[:1] + FILE.pieces[2:], scores=FILE.scores[1:]),
    ],
    ids=["unigram", "user-defined", "unused", "one-character control", "bytes missing", "no space symbol"],
)
def test_other_models_have_none(file: ModelFile) -> None:
    assert merge_table(file) is None
