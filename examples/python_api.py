"""The Python API: a recipe as a list of steps, run from a program.

python examples/python_api.py 'runs/sample/warc/*.warc.gz' runs/python_api
"""

from __future__ import annotations

import sys

from corpusforge.recipe import Options, Recipe, make_step
from corpusforge.run import RunSummary
from corpusforge.sources.commoncrawl import CommonCrawl


def build() -> Recipe:
    """Name the steps and give parameters; rule sets fill in the thresholds that are not given."""
    return Recipe(
        steps=[
            make_step("extract"),
            make_step("gopher_quality", min_stop_words=None),
            make_step("minhash_dedup", threshold=0.8),
            make_step("tokenize", vocabulary_size=800),
            make_step("pack", sequence_length=128),
            make_step("mix"),
        ],
        sources={"commoncrawl": CommonCrawl()},
        options=Options(name="from_python", shard_bytes=600_000),
    )


def run(pattern: str, output: str, workers: int | None = None) -> RunSummary:
    """Run, or go on with what an earlier attempt left in `output`."""
    return build().run(inputs={"commoncrawl": [pattern]}, output=output, workers=workers)


# Worker processes import this file again: what starts a run must stand behind this line.
if __name__ == "__main__":
    summary = run(*sys.argv[1:3])
    for step in summary.report["steps"]:
        funnel = step["funnel"]
        print(f"{step['step']:<20} {funnel['documents_in']:>8,} -> {funnel['documents_kept']:>8,} documents")
    print("ledger closed:", summary.ledger["closed"])
