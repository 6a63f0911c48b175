"""Quality and speed of extraction from HTML, on pages with gold text.

    python benchmarks/extraction.py [--half both] [--rounds 5] [--data FOLDER] [--output FILE]

Quality, per gold set in FOLDER/commoncrawl (CORPUSFORGE_DATA, or ../shared/data beside the checkout):

* `aeb-50`: people marked the article's body. Precision and recall over bags of four words, averaged over pages, and
  F1 of the two averages: the measure of the article-extraction-benchmark (Scrapinghub, 2020).
* `readability-50`: the article as Readability.js's reviewed expectations have it, the same measure.
* `trafilatura-240`: segments that must be there and segments that must not, counted over all pages.

Each set is cut in two by a hash: of the registered domain, or of the page for readability-50, whose URLs are not
published. The model of blocks saw the tuning half only. Intervals: 95 %, percentiles of 1000 resamples of the pages.

Speed: from a WARC file to text, in pages per CPU second; our reader and step, and FastWARC with Resiliparse alone
(encoding detected, main content), take turns; the ratio is the median over rounds.
"""

from __future__ import annotations

import argparse
import datetime
import gzip
import hashlib
import importlib.metadata
import json
import os
import platform
import re
import statistics
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
from fastwarc.warc import ArchiveIterator, WarcRecordType
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.encoding import bytes_to_str, detect_encoding
from resiliparse.parse.html import HTMLTree

from corpusforge.extract.step import Extract, Parameters
from corpusforge.sources.base import Record, SourceFile
from corpusforge.sources.commoncrawl import CommonCrawl
from corpusforge.step import LiveRows, RunContext
from corpusforge.texts import Texts

SETS = ("aeb-50", "readability-50", "trafilatura-240")
RESAMPLES = 1000
_SECOND_LEVEL = frozenset({"co", "com", "org", "gov", "ac", "net"})
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Page:
    """A page with its gold: text for two of the sets, segments to keep and to drop for the third."""

    collection: str
    url: str
    record: Record
    half: str
    text: str | None
    kept: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()


def domain(url: str) -> str:
    """The registered domain, near enough."""
    parts = (urlsplit(url).hostname or "").split(".")
    deep = len(parts) > 2 and parts[-2] in _SECOND_LEVEL and len(parts[-1]) == 2
    return ".".join(parts[-3:] if deep else parts[-2:])


def half_of(key: str) -> str:
    """`tuning` or `test`, by a bit of the key's SHA-256."""
    return "tuning" if hashlib.sha256(key.encode()).digest()[0] & 1 else "test"


def records(path: Path) -> list[Record]:
    """The pages of a WARC file, as the package's reader gives them."""
    with path.open("rb") as stream:
        read = CommonCrawl().records(SourceFile(path.name, path.name, 0), stream)
        return [record for record in read if isinstance(record, Record)]


def plain(html: str) -> str:
    """All text of a piece of HTML."""
    tree = HTMLTree.parse(f"<html><body>{html}</body></html>")
    return str(extract_plain_text(tree, preserve_formatting=True, main_content=False, list_bullets=False))


def load(folder: Path) -> list[Page]:
    """The pages of all sets with their gold."""
    pages = []
    for name in SETS:
        packed = folder / f"{name}.gold.json.gz"
        raw = (
            gzip.decompress(packed.read_bytes())
            if packed.exists()
            else (folder / f"{name}.gold.json").read_bytes()
        )
        gold: dict[str, dict[str, Any]] = {_key(url): entry for url, entry in json.loads(raw).items()}
        for record in records(folder / f"{name}.warc.gz"):
            url = record.url or ""
            entry = gold[_key(url)]
            key = hashlib.sha256(record.payload).hexdigest() if name == "readability-50" else domain(url)
            text = entry.get("articleBody")
            if name == "readability-50":
                text = plain(entry["expected_html"])
            kept, dropped = (tuple(entry.get(side, ())) for side in ("with", "without"))
            pages.append(Page(name, url, record, half_of(key), text, kept, dropped))
    return pages


def _key(url: str) -> str:
    # One URL of the gold holds a space, and what stands behind "?" is lost in the WARC file.
    return url.replace("%20", " ").split(" ")[0].split("?")[0] if "schwimmverband" in url else url


def extracted(pages: Sequence[Record], parameters: Parameters) -> list[str]:
    """Texts of pages by the step."""
    step = Extract(parameters)
    step.open(RunContext())
    columns = {
        "payload": pa.array([page.payload for page in pages], pa.large_binary()),
        "content_type": pa.array([page.content_type for page in pages], pa.string()),
        "charset": pa.array([page.charset for page in pages], pa.string()),
        "locator": pa.array([page.locator for page in pages], pa.string()),
        "url": pa.array([page.url for page in pages], pa.string()),
    }
    measured = step.measure(LiveRows(Texts.from_strings([""] * len(pages)), columns))
    return [text or "" for text in measured.columns["text"].to_pylist()]


def four_grams(text: str) -> Counter[tuple[str, ...]]:
    """Bag of all runs of four words; a shorter text is one run."""
    words = _WORD.findall(text)
    return Counter(tuple(words[k : k + 4]) for k in range(max(1, len(words) - 3)) if words)


def overlap(gold: str, text: str) -> tuple[float, float, float]:
    """Share of runs that are in both, only in the text, only in the gold."""
    expected, found = four_grams(gold), four_grams(text)
    both = sum((expected & found).values())
    counts = both, sum(found.values()) - both, sum(expected.values()) - both
    whole = sum(counts) or 1
    return counts[0] / whole, counts[1] / whole, counts[2] / whole


