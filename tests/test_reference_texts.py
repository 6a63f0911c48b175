"""Reading reference texts of every kind, damaged ones included."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from corpusforge import reference_texts
from corpusforge.errors import UsageError
from corpusforge.reference_texts import TextReader

PLAIN = b"One line.\nAnd another.\n\n  \nA second document.\r\n"
DOCUMENTS = ["One line.\nAnd another.\n", "A second document.\r\n"]


def test_plain_and_compressed(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(PLAIN)
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(PLAIN))
    frames = zstandard.compress(PLAIN[:5]) + zstandard.compress(PLAIN[5:])
    (tmp_path / "c.txt.zst").write_bytes(frames)
    for name in ("a.txt", "b.txt.gz", "c.txt.zst"):
        assert list(TextReader([tmp_path / name], "en")) == DOCUMENTS


def test_json_lines_skip_bad_records(tmp_path: Path) -> None:
    lines = [
        json.dumps({"text": "good"}),
        "{",
        json.dumps({"text": 5}),
        "[1]",
        "[" * 100_000,
        "",
        json.dumps({"text": "gül"}),
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(lines), encoding="utf-8")
    reader = TextReader([tmp_path / "a.jsonl"], "en")
    assert list(reader) == ["good", "gül"]
    assert reader.skipped == 4


def test_long_lines_are_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference_texts, "MAXIMUM_LINE", 20)
    (tmp_path / "a.txt").write_bytes(b"short\n\n" + b"x" * 100 + b"\n\nlast one\n" + b"y" * 15 + b"\nend")
    reader = TextReader([tmp_path / "a.txt"], "en")
    assert list(reader) == ["short\n", "last one\n", "y" * 15 + "\nend"]
    assert reader.skipped == 1


def test_documents_of_a_run(tmp_path: Path) -> None:
    (tmp_path / "documents").mkdir()
    table = pa.table({"text": ["a", "b", None, "d"], "lang": ["en", "de", "en", None]})
    pq.write_table(table, tmp_path / "documents" / "00000.parquet")
    assert list(TextReader([tmp_path], "en")) == ["a", "d"]
    assert list(TextReader([tmp_path / "documents"], "de")) == ["b", "d"]
    assert list(TextReader([tmp_path / "documents" / "00000.parquet"], "fr")) == ["d"]


@pytest.mark.parametrize("name", ["a.csv", "a.txt.bz2", "missing.txt"])
def test_refuses_unknown_kinds(tmp_path: Path, name: str) -> None:
    if name != "missing.txt":
        (tmp_path / name).touch()
    with pytest.raises(UsageError):
        list(TextReader([tmp_path / name], "en"))


def test_refuses_damaged_files(tmp_path: Path) -> None:
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(PLAIN)[:-10])
    (tmp_path / "b.jsonl.zst").write_bytes(b"not zstandard at all")
    (tmp_path / "c.parquet").write_bytes(b"PAR1")
    (tmp_path / "empty").mkdir()
    pq.write_table(pa.table({"body": ["x"]}), tmp_path / "d.parquet")
    for name in ("a.txt.gz", "b.jsonl.zst", "c.parquet", "d.parquet", "empty"):
        with pytest.raises(UsageError):
            list(TextReader([tmp_path / name], "en"))
