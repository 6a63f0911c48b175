from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusforge.operations import COMPARED, LOST
from corpusforge.recipe import load_text
from corpusforge.report.dedup_tables import pair_tables
from corpusforge.run import run_recipe
from corpusforge.sources.base import Shard, SourceFile
from corpusforge.statistics.clusters import EARLIER
from corpusforge.statistics.shared_parts import PartFacts, merge_parts

SHARDS = [Shard(at, f"s{at % 3}", (SourceFile(f"part-{at}", "a", 1),), generation=at % 2) for at in range(4)]
DUMPS = [f"s{at % 3} generation {at % 2}" for at in range(4)]


def lost_rows(pairs: list[tuple[int, int]]) -> pa.RecordBatch:
    columns = [pa.array([(pair[side] << 40) + 7 for pair in pairs], pa.int64()) for side in (0, 1)]
    return pa.RecordBatch.from_arrays(columns, names=["address", "survivor"])


places = st.integers(-2, len(SHARDS) - 1)


@settings(max_examples=60, deadline=None)
@given(
    pairs=st.lists(st.tuples(places, places), max_size=60), size=st.integers(1, 40), cut=st.integers(0, 60)
)
def test_counts_what_python_counts_whatever_the_batches(
    pairs: list[tuple[int, int]], size: int, cut: int
) -> None:
    parts = []
    for part in (pairs[:cut], pairs[cut:]):
        facts = PartFacts(SHARDS, "lines")
        for start in range(0, len(part), size):
            facts.add(LOST, lost_rows(part[start : start + size]))
            facts.add(COMPARED, lost_rows(part[start : start + size]).select(["address"]))
        told = facts.to_json()
        if told is not None:
            parts.append(json.loads(json.dumps(told)))
    merged = merge_parts(parts)
    assert merged == merge_parts(parts[::-1])
    own = [pair for pair in pairs if pair[0] >= 0]
    if merged is None:
        assert own == []
        return

    def label(shard: int) -> str:
        return DUMPS[shard] if shard >= 0 else EARLIER

    expected = Counter((label(one), label(two)) for one, two in own)
    assert {(one, two): count for one, two, count in merged["dumps"]} == expected
    by_source = Counter((label(one).split(" gen")[0], label(two).split(" gen")[0]) for one, two in own)
    assert {(one, two): count for one, two, count in merged["sources"]} == by_source
    assert merged["compared"]["dumps"] == Counter(label(one) for one, _ in own)


def corpus(folder: Path) -> list[tuple[tuple[str, str], str, list[str]]]:
    """Two crawls and some books, with lines that several of them have: (priority, dump, lines) of each document."""
    source = random.Random(3)
    pool = [" ".join(f"word{line}x{at}" for at in range(8)) for line in range(40)]
    documents = []
    for crawl in ("CC-MAIN-2024-10", "CC-MAIN-2024-18"):
        lines = []
        for number in range(24):
            text = source.choices(pool, k=source.randrange(1, 7))
            date = f"20{crawl[-2:]}-01-{number + 1:02d}"
            documents.append((("c4", date), f"c4 {crawl}", text))
            url = f"https://site.example/{crawl}/{number}"
            lines.append(json.dumps({"text": "\n".join(text), "url": url, "timestamp": date}))
        path = folder / "web" / crawl / "part.jsonl"
        path.parent.mkdir(parents=True)
        path.write_text("\n".join(lines) + "\n")
    (folder / "books").mkdir()
    for number in range(5):
        text = source.sample(pool, k=4)
        documents.append((("books", str(number)), "books generation 0", text))
        (folder / "books" / f"{number}.txt").write_text("\n".join(text) + "\n")
    return documents


def windows(lines: list[str]) -> set[tuple[str, ...]]:
    words = " ".join(lines).split()
    return {tuple(words[at : at + 8]) for at in range(len(words) - 7)}


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        ("line_dedup: {scope: global, min_remaining_words: null}", "lines"),
        ("ngram_dedup: {ngram: 8, min_ngram: 8, max_seen_share: null, min_remaining_words: null}", "n-grams"),
        ("substring_dedup: {words: 8, min_remaining_characters: null}", "windows of 8 words"),
    ],
)
def test_a_run_tells_who_shares_what_with_whom(step: str, kind: str, tmp_path: Path) -> None:
    documents = corpus(tmp_path)
    recipe = load_text(
        "name: shared\nshard_bytes: 3000\nbatch_documents: 5\npartitions: 2\n"
        f"sources: {{c4: {{}}, books: {{unwrap: false}}}}\nsteps:\n  - extract\n  - {step}\n",
        "shared.yaml",
    )
    inputs = {"c4": [str(tmp_path / "web")], "books": [str(tmp_path / "books")]}
    run_recipe(recipe, inputs, str(tmp_path / "run"), workers=1)
    report: dict[str, Any] = json.loads((tmp_path / "run" / "report.json").read_text(encoding="utf-8"))
    entry = report["deduplication"][step.partition(":")[0]]

    held: dict[Any, list[tuple[tuple[str, str], str]]] = {}
    compared: Counter[str] = Counter()
    for priority, dump, lines in documents:
        parts: set[Any] = windows(lines) if "windows" in kind else set(lines)
        compared[dump] += len(parts)
        for part in parts:
            held.setdefault(part, []).append((priority, dump))
    pairs: Counter[tuple[str, str]] = Counter()
    for holders in held.values():
        owner, *others = sorted(holders)
        pairs.update((dump, owner[1]) for _, dump in others)
    assert len(pairs) >= 5, "the two crawls and the books share lines"

    told = entry["parts"]
    assert told["kind"] == kind
    assert {(row["dropped"], row["kept"]): row["parts"] for row in told["dumps"]["pairs"]} == pairs
    whole = Counter() if "windows" in kind else compared
    assert {row["dropped"]: row["of"] for row in told["dumps"]["pairs"]} == {
        dump: whole[dump] for dump, _ in pairs
    }
    (sources, dumps) = pair_tables(entry)
    assert (sources.title, dumps.title) == (f"Shared {kind} by source", f"Shared {kind} by dump")
    between = sum(count for (one, two), count in pairs.items() if one[:2] == "c4" and two[:5] == "books")
    assert ("c4", "books", str(between)) in [row[:3] for row in sources.rows]
