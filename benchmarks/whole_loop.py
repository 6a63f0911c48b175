"""The whole loop on real text, on a CPU: clean and noisy texts through cc_pipeline, a model, two verdicts.

    python benchmarks/whole_loop.py FOLDER [--data FOLDER] [--workers N]

The texts of `benchmarks/corpora.py` (books, news and speeches; newsgroups, chat logs and pages with their menus) are
the records of two WET files, which cc_pipeline reads as it reads a crawl. What it writes goes, unchanged, to the
trainer (its shards, with a pack of the panel and of zero-shot tasks) and to two benchmarks: what the pipeline kept
against what it dropped, and the clean against the noisy texts as they came. The panel's works are in neither. The
language identifier is among the data; the perplexity model is trained on English Wikipedia articles, as CCNet does.
The same command goes on where it stopped; it prints every command before it runs.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from llama_mixture import prepare

ITEMS = "300"
SETTINGS = {
    "shard_bytes": "4000000",
    "tokenize.vocabulary_size": "4000",
    "pack.sequence_length": "256",
}


def call(environment: dict[str, str], *words: str) -> None:
    """Run a command of corpusforge; say what it is, and its CPU seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    print("\n$ corpusforge " + " ".join(words), flush=True)
    subprocess.run([sys.executable, "-m", "corpusforge.cli", *words], check=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"({seconds:.0f} CPU seconds)", flush=True)


def kept_of(run: Path) -> str:
    """How many of the clean and of the noisy documents were kept."""
    found: dict[str, Counter[str]] = {}
    for part in ("documents", "dropped"):
        found[part] = Counter()
        for file in sorted((run / part).rglob("*.parquet")):
            for locator in pq.read_table(file, columns=["locator"]).column(0).to_pylist():
                found[part][locator.split(".")[0]] += 1
    return "; ".join(
        f"{name}: {found['documents'][name]:,} of {found['documents'][name] + found['dropped'][name]:,} kept"
        for name in ("clean", "noisy")
    )


def drops_of(run: Path) -> str:
    """Documents dropped by each step."""
    steps = json.loads((run / "ledger.json").read_text())["steps"]
    lost = {
        step["step"]: sum(
            rule["documents"] for account in step["sources"].values() for rule in account["dropped"].values()
        )
        for step in steps
    }
    return ", ".join(f"{name} {count:,}" for name, count in lost.items() if count)


def waiting_of(model: Path) -> str:
    """The share of the time for which training waited, as the log's last line has it."""
    last: dict[str, Any] = json.loads((model / "log.jsonl").read_text().splitlines()[-1])
    return (
        f"{last['tokens']:,} tokens, {last['tokens_per_second']:,.0f} tokens/s, waiting {last['waiting']:.4%}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    named = os.environ.get("CORPUSFORGE_DATA")
    parser.add_argument(
        "--data", type=Path, default=Path(named) if named else Path(__file__).parents[2] / "shared" / "data"
    )
    parser.add_argument("--workers", default="2")
    given = parser.parse_args()
    folder, data = given.folder, given.data
    corpora, run, model, pack = (folder / name for name in ("corpora", "run", "model", "pack.npz"))
    panel = str(corpora / "panel.jsonl")
    if not (corpora / "panel.jsonl").exists():
        made = [sys.executable, str(Path(__file__).with_name("corpora.py")), str(corpora), "--wet"]
        subprocess.run([*made, "--data", str(data)], check=True)
    environment = {**os.environ, "CORPUSFORGE_MODELS": str(folder / "models")}
    if not (folder / "models").exists():
        environment = prepare(folder, data)
    settings = {**SETTINGS, "decontaminate.against": str(data / "eval")}
    words = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    crawl = ("--input", f"commoncrawl={corpora}/*.warc.wet.gz", "--output", str(run))
    call(environment, "run", "cc_pipeline", *crawl, "--workers", given.workers, *words)
    print(f"{kept_of(run)}\ndropped by: {drops_of(run)}")
    if not pack.exists():
        sets = ("--panel", panel, "--tasks", str(data / "eval"), "--items", ITEMS)
        call(
            environment,
            "eval-pack",
            "--tokenizer",
            str(run / "shards/tokenizer.model"),
            *sets,
            "-o",
            str(pack),
        )
    train = ("train", str(run), "--size", "1m", "--tokens", "1m", "--pack", str(pack), "--output", str(model))
    if not (model / "report.html").exists():
        resume = ["--resume"] if (model / "checkpoints").exists() else []
        call(environment, *train, "--device", "cpu", "--evaluate-every", "100000", *resume)
    print(waiting_of(model))
    toy = ("--size", "1m", "--device", "cpu", "--panel", panel)
    kept = (f"{run}:kept", f"{run}:dropped")
    call(environment, "bench", *kept, *toy, "--output", str(folder / "bench-kept"))
    texts = (str(corpora / "clean"), str(corpora / "noisy"))
    call(environment, "bench", *texts, *toy, "--output", str(folder / "bench-clean"))


if __name__ == "__main__":
    main()
