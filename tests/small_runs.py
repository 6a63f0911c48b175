"""A small real run: what tests of reports, and of runs made out of runs, start from."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from made_run import SENTENCE

from corpusforge.recipe import load_text

STEPS = """\
name: small
shard_bytes: 30000
batch_documents: 16
partitions: 2
error_budget: 0.5
sources: {c4: {}}
steps:
  - extract
  - gopher_quality
  - c4: {rules: c4@no_terminal, min_sentences: 2}
  - fineweb: {min_terminal_line_ratio: 0.3}
  - exact_dedup
  - line_dedup
"""
"""A recipe with rules, edits, and steps that compare documents."""


def small_documents() -> list[str]:
    """Texts around the thresholds of `STEPS`."""
    words = SENTENCE.split(" ")
    documents = []
    for index in range(90):
        lines = [
            " ".join(words[(index + line) % 20 :][: 8 + (index * 7 + line) % 9])
            + f" number {index * 31 + line}."
            for line in range(2 + index % 7)
        ]
        if index % 5 == 0:
            lines.insert(1, "Please enable javascript to read this page.")
        if index % 6 == 0:
            lines.append("A line that every sixth document has, word for word.")
        if index % 11 == 0:
            lines += ["no end here"] * 4
        documents.append("\n".join(lines))
    return [*documents, documents[-1]]


def make_small_run(folder: Path, steps: str = STEPS) -> Path:
    """Run a recipe on the small documents; gives the run directory."""
    inputs = folder / "input"
    inputs.mkdir(parents=True)
    documents = small_documents()
    for shard in range(3):
        lines = [
            json.dumps({"text": documents[index], "url": f"https://a{index % 9}.example/{index}"}) + "\n"
            for index in range(shard, len(documents), 3)
        ]
        packed = gzip.compress("".join(lines).encode("utf-8"), mtime=0)
        (inputs / f"part-{shard}.json.gz").write_bytes(packed)
    output = folder / "run"
    load_text(steps, "small.yaml").run({"c4": [str(inputs)]}, output, workers=1)
    return output
