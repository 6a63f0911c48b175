"""BPE encoding beside SentencePiece in one run: speed, and equality of ids.

    python benchmarks/encoder.py [--megabytes 30] [--rounds 3] [--data FOLDER]

The model is Llama 2's, the text the mixed corpus, in batches as a step gets them; every round of ours begins with an
empty cache of chunks. Speed is in MB (10^6 bytes of UTF-8 text) per CPU second of this process; ours and the
library take turns, and the ratio is the median of the rounds' ratios.
"""

from __future__ import annotations

import argparse
import os
import statistics
from pathlib import Path

import numpy as np
import sentencepiece
from steps import batches, calibration, corpus, seconds

from corpusforge.tokenize.encoder import Encoder


def main() -> None:
    parser = argparse.ArgumentParser()
    beside = Path(__file__).parent.parent.parent / "shared" / "data"
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("CORPUSFORGE_DATA", beside)))
    parser.add_argument("--megabytes", type=float, default=30)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    model = (options.data / "models" / "llama2-tokenizer.model").read_bytes()
    texts = corpus(options.data / "bench" / "corpus.jsonl.zst", int(options.megabytes * 1e6))
    size = sum(len(text.encode()) for text in texts) / 1e6
    ready = list(batches(texts))
    encoder = Encoder(model)
    library = sentencepiece.SentencePieceProcessor(model_proto=model)

    def ours() -> None:
        encoder.forget()
        for rows in ready:
            encoder.encode(rows.texts)

    expected = np.concatenate(
        [np.array([*ids, encoder.eos_id]) for ids in library.encode(texts, num_threads=1)]
    )
    found = np.concatenate([encoder.encode(rows.texts)[0] for rows in ready])
    print(
        f"{len(texts):,} documents, {size:.1f} MB, {len(found):,} tokens; equal ids: {np.array_equal(expected, found)}"
    )
    loop, mine, theirs = [], [], []
    for _ in range(options.rounds):
        loop.append(calibration())
        mine.append(seconds(ours))
        theirs.append(seconds(lambda: library.encode(texts, num_threads=1)))
    ratio = statistics.median(other / own for own, other in zip(mine, theirs))
    print("\n| what | MB/s | times SentencePiece |\n|---|---|---|")
    print(
        f"| SentencePiece {sentencepiece.__version__}, one thread | {size / statistics.median(theirs):.1f} | 1.0 |"
    )
    print(f"| own merges and cache | {size / statistics.median(mine):.1f} | {ratio:.1f} |")
    print(f"\ncalibration loop: {min(loop):.0f} to {max(loop):.0f} ms")


if __name__ == "__main__":
    main()
