"""Sample archives of repositories, papers and books, read by the sources that read the real ones."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from corpusforge.sample.archives import write_arxiv, write_books, write_github
from corpusforge.sample.containers import Folder


def test_github_has_code_that_may_be_used_and_code_that_may_not(read, tmp_path: Path) -> None:
    folder = Folder(tmp_path, "github", 3)
    write_github(folder)
    records, skipped, damaged = read(folder)
    assert damaged == {"truncated_archive": 1} or damaged == {"damaged_stream": 1}, damaged
    assert {record.license for record in records} == {"MIT"}
    assert not any("closed" in record.locator for record in records)
    used = Counter(record.locator.split("#")[0] for record in records)
    assert all(
        used[f"github/sample-orchard{number}.{kind}"] == 12
        for number, kind in enumerate(("tar.gz", "zip", "tar.gz"))
    )
    same = [record.payload for record in records if record.locator.endswith("src/shared.py")]
    assert len(same) >= 3
    assert len(set(same)) == 1
    assert skipped["license_unknown"] == 15, "nothing of the repository without a licence"
    assert min(skipped[kind] for kind in ("minified", "vendored", "binary", "license")) >= 3


def test_arxiv_has_single_files_and_projects(read, tmp_path: Path) -> None:
    folder = Folder(tmp_path, "arxiv", 3)
    write_arxiv(folder)
    records, skipped, damaged = read(folder)
    assert damaged == {"damaged_eprint": 1}
    assert skipped == {"pdf_only": 1}
    assert len(records) == 14
    assert {record.meta["files"] for record in records} == {1, 2}
    for record in records:
        text = record.payload.decode()
        assert "\\mathbb{R}" in text, "definitions are put in"
        assert "\\field" not in text
        assert "bibitem" not in text
        assert record.meta["sections"]


def test_books_have_two_editions_an_epub_and_one_that_is_cut(read, tmp_path: Path) -> None:
    folder = Folder(tmp_path, "books", 3)
    write_books(folder)
    records, _, damaged = read(folder)
    assert damaged == {"bad_archive": 1}
    assert len(records) == 7
    assert not any("Gutenberg" in record.payload.decode() for record in records)
    by_name = {record.locator: record for record in records}
    assert by_name["books/9001-8.txt"].meta["author"] == "André Müller", "Latin-1 is read as what it is"
    first = set(by_name["books/9000-0.txt"].payload.decode().split("\n\n"))
    second = set(by_name["books/old/9000-old.txt"].payload.decode().split("\n\n"))
    assert 0.9 < len(first & second) / len(first | second) < 1
    assert by_name["books/garden.epub"].meta["chapters"] == 6
