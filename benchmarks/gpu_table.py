"""The table of what `benchmarks/gpu.sh` measured.

python benchmarks/gpu_table.py OUTPUT
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def share(value: float | None) -> str:
    return "" if value is None else f"{value:.2%}"


def speed(rows: list[dict[str, Any]]) -> None:
    first = rows[0]
    print(
        f"{first['device']}, torch {first['torch']}, sequence {first['context']}, {first['batch_tokens']:,} tokens per "
        "step; MFU counts 6N + 12LdT per token (PaLM)"
    )
    head = ("size", "parameters", "tokens/s", "TFLOP/s", "MFU", "measured", "waiting", "GiB")
    print("{:>6} {:>12} {:>12} {:>8} {:>7} {:>9} {:>8} {:>6}".format(*head))
    for row in rows:
        memory = "" if row["peak_memory"] is None else f"{row['peak_memory'] / 2**30:.1f}"
        print(
            f"{row['size']:>6} {row['parameters']:>12,} {row['tokens_per_second']:>12,.0f} "
            f"{row['flops_per_second'] / 1e12:>8.3g} {share(row['mfu']):>7} {share(row['mfu_measured']):>9} "
            f"{share(row['waiting']):>8} {memory:>6}"
        )


def bench(result: dict[str, Any]) -> None:
    for found in result["comparisons"]:
        seeds, passages = found["interval_over_seeds"], found["interval_bootstrap"]
        print(
            f"bench {' - '.join(found['pair'])}: {found['difference']:+.4f} bits per byte, over seeds {ends(seeds)}, "
            f"over seeds and passages {ends(passages)}: {found['verdict']}"
        )
        for note in found["notes"]:
            print(f"  {note}")


def ends(interval: list[float | None]) -> str:
    return "[" + ", ".join("none" if one is None else f"{one:+.4f}" for one in interval) + "]"


def main() -> None:
    output = Path(sys.argv[1])
    files = sorted((output / "speed").glob("*.json"))
    rows = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    if rows:
        speed(sorted(rows, key=lambda row: row["parameters"]))
    result = output / "bench" / "result.json"
    if result.is_file():
        bench(json.loads(result.read_bytes()))
    guard = output / "ladder" / "guard-ladder.json"
    if guard.is_file():
        found = json.loads(guard.read_bytes())
        print(f"{found['summary']} ({found['runs']} runs, {found['training_seconds']:,.0f} s of training)")


if __name__ == "__main__":
    main()
