"""One part of `benchmarks/gpu.sh`, by the functions behind `corpusforge train profile` and `corpusforge bench`.

    python benchmarks/gpu_part.py tokenizer CORPUS [CORPUS ...] --size 27m --output FILE
    python benchmarks/gpu_part.py speed --size 124m [--context 2048 ...]
    python benchmarks/gpu_part.py bench CLEAN NOISY --panel PANEL --tokenizer FILE --output FOLDER [--size 27m ...]
    python benchmarks/gpu_part.py ladder CLEAN --panel PANEL --tokenizer FILE --output FOLDER [--size 27m ...]

`speed` prints a line of JSON and needs torch and numpy only; `bench` and `ladder` also pyarrow, numba, SentencePiece
and MarkupSafe: with corpora in .jsonl.gz and a tokenizer that is there, nothing of the command line and of the steps
is imported. So they run from a checkout on a machine on which nothing can be installed.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def tokenizer(given: argparse.Namespace) -> None:
    from corpusforge.train.bench import DIALS, FULL, train_tokenizer
    from corpusforge.train.corpora import index, open_corpus

    corpora = {spec: open_corpus(spec) for spec in given.corpora}
    indexes = {spec: index(corpus) for spec, corpus in corpora.items()}
    model = train_tokenizer(corpora, indexes, DIALS.get(given.size, FULL).vocabulary)
    given.output.write_bytes(model)


def speed(given: argparse.Namespace) -> None:
    from corpusforge.train.profile import profile

    numbers = (given.context, given.vocabulary, given.steps, given.batch_tokens)
    print(json.dumps(profile(given.size, *numbers, device=given.device)))


def bench(given: argparse.Namespace) -> None:
    from corpusforge.train.bench import BenchSettings
    from corpusforge.train.bench import bench as run

    settings = BenchSettings(
        tuple(given.corpora),
        given.size,
        given.tokens,
        given.seeds,
        panel=given.panel,
        tokenizer=given.tokenizer,
    )
    run(settings, given.output, given.device, say)


def ladder(given: argparse.Namespace) -> None:
    from corpusforge.train.guards import run_guard

    (corpus,) = given.corpora
    result = run_guard(
        "ladder",
        corpus,
        given.panel,
        say,
        size=given.size,
        tokens=given.tokens,
        device=given.device,
        keep=given.output / "guard-runs",
        tokenizer=given.tokenizer,
    )
    (given.output / "guard-ladder.json").write_text(json.dumps(result, indent=2) + "\n")


PARTS = {"tokenizer": tokenizer, "speed": speed, "bench": bench, "ladder": ladder}


def count(text: str) -> int:
    from corpusforge.train.settings import parse_count

    return parse_count(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("corpora", nargs="*")
    parser.add_argument("--size", default="27m")
    parser.add_argument("--tokens", type=count)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--panel", type=Path)
    parser.add_argument("--tokenizer", type=Path)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--context", type=int, default=2048)
    parser.add_argument("--vocabulary", type=int, default=32_768)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--batch-tokens", type=int, default=262_144)
    parser.add_argument("--device", default="cuda")
    given = parser.parse_args()
    PARTS[given.part](given)


if __name__ == "__main__":
    main()
