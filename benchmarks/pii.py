"""Speed of the step `pii` on one core: the scan for candidates alone, and the whole step with its default rules.

    python benchmarks/pii.py [--rounds 3] [--data FOLDER]

FOLDER is the folder of real test data (CORPUSFORGE_DATA, or ../shared/data beside the checkout). Figures are
megabytes (10^6 bytes of UTF-8 text) per CPU second of this process over bench/corpus.jsonl.zst, the best round: the
others were disturbed by more.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import zstandard

from corpusforge.kernels.pii_candidates import CLASSES, find_candidates
from corpusforge.kernels.pii_marks import GROUPED, find_marks
from corpusforge.pii.step import Pii, PiiParameters
from corpusforge.rulesets import thresholds
from corpusforge.step import LiveRows, RunContext
from corpusforge.texts import Texts

BATCH = 512


def corpus(path: Path) -> list[LiveRows]:
    """All documents in batches."""
    with path.open("rb") as raw:
        lines = io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(raw), encoding="utf-8")
        texts = [json.loads(line)["text"] for line in lines]
    batches = []
    for start in range(0, len(texts), BATCH):
        part = texts[start : start + BATCH]
        locators = pa.array([str(start + row) for row in range(len(part))])
        batches.append(LiveRows(Texts.from_strings(part), {"locator": locators}))
    return batches


def seconds(work: Callable[[], object], rounds: int) -> float:
    """CPU seconds of the best of some calls."""
    taken = []
    for _ in range(rounds):
        begun = time.process_time()
        work()
        taken.append(time.process_time() - begun)
    return min(taken)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    default = os.environ.get("CORPUSFORGE_DATA", Path(__file__).resolve().parents[2] / "shared" / "data")
    parser.add_argument("--data", type=Path, default=Path(default))
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    batches = corpus(arguments.data / "bench" / "corpus.jsonl.zst")
    size = sum(len(rows.texts.data) for rows in batches) / 1e6
    found: Counter[str] = Counter()

    def scan() -> None:
        for rows in batches:
            for kind in range(GROUPED + 1):
                (find_candidates if kind < CLASSES else find_marks)(rows.texts.data, rows.texts.offsets, kind)

    step = Pii(PiiParameters(**thresholds("pii@default", "pii")))
    step.open(RunContext())

    def whole() -> None:
        found.clear()
        for rows in batches:
            edits = step.measure(rows).edits
            found.update(edits.rules if edits else ())

    for name, work in (("scan for candidates", scan), ("step pii, pii@default", whole)):
        print(f"{name}: {size / seconds(work, arguments.rounds):.1f} MB/s of {size:.1f} MB")
    print("found: " + ", ".join(f"{kind} {count}" for kind, count in sorted(found.items())))


if __name__ == "__main__":
    main()
