"""Memory is bounded by parameters, not by the input: twenty times the input, the same peak."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import psutil
import pytest
from runs import CORE_RECIPE, command

from corpusforge.sample.command import write_sample


def peak_of(arguments: list[str]) -> dict[str, int]:
    """Run a command; peak resident bytes of its largest process and the processes' number."""
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    watched = psutil.Process(process.pid)
    peak: dict[int, int] = {}
    while process.poll() is None:
        try:
            for item in [watched, *watched.children(recursive=True)]:
                memory = item.memory_info()
                peak[item.pid] = max(peak.get(item.pid, 0), memory.rss - memory.shared)
        except psutil.NoSuchProcess:
            pass
        time.sleep(0.02)
    assert process.returncode == 0, process.communicate()[1]
    return {"largest": max(peak.values()), "processes": len(peak)}


@pytest.mark.slow
def test_twenty_times_the_input_has_the_same_peak(tmp_path: Path):
    """All kinds of operation; exchanges spill, since they may hold only 200 kB before they do."""
    recipe = tmp_path / "recipe.yaml"
    text = CORE_RECIPE.replace("partitions: 4", "partitions: 4\nexchange_memory_bytes: 200000")
    recipe.write_text(text.replace("sample_bytes: 200000", "sample_bytes: 100000"))
    peaks = []
    for factor in (1, 20):
        folder = tmp_path / f"sample{factor}"
        write_sample(folder, seed=3, pages=200 * factor, files=2 * factor)
        peaks.append(peak_of(command(recipe, f"{folder}/warc/*.warc.gz", tmp_path / f"run{factor}")))
    small, large = peaks[0]["largest"], peaks[1]["largest"]
    assert large < 1.25 * small + 20_000_000, f"peak grew from {small / 1e6:.0f} to {large / 1e6:.0f} MB"
