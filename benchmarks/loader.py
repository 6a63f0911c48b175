"""How fast training is fed: batches of rows from shards, in tokens per second of one thread.

    python benchmarks/loader.py [--rows 4000] [--rounds 5]

Shards of `rows` packed rows of 2,049 tokens (documents log-normal, median 446 tokens; as int32 in MDS) and the same
tokens as a Megatron pair (uint16) are written to a temporary folder. What is timed is what the trainer's reading thread
does for a step: 128 rows by the order of a seed, their tokens, and the number of each token's document. Seconds are CPU
seconds of this process, the median of the rounds, each over the whole data in an order of its own; files are in the
page cache. A model of 124M parameters at half of an H100's 989 TFLOP/s takes 510,000 tokens a second (968 MFLOP each).
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from corpusforge.mix.loader import RowReader
from corpusforge.mix.mds import MdsWriter
from corpusforge.mix.megatron import MegatronWriter
from corpusforge.mix.rows import packed_columns
from corpusforge.train.data import Batches, open_rows
from corpusforge.train.verify import listed_files, verify

CONTEXT, BATCH, VOCABULARY = 2048, 128, 32_768
WANTED = 600_000


def write(folder: Path, rows: int) -> None:
    """Packed rows and document streams."""
    generator = np.random.Generator(np.random.Philox(7))
    packed = MdsWriter(folder / "packed" / "00000", packed_columns("int32", {"source": "str"}))
    (folder / "documents").mkdir(parents=True)
    with MegatronWriter(folder / "documents", "stream", VOCABULARY) as stream:
        for _ in range(rows):
            lengths = np.exp(generator.normal(np.log(446), 1.05, 40)).astype(np.int64) + 1
            ends = np.cumsum(lengths)
            boundaries = np.concatenate([[0], ends[ends < CONTEXT + 1], [CONTEXT + 1]])
            tokens = generator.integers(0, VOCABULARY, CONTEXT + 1).astype(np.uint16)
            packed.write({"tokens": tokens, "boundaries": boundaries.astype(np.int32), "source": "web"})
            stream.write(tokens, boundaries.astype(np.int64))
        stream.finish()
    packed.finish()


def measure(name: str, reader: RowReader, rounds: int) -> None:
    """One line of the table."""
    steps = len(reader) // BATCH
    batches = Batches(reader, BATCH, 0, VOCABULARY)
    batches.batch(0)
    seconds = []
    for number in range(rounds):
        begun = time.process_time()
        for step in range(number * steps, (number + 1) * steps):
            batches.batch(step)
        seconds.append((time.process_time() - begun) / steps)
    rate = BATCH * CONTEXT / statistics.median(seconds)
    print(
        f"| {name} | {1000 * statistics.median(seconds):.1f} ms | {rate / 1e6:.1f} M | {rate / WANTED:.0f} times |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, given.rows)
        print(f"{given.rows:,} rows of {CONTEXT + 1:,} tokens, {BATCH} a step\n")
        print(f"| shards | a step | tokens per second | of {WANTED:,} |")
        print("|---|---|---|---|")
        measure("MDS, packed rows", open_rows(folder), given.rounds)
        measure("Megatron, document streams", open_rows(folder / "documents", CONTEXT), given.rounds)
        files = listed_files(folder)
        begun = time.process_time()
        for file in files:
            verify(file)
        took = time.process_time() - begun
        size = sum(file.path.stat().st_size for file in files)
        print(f"\nHashes at the start of training: {size / took / 1e6:,.0f} MB per second of one thread.")


if __name__ == "__main__":
    main()
