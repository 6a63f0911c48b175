"""Wikipedia dumps: namespaces, redirects, disambiguations; a page that never ends costs itself."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tracemalloc
from collections import Counter
from pathlib import Path

import pytest

from corpusforge.sources.base import Damaged, Record, SourceFile
from corpusforge.sources.wikipedia import Parameters, Wikipedia

pytest.importorskip("mwparserfromhell")

HEADER = """<mediawiki xml:lang="de">
  <siteinfo><dbname>dewiki</dbname><base>https://de.wikipedia.org/wiki/Hauptseite</base>
  <namespaces><namespace key="0" case="x" /><namespace key="6" case="x">Datei</namespace>
  <namespace key="14" case="x">Kategorie</namespace></namespaces></siteinfo>
"""


def page(number: int, title: str, text: str, namespace: int = 0, extra: str = "") -> str:
    return (
        f"  <page><title>{title}</title><ns>{namespace}</ns><id>{number}</id>{extra}<revision><id>{number}9</id>"
        f"<timestamp>2021-01-02T03:04:05Z</timestamp><text>{text}</text></revision></page>\n"
    )


def read(data: str | bytes, name: str = "dewiki.xml", **parameters: object) -> list:
    raw = data.encode() if isinstance(data, str) else data
    return list(
        Wikipedia(Parameters(**parameters)).records(SourceFile(name, name, len(raw)), io.BytesIO(raw))
    )


def kinds(items: list) -> list[str]:
    return ["record" if isinstance(item, Record) else item.kind for item in items]


DUMP = (
    HEADER
    + page(1, "Berlin", "'''Berlin''' ist eine [[Stadt]] [[Datei:B.svg|mini|Karte]].[[Kategorie:Ort]]")
    + page(2, "Diskussion:Berlin", "hm", 1)
    + page(3, "Bln", "#WEITERLEITUNG [[Berlin]]")
    + page(4, "Bl", "x", 0, '<redirect title="Berlin" />')
    + page(5, "Berlin (Begriff)", "{{Begriffsklärung}} * [[Berlin]]")
    + page(6, "Rom", "Rom liegt in [[Italien|Italien]].")
    + "</mediawiki>\n"
)


def test_articles_come_out_and_the_rest_is_told():
    found = read(DUMP)
    assert kinds(found) == [
        "siteinfo",
        "record",
        "namespace_1",
        "redirect",
        "redirect",
        "disambiguation",
        "record",
        "end",
    ]
    berlin = found[1]
    assert berlin.payload.decode() == "Berlin\n\nBerlin ist eine Stadt."
    assert berlin.origin_key == "dewiki/1/19"
    assert berlin.url == "https://de.wikipedia.org/wiki/Berlin"
    assert berlin.date == "2021-01-02T03:04:05Z"
    assert berlin.meta["language"] == "de"
    assert sum(item.size for item in found) == len(DUMP.encode())


def test_compressed_and_utf16_dumps_are_the_same():
    expected = [item.payload for item in read(DUMP) if isinstance(item, Record)]
    for data in (
        bz2.compress(DUMP[:300].encode()) + bz2.compress(DUMP[300:].encode()),
        DUMP.encode("utf-16"),
    ):
        assert [item.payload for item in read(data) if isinstance(item, Record)] == expected


def test_a_page_that_never_ends_and_a_broken_one_cost_themselves():
    endless = "  <page><title>E</title><ns>0</ns><id>9</id><revision><text>" + "x" * 50_000
    broken = "  <page><title>B</title><ns>0</ns><id>8</id><revision><text>&bomb;</text></revision></page>\n"
    data = HEADER + broken + page(1, "Gut", "Guter Text.") + endless
    found = read(data, max_page_bytes=10_000)
    assert kinds(found) == ["siteinfo", "bad_xml", "record", "page_too_long", "end"]
    assert sum(item.size for item in found) == len(data.encode())


def test_a_page_over_the_limit_is_passed_over():
    data = HEADER + page(1, "Lang", "y" * 30_000) + page(2, "Kurz", "Kurzer Text.") + "</mediawiki>"
    found = read(data, max_page_bytes=10_000)
    assert kinds(found) == ["siteinfo", "page_too_long", "record", "end"]


def packed_dump(pages_in_a_stream: int = 2) -> bytes:
    """A dump as Wikimedia packs it: the header, some pages, …, and the end in streams of their own."""
    pages = [
        page(number, f"Seite {number}", f"Text von [[Seite {number + 1}]]. " * (number + 1))
        for number in range(20)
    ]
    groups = [
        "".join(pages[start : start + pages_in_a_stream]) for start in range(0, len(pages), pages_in_a_stream)
    ]
    return b"".join(bz2.compress(text.encode()) for text in (HEADER, *groups, "</mediawiki>\n"))


NAME = "dewiki-20240601-pages-articles-multistream.xml.bz2"


@pytest.mark.parametrize("shard_bytes", [1, 100, 333, 900, 10_000])
def test_a_multistream_dump_in_parts_has_the_same_documents(shard_bytes):
    data = packed_dump()
    source = Wikipedia()
    whole = list(source.records(SourceFile(NAME, NAME, len(data)), io.BytesIO(data)))
    files = list(source.expand(SourceFile(NAME, NAME, len(data)), shard_bytes))
    assert len(files) == -(-len(data) // shard_bytes)
    assert sum(file.size for file in files) == len(data)
    assert len({file.path for file in files}) == len(files)
    parts = [item for file in files for item in source.records(file, io.BytesIO(data))]
    assert [item for item in parts if isinstance(item, Record)] == [
        item for item in whole if isinstance(item, Record)
    ]
    assert sum(item.size for item in parts) == sum(item.size for item in whole)
    assert kinds(whole).count("record") == 20
    assert whole[1].meta["wiki"] == "dewiki"


def test_which_files_have_parts():
    def parts(name: str, **parameters: object) -> int:
        return len(list(Wikipedia(Parameters(**parameters)).expand(SourceFile(name, name, 1000), 300)))

    assert parts(NAME) == 4
    assert parts(NAME, multistream="whole") == 1
    assert parts("multistream/dewiki.xml.bz2") == parts(NAME.replace("bz2", "gz")) == 1
    assert parts("dewiki-pages-articles.xml.bz2") == 1


def test_a_damaged_stream_costs_its_pages():
    data = bytearray(packed_dump())
    data[len(data) // 2] ^= 255
    found = read(bytes(data), NAME)
    assert 16 <= kinds(found).count("record") < 20
    (damaged,) = [item for item in found if isinstance(item, Damaged)]
    assert damaged.kind == "damaged_stream"
    assert damaged.locator.startswith(f"{NAME}@")


def test_a_page_without_an_end_costs_itself():
    open_page = "  <page><title>Offen</title><ns>0</ns><id>7</id><revision><text>Text"
    found = read(HEADER + open_page + page(1, "Gut", "Guter Text.") + "</mediawiki>")
    assert kinds(found) == ["siteinfo", "page_not_closed", "record", "end"]


def test_a_truncated_file():
    data = bz2.compress(DUMP.encode() * 50)
    found = read(data[: len(data) // 2])
    assert isinstance(found[-1], Damaged)


def test_real_dumps(shared_data: Path):
    counted: Counter[str] = Counter()
    for path in sorted((shared_data / "wikipedia").glob("*minidump*")):
        with path.open("rb") as stream:
            found = list(Wikipedia().records(SourceFile(path.name, str(path), path.stat().st_size), stream))
        counted.update(kinds(found))
        for item in found:
            if isinstance(item, Record):
                text = item.payload.decode()
                assert "[[" not in text.replace("[[[", "")[:2000]
                assert "{{" not in text[:2000]
    assert counted["record"] >= 20
    assert counted["bad_xml"] == 0


@pytest.mark.parametrize(
    ("text", "prose"),
    [
        ("&amp;#xE000;", ""),
        ("&amp;#xE001;0&amp;#xE001;", "0"),
        ("&#xE000;", ""),
        ("a &lt;math>x&lt;/math> &amp;#xE001;0&amp;#xE001;", "a $x$ 0"),
    ],
)
def test_private_characters_cost_no_page(text, prose):
    found = read(HEADER + page(1, "T", text) + "</mediawiki>")
    assert kinds(found) == ["siteinfo", "record", "end"]
    assert found[1].payload.decode() == f"T\n\n{prose}"


def test_an_unexpected_error_costs_its_page(monkeypatch):
    def fail(text: str, files: object, categories: object) -> str:
        if "first" in text:
            raise IndexError("for the test")
        if "second" in text:
            raise OSError("no disk")
        return text

    monkeypatch.setattr("corpusforge.extract.wikitext.wikitext_to_text", fail)
    found = read(HEADER + page(1, "A", "first") + page(2, "B", "words") + "</mediawiki>")
    assert kinds(found) == ["siteinfo", "wikitext_error", "record", "end"]
    with pytest.raises(OSError, match="no disk"):
        read(HEADER + page(1, "A", "second") + "</mediawiki>")


def test_odd_numbers_and_dates_cost_no_other_page():
    odd = page(1, "A", "a").replace("<id>1<", "<id>²<") + page(2, "B", "b").replace("<id>2<", "<id>1_0<")
    far = page(3, "C", "c").replace("2021-01-02T03:04:05Z", "0001-01-01T00:00:00+14:00")
    found = read(HEADER + odd + far + "</mediawiki>")
    assert kinds(found) == ["siteinfo", "bad_xml", "bad_xml", "record", "end"]
    assert found[3].date is None


def test_entities_cannot_be_declared():
    bomb = "<!DOCTYPE p [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;'>]>"
    inside = page(1, "Bombe", "&b;").replace("<page>", f"<page>{bomb}")
    found = read(bomb + HEADER + inside + page(2, "Gut", "&lt;b>Text&lt;/b>.") + "</mediawiki>")
    assert kinds(found) == ["siteinfo", "bad_xml", "record", "end"]


@pytest.mark.parametrize("packing", [bz2.compress, gzip.compress, lzma.compress])
def test_a_bomb_takes_the_memory_of_the_limit(packing):
    packed = packing((HEADER + "<page>").encode() + bytes(64 << 20) + page(1, "Gut", "Text.").encode())
    tracemalloc.start()
    found = read(packed, max_page_bytes=1 << 20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert kinds(found) == ["siteinfo", "page_too_long", "record", "end"]
    assert peak < 24 << 20
