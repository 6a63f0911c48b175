"""The cache of chunks against a dictionary."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusforge.texts import Texts
from corpusforge.tokenize.chunk_cache import ChunkCache

chunk = st.text("abcdef", min_size=1, max_size=4) | st.text("ab", min_size=20, max_size=30)


@given(st.lists(st.lists(chunk, max_size=40), max_size=6))
@settings(max_examples=150)
def test_tokens_are_those_of_the_chunk(batches: list[list[str]]) -> None:
    cache = ChunkCache(slots=16)
    for strings in batches:
        texts = Texts.from_strings(strings)
        numbers, wanted = cache.find(texts.data, texts.offsets)
        asked = [strings[place] for place in wanted]
        assert set(asked) <= set(strings)
        # The tokens of a chunk are its bytes; one more behind what was asked for, as of a text's first chunk.
        parts = [*asked, "first"]
        ids = np.frombuffer("".join(parts).encode(), np.uint8).astype(np.int32)
        offsets = np.cumsum([0, *map(len, parts)]).astype(np.int64)
        ids, offsets, first = cache.put(ids, offsets)
        found = [ids[offsets[k] : offsets[k + 1]].astype(np.uint8).tobytes().decode() for k in numbers]
        assert found == strings
        extra = first + len(asked)
        assert ids[offsets[extra] : offsets[extra + 1]].astype(np.uint8).tobytes() == b"first"


def test_what_was_met_is_not_asked_for_again() -> None:
    cache = ChunkCache()
    texts = Texts.from_strings(["one", "two", "one", "x" * 25])
    numbers, wanted = cache.find(texts.data, texts.offsets)
    assert (numbers.tolist(), wanted.tolist()) == ([0, 1, 0, 2], [0, 1, 3])
    cache.put(np.arange(3, dtype=np.int32), np.arange(4, dtype=np.int64))
    numbers, wanted = cache.find(texts.data, texts.offsets)
    assert (numbers.tolist(), wanted.tolist()) == ([0, 1, 0, 2], [3])
    cache.clear()
    assert cache.find(texts.data, texts.offsets)[1].tolist() == [0, 1, 3]
