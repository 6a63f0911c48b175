from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from corpusforge.dedup.evaluation import BuildIndex, evaluation_digest, evaluation_items
from corpusforge.errors import UsageError
from corpusforge.step import RunContext


class NoDocuments:
    def __iter__(self):  # type: ignore[no-untyped-def]
        raise AssertionError("the index does not depend on documents")


def build(
    folder: Path, target: Path, ngram: int = 5, min_words: int = 3
) -> tuple[dict[str, int], np.ndarray, dict]:  # type: ignore[type-arg]
    target.mkdir()
    task = BuildIndex(str(folder), ngram, min_words, None, "paragraph")
    counts = task.run(RunContext(), NoDocuments(), target)  # type: ignore[arg-type]
    return (
        counts,
        np.load(target / "ngrams.npy"),
        json.loads((target / "items.json").read_text(encoding="utf-8")),
    )


def test_items_of_all_kinds_of_files(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text(
        "\ufeffFirst paragraph,\r\ntwo lines.\r\n\r\n\r\nSecond.\r\n", encoding="utf-8"
    )
    lines = [{"question": "Why?", "choices": {"text": ["because", "so"]}, "label": 1}, {"question": "How?"}]
    data = ("\n".join(json.dumps(line) for line in lines) + "\n\n").encode("utf-8")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.jsonl.gz").write_bytes(gzip.compress(data, mtime=0))
    (tmp_path / "readme.md").write_text("not an evaluation text", encoding="utf-8")
    items = {item.name: item.text for item in evaluation_items(str(tmp_path), None, "paragraph")}
    assert items == {
        "b.txt#0": "First paragraph,\ntwo lines.",
        "b.txt#1": "Second.",
        "sub/a.jsonl.gz#0": "Why?\nbecause\nso",
        "sub/a.jsonl.gz#1": "How?",
    }
    only = [item.text for item in evaluation_items(str(tmp_path), ["question"], "file")]
    assert only == ["First paragraph,\ntwo lines.\n\n\nSecond.\n", "Why?", "How?"]


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.jsonl", b'{"text": "fine"}\n{"text": \n', r"a\.jsonl, line 2"),
        ("a.jsonl", b'["no object"]\n', r"line 1 is no JSON object"),
        ("a.txt", b"\xff\xfe\x00bad", r"a\.txt is not readable UTF-8"),
        ("a.txt.gz", gzip.compress(b"text")[:10], r"a\.txt\.gz is not readable"),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UsageError, match=message):
        list(evaluation_items(str(tmp_path), None, "paragraph"))


def test_a_folder_without_texts_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        list(evaluation_items(str(tmp_path), None, "paragraph"))


def test_index_is_sorted_and_counts_what_it_ignores(tmp_path: Path) -> None:
    folder = tmp_path / "eval"
    folder.mkdir()
    (folder / "a.txt").write_text(
        "one two three four five six\n\nred green blue\n\nonly two\n", encoding="utf-8"
    )
    counts, pairs, facts = build(folder, tmp_path / "out")
    assert counts == {"files": 1, "items": 2, "ignored_items": 1, "ngrams": 3}
    assert pairs.dtype == np.uint64
    assert pairs.shape == (2, 3)
    assert sorted(pairs[0].tolist()) == pairs[0].tolist()
    assert sorted(pairs[1].tolist()) == [0, 0, 1]
    assert facts == {"items": ["a.txt#0", "a.txt#1"], "widths": [3, 5]}


def test_index_holds_a_pair_once_and_names_every_item(tmp_path: Path) -> None:
    folder = tmp_path / "eval"
    folder.mkdir()
    text = "a b c d e a b c d e\n\nA, B, C, D, E!\n"
    (folder / "a.txt").write_text(text, encoding="utf-8")
    counts, pairs, _ = build(folder, tmp_path / "out")
    assert counts["ngrams"] == 5
    assert pairs.shape == (2, 6)
    assert len({tuple(column) for column in pairs.T.tolist()}) == 6


def test_an_index_of_nothing_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "eval"
    folder.mkdir()
    (folder / "a.txt").write_text("too short\n", encoding="utf-8")
    counts, pairs, facts = build(folder, tmp_path / "out")
    assert counts == {"files": 1, "items": 0, "ignored_items": 1, "ngrams": 0}
    assert pairs.shape == (2, 0)
    assert facts["widths"] == []


def test_the_digest_follows_names_and_bytes(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one", encoding="utf-8")
    first = evaluation_digest(str(tmp_path))
    assert evaluation_digest(str(tmp_path)) == first
    (tmp_path / "a.txt").write_text("two", encoding="utf-8")
    second = evaluation_digest(str(tmp_path))
    (tmp_path / "a.txt").rename(tmp_path / "b.txt")
    assert len({first, second, evaluation_digest(str(tmp_path))}) == 3
