from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from corpusforge.document import document_id
from corpusforge.step import LiveRows
from corpusforge.texts import Texts
from corpusforge.tokenize.sample import TokenizerSample, bins_of, cutoffs, select


def rows_of(documents: list[tuple[str, str]]) -> LiveRows:
    """Documents of (source, text), their ids made of both."""
    return LiveRows(
        Texts.from_strings([text for _, text in documents]),
        {
            "id": pa.array([document_id(*document) for document in documents], pa.binary(16)),
            "source": pa.array([source for source, _ in documents], pa.string()),
        },
    )


def corpus() -> list[tuple[str, str]]:
    return [(f"s{number % 3}", f"text {number} " * (1 + number % 7)) for number in range(600)]


def test_cutoffs_take_whole_bins_up_to_the_quota() -> None:
    histogram = {"a:0": 10, "a:5": 10, "a:7": 10, "b:3": 100, "b:4": 1, "c:1": 5}
    assert cutoffs(histogram, 20) == {"a": 6, "b": 4, "c": 2}
    assert cutoffs(histogram, 29) == {"a": 6, "b": 4, "c": 2}
    assert cutoffs(histogram, 30) == {"a": 8, "b": 4, "c": 2}
    assert cutoffs(histogram, 101) == {"a": 8, "b": 5, "c": 2}
    assert cutoffs(histogram, {"b": 1000, "a": 0}) == {"a": 0, "b": 5, "c": 0}
    assert cutoffs({"name:with:colons:2": 1}, 5) == {"name:with:colons": 3}
    assert cutoffs({}, 5) == {}


def test_counts_do_not_depend_on_batches() -> None:
    documents = corpus()
    folder = TokenizerSample(seed=3, quota_bytes=1000, bins=64)
    whole = folder.partial(rows_of(documents))
    parts: Counter[str] = Counter()
    for first in range(0, 600, 47):
        parts.update(folder.partial(rows_of(documents[first : first + 47])))
    assert whole == dict(parts)
    assert sum(whole.values()) == sum(len(text) for _, text in documents)
    assert folder.partial(rows_of([])) == {}


def test_the_selection_is_what_was_folded() -> None:
    documents = corpus()
    folder = TokenizerSample(seed=3, quota_bytes=1500, bins=256)
    value = folder.finish(folder.partial(rows_of(documents)))
    mask = select(rows_of(documents), value)
    numbers = bins_of(rows_of(documents).column("id"), 3, 256)
    for source in ("s0", "s1", "s2"):
        own = [index for index, (name, _) in enumerate(documents) if name == source]
        taken = [index for index in own if mask[index]]
        size = sum(len(documents[index][1]) for index in taken)
        assert size == value["bytes"][source] <= 1500
        assert value["available"][source] == sum(len(documents[index][1]) for index in own)
        # The next bin with documents would have passed the quota.
        following = min(numbers[index] for index in own if not mask[index])
        assert max(numbers[index] for index in taken) < following
        extra = sum(len(documents[index][1]) for index in own if numbers[index] == following)
        assert size + extra > 1500
    assert len(select(rows_of([]), value)) == 0
    assert not select(rows_of([("unknown", "text")]), value).any()


def test_small_sources_are_taken_whole_and_seeds_differ() -> None:
    documents = corpus()
    everything = TokenizerSample(seed=0, quota_bytes=10**9)
    value = everything.finish(everything.partial(rows_of(documents)))
    assert select(rows_of(documents), value).all()
    assert value["bytes"] == value["available"]
    masks = []
    for seed in (0, 1):
        folder = TokenizerSample(seed, 1500)
        masks.append(select(rows_of(documents), folder.finish(folder.partial(rows_of(documents)))))
    assert not np.array_equal(*masks)


def test_refuses_impossible_bins() -> None:
    with pytest.raises(ValueError, match="number of bins"):
        TokenizerSample(0, 1, bins=0)
