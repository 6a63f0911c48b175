"""The extract step: batches of payloads, failures, signals, the watchdog's eye."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pyarrow as pa
import pytest
from pydantic import ValidationError

from corpusforge.extract.step import Extract, Parameters
from corpusforge.heartbeat import Heartbeat
from corpusforge.sources.base import Record, SourceFile
from corpusforge.sources.commoncrawl import CommonCrawl
from corpusforge.step import LiveRows, Measured, RunContext
from corpusforge.texts import Texts

PAGE = "<html><title>T</title><body><p>Grüße aus einer Seite.</p></body></html>"


def rows(pages: list[tuple[bytes | None, str | None, str | None]]) -> LiveRows:
    return LiveRows(
        Texts.from_strings([""] * len(pages)),
        {
            "payload": pa.array([page[0] for page in pages], pa.large_binary()),
            "content_type": pa.array([page[1] for page in pages], pa.string()),
            "charset": pa.array([page[2] for page in pages], pa.string()),
            "locator": pa.array([f"file@{number}" for number in range(len(pages))], pa.string()),
            "url": pa.array([f"http://a.example/2020/01/0{number + 1}/" for number in range(len(pages))]),
        },
    )


def measure(
    pages: list[tuple[bytes | None, str | None, str | None]],
    heartbeat: Heartbeat | None = None,
    **parameters: object,
) -> Measured:
    step = Extract(Parameters.model_validate(parameters))
    step.open(RunContext(heartbeat=heartbeat or Heartbeat()))
    return step.measure(rows(pages))


def test_html_and_plain_text() -> None:
    measured = measure(
        [
            (PAGE.encode("cp1252"), "text/html", "latin1"),
            (b"<p>not parsed</p>\r\n\0end", "text/plain", None),
            (PAGE.encode(), "application/xhtml+xml", None),
            (None, None, None),
        ]
    )
    assert measured.failures == {}
    assert measured.columns["text"].type == pa.large_string()
    assert measured.columns["text"].to_pylist() == [
        "Grüße aus einer Seite.", "<p>not parsed</p>\nend", "Grüße aus einer Seite.", "",
    ]  # fmt: skip
    assert measured.signals["title"].to_pylist() == ["T", None, "T", None]
    assert list(measured.signals["characters"]) == [22, 21, 22, 0]
    assert measured.signals["html_bytes"][0] == len(PAGE)
    assert measured.signals["node_count"][1] == 0
    assert set(measured.signals) == {signal.name for signal in Extract.signals}


@pytest.mark.parametrize("extractor", ["resiliparse", "blocks"])
def test_the_whole_page_stands_in_for_an_empty_main_content(extractor: str) -> None:
    navigation = b"<title>T</title><body><nav><p><a href=/>All that this page says.</a></p></nav></body>"
    pages = [
        (navigation, "text/html", None),
        (b"<title>T</title>", "text/html", None),
        (b"plain", "text/plain", None),
    ]
    measured = measure(pages, extractor=extractor)
    assert measured.columns["text"].to_pylist() == ["All that this page says.", "", "plain"]
    assert list(measured.signals["fell_back"]) == [1, 0, 0]
    without = measure(pages, extractor=extractor, whole_page_fallback=False)
    assert without.columns["text"].to_pylist() == ["", "", "plain"]
    assert list(without.signals["fell_back"]) == [0, 0, 0]


def test_failures_cost_one_page() -> None:
    good = (PAGE.encode(), "text/html", None)
    measured = measure(
        [good, (b"<div>" * 5000, "text/html", None), good, (b"<p " + b"a " * 3000 + b">", "text/html", None),
         (b"x" * 200_000, "text/plain", None), good],
        max_bytes=100_000,
    )  # fmt: skip
    assert sorted(measured.failures) == [1, 3, 4]
    assert [measured.failures[row].partition(":")[0] for row in (1, 3, 4)] == [
        "too_deep", "too_many_attributes", "page_too_large",
    ]  # fmt: skip
    assert [bool(text) for text in measured.columns["text"].to_pylist()] == [
        True,
        False,
        True,
        False,
        False,
        True,
    ]


def test_what_the_extractor_raises_costs_one_page(monkeypatch: pytest.MonkeyPatch) -> None:
    step = Extract()
    step.open(RunContext())

    def refuse(html: str) -> tuple[str, str]:
        raise RuntimeError("boom")

    monkeypatch.setattr(step, "_extract", refuse)
    measured = step.measure(rows([(PAGE.encode(), "text/html", None), (b"plain", "text/plain", None)]))
    assert measured.failures == {0: "extract_error: RuntimeError: boom"}
    assert measured.columns["text"].to_pylist() == ["", "plain"]


class Recorder(Heartbeat):
    def __init__(self) -> None:
        self.events: list[str] = []

    def begin(self, locator: str) -> None:
        self.events.append(locator)

    def done(self) -> None:
        self.events.append("done")


def test_the_watchdog_sees_every_page() -> None:
    recorder = Recorder()
    measure([(PAGE.encode(), "text/html", None), (b"<div>" * 5000, "text/html", None)], recorder)
    assert recorder.events == ["file@0", "done", "file@1", "done"]


def test_results_do_not_depend_on_batches() -> None:
    pages = [(PAGE.encode(), "text/html", None), (b"plain", "text/plain", None), (b"", "text/html", None)]
    together = measure(pages)
    alone = [measure([page]) for page in pages]
    assert together.columns["text"].to_pylist() == [one.columns["text"][0].as_py() for one in alone]
    for name in ("characters", "node_count", "depth", "html_bytes"):
        assert list(together.signals[name]) == [one.signals[name][0] for one in alone]


def test_rules_and_parameters() -> None:
    for rule in Extract.rules:
        assert rule.name in Parameters.model_fields
        assert rule.signal in {signal.name for signal in Extract.signals}
    with pytest.raises(ValidationError):
        Parameters.model_validate({"max_depth": 10**6})
    with pytest.raises(ValidationError):
        Parameters.model_validate({"extractor": "magic"})


def test_trafilatura_path() -> None:
    pytest.importorskip("trafilatura")
    body = "<article><p>" + "A sentence of the article, long enough. " * 20 + "</p></article>"
    measured = measure(
        [(f"<html><body>{body}</body></html>".encode(), "text/html", None)], extractor="trafilatura"
    )
    assert measured.failures == {}
    assert "A sentence of the article" in measured.columns["text"][0].as_py()


def test_real_pages_against_gold(shared_data: Path) -> None:
    """Segments that trafilatura's evaluation says must be kept or dropped."""
    folder = shared_data / "commoncrawl"
    name = "trafilatura-240.warc.gz"
    with (folder / name).open("rb") as stream:
        records = [
            r for r in CommonCrawl().records(SourceFile(name, name, 0), stream) if isinstance(r, Record)
        ]
    measured = measure([(r.payload, r.content_type, r.charset) for r in records])
    assert measured.failures == {}
    gold = json.loads((folder / "trafilatura-240.gold.json").read_text(encoding="utf-8"))
    texts = dict(zip((r.url for r in records), measured.columns["text"].to_pylist()))
    counts = {"with": [0, 0], "without": [0, 0]}
    for url, page in gold.items():
        text = re.sub(r"\s+", " ", texts.get(url, ""))
        for key, count in counts.items():
            for segment in page.get(key, []):
                count[0] += re.sub(r"\s+", " ", segment).strip() in text
                count[1] += 1
    kept, dropped = counts["with"], counts["without"]
    assert kept[1] > 600
    assert kept[0] / kept[1] > 0.8
    assert dropped[0] / dropped[1] < 0.3


