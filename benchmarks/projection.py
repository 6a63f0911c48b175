"""How well `corpusforge plan` foretells a run ten times the size of its probe: projected against spent.

    python benchmarks/projection.py [--pages 8000] [--files 40] [--texts FILE.jsonl.zst] [--megabytes 40]

Two inputs, each in equal files that are a shard each: generated web pages through the recipe of the tests, and real
texts (a file of JSON lines with `text`, cut to `--megabytes`) through deduplication, tokenization and packing. The
whole input is run once with one worker, then probed with a tenth of its shards, a twentieth, and one. Times are CPU
seconds summed over tasks; wall times are shown too and mean little on a machine that does other work. Nothing of the
whole run is seen by a probe.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import zstandard

from corpusforge.projection.probe import MemoryWatch, Probe, read_probe, run_probe
from corpusforge.projection.project import Prices, Projection, project
from corpusforge.recipe import Recipe, load_text
from corpusforge.sample.command import write_sample

PAGES_RECIPE = """\
name: pages
shard_bytes: 1000
partitions: 4
error_budget: 0.5
sources: {commoncrawl: {}}
steps:
  - url_filter
  - extract
  - gopher_repetition
  - gopher_quality: {min_stop_words: null}
  - c4
  - fineweb
  - exact_dedup
  - minhash_dedup
  - line_dedup
  - tokenize: {vocabulary_size: 600, sample_bytes: 200000}
  - pack: {sequence_length: 128}
  - mix
"""

TEXTS_RECIPE = """\
name: texts
shard_bytes: 1000
partitions: 4
error_budget: 0.5
sources: {c4: {}}
steps:
  - extract
  - gopher_repetition
  - gopher_quality
  - exact_dedup
  - minhash_dedup
  - tokenize: {vocabulary_size: 4000, sample_bytes: 1000000}
  - pack: {sequence_length: 512}
  - mix
"""

HERE = Prices(
    currency="none",
    example=True,
    source="",
    date="",
    vcpu_hour=0.0,
    memory_gib_hour=0.0,
    storage_gib_month=0.0,
)
"""This machine: no engine's overhead, cores as fast as they are."""


@dataclass(frozen=True)
class Case:
    """A recipe and its input in equal files."""

    name: str
    recipe: Recipe
    inputs: dict[str, list[str]]
    files: int


def pages_case(folder: Path, pages: int, files: int) -> Case:
    write_sample(folder / "sample", seed=3, pages=pages, files=files)
    inputs = {"commoncrawl": [f"{folder}/sample/warc/*.warc.gz"]}
    return Case("generated pages", load_text(PAGES_RECIPE, "pages.yaml"), inputs, files)


def texts_case(folder: Path, path: Path, size: int, files: int) -> Case:
    """Real texts in files of about equal bytes, in the order of the file."""
    target = folder / "texts"
    target.mkdir()
    documents = _documents(path)
    for number in range(files):
        held = 0
        with (target / f"texts-{number:03d}.json").open("w", encoding="utf-8") as out:
            while held < size // files:
                text = next(documents, None)
                if text is None:
                    raise SystemExit(f"{path} holds less than {size:,} bytes of text: give fewer --megabytes")
                out.write(json.dumps({"text": text, "url": f"https://example.org/{number}/{held}"}) + "\n")
                held += len(text.encode())
    return Case("real texts", load_text(TEXTS_RECIPE, "texts.yaml"), {"c4": [f"{target}/*.json"]}, files)


def _documents(path: Path) -> Iterator[str]:
    with path.open("rb") as raw:
        for line in io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(raw), encoding="utf-8"):
            yield json.loads(line)["text"]


def run_whole(case: Case, folder: Path) -> Probe:
    """The whole input with one worker, as what `read_probe` reads of it."""
    begun = time.monotonic()
    with MemoryWatch() as memory:
        case.recipe.run(case.inputs, folder, workers=1)
    wall = time.monotonic() - begun
    whole = read_probe(folder, 0, case.files, memory.peak, wall)
    assert len(whole.shard_bytes) == case.files, "a file was not a shard"
    return whole


def cpu(probe: Probe) -> float:
    return sum(sum(stage.seconds_cpu) for stage in probe.stages)


def show(case: Case, whole: Probe, probe: Probe, found: Projection) -> None:
    """A row for each projected quantity: projected, measured, error."""
    share = len(probe.shard_bytes) / case.files
    print(
        f"\nprobe of {len(probe.shard_bytes)} of {case.files} shards ({share:.1%}), {cpu(probe):.1f} CPU seconds\n"
    )
    print("| what | projected | measured | error |\n|---|---|---|---|")
    rows = [
        ("CPU seconds", found.core_seconds, cpu(whole)),
        ("wall seconds", found.wall_seconds, whole.wall_seconds),
    ]
    rows += [("MB through exchanges", found.exchanged_bytes / 1e6, sum(whole.exchanges.values()) / 1e6)]
    stored = whole.stored_bytes
    rows += [
        (f"MB in {name}/", found.stored_bytes[name] / 1e6, stored[name] / 1e6)
        for name in stored
        if stored[name]
    ]
    if whole.peak_memory is not None and found.memory_per_process is not None:
        rows.append(("MB of memory, a process", found.memory_per_process / 1e6, whole.peak_memory / 1e6))
    for name, projected, measured in rows:
        print(f"| {name} | {projected:.1f} | {measured:.1f} | {projected / measured - 1:+.0%} |")
    if found.interval is None:
        print("\nno interval: too few shards")
    else:
        inside = "holds" if found.interval[0] <= cpu(whole) <= found.interval[1] else "misses"
        print(
            f"\n90 % interval {found.interval[0]:.1f} to {found.interval[1]:.1f} s: it {inside} the measured time"
        )


def measure(case: Case, folder: Path) -> None:
    whole = run_whole(case, folder / "whole")
    size = whole.input_bytes
    print(
        f"\n## {case.name}: {case.files} shards, {size / 1e6:.1f} MB stored, {whole.text_bytes / 1e6:.1f} MB of text"
    )
    for shards in dict.fromkeys((case.files // 10, case.files // 20, 1)):
        probe = run_probe(case.recipe, case.inputs, shards, folder / f"probe-{shards}")
        show(case, whole, probe, project(probe, case.recipe, size, 1, HERE))
    parts = itertools.islice(sorted(((sum(s.seconds_cpu), s.name) for s in whole.stages), reverse=True), 5)
    print(
        "\nlongest stages of the whole run: "
        + ", ".join(f"{name} {seconds:.1f} s" for seconds, name in parts)
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pages", type=int, default=8000)
    parser.add_argument("--files", type=int, default=40)
    parser.add_argument("--texts", type=Path, help="JSON lines with `text`, zstd")
    parser.add_argument("--megabytes", type=float, default=40)
    parser.add_argument("--folder", type=Path, help="keep everything here")
    given = parser.parse_args()
    print(f"load average at the beginning: {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(prefix="corpusforge-projection-") as name:
        folder = given.folder or Path(name)
        (folder / "pages").mkdir(parents=True)
        measure(pages_case(folder / "pages", given.pages, given.files), folder / "pages")
        if given.texts is not None:
            (folder / "texts").mkdir()
            case = texts_case(folder / "texts", given.texts, round(given.megabytes * 1e6), given.files)
            measure(case, folder / "texts")
    print(f"\nload average at the end: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
