from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import example, given, settings
from hypothesis import strategies as st
from memory_plan import Document, MemoryPlan, run_step

from corpusforge.dedup.substring import SubstringDedup, SubstringParameters


def brute_force(documents: list[Document], width: int) -> dict[bytes, list[bool]]:
    """Which words go, by a dictionary of all windows; documents in priority order (here: by id)."""
    owners: dict[tuple[str, ...], tuple[bytes, int]] = {}
    ordered = sorted(documents, key=lambda one: one.id)
    removed = {}
    for document in ordered:
        words = document.text.split()
        gone = [False] * len(words)
        for place in range(len(words) - width + 1):
            window = tuple(words[place : place + width])
            owner, first = owners.setdefault(window, (document.id, place))
            if (owner, first) == (document.id, place):
                continue
            start = max(place, first + width) if owner == document.id else place
            gone[start : place + width] = [True] * (place + width - start)
        removed[document.id] = gone
    return removed


def survivors(text: str, gone: list[bool]) -> list[str]:
    return [word for word, away in zip(text.split(), gone, strict=True) if not away]


def run(documents: list[Document], cut: int, width: int, **settings: int) -> MemoryPlan:
    step = SubstringDedup(SubstringParameters(words=width, min_remaining_characters=None))
    return run_step(step, [documents[:cut], documents[cut:]], **settings)


WORDS = st.lists(st.sampled_from(["a", "b", "é"]), max_size=24).map(" ".join)


@settings(max_examples=150, deadline=None)
@given(
    texts=st.lists(WORDS, min_size=1, max_size=8),
    cut=st.integers(0, 8),
    width=st.integers(2, 7),
    partitions=st.sampled_from([1, 4]),
    batch_rows=st.integers(1, 4),
    run_rows=st.integers(1, 4),
)
@example(texts=["a " * 24, "a " * 9], cut=1, width=5, partitions=1, batch_rows=1, run_rows=1)
def test_equals_brute_force_word_for_word(
    texts: list[str], cut: int, width: int, partitions: int, batch_rows: int, run_rows: int
) -> None:
    documents = [Document(f"d{number}", text) for number, text in enumerate(texts)]
    removed = brute_force(documents, width)
    expected = {one.id: survivors(one.text, removed[one.id]) for one in documents}
    run(documents, cut, width, partitions=partitions, batch_rows=batch_rows, run_rows=run_rows)
    assert {one.id: one.text.split() for one in documents} == expected
    for one in documents:
        assert one.signals["substring_dedup.removed_words"] == sum(removed[one.id])


def passage(name: str, count: int) -> str:
    return " ".join(f"{name}{number}" for number in range(count))


def test_49_words_may_stand_twice_and_50_may_not() -> None:
    for count, kept in ((49, 2), (50, 1)):
        documents = [Document(name, f"{name} {passage('same', count)} {name}") for name in "ab"]
        run(documents, 1, 50)
        assert sum("same0 " in one.text for one in documents) == kept


def test_what_stands_between_removed_words_goes_and_around_them_stays() -> None:
    shared = passage("w", 5).replace(" ", "\n\n")
    documents = [Document(name, f"{name}1  {shared}\t{name}2") for name in "ab"]
    run(documents, 1, 5)
    assert sorted(one.text.split()[0] for one in documents) == ["a1", "b1"]
    [cut] = [one for one in documents if "w0" not in one.text]
    assert cut.text == f"{cut.name}1  \t{cut.name}2"
    assert cut.signals["substring_dedup.removed_bytes"] == len(shared)


def test_documents_left_too_small_are_dropped() -> None:
    documents = [Document(name, passage("same", 60)) for name in "ab"]
    documents.append(Document("c", "short"))
    run_step(SubstringDedup(SubstringParameters()), [documents])
    verdicts = [one.verdict for one in documents]
    assert verdicts.count("substring_dedup.min_remaining_characters") == 1
    assert documents[2].verdict is None
    assert documents[2].signals["substring_dedup.remaining_characters"] is None


def test_hot_passages_take_a_row_per_document() -> None:
    documents = [Document(f"d{number}", passage("same", 50)) for number in range(300)]
    plan = run(documents, 150, 50, batch_rows=64, run_rows=64)
    assert sum(bool(one.text) for one in documents) == 1
    assert plan.rows("substring_dedup.windows") == 300
    assert plan.rows("substring_dedup.owned") == 299


def test_texts_without_repeats_send_no_window() -> None:
    documents = [Document(name, passage(name, 400)) for name in "abc"]
    plan = run(documents, 1, 50)
    assert plan.rows("substring_dedup.windows") == 0
    assert plan.rows("substring_dedup.anchors") < 3 * 400 * 0.12


def real_documents(shared_data: Path, megabytes: float) -> list[Document]:
    documents: list[Document] = []
    size = int(megabytes * 1e6)
    with (shared_data / "bench" / "corpus.jsonl.zst").open("rb") as raw:
        lines = io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(raw), encoding="utf-8")
        for line in lines:
            item: dict[str, Any] = json.loads(line)
            documents.append(Document(item["id"], item["text"]))
            size -= len(item["text"].encode())
            if size <= 0:
                break
    return documents


@pytest.mark.slow
def test_equals_brute_force_on_real_documents(shared_data: Path) -> None:
    documents = real_documents(shared_data, 3.0)
    size = sum(len(one.text.encode()) for one in documents)
    removed = brute_force(documents, 50)
    expected = {one.id: survivors(one.text, removed[one.id]) for one in documents}
    assert sum(map(sum, removed.values())) > 1000
    plan = run(documents, len(documents) // 3, 50, batch_rows=256, run_rows=1 << 16)
    assert {one.id: one.text.split() for one in documents} == expected
    moved = sum(plan.rows(name) * plan.bytes_per_row(name) for name in plan.specs)
    print(f"{moved / size:.2f} bytes moved per byte of text")
