"""The recipe of LLaMA's mixture on a sample of its seven sources: who survives, what is limited to whom, the shares."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from runs import run_cli

from corpusforge import recipe as recipes
from corpusforge.errors import UsageError
from corpusforge.listing import list_shards
from corpusforge.mix.loader import PackedRows
from corpusforge.report.show_batch_command import rows_of_step
from corpusforge.sample.command import write_sample

pytestmark = pytest.mark.slow

SOURCES = ("commoncrawl", "c4", "github", "wikipedia", "books", "arxiv", "stackexchange")


@pytest.fixture(scope="module")
def finished(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A run on a small sample with a small language model; gives the run directory and what was printed."""
    pytest.importorskip("presidio_analyzer")
    pytest.importorskip("mwparserfromhell")
    folder = tmp_path_factory.mktemp("llama")
    sample, models = folder / "sample", folder / "models"
    write_sample(sample, seed=1, pages=40, files=1)
    models.mkdir()
    shutil.copy(shared_data / "models" / "lid.176.ftz", models)
    text = (sample / "text" / "en.txt").read_text(encoding="utf-8")[:80_000]
    (folder / "en.txt").write_text(text, encoding="utf-8")
    environment = {**os.environ, "CORPUSFORGE_MODELS": str(models)}
    command = [sys.executable, "-m", "corpusforge.cli"]
    training = ["models", "train-lm", "--text", str(folder / "en.txt"), "--language", "en", "--install"]
    done = run_cli([*command, *training, "--vocabulary-size", "1000"], env=environment)
    assert done.returncode == 0, done.stderr
    inputs = [f"{name}={sample / ('warc' if name == 'commoncrawl' else name)}" for name in SOURCES]
    line = [word for given in inputs for word in ("--input", given)]
    settings = {
        "partitions": "2",
        "perplexity.middle_percentile": "85",
        "decontaminate.against": str(sample / "eval"),
        "tokenize.vocabulary_size": "1000",
        "pack.sequence_length": "128",
    }
    line += [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    output = folder / "run"
    done = run_cli(
        [*command, "run", "llama_mixture", *line, "--output", str(output), "--workers", "2"], env=environment
    )
    assert done.returncode == 0, done.stderr
    return output, done.stdout


def rows(run: Path, folder: str) -> list[dict[str, Any]]:
    return list(pq.read_table(run / folder).to_pylist())


def test_the_books_close_and_every_source_gives_documents(finished):
    run, _ = finished
    ledger = json.loads((run / "ledger.json").read_text())
    assert ledger["closed"]
    assert set(ledger["records"]) == set(SOURCES)
    assert set(Counter(row["source"] for row in rows(run, "documents"))) == set(SOURCES)


def test_wikipedias_copy_survives_that_of_the_web(finished):
    run, _ = finished
    kept = {row["id"]: row["source"] for row in rows(run, "documents")}
    lost = [row for row in rows(run, "dropped") if row["duplicate_of"] is not None]
    pairs = Counter((row["source"], kept.get(row["duplicate_of"])) for row in lost)
    assert pairs["c4", "wikipedia"] >= 5
    assert pairs["commoncrawl", "wikipedia"] >= 1
    assert not any(row["source"] == "wikipedia" for row in lost)
    assert pairs["books", "books"] == 1, "the second edition of a book"
    assert pairs["github", "github"] == 3, "the same file in four archives, one of them cut"


def test_cleaning_is_that_of_the_source(finished):
    run, _ = finished
    everything = [*rows(run, "documents"), *rows(run, "dropped")]
    for signal, sources in {
        "perplexity.log10_perplexity": {"commoncrawl"},
        "line_dedup.removed_units": {"commoncrawl"},
        "c4.sentences": {"c4"},
        "code_quality.mean_line_length": {"github"},
        "language.score": {"commoncrawl", "c4"},
        "tokenize.tokens": set(SOURCES),
    }.items():
        assert {row["source"] for row in everything if row[signal] is not None} == sources, signal
    licenses = {row["license"] for row in everything if row["source"] == "github"}
    assert licenses == {"MIT"}


def test_the_mixture_says_what_ended_it(finished):
    run, printed = finished
    manifest = json.loads((run / "shards" / "manifest.json").read_text())
    mixture = manifest["mixture"]
    assert set(mixture["sources"]) == set(SOURCES)
    assert sum(entry["share"] for entry in mixture["sources"].values()) == 1_000_000
    assert mixture["ends_with"] == "commoncrawl"
    assert "commoncrawl ran out" in printed
    tokens = manifest["tokens_by_source"]
    assert abs(tokens["commoncrawl"] / sum(tokens.values()) - 0.67) < 0.02
    assert sum(entry["rows"] for entry in mixture["sources"].values()) == manifest["rows"]


def test_rows_of_all_sources_are_followed_back(finished):
    run, _ = finished
    reader = PackedRows([path.parent for path in sorted((run / "shards" / "packed").glob("*/index.json"))])
    sources: set[str] = set()
    for entry in rows_of_step(run, 0, len(reader), 0):
        row = reader.row(entry["row"])
        assert {segment["source"] for segment in entry["segments"]} == {row.columns["source"]}
        assert [segment["first"] for segment in entry["segments"]] == row.boundaries[:-1].tolist()
        assert all(segment["start"] is not None for segment in entry["segments"])
        sources.add(row.columns["source"])
    assert sources == set(SOURCES)


def test_sources_without_input_are_named_all_at_once():
    with pytest.raises(UsageError) as caught:
        list_shards(recipes.load("llama_mixture"), {"c4": ["somewhere"]})
    words = str(caught.value)
    assert all(f"--input {name}=PATH_OR_GLOB" in words for name in SOURCES if name != "c4")
    assert "--input c4=" not in words
