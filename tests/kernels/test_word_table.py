"""Words and their table, beside a Python dictionary."""

from __future__ import annotations

import re

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusforge.kernels.word_table import KEY_BYTES, are_blank, as_blocks, find_words, keep_used

token = st.one_of(
    st.sampled_from(["a", "b", "</s>", "</s>x", "x" * 31, "x" * 32, "a\0", "\0", "ab" * 8, "é" * 16]),
    st.text(max_size=36),
)
texts = st.lists(st.lists(token, max_size=10).map(" ".join), max_size=6)


class Table:
    def __init__(self, slots: int) -> None:
        self.keys = np.zeros((slots, 4), np.uint64)
        self.used = np.zeros(slots, np.uint8)
        self.held = np.zeros(1, np.int64)


def arrays(documents: list[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    encoded = [document.encode() for document in documents]
    offsets = np.cumsum([0, *map(len, encoded)]).astype(np.int64)
    return np.frombuffer(b"".join(encoded), np.uint8), offsets[:-1], offsets[1:]


def split(text: str, only_space: bool, end: bytes) -> tuple[list[bytes], bool]:
    """Words, up to the end of the sentence."""
    words = [word for word in re.split(rb" " if only_space else rb"[ \t\n\v\f\r\0]", text.encode()) if word]
    stop = words.index(end) if end in words else len(words)
    return words[:stop], stop < len(words)


@given(
    batches=st.lists(texts, max_size=3),
    slots=st.sampled_from([4, 16, 256]),
    only_space=st.booleans(),
    end=st.sampled_from([b"", b"</s>"]),
)
@settings(deadline=None)
def test_every_word_is_found(batches: list[list[str]], slots: int, only_space: bool, end: bytes) -> None:
    table = Table(slots)
    stop = np.uint64(int.from_bytes(end, "little"))
    known: dict[int, bytes] = {}
    for documents in batches:
        data, starts, ends = arrays(documents)
        offsets, places, new_starts, new_ends, new_slots, stopped = find_words(
            as_blocks(data), starts, ends, only_space, stop, table.keys, table.used, table.held
        )
        new = [data[start:end].tobytes() for start, end in zip(new_starts, new_ends)]
        outside = [word for word, slot in zip(new, new_slots) if slot < 0]
        for word, slot in zip(new, new_slots.tolist()):
            if slot >= 0:
                assert slot not in known
                known[slot] = word
        assert len(set(known.values())) == len(known) == table.held[0] <= slots - slots // 4
        assert all(len(word) <= KEY_BYTES for word in known.values())
        for number, document in enumerate(documents):
            words, has_end = split(document, only_space, end)
            span = places[offsets[number] : offsets[number + 1]].tolist()
            assert [known[place] if place >= 0 else outside[~place] for place in span] == words
            assert bool(stopped[number]) == has_end


@given(first=texts, second=texts)
@settings(deadline=None)
def test_thinning_keeps_words_that_came_again(first: list[str], second: list[str]) -> None:
    table = Table(64)
    for documents in (first, second):
        data, starts, ends = arrays(documents)
        find_words(as_blocks(data), starts, ends, False, np.uint64(0), table.keys, table.used, table.held)
    again = {tuple(key) for key, used in zip(table.keys.tolist(), table.used) if used == 2}
    new_keys = np.zeros_like(table.keys)
    before = table.keys.copy()
    old, new = keep_used(table.keys, table.used, table.held, new_keys)
    kept = {tuple(key) for key in new_keys.tolist() if key[3]}
    assert kept <= again
    assert len(kept) == table.held[0] == len(old) == len(new) == min(len(again), 32)
    assert table.used.tolist() == [int(key[3] != 0) for key in new_keys]
    assert new_keys[new].tolist() == before[old].tolist()


@given(st.lists(st.text(alphabet=" \n\t\x1c\x1f\x85\u3000\u2028\xa0\u200bx\0", max_size=6), max_size=8))
@settings(deadline=None)
def test_blank_is_what_python_calls_so(documents: list[str]) -> None:
    expected = [document == "" or document.isspace() for document in documents]
    assert are_blank(*arrays(documents)).tolist() == expected
