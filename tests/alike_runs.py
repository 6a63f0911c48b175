"""A real run with many near-duplicates: what tests of replayed deduplication start from."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

from corpusforge.recipe import load_text

STEPS = """\
name: alike
shard_bytes: 4000
batch_documents: 8
partitions: 2
sources: {c4: {}}
steps:
  - extract
  - gopher_quality: {min_words: MIN, min_stop_words: null, min_alphabetic_word_ratio: MAX}
  - exact_dedup
  - minhash_dedup: {ngram: 2, bands: 16, rows: 2, threshold: THRESHOLD}
"""
WORDS = [f"{one}{two}" for one in ("harbour", "office", "window", "garden") for two in "abcdefgh"]


def texts() -> list[str]:
    """Families of alike texts of 40 to 75 words; some have numbers in place of words, some are copies."""
    source = random.Random(5)
    made: list[str] = []
    for index in range(120):
        words = source.choice(made).split() if made and index % 4 else source.choices(WORDS, k=60)
        if index % 3:
            for at in source.sample(range(len(words)), source.choice([1, 2, 5])):
                words[at] = source.choice([*WORDS, str(index)])
        if index % 7 == 0:
            words = words[: source.randrange(40, 60)]
        made.append(" ".join(words))
    return made


def run_of(
    folder: Path, threshold: float, min_words: int = 30, alphabetic: float = 0.5, steps: str = STEPS
) -> Path:
    """Run `steps` with these thresholds; gives the run directory."""
    inputs = folder / "input"
    inputs.mkdir(parents=True)
    made = texts()
    for shard in range(2):
        lines = [json.dumps({"text": text, "url": f"https://a.example/{at}"}) for at, text in enumerate(made)]
        packed = gzip.compress("\n".join(lines[shard::2]).encode("utf-8"), mtime=0)
        (inputs / f"part-{shard}.json.gz").write_bytes(packed)
    steps = steps.replace("THRESHOLD", str(threshold)).replace("MIN", str(min_words))
    recipe = load_text(steps.replace("MAX", str(alphabetic)), "alike.yaml")
    recipe.run({"c4": [str(inputs)]}, folder / "run", workers=1)
    return folder / "run"
