"""Small real runs for tests: input, recipes, and the comparison of two run directories."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

COMPARED = (
    *("documents", "dropped", "quarantine", "shards"),
    *("ledger.json", "manifest.json", "report.json", "recipe.yaml"),
)
"""What must be byte-identical, however a run went."""

CORE_RECIPE = """\
name: core
shard_bytes: 150000
batch_documents: 32
partitions: 4
error_budget: 0.5
sources:
  commoncrawl: {}
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
"""All kinds of operation, with nothing that needs an extra or a model file."""


def digests(run: Path) -> dict[str, str]:
    """Hash of every compared file below a run directory."""
    found: dict[str, str] = {}
    for name in COMPARED:
        path = run / name
        files = [path] if path.is_file() else sorted(item for item in path.rglob("*") if item.is_file())
        for file in files:
            found[file.relative_to(run).as_posix()] = hashlib.sha256(file.read_bytes()).hexdigest()
    return found


def command(recipe: Path, pattern: str, output: Path, *more: str) -> list[str]:
    """The command line of a run."""
    return [
        sys.executable,
        "-m",
        "corpusforge.cli",
        "run",
        str(recipe),
        "--input",
        f"commoncrawl={pattern}",
        "--output",
        str(output),
        *more,
    ]


def run_cli(arguments: list[str], **settings: object) -> subprocess.CompletedProcess[str]:
    """Run to the end and give the completed process."""
    return subprocess.run(arguments, capture_output=True, text=True, timeout=300, check=False, **settings)  # type: ignore[call-overload, no-any-return]


def kill_group_when(arguments: list[str], reached: object, timeout: float = 120.0) -> bool:
    """Start a run in its own process group and `kill -9` the whole group once `reached()` is true.

    Gives whether it was killed in mid-run (False: it was over before).
    """
    process = subprocess.Popen(
        arguments, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + timeout
    while process.poll() is None and time.monotonic() < deadline:
        if reached():  # type: ignore[operator]
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return True
        time.sleep(0.002)
    process.wait()
    return False
