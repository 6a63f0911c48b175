"""Group: posts of threads, scattered over files, become one document per thread, whatever the partitions."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from corpusforge import recipe as recipes
from corpusforge import registry

PLUGIN = '''
import json
from collections.abc import Iterator
from typing import BinaryIO

from corpusforge.sources.base import Damaged, GroupingSource, Record, Skipped, SourceFile


class Threads(GroupingSource):
    """JSON lines of posts: {"thread", "place", "text"}."""

    name = "threads"
    suffixes = (".jsonl",)

    def records(self, file: SourceFile, stream: BinaryIO) -> Iterator[Record | Skipped | Damaged]:
        for number, line in enumerate(stream):
            locator = f"{file.path}#{number}"
            try:
                post = json.loads(line)
            except ValueError as error:
                yield Damaged(locator, "bad_json", str(error), len(line))
                continue
            if post.get("deleted"):
                yield Skipped("deleted", len(line))
                continue
            yield Record(locator, locator, post["text"].encode(), len(line), meta=post)

    def container(self, record: Record) -> tuple[str, int]:
        return record.meta["thread"], record.meta["place"]

    def assemble(self, container: str, parts: Iterator[Record]) -> Iterator[Record | Damaged]:
        first = next(parts)
        if first.meta["place"] != 0:
            yield Damaged(first.locator, "no_first_post", f"thread {container} has no first post", first.size)
            return
        text = b"\\n".join([first.payload, *(part.payload for part in parts)])
        yield Record(container, first.locator, text, first.size, content_type="text/plain", charset="utf-8")
'''

RECIPE = """\
name: threads
error_budget: 1.0
partitions: {partitions}
shard_bytes: {shard_bytes}
exchange_memory_bytes: 2000
sources: {{threads: {{}}}}
steps: [extract]
"""

FIRST_FILE_THREADS = 40


def write_posts(folder: Path) -> dict[str, str]:
    """Posts of threads over three files, answers before questions; gives the expected documents."""
    files: list[list[str]] = [[], [], []]
    expected = {}
    for thread in range(FIRST_FILE_THREADS):
        texts = [f"thread {thread} post {place} says something" for place in range(thread % 5 + 1)]
        expected[f"t{thread}"] = "\n".join(texts)
        for place, text in reversed(list(enumerate(texts))):
            post = {"thread": f"t{thread}", "place": place, "text": text}
            files[(thread + place) % 3].append(json.dumps(post))
    files[0].insert(1, '{"thread": "broken')
    files[1].append(json.dumps({"thread": "gone", "place": 0, "text": "x", "deleted": True}))
    files[2].append(json.dumps({"thread": "orphan", "place": 3, "text": "an answer without its question"}))
    for number, lines in enumerate(files):
        (folder / f"posts-{number}.jsonl").write_text("\n".join(lines) + "\n")
    return expected


@pytest.mark.slow
def test_scattered_parts_become_whole_documents_in_any_partitioning(tmp_path, monkeypatch):
    # A plugin registers its source for the whole process: other tests must not see it.
    monkeypatch.setattr(registry, "SOURCES", dict(registry.SOURCES))
    monkeypatch.setattr(registry, "_plugins", dict(registry._plugins))
    (tmp_path / "input").mkdir()
    expected = write_posts(tmp_path / "input")
    plugin = tmp_path / "threads.py"
    plugin.write_text(PLUGIN)
    registry.load_plugin(plugin)
    found = []
    for name, partitions, shard_bytes in (("few", 1, 10**9), ("many", 4, 1)):
        loaded = recipes.load_text(
            RECIPE.format(partitions=partitions, shard_bytes=shard_bytes), "recipe.yaml"
        )
        summary = loaded.run({"threads": [str(tmp_path / "input")]}, tmp_path / name, workers=2)
        assert summary.ledger["closed"]
        account = summary.ledger["records"]["threads"]
        assert account["skipped"] == {"deleted": 1}
        assert account["damaged"] == {"bad_json": 1, "no_first_post": 1}
        assert account["documents"] == len(expected)
        assert account["records"] == sum(text.count("\n") + 1 for text in expected.values()) + 3
        rows = [
            row
            for path in sorted((tmp_path / name / "documents").iterdir())
            for row in pq.read_table(path, columns=["id", "text", "locator"]).to_pylist()
        ]
        assert sorted(row["text"] for row in rows) == sorted(expected.values())
        quarantined = [
            json.loads(line)["kind"]
            for path in sorted((tmp_path / name / "quarantine").iterdir())
            for line in path.read_text().splitlines()
        ]
        assert sorted(quarantined) == ["bad_json", "no_first_post"]
        found.append(sorted((row["id"], row["text"], row["locator"]) for row in rows))
    assert found[0] == found[1]
