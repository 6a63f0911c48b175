"""Near-duplicates end to end, against other projects: JSON lines in, the documents that stay out, in CPU seconds.

    python benchmarks/dedup.py [--data FOLDER] [--megabytes 4] [--rounds 1] [--whole]
        [--datatrove PYTHON] [--text-dedup PYTHON] [--sketch PYTHON] [--output FILE]

The corpus is FOLDER/bench/corpus.jsonl.zst (CORPUSFORGE_DATA, or ../shared/data beside the checkout), which holds 800
planted copies with 0, 1, 3 and 6 % of their words replaced. All tools get the same part of it, chosen by a hash of the
id of the original, so that a copy goes where its original goes; with --whole, ours runs on all of it too. Each peer
needs an environment of its own, named by its Python (lock files: benchmarks/peers/*.lock); one that is not named is
left out.

CPU seconds are user and system time of the process and all that it started: imports, reading, deciding, writing. All
run one after the other with one worker. A pair counts as found when not both of its documents stay. Python may use
compiled modules, as installers leave them; ours are compiled before, and kernels by a run that does not count.

Besides, without any files: MinHash signatures from text (words, 5-grams, 112 permutations, bands), in MB/s.
"""

from __future__ import annotations

import argparse
import compileall
import contextlib
import ctypes
import datetime
import gzip
import hashlib
import io
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import zstandard

import corpusforge

PLANTED = {"dup00:": "0 %", "dup01:": "1 %", "dup03:": "3 %", "dup06:": "6 %"}
PEERS = Path(__file__).parent / "peers"
RECIPE = """
name: near_duplicates
description: MinHash deduplication alone
sources: {c4: {}}
steps: [extract, minhash_dedup]
"""


def corpus(data: Path) -> list[dict[str, str]]:
    """All documents of the benchmark corpus."""
    with (data / "bench" / "corpus.jsonl.zst").open("rb") as file:
        lines = io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(file), encoding="utf-8")
        return [json.loads(line) for line in lines]


def original_of(identifier: str) -> str:
    """Id of the document that this one is a copy of, or its own."""
    return identifier[6:] if identifier[:6] in PLANTED else identifier


def text_bytes(documents: list[dict[str, str]]) -> int:
    """Bytes of all texts."""
    return sum(len(document["text"].encode()) for document in documents)


