"""Perplexity beside SentencePiece and KenLM in one run: speed, and equality of scores.

    python benchmarks/perplexity.py [--megabytes 10] [--rounds 3] [--data FOLDER]

A 5-gram model of BPE pieces is trained on every other document of the clean English test text; scored is the
mixed corpus, as if all of it were English. Speed is in MB (10^6 bytes of UTF-8 text) per CPU second of this
process; ours and the libraries take turns, every round of ours begins with an empty table of words, and the
ratio is the median of the rounds' ratios.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
from steps import batches, calibration, corpus, seconds

from corpusforge.filters.perplexity import PerplexityMeasure, PerplexityParameters, _load_files, _load_own
from corpusforge.model_store import language_models
from corpusforge.models.normalization import cut, normalize
from corpusforge.models.train_lm import as_words, train_language_model
from corpusforge.step import MICRO, LiveRows, RunContext
from corpusforge.texts import Texts


def make(folder: Path, **parameters: object) -> PerplexityMeasure:
    step = PerplexityMeasure(PerplexityParameters(models=str(folder), **parameters))
    step.open(RunContext())
    return step


def measure(step: PerplexityMeasure, texts: list[str]) -> tuple[list[int], list[int]]:
    """Scores and tokens of all texts."""
    scores: list[int] = []
    tokens: list[int] = []
    for rows in batches(texts):
        signals = step.measure(rows).signals
        scores += signals["log10_perplexity"].to_pylist()
        tokens += signals["tokens"].to_pylist()
    return scores, tokens


def exact_scores(texts: list[str], folder: Path) -> list[int]:
    """Scores by KenLM's probability of each token, summed here: KenLM itself sums them in 32 bits."""
    pieces, ngrams = _load_files(language_models(str(folder))["en"])
    scores = []
    for text in texts:
        words = pieces.encode(normalize(text, "ccnet"), out_type=str)
        total = math.fsum(found[0] for found in ngrams.full_scores(as_words(words)))
        scores.append(round(max(-total / (len(words) + 1), 0) * MICRO))
    return scores


def largest(ours: list[int], theirs: list[int]) -> float:
    return max(abs(a - b) for a, b in zip(ours, theirs)) / MICRO


def speed(texts: list[str], folder: Path, rounds: int) -> None:
    size = sum(len(text.encode()) for text in texts) / 1e6
    pieces, ngrams = _load_files(language_models(str(folder))["en"])
    normalized = [normalize(text, "ccnet") for text in texts]
    ready = list(batches(texts))

    def libraries() -> None:
        for text in normalized:
            ngrams.score(as_words(pieces.encode(text, out_type=str)))

    def step_of(backend: str) -> Callable[[], None]:
        step = make(folder, backend=backend)

        def work() -> None:
            for rows in ready:
                step.measure(
                    LiveRows(Texts(rows.texts.data, rows.texts.offsets), {"lang": rows.column("lang")})
                )

        return work

    print(f"{len(texts):,} documents, {size:.1f} MB, {rounds} rounds")
    times: dict[str, list[float]] = defaultdict(list)
    calibrations = []
    for _ in range(rounds):
        calibrations.append(calibration())
        times["SentencePiece + KenLM, normalized before"].append(seconds(libraries))
        times["step with them, normalization included"].append(seconds(step_of("kenlm")))
        _load_own.cache_clear()
        step = make(folder)
        begun = time.process_time()
        step.measure(next(batches([""])))
        times["(loading the ARPA file)"].append(time.process_time() - begun)
        times["step with own kernels, normalization included"].append(seconds(step_of("kernel")))
    base = times["SentencePiece + KenLM, normalized before"]
    print("| what | MB/s | times SentencePiece + KenLM |\n|---|---|---|")
    for what, values in times.items():
        if what.startswith("("):
            print(f"| {what} | {statistics.median(values):.2f} s | |")
            continue
        ratio = statistics.median(one / value for one, value in zip(base, values))
        print(f"| {what} | {size / statistics.median(values):.1f} | {ratio:.1f} |")
    print(f"calibration loop: {min(calibrations):.0f} to {max(calibrations):.0f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--megabytes", type=float, default=10)
    parser.add_argument("--train", type=float, default=5, help="megabytes of text that the model is made of")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data", type=Path, default=None)
    arguments = parser.parse_args()
    pa.set_cpu_count(1)
    data = arguments.data or Path(
        os.environ.get("CORPUSFORGE_DATA", Path(__file__).resolve().parents[2] / "shared" / "data")
    )
    # No more of a text than the step scores, so that all read the same.
    limit = PerplexityParameters().max_bytes
    texts = [
        cut(text.encode(), limit).decode()
        for text in corpus(data / "bench" / "corpus.jsonl.zst", int(arguments.megabytes * 1e6))
    ]
    clean = corpus(data / "text" / "clean-english.jsonl.zst", int(arguments.train * 2e6))[::2]
    with tempfile.TemporaryDirectory() as folder:
        facts = train_language_model(
            clean, "en", 5, Path(folder), vocabulary_size=16_000, prune=[0, 0, 1, 1, 1]
        )
        print(f"model: {facts['pieces']:,} pieces, n-grams {facts['ngrams']}")
        ours, our_tokens = measure(make(Path(folder)), texts)
        theirs, their_tokens = measure(make(Path(folder), backend="kenlm"), texts)
        equal = sum(a == b for a, b in zip(our_tokens, their_tokens))
        print(f"equal tokens: {equal:,} of {len(texts):,}; largest difference of log10 perplexities")
        print(f"to KenLM's sums: {largest(ours, theirs):.6f}")
        exact = exact_scores(texts, Path(folder))
        print(f"to the sums of KenLM's probabilities in double precision: {largest(ours, exact):.6f}")
        speed(texts, Path(folder), arguments.rounds)


if __name__ == "__main__":
    main()
