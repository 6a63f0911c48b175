"""Wikipedia dumps: namespaces, redirects, disambiguations; a page that never ends costs itself."""

from __future__ import annotations

import bz2
import io
from collections import Counter
from pathlib import Path

import pytest

from corpusforge.sources.base import Damaged, Record, SourceFile
from corpusforge.sources.wikipedia import Parameters, Wikipedia, pages

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
    assert kinds(found) == ["siteinfo", "bad_xml", "record", "page_too_long"]
    assert sum(item.size for item in found) == len(data.encode())


def test_a_page_over_the_limit_is_passed_over():
    data = HEADER + page(1, "Lang", "y" * 30_000) + page(2, "Kurz", "Kurzer Text.") + "</mediawiki>"
    found = read(data, max_page_bytes=10_000)
    assert kinds(found) == ["siteinfo", "page_too_long", "record", "end"]


def test_memory_is_bounded_by_the_limit():
    class Endless(io.RawIOBase):
        left = 40 << 20

        def readable(self) -> bool:
            return True

        def read(self, size: int = -1) -> bytes:
            size = min(size, self.left)
            self.left -= size
            return b"x" * size

    pieces = list(pages(Endless(), 1 << 20))
    assert sum(piece.size for piece in pieces) == 40 << 20
    assert all(piece.data is None or len(piece.data) < 4 << 20 for piece in pieces)


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
