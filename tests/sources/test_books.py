"""Books: texts, archives and EPUB; bombs, encrypted members and cut files cost themselves."""

from __future__ import annotations

import gzip
import io
import json
import re
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from runs import run_cli

from corpusforge.sources.base import Record, SourceFile
from corpusforge.sources.books import Books, Parameters

TEXT = (
    "The Project Gutenberg EBook of Wald, by Müller\r\n\r\nTitle: Wald\r\n\r\nAuthor: Müller\r\n\r\n"
    "Release Date: May, 2001 [EBook #321]\r\n\r\nLanguage: German\r\n\r\nCharacter set encoding: ISO-8859-1\r\n\r\n"
    "*** START OF THIS PROJECT GUTENBERG EBOOK WALD ***\r\n\r\nGrün war der Wald.\r\n\r\n"
    "*** END OF THIS PROJECT GUTENBERG EBOOK WALD ***\r\n"
)
CONTAINER = '<container xmlns="urn:x"><rootfiles><rootfile full-path="OPS/book.opf"/></rootfiles></container>'
PACKAGE = """<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/">
<metadata><dc:title>Wald</dc:title><dc:creator>M\u00fcller</dc:creator><dc:language>de</dc:language>
<dc:identifier>http://www.gutenberg.org/321</dc:identifier></metadata>
<manifest><item id="b" href="two%20b.xhtml" media-type="application/xhtml+xml"/>
<item id="a" href="one.xhtml" media-type="application/xhtml+xml"/>
<item id="n" href="notes.xhtml" media-type="application/xhtml+xml"/>
<item id="m" href="missing.xhtml" media-type="application/xhtml+xml"/>
<item id="o" href="../../../etc/passwd" media-type="application/xhtml+xml"/>
<item id="p" href="p.png" media-type="image/png"/></manifest>
<spine><itemref idref="a"/><itemref idref="m"/><itemref idref="o"/><itemref idref="b"/>
<itemref idref="n" linear="no"/><itemref idref="a"/></spine></package>"""
EPUB = {
    "mimetype": "application/epub+zip",
    "META-INF/container.xml": CONTAINER,
    "OPS/book.opf": PACKAGE,
    "OPS/one.xhtml": "<html><body><h1>Eins</h1><p>Der erste &amp; beste.</p></body></html>",
    "OPS/two b.xhtml": "<html><body><h1>Zwei</h1><p>Der zweite.</p></body></html>",
    "OPS/notes.xhtml": "<html><body><p>Nebenbei.</p></body></html>",
}