def mean_score(counts: Sequence[tuple[float, float, float]]) -> tuple[float, float, float]:
    """Precision and recall averaged over pages, F1 of the averages."""
    precisions = [both / (both + more) for both, more, _ in counts if both + more]
    recalls = [both / (both + less) for both, _, less in counts if both + less]
    return _with_f1(statistics.fmean(precisions or [0]), statistics.fmean(recalls or [0]))


def total_score(counts: Sequence[tuple[float, float, float]]) -> tuple[float, float, float]:
    """Precision, recall and F1 of counts added over pages."""
    both, more, less = (sum(column) for column in zip(*counts))
    return _with_f1(both / max(both + more, 1), both / max(both + less, 1))


def _with_f1(precision: float, recall: float) -> tuple[float, float, float]:
    return precision, recall, 2 * precision * recall / max(precision + recall, 1e-9)


def segments(page: Page, text: str) -> tuple[float, float, float]:
    """Segments found that must be there, found that must not, missed that must."""
    joined = " ".join(text.split())
    kept = sum(" ".join(segment.split()) in joined for segment in page.kept)
    return kept, sum(" ".join(segment.split()) in joined for segment in page.dropped), len(page.kept) - kept


def quality(pages: Sequence[Page], texts: Sequence[str]) -> str:
    """Cells of the table: precision, recall, F1 with its interval, and pages."""
    if pages[0].text is None:
        score, counts = total_score, [segments(page, text) for page, text in zip(pages, texts)]
    else:
        score, counts = mean_score, [overlap(page.text or "", text) for page, text in zip(pages, texts)]
    draws = np.random.default_rng(20191119).integers(0, len(counts), (RESAMPLES, len(counts)))
    resampled = [score([counts[k] for k in draw])[2] for draw in draws]
    low, high = np.percentile(resampled, [2.5, 97.5])
    precision, recall, f1 = score(counts)
    return f"{precision:.3f} | {recall:.3f} | {f1:.3f} | {low:.3f}–{high:.3f}"


def extractors() -> dict[str, Parameters]:
    """Parameters by name; Trafilatura where it is installed."""
    found = {
        "blocks": Parameters(extractor="blocks"),
        "resiliparse": Parameters(extractor="resiliparse"),
        "resiliparse, no comments": Parameters(extractor="resiliparse", comments=False),
    }
    try:
        importlib.metadata.version("trafilatura")
    except importlib.metadata.PackageNotFoundError:
        return found
    found["trafilatura"] = Parameters(extractor="trafilatura", comments=False, main_content=False)
    found["trafilatura, favouring precision"] = Parameters(extractor="trafilatura", comments=False)
    return found


def quality_table(pages: Sequence[Page], halves: Sequence[str]) -> list[str]:
    lines = [
        "| set | half | pages | extractor | precision | recall | F1 | 95 % |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in SETS:
        for half in halves:
            chosen = [page for page in pages if page.collection == name and page.half == half]
            for label, parameters in extractors().items():
                texts = extracted([page.record for page in chosen], parameters)
                lines.append(f"| {name} | {half} | {len(chosen)} | {label} | {quality(chosen, texts)} |")
    return lines


def reference(path: Path) -> int:
    """FastWARC and Resiliparse alone."""
    count = 0
    with path.open("rb") as stream:
        for record in ArchiveIterator(stream, record_types=WarcRecordType.response):
            body = record.reader.read()
            tree = HTMLTree.parse(bytes_to_str(body, detect_encoding(body)))
            extract_plain_text(tree, preserve_formatting=True, main_content=True)
            count += 1
    return count


def ours(extractor: str) -> Callable[[Path], int]:
    def run(path: Path) -> int:
        return len(extracted(records(path), Parameters.model_validate({"extractor": extractor})))

    return run


def speed_table(folder: Path, rounds: int) -> list[str]:
    paths = [folder / f"{name}.warc.gz" for name in ("aeb-50", "trafilatura-240")]
    ways: dict[str, Callable[[Path], int]] = {
        "FastWARC and Resiliparse alone": reference,
        "reader and step, blocks": ours("blocks"),
        "reader and step, resiliparse": ours("resiliparse"),
        "reader alone": lambda path: len(records(path)),
    }
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            begun = time.process_time()
            pages = sum(way(path) for path in paths)
            if number:  # the first round warms up
                rates[name].append(pages / (time.process_time() - begun))
    base = rates["FastWARC and Resiliparse alone"]
    lines = ["| from WARC to text | pages/s, median (range) | to the reference |", "|---|---|---|"]
    for name, found in rates.items():
        ratio = statistics.median(a / b for a, b in zip(found, base))
        lines.append(
            f"| {name} | {statistics.median(found):.0f} ({min(found):.0f}–{max(found):.0f}) | {ratio:.2f} |"
        )
    return lines


def conditions() -> str:
    versions = []
    for name in ("resiliparse", "fastwarc", "trafilatura", "numba", "numpy"):
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            versions.append(f"no {name}")
    machine = f"{platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}"
    return f"{datetime.date.today().isoformat()}; {machine}; {', '.join(versions)}."


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("CORPUSFORGE_DATA", beside)))
    parser.add_argument("--half", choices=("tuning", "test", "both"), default="both")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of the speed test; 0 leaves it out")
    parser.add_argument("--output", type=Path, help="file for what is printed")
    chosen = parser.parse_args()
    folder = chosen.data / "commoncrawl"
    halves = ("tuning", "test") if chosen.half == "both" else (chosen.half,)
    lines = ["# Extraction from HTML", "", conditions(), "", *quality_table(load(folder), halves)]
    if chosen.rounds:
        lines += ["", *speed_table(folder, chosen.rounds)]
    print("\n".join(lines))
    if chosen.output:
        chosen.output.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
