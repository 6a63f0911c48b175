"""The recipe llama_mixture on real files of all seven sources: what is kept of each, and what the mixture comes to.

    python benchmarks/llama_mixture.py FOLDER [--data FOLDER] [--workers N] [--output FILE]

Data are in CORPUSFORGE_DATA, or ../shared/data beside the checkout: WARC files, C4's JSON lines and Parquet, archives
of repositories, Wikipedia dumps, Project Gutenberg texts, arXiv bulk archives, Stack Exchange dumps. FOLDER gets the
runs. The perplexity model is trained on the English Wikipedia dump among them, as CCNet trains on Wikipedia.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

LANGUAGES = ("bg", "de", "en", "fr", "hu", "it", "nl", "pl", "ru", "sv", "uk")
"""Those of LLaMA's 20 that there are dumps of."""

INPUTS = {
    "commoncrawl": ("commoncrawl/*.warc.gz",),
    "c4": ("c4/wimbd-c4-*.json.gz", "c4/olmo-c4-*.json.gz", "c4/hf-c4-*.parquet"),
    "github": ("github/*.tar.gz",),
    "wikipedia": tuple(f"wikipedia/{code}wiki-*" for code in LANGUAGES),
    "books": ("books/*.txt", "books/*.zip"),
    "arxiv": ("arxiv/*.tar",),
    "stackexchange": ("stackexchange/*.7z", "stackexchange/*/Posts.xml"),
}

SETTINGS = {
    "shard_bytes": "4000000",
    "error_budget": "0.2",
    "perplexity.middle_percentile": "60",
    "tokenize.vocabulary_size": "8000",
    "pack.sequence_length": "1024",
}

ARTICLES = "name: articles\nsources: {wikipedia: {}}\nsteps: [extract]\n"


def command(environment: dict[str, str], *words: str) -> None:
    line = [sys.executable, "-m", "corpusforge.cli", *words]
    subprocess.run(line, check=True, env=environment)


def inputs(data: Path) -> list[str]:
    found = []
    for source, patterns in INPUTS.items():
        for pattern in patterns:
            if any(data.glob(pattern)):
                found += ["--input", f"{source}={data / pattern}"]
    return found


def prepare(folder: Path, data: Path) -> dict[str, str]:
    """Models: the language identifier, and perplexity trained on English articles."""
    models = folder / "models"
    models.mkdir(parents=True)
    shutil.copy(data / "models" / "lid.176.ftz", models)
    environment = {**os.environ, "CORPUSFORGE_MODELS": str(models)}
    recipe = folder / "articles.yaml"
    recipe.write_text(ARTICLES)
    articles = ("--input", f"wikipedia={data}/wikipedia/enwiki-*", "--output", str(folder / "articles"))
    command(environment, "run", str(recipe), *articles)
    training = (
        "--text",
        str(folder / "articles"),
        "--language",
        "en",
        "--vocabulary-size",
        "8000",
        "--install",
    )
    command(environment, "models", "train-lm", *training)
    return environment


def rows_of(run: Path) -> list[list[str]]:
    """A row per source: what was read, kept, and what share of the mixture's tokens it has."""

    def load(name: str) -> dict[str, Any]:
        return dict(json.loads((run / name).read_text()))

    ledger, shards = load("ledger.json"), load("shards/manifest.json")
    last = ledger["steps"][-1]["sources"]
    total = sum(shards["tokens_by_source"].values())
    rows = []
    for source, record in ledger["records"].items():
        entry = shards["mixture"]["sources"][source]
        quarantined = sum(
            found["documents"]
            for step in ledger["steps"]
            for found in step["sources"].get(source, {}).get("quarantined", {}).values()
        )
        rows.append(
            [
                source,
                f"{record['records']:,}",
                f"{record['documents']:,}",
                f"{sum(record['damaged'].values()) + quarantined:,}",
                f"{last[source]['documents_kept']:,}",
                f"{last[source]['bytes_kept'] / 1e6:.2f}",
                f"{entry['tokens_available']:,}",
                f"{entry['share'] / 10_000:.2f} %",
                f"{100 * shards['tokens_by_source'].get(source, 0) / total:.2f} %",
                f"{entry['passes'] / 1000:.2f}",
            ]
        )
    return rows


def drops_of(run: Path) -> list[list[str]]:
    """Documents dropped by step and source."""
    ledger = json.loads((run / "ledger.json").read_text())
    rows = []
    for step in ledger["steps"]:
        for source, account in step["sources"].items():
            for rule, found in account["dropped"].items():
                rows.append([f"{step['step']}.{rule}", source, f"{found['documents']:,}"])
    return rows


def table(names: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(cells) + " |" for cells in (names, ["---"] * len(names), *rows)]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    named = os.environ.get("CORPUSFORGE_DATA")
    parser.add_argument(
        "--data", type=Path, default=Path(named) if named else Path(__file__).parents[2] / "shared" / "data"
    )
    parser.add_argument("--workers", default="2")
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    environment = prepare(given.folder, given.data)
    run = given.folder / "run"
    settings = {**SETTINGS, "decontaminate.against": str(given.data / "eval")}
    words = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    words += ["--output", str(run), "--workers", given.workers]
    command(environment, "run", "llama_mixture", *inputs(given.data), *words)
    names = ["source", "records", "documents", "lost", "kept", "MB", "tokens", "asked", "reached", "passes"]
    timings = json.loads((run / "timings.json").read_text())
    cpu = sum(stage["seconds_cpu"] for stage in timings["stages"])
    text = table(names, rows_of(run)) + "\n" + table(["rule", "source", "documents"], drops_of(run))
    text += f"\n{cpu:.0f} CPU seconds in all tasks, {timings['wall_seconds']:.0f} s by the clock.\n"
    print(text)
    if given.output is not None:
        given.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
