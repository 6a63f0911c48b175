#!/usr/bin/env bash
# Speed of the trainer on the GPU of this machine: tokens/s and FLOPs utilization of four sizes at sequence 2048.
# Each call takes minutes (compilation included), never ten; the table comes last. OUTPUT takes the JSON lines.
#
#   benchmarks/gpu.sh [OUTPUT]          default: benchmarks/results/gpu-speed.jsonl
#   SIZES="13m 27m" STEPS=50 benchmarks/gpu.sh
set -euo pipefail
cd "$(dirname "$0")/.."

OUTPUT="${1:-benchmarks/results/gpu-speed.jsonl}"
FORGE="${FORGE:-.venv/bin/corpusforge}"
SIZES="${SIZES:-13m 27m 124m 350m}"
STEPS="${STEPS:-40}"
DEVICE="${DEVICE:-cuda}"
CONTEXT="${CONTEXT:-2048}"
BATCH_TOKENS="${BATCH_TOKENS:-262144}"
LIMIT="${LIMIT:-540}"

mkdir -p "$(dirname "$OUTPUT")"
: > "$OUTPUT.part"
for size in $SIZES; do
  echo "profile $size" >&2
  timeout "$LIMIT" "$FORGE" train profile --sizes "$size" --context "$CONTEXT" --steps "$STEPS" \
    --batch-tokens "$BATCH_TOKENS" --device "$DEVICE" --json >> "$OUTPUT.part"
done
mv "$OUTPUT.part" "$OUTPUT"

"$(dirname "$FORGE")/python" - "$OUTPUT" <<'PYTHON'
import json
import sys

with open(sys.argv[1]) as file:
    rows = [json.loads(line) for line in file]
print(f"{rows[0]['device']}, torch {rows[0]['torch']}, sequence {rows[0]['context']}, "
      f"{rows[0]['batch_tokens']:,} tokens per step; MFU counts 6N + 12LdT per token (PaLM)")
print(f"{'size':>6} {'parameters':>12} {'tokens/s':>12} {'TFLOP/s':>8} {'MFU':>7} {'measured':>9} {'waiting':>8} {'GiB':>6}")


def share(value):
    return "" if value is None else f"{value:.2%}"


for row in rows:
    memory = "" if row["peak_memory"] is None else f"{row['peak_memory'] / 2**30:.1f}"
    print(f"{row['size']:>6} {row['parameters']:>12,} {row['tokens_per_second']:>12,.0f} "
          f"{row['flops_per_second'] / 1e12:>8.3g} {share(row['mfu']):>7} {share(row['mfu_measured']):>9} "
          f"{share(row['waiting']):>8} {memory:>6}")
PYTHON