def test_blocks() -> None:
    page = "<html lang=de><title>T</title><nav><a href=x>Start</a></nav><article><p>"
    page += "Ein Satz des Artikels, der lang genug ist, um einer zu sein. " * 8 + "</article>"
    hostile = (b"<div>" * 5000, "text/html", None)
    measured = measure(
        [(page.encode("cp1252"), "text/html", None), hostile, (b"plain", "text/plain", None)],
        extractor="blocks",
    )
    assert [error.partition(":")[0] for error in measured.failures.values()] == ["too_deep"]
    assert measured.columns["text"][0].as_py().startswith("Ein Satz")
    assert "Start" not in measured.columns["text"][0].as_py()
    assert measured.signals["published"].to_pylist() == ["2020-01-01", None, None]
    assert measured.signals["html_language"].to_pylist() == ["de", None, None]
    assert measured.signals["title"].to_pylist() == ["T", None, None]


def test_union_holds_what_either_extractor_takes_for_content() -> None:
    sentence = "Ein Satz des Artikels, der lang genug ist, um einer zu sein. "
    answer = "Da widerspreche ich, denn so war es nicht."
    page = f"<title>T</title><nav><a href=x>Start</a></nav><article><p>{sentence * 8}</p>"
    page += f"</article><div class=comments id=comments><h3>Kommentare</h3><p>{answer}</p></div>"
    payloads = [(page.encode(), "text/html", None)]
    texts = {
        name: measure(payloads, extractor=name).columns["text"][0].as_py()
        for name in ("blocks", "resiliparse", "union")
    }
    assert answer not in texts["blocks"]
    assert answer in texts["resiliparse"]
    assert answer in texts["union"]
    assert texts["union"].count(sentence * 7) == 1
    assert "Start" not in texts["union"]


def test_real_pages_by_blocks(shared_data: Path) -> None:
    """What people marked as the article is found, and little else; the tuning pages are among these."""
    folder = shared_data / "commoncrawl"
    name = "aeb-50.warc.gz"
    with (folder / name).open("rb") as stream:
        records = [
            r for r in CommonCrawl().records(SourceFile(name, name, 0), stream) if isinstance(r, Record)
        ]
    pages = [(r.payload, r.content_type, r.charset) for r in records]
    measured = measure(pages, extractor="blocks")
    assert measured.failures == {}
    gold = json.loads((folder / "aeb-50.gold.json").read_text(encoding="utf-8"))
    found = total = extracted = 0
    for record, text in zip(records, measured.columns["text"].to_pylist()):
        expected = set(re.findall(r"\w+", gold[record.url]["articleBody"]))
        words = set(re.findall(r"\w+", text))
        found += len(expected & words)
        total += len(expected)
        extracted += len(words)
    assert found / total > 0.95
    assert found / extracted > 0.85
