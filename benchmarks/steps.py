"""Speed of single steps on one core, each beside a library that does the same work, in one run.

    python benchmarks/steps.py [--megabytes 10] [--rounds 3] [--data FOLDER]

FOLDER is the folder of real test data (CORPUSFORGE_DATA, or ../shared/data beside the checkout). Figures are
megabytes (10^6 bytes of UTF-8 text, or of HTML for extraction) per CPU second of this process, the median over
rounds in which ours and the library take turns. Before each round a fixed loop is timed: when its value jumps, the
machine was busy with something else, and only the ratios mean anything.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import zstandard

from corpusforge.recipe import make_step
from corpusforge.step import LiveRows, RunContext
from corpusforge.texts import Texts

BATCH = 512


def calibration() -> float:
    """CPU milliseconds of a fixed loop."""
    begun = time.process_time()
    total = 0
    for number in range(1_000_000):
        total += number & 7
    return (time.process_time() - begun) * 1000


def corpus(path: Path, size: int) -> list[str]:
    """The first `size` bytes of documents, long and short ones as they come."""
    found: list[str] = []
    with path.open("rb") as raw:
        lines = io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(raw), encoding="utf-8")
        for line in lines:
            found.append(json.loads(line)["text"])
            size -= len(found[-1].encode())
            if size <= 0:
                break
    return found


def batches(texts: list[str]) -> Iterator[LiveRows]:
    """Fresh batches: what a step finds in the views of an earlier round is not there."""
    for start in range(0, len(texts), BATCH):
        part = texts[start : start + BATCH]
        columns = {
            "id": pa.array(
                [number.to_bytes(16, "big") for number in range(start, start + len(part))], pa.binary(16)
            ),
            "source": pa.array(["bench"] * len(part)),
            "date": pa.nulls(len(part), pa.string()),
            "url_key": pa.nulls(len(part), pa.binary(16)),
            "lang": pa.array(["en"] * len(part)),
            "locator": pa.array([str(start + number) for number in range(len(part))]),
        }
        yield LiveRows(Texts.from_strings(part), columns)


def seconds(work: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def rule_sets(texts: list[str]) -> Callable[[], object]:
    steps = [make_step(name) for name in ("gopher_repetition", "gopher_quality", "c4", "fineweb")]

    def work() -> None:
        for rows in batches(texts):
            for step in steps:
                step.measure(rows)

    return work


def language(texts: list[str], model: Path) -> tuple[Callable[[], object], Callable[[], object]]:
    import fasttext

    step = make_step("language", model=str(model))
    step.open(RunContext())
    binding = fasttext.load_model(str(model))

    def ours() -> None:
        for rows in batches(texts):
            step.measure(rows)

    def library() -> None:
        for text in texts:
            binding.predict([text.replace("\n", " ")])

    return ours, library


def signatures(texts: list[str]) -> tuple[Callable[[], object], Callable[[], object]]:
    import re

    import datasketch

    from corpusforge.dedup.buckets import BandEmitter

    step = make_step("minhash_dedup", bands=14, rows=8)
    emitter = BandEmitter(step.parameters, "bands")
    emitter.open(RunContext())
    word = re.compile(r"\w+")

    def ours() -> None:
        for rows in batches(texts):
            emitter.emit(rows)

    def library() -> None:
        shingled = []
        for text in texts:
            words = word.findall(text.lower())
            shingled.append([" ".join(words[at : at + 5]).encode() for at in range(max(1, len(words) - 4))])
        datasketch.MinHash.bulk(shingled, num_perm=112)

    return ours, library


def tokens(texts: list[str]) -> tuple[Callable[[], object], Callable[[], object]]:
    import sentencepiece

    from corpusforge.tokenize.encoder import Encoder
    from corpusforge.tokenize.sentencepiece_bpe import TokenizerParameters, train

    model = train(texts[: max(1, len(texts) // 2)], TokenizerParameters(vocabulary_size=16_000))
    encoder = Encoder(model)
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)

    def ours() -> None:
        for rows in batches(texts):
            encoder.encode(rows.texts)

    def library() -> None:
        processor.encode(texts, num_threads=1)

    return ours, library


def extraction(folder: Path) -> tuple[Callable[[], object], Callable[[], object], int]:
    from resiliparse.extract.html2text import extract_plain_text
    from resiliparse.parse.html import HTMLTree

    from corpusforge.sources.base import Record, SourceFile
    from corpusforge.sources.commoncrawl import CommonCrawl

    pages: list[Record] = []
    for path in sorted(folder.glob("*-*.warc.gz")):
        if path.name.startswith(("aeb", "trafilatura", "readability")):
            with path.open("rb") as stream:
                file = SourceFile(path.name, str(path), path.stat().st_size)
                pages += [item for item in CommonCrawl().records(file, stream) if isinstance(item, Record)]
    size = sum(len(page.payload) for page in pages)
    step = make_step("extract")
    step.open(RunContext())

    def ours() -> None:
        for start in range(0, len(pages), BATCH):
            part = pages[start : start + BATCH]
            columns = {
                "payload": pa.array([page.payload for page in part], pa.large_binary()),
                "content_type": pa.array([page.content_type for page in part]),
                "charset": pa.array([page.charset for page in part], pa.string()),
                "locator": pa.array([page.locator for page in part]),
                "url": pa.array([page.url for page in part], pa.string()),
            }
            empty = Texts(np.zeros(0, np.uint8), np.zeros(len(part) + 1, np.int64))
            step.measure(LiveRows(empty, columns))

    def library() -> None:
        for page in pages:
            tree = HTMLTree.parse_from_bytes(page.payload, page.charset or "utf-8")
            extract_plain_text(tree, main_content=True)

    return ours, library, size


def report(
    name: str, size: int, ours: Callable[[], object], library: Callable[[], object] | None, rounds: int
) -> None:
    """Warm up, take turns, print one line."""
    ours()
    mine: list[float] = []
    theirs: list[float] = []
    calibrations = []
    for _ in range(rounds):
        calibrations.append(calibration())
        mine.append(seconds(ours))
        if library is not None:
            theirs.append(seconds(library))
    speed = size / 1e6 / statistics.median(mine)
    line = f"| {name} | {speed:.1f} |"
    if theirs:
        other = size / 1e6 / statistics.median(theirs)
        ratio = statistics.median(b / a for a, b in zip(mine, theirs))
        line += f" {other:.1f} | {ratio:.1f} |"
    else:
        line += " | |"
    print(f"{line} {min(calibrations):.0f}-{max(calibrations):.0f} |", flush=True)


def main() -> None:
    """Run all."""
    parser = argparse.ArgumentParser(description=__doc__)
    beside = Path(__file__).parent.parent.parent / "shared" / "data"
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("CORPUSFORGE_DATA", beside)))
    parser.add_argument("--megabytes", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    texts = corpus(options.data / "bench" / "corpus.jsonl.zst", int(options.megabytes * 1e6))
    size = sum(len(text.encode()) for text in texts)
    print(
        f"{len(texts)} documents, {size / 1e6:.1f} MB; Python {platform.python_version()}, {platform.machine()}"
    )
    print("| step | MB per CPU second | library | ratio | calibration ms |\n|---|---|---|---|---|")
    report(
        "Gopher repetition + quality, C4, FineWeb, all signals", size, rule_sets(texts), None, options.rounds
    )
    report(
        "language (library: fastText binding)",
        size,
        *language(texts, options.data / "models" / "lid.176.ftz"),
        options.rounds,
    )
    ours, library = signatures(texts)
    report("shingles, 112 permutations, bands (datasketch bulk)", size, ours, library, options.rounds)
    report("BPE ids (sentencepiece, one thread)", size, *tokens(texts), options.rounds)
    pages, alone, html = extraction(options.data / "commoncrawl")
    report("HTML to text (Resiliparse alone)", html, pages, alone, options.rounds)


if __name__ == "__main__":
    main()
