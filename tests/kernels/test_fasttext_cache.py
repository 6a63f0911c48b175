"""The table of words: whatever it holds, sums are those of the words alone."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from models.fasttext_twin import small_model

from corpusforge.kernels.fasttext_cache import make_table, sum_spans
from corpusforge.kernels.fasttext_dictionary import hash_entries
from corpusforge.kernels.fasttext_words import GROUP, index_names

STOP = np.uint64(int.from_bytes(b"</s>", "little"))
token = st.one_of(
    st.sampled_from(
        [
            b"the",
            b"</s>",
            b"</s>x",
            b"x" * 31,
            b"x" * 32,
            b"x" * 33,
            b"y" * 200,
            b"__label__en",
            "für".encode(),
        ]
    ),
    st.integers(0, 300).map(lambda number: f"w{number}".encode()),
)
spans = st.lists(st.lists(token, max_size=200).map(b" ".join), max_size=5)


def test_rows_begin_with_cache_lines() -> None:
    for width in (1, 16, 17, 256):
        keys, vectors = make_table(8, width)
        assert keys.shape == (4, 8)
        assert len(vectors) == 8 + GROUP
        assert vectors.shape[1] >= width
        assert keys.dtype == np.uint64
        assert vectors.dtype == np.float32
        for array in (keys, vectors):
            assert array.ctypes.data % 64 == 0
            assert array.strides[0] % 64 == 0


@given(
    batches=st.lists(spans, max_size=4),
    rows=st.sampled_from([2, 16, 1024]),
    width=st.sampled_from([5, 16, 37]),
)
@settings(deadline=None, max_examples=60)
def test_the_table_changes_nothing(batches: list[list[bytes]], rows: int, width: int) -> None:
    twin = small_model(1, dimension=width)
    names = [*twin.words, *(f"__label__{label}".encode() for label in twin.labels)]
    joined = np.frombuffer(b"".join(names), np.uint8)
    offsets = np.cumsum([0, *map(len, names)]).astype(np.int64)
    index = index_names(joined, offsets, hash_entries(joined, offsets, 64), 64)
    numbers = np.array([len(twin.words), twin.shortest, twin.longest, twin.buckets, 0, 1], np.int64)
    nothing = np.zeros(0, np.uint64), np.zeros(0, np.int32)
    model = (STOP, numbers, joined, offsets, index, *nothing, twin.matrix)
    table = make_table(rows, twin.matrix.shape[1])
    for batch in batches:
        data = np.frombuffer(b"".join(batch), np.uint8)
        ends = np.cumsum([0, *map(len, batch)]).astype(np.int64)
        sums, counts, stopped = sum_spans(data, ends[:-1], ends[1:], *model, *table)
        for number, text in enumerate(batch):
            alone = np.frombuffer(text, np.uint8), np.zeros(1, np.int64), np.array([len(text)], np.int64)
            found = sum_spans(*alone, *model, *make_table(2, twin.matrix.shape[1]))
            assert found[0][0].tolist() == sums[number].tolist()
        for number, text in enumerate(batch):
            words = text.split()
            assert stopped[number] == (b"</s>" in words)
            words = words[: words.index(b"</s>")] if b"</s>" in words else words
            selected = [row for one in words for row in twin.rows(one)]
            rows_of = twin.matrix[selected].astype(np.float64)
            # 32-bit floats, whose rounding grows with what is added up.
            assert (abs(sums[number] - rows_of.sum(axis=0)) <= 1e-5 * (abs(rows_of).sum(axis=0) + 1)).all()
            assert counts[number] == len(selected)