def zipped(files: dict[str, str | bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def read(data: bytes, name: str = "321-8.txt", **parameters: object) -> list:
    stream = io.BufferedReader(io.BytesIO(data))
    return list(Books(Parameters(**parameters)).records(SourceFile(name, name, len(data)), stream))


def kinds(items: list) -> list[str]:
    return ["record" if isinstance(item, Record) else item.kind for item in items]


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8", "utf-8-sig", "utf-16"])
def test_a_text_in_any_encoding(encoding):
    (book,) = read(TEXT.encode(encoding))
    assert book.payload.decode() == "Grün war der Wald."
    assert book.meta == {"title": "Wald", "author": "Müller", "language": "German"}
    assert book.origin_key == "gutenberg/321/321-8.txt"
    assert book.url == "https://www.gutenberg.org/ebooks/321"


def test_texts_in_archives():
    data = zipped({"321-8.txt": TEXT.encode("latin-1"), "cover.jpg": b"x", "other.txt": "Just words."})
    found = read(data, "321-8.zip")
    assert kinds(found) == ["record", "no_text_file", "record"]
    assert found[0].payload.decode() == "Grün war der Wald."
    assert found[0].locator == "321-8.zip#321-8.txt"
    assert found[2].origin_key == "other.txt"
    (book,) = read(gzip.compress(TEXT.encode()), "321.txt.gz")
    assert book.payload.decode() == "Grün war der Wald."


def test_epub_chapters_come_in_the_order_of_the_spine():
    (book,) = read(zipped(EPUB), "wald.epub")
    assert book.payload.decode() == "Eins\n\nDer erste & beste.\n\n\nZwei\n\nDer zweite."
    assert book.meta == {"title": "Wald", "author": "Müller", "language": "de", "chapters": 2}
    assert book.origin_key == "gutenberg/321/wald.epub"


def test_damaged_epubs_cost_themselves():
    entity = '<!DOCTYPE x [<!ENTITY a "b">]><package>&a;</package>'
    assert kinds(read(zipped({**EPUB, "OPS/book.opf": entity}))) == ["bad_archive"]
    assert kinds(read(zipped({**EPUB, "OPS/book.opf": "<package>"}))) == ["bad_archive"]
    assert kinds(read(zipped({**EPUB, "META-INF/container.xml": "<container/>"}))) == ["bad_archive"]
    assert kinds(read(zipped({**EPUB, "META-INF/rights.xml": "<x/>"}))) == ["encrypted"]
    assert kinds(read(zipped({**EPUB, "OPS/one.xhtml": "<div>" * 100_000}))) == ["bad_archive"]
    assert kinds(read(zipped({**EPUB, "OPS/one.xhtml": "", "OPS/two b.xhtml": ""}))) == ["empty"]


def test_bombs_cost_themselves():
    zeros = zipped({"a.txt": b" " * (4 << 20), "b.txt": "Just words."})
    assert kinds(read(zeros, max_book_bytes=1 << 20)) == ["book_too_large", "record"]
    lying = zeros.replace((4 << 20).to_bytes(4, "little"), (100).to_bytes(4, "little"))
    assert kinds(read(lying, max_book_bytes=1 << 20))[1:] == ["record"]
    assert kinds(read(gzip.compress(b" " * (4 << 20)), max_book_bytes=1 << 20)) == ["book_too_large"]
    chapter = "<p>" + " " * (2 << 20) + "</p>"
    bomb = zipped({**EPUB, "OPS/one.xhtml": chapter, "OPS/two b.xhtml": chapter})
    assert kinds(read(bomb, max_book_bytes=3 << 20)) == ["book_too_large"]
    assert kinds(read(zipped({f"{n}.txt": "x" for n in range(9)}), max_members=8)) == ["too_many_members"]
    assert kinds(read(zeros, max_archive_bytes=100)) == ["archive_too_large"]


def test_what_is_no_text_is_told():
    assert kinds(read(bytes(range(256)) * 10)) == ["no_text"]
    assert kinds(read(b"")) == ["no_text"]
    assert kinds(read(b" \n \n")) == ["empty"]
    assert kinds(read(gzip.compress(TEXT.encode())[:-30])) == ["damaged_stream"]
    assert kinds(read(zipped(EPUB)[:-40])) == ["bad_archive"]


@given(st.integers(0, 2500), st.binary(min_size=1, max_size=30), st.sampled_from([EPUB, {"a.txt": TEXT}]))
def test_never_raises(position, junk, files):
    data = zipped(files)
    hurt = data[:position] + junk + data[position + len(junk) :]
    assert read(hurt)


def books(folder: Path) -> dict[str, str]:
    found = {}
    for path in sorted(folder.glob("*")):
        with path.open("rb") as stream:
            (book,) = Books().records(SourceFile(path.name, str(path), path.stat().st_size), stream)
        assert isinstance(book, Record)
        assert book.meta["title"]
        found[path.name] = book.payload.decode()
    return found


def test_real_books(shared_data: Path):
    found = books(shared_data / "books")
    assert len(found) == 13
    for name, text in found.items():
        assert "\ufffd" not in text, name
        assert "\r" not in text
        assert not re.search("gutenberg", text, re.IGNORECASE) or name == "7000-8.zip"
    assert found["35.txt"].startswith("The Time Machine, by H. G. Wells [1898]")
    assert found["35.txt"].endswith("still lived on in the heart of man.")
    assert found["2229-8.txt"].endswith("Heinrich!  Heinrich!")
    assert found["old_pandp10.zip"].startswith("Pride and Prejudice\n\nby Jane Austen")
    # Prose has hardly a paragraph of two lines, verse keeps its own.
    for name in ("1342-0.txt", "14155-8.zip", "35.txt", "1661-8.zip"):
        paragraphs = [block for block in found[name].split("\n\n") if len(block) > 200]
        assert sum("\n" in block.strip() for block in paragraphs) < 0.03 * len(paragraphs), name
    # Faust has one scene in prose, and the Kalevala a preface.
    for name in ("7000-8.zip", "2229-8.txt"):
        lines = found[name].split("\n")
        assert len(lines) > 5000
        assert sum(len(line) > 120 for line in lines) < 30, name


@pytest.mark.slow
def test_five_editions_of_one_book_are_one(shared_data: Path, tmp_path: Path):
    """Two transcriptions, and three releases of one of them; the recipe's own threshold."""
    recipe = (Path(__file__).parents[2] / "pipelines" / "books_pipeline.yaml").read_text()
    (tmp_path / "books.yaml").write_text(recipe.partition("  - decontaminate")[0])
    names = ("1342-0.txt", "1342.zip", "42671-8.zip", "old_pandp10.zip", "old_pandp12.zip", "35.txt")
    inputs = [word for name in names for word in ("--input", f"books={shared_data}/books/{name}")]
    line = [sys.executable, "-m", "corpusforge.cli", "run", str(tmp_path / "books.yaml"), *inputs]
    done = run_cli([*line, "--output", str(tmp_path / "run"), "--workers", "1"])
    assert done.returncode == 0, done.stderr
    ledger = json.loads((tmp_path / "run" / "ledger.json").read_bytes())
    assert ledger["closed"]
    assert ledger["steps"][-1]["sources"]["books"]["documents_kept"] == 2