def part_of(documents: list[dict[str, str]], size: int) -> list[dict[str, str]]:
    """Documents of about `size` bytes of text, chosen by a hash of their originals' ids, in the corpus's order."""
    share = size / text_bytes(documents)

    def chosen(document: dict[str, str]) -> bool:
        digest = hashlib.blake2b(original_of(document["id"]).encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") < share * 2**64

    return [document for document in documents if chosen(document)]


def pairs_found(documents: list[dict[str, str]], kept: set[str]) -> dict[str, str]:
    """Planted pairs found of those that are there, by share of words replaced."""
    present = {document["id"] for document in documents}
    found = {}
    for prefix, name in PLANTED.items():
        pairs = [(one, one[6:]) for one in present if one.startswith(prefix) and one[6:] in present]
        found[name] = f"{sum(not (one in kept and two in kept) for one, two in pairs)}/{len(pairs)}"
    return found


def json_ids(lines: Iterator[str]) -> set[str]:
    """Ids of JSON lines."""
    return {json.loads(line)["id"] for line in lines}


class Tools:
    """How each tool is run on a file, and what it kept."""

    def __init__(self, pythons: dict[str, str | None], folder: Path) -> None:
        self.pythons, self.folder = pythons, folder
        (folder / "recipe.yaml").write_text(RECIPE)

    def commands(self) -> dict[str, Callable[[Path, Path], tuple[list[str], Callable[[], set[str]]]]]:
        """Name to a function of (input, folder for output) that gives the command and how to read what stayed."""
        found: dict[str, Any] = {"corpusforge": self._ours}
        if self.pythons["datatrove"]:
            found["datatrove"] = self._datatrove
        if self.pythons["text_dedup"]:
            found["text-dedup"] = self._text_dedup
        if self.pythons["sketch"]:
            found["rensa"] = lambda source, target: self._sketch("rensa", source, target)
            found["datasketch"] = lambda source, target: self._sketch("datasketch", source, target)
        return found

    def _ours(self, source: Path, target: Path) -> tuple[list[str], Callable[[], set[str]]]:
        command = [sys.executable, "-m", "corpusforge.cli", "run", str(self.folder / "recipe.yaml")]
        command += ["--input", f"c4={source}", "--output", str(target), "--workers", "1"]

        def kept() -> set[str]:
            lines = source.read_text(encoding="utf-8").split("\n")
            found = set()
            for path in sorted((target / "documents").glob("*.parquet")):
                for locator in pq.read_table(path, columns=["locator"]).column("locator").to_pylist():
                    found.add(json.loads(lines[int(locator.rpartition("#")[2])])["id"])
            return found

        return command, kept

    def _datatrove(self, source: Path, target: Path) -> tuple[list[str], Callable[[], set[str]]]:
        command = [
            str(self.pythons["datatrove"]),
            str(PEERS / "dedup_datatrove.py"),
            str(source),
            str(target),
        ]

        def kept() -> set[str]:
            found: set[str] = set()
            for path in (target / "kept").glob("*.jsonl.gz"):
                with gzip.open(path, "rt", encoding="utf-8") as lines:
                    found |= json_ids(lines)
            return found

        return command, kept

    def _text_dedup(self, source: Path, target: Path) -> tuple[list[str], Callable[[], set[str]]]:
        command = [str(self.pythons["text_dedup"]), "-m", "text_dedup.minhash", "--path", "json"]
        command += ["--data_files", str(source), "--split", "train", "--cache_dir", str(target / "cache")]
        command += [
            "--output",
            str(target / "kept"),
            "--column",
            "text",
            "--num_proc",
            "1",
            "--num_perm",
            "112",
        ]
        command += ["--b", "14", "--r", "8", "--ngram", "5", "--hash_func", "xxh3", "--min_length", "1"]
        read = (
            "import datasets, json, sys; print(json.dumps(list(datasets.load_from_disk(sys.argv[1])['id'])))"
        )

        def kept() -> set[str]:
            reading = [str(self.pythons["text_dedup"]), "-c", read, str(target / "kept")]
            return set(json.loads(subprocess.run(reading, check=True, capture_output=True).stdout))

        return command, kept

    def _sketch(self, library: str, source: Path, target: Path) -> tuple[list[str], Callable[[], set[str]]]:
        command = [str(self.pythons["sketch"]), str(PEERS / "dedup_sketch.py"), library, str(source)]

        def kept() -> set[str]:
            with (target / "kept.jsonl").open(encoding="utf-8") as lines:
                return json_ids(lines)

        return [*command, str(target / "kept.jsonl")], kept


def cpu_seconds(command: list[str], environment: dict[str, str]) -> float:
    """User and system seconds of a command and all that it started and waited for."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, env=environment)
    if done.returncode:
        raise SystemExit(f"{' '.join(command[:4])} failed: {done.stderr.decode(errors='replace')[-2000:]}")
    # What the command left behind (a server that forks workers) is ours to wait for: see `adopt_orphans`.
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def adopt_orphans() -> None:
    """Make this process the parent of all orphans below it, so that their CPU time is counted here (Linux)."""
    set_child_subreaper = 36
    if ctypes.CDLL(None, use_errno=True).prctl(set_child_subreaper, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def calibration() -> float:
    """Milliseconds of CPU that a fixed loop takes: how busy the machine is."""
    before = time.process_time()
    total = 0
    for number in range(300_000):
        total += number * number
    return 1000 * (time.process_time() - before)


def measure(
    tools: Tools, documents: list[dict[str, str]], names: list[str], rounds: int
) -> list[dict[str, Any]]:
    """One row per tool: median CPU seconds over rounds in which the tools take turns, MB/s, what it found."""
    size = text_bytes(documents)
    environment = {
        **os.environ,
        "HF_HOME": str(tools.folder / "hf"),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
    }
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    loops: dict[str, list[float]] = {name: [] for name in names}
    rows: dict[str, dict[str, Any]] = {}
    for turn in range(rounds):
        for name in names:
            with tempfile.TemporaryDirectory(dir=tools.folder) as folder:
                source, target = Path(folder) / "in" / "corpus.jsonl", Path(folder) / "out"
                source.parent.mkdir()
                target.mkdir()
                source.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in documents))
                command, kept = tools.commands()[name](source, target)
                loops[name].append(calibration())
                seconds[name].append(cpu_seconds(command, environment))
                if turn == 0:
                    stayed = kept()
                    rows[name] = {"kept": len(stayed), "pairs": pairs_found(documents, stayed)}
    for name in names:
        spent = statistics.median(seconds[name])
        rows[name] = {
            "tool": name,
            "documents": len(documents),
            "megabytes": size / 1e6,
            "cpu_seconds": spent,
            "megabytes_per_second": size / 1e6 / spent,
            "calibration_ms": statistics.median(loops[name]),
            **rows[name],
        }
    return [rows[name] for name in names]


def signatures(documents: list[dict[str, str]], rounds: int) -> dict[str, float]:
    """MB/s of MinHash signatures from text, by part; medians."""
    from corpusforge.dedup.buckets import document_shingles
    from corpusforge.kernels.minhash import band_keys, permutations
    from corpusforge.kernels.minhash import signatures as sign
    from corpusforge.texts import Texts

    batches = [
        Texts.from_strings([document["text"] for document in documents[start : start + 500]])
        for start in range(0, len(documents), 500)
    ]
    size = sum(len(batch.data) for batch in batches) / 1e6
    a, b = permutations(112, "affine64", 1)
    spent: dict[str, list[float]] = {"shingles": [], "signatures": [], "all": []}
    for _ in range(max(3, rounds)):
        total = {"shingles": 0.0, "signatures": 0.0}
        for batch in batches:
            start = time.process_time()
            offsets, shingles = document_shingles(batch, 5)
            middle = time.process_time()
            band_keys(sign(offsets, shingles, a, b), 14, 8)
            total["shingles"] += middle - start
            total["signatures"] += time.process_time() - middle
        for name, seconds in total.items():
            spent[name].append(seconds)
        spent["all"].append(sum(total.values()))
    return {name: size / statistics.median(values) for name, values in spent.items()}


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as Markdown; the ratio is ours over theirs, in MB per CPU second of the same part."""
    ours = {row["documents"]: row["megabytes_per_second"] for row in rows if row["tool"] == "corpusforge"}
    lines = [
        "| tool | documents | MB | CPU s | MB/s | ours is faster by | kept | "
        + " | ".join(PLANTED.values())
        + " | cal ms |"
    ]
    lines.append("|---" * (8 + len(PLANTED)) + "|")
    for row in rows:
        ratio = ours[row["documents"]] / row["megabytes_per_second"]
        found = " | ".join(row["pairs"].values())
        lines.append(
            f"| {row['tool']} | {row['documents']:,} | {row['megabytes']:.1f} | {row['cpu_seconds']:.1f} "
            f"| {row['megabytes_per_second']:.2f} | {ratio:.1f} | {row['kept']:,} | {found} "
            f"| {row['calibration_ms']:.0f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure and print; with --output append to a file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    default = os.environ.get("CORPUSFORGE_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data"
    parser.add_argument("--data", type=Path, default=Path(default))
    parser.add_argument("--megabytes", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--whole", action="store_true", help="run ours on the whole corpus too")
    parser.add_argument("--datatrove")
    parser.add_argument("--text-dedup")
    parser.add_argument("--sketch")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    adopt_orphans()
    documents = corpus(options.data)
    part = part_of(documents, int(options.megabytes * 1e6))
    pythons = {"datatrove": options.datatrove, "text_dedup": options.text_dedup, "sketch": options.sketch}
    compileall.compile_dir(Path(corpusforge.__file__).parent, quiet=1)
    with tempfile.TemporaryDirectory() as folder:
        tools = Tools(pythons, Path(folder))
        measure(tools, part[:100], ["corpusforge"], 1)
        rows = measure(tools, part, list(tools.commands()), options.rounds)
        if options.whole:
            rows += measure(tools, documents, ["corpusforge"], options.rounds)
    speeds = signatures(part, options.rounds)
    text = (
        f"{datetime.date.today()}, {platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}, "
        f"{options.rounds} round(s)\n\n{table(rows)}\n\nSignatures from text, 112 permutations, word 5-grams, MB/s: "
        + ", ".join(f"{name} {value:.0f}" for name, value in speeds.items())
        + "\n"
    )
    print(text)
    if options.output:
        with options.output.open("a", encoding="utf-8") as file:
            file.write(text)


if __name__ == "__main__":
    main()
