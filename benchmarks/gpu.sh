#!/usr/bin/env bash
# What a GPU is needed for: speed of the trainer at sequence 2048, the standard benchmark (2 corpora, 3 seeds), and the
# known-answer ladder. Every call ends within LIMIT seconds and goes on where the one before stopped.
#
#   benchmarks/gpu.sh speed|bench|ladder [OUTPUT]    one part; exit status 75: not finished, call it again
#   benchmarks/gpu.sh table [OUTPUT]                 what is there
#   benchmarks/gpu.sh [all] [OUTPUT]                 all of it, in as many calls as it takes, the table last
#
# CLEAN, NOISY and PANEL name corpora and held-out texts; by default `benchmarks/corpora.py` makes them of the test data.
# Those hold 6 million tokens, so TOKENS is 20 million: more than about 4 passes says little (the verdict notes it).
# A trial without a GPU:
#   DEVICE=cpu SIZES=1m STEPS=6 CONTEXT=64 VOCABULARY=512 BATCH_TOKENS=256 SIZE=1m TOKENS=20k LADDER_TOKENS=4k \
#     benchmarks/gpu.sh all /tmp/trial
set -euo pipefail
cd "$(dirname "$0")/.."

part="${1:-all}"
OUTPUT="${2:-benchmarks/results/gpu}"
FORGE="${FORGE:-.venv/bin/corpusforge}"
PYTHON="${PYTHON:-$(dirname "$FORGE")/python}"
DEVICE="${DEVICE:-cuda}"
LIMIT="${LIMIT:-540}"
SIZES="${SIZES:-13m 27m 124m 350m}"
STEPS="${STEPS:-40}"
CONTEXT="${CONTEXT:-2048}"
VOCABULARY="${VOCABULARY:-32768}"
BATCH_TOKENS="${BATCH_TOKENS:-262144}"
SIZE="${SIZE:-27m}"
TOKENS="${TOKENS:-20m}"
LADDER_TOKENS="${LADDER_TOKENS:-5m}"
SEEDS="${SEEDS:-3}"
AGAIN=75

# A call within what is left of LIMIT; out of time is AGAIN.
limited() {
  local left=$((LIMIT - SECONDS + begun)) status=0
  [ "$left" -gt 0 ] || return "$AGAIN"
  timeout "$left" "$@" || status=$?
  [ "$status" -eq 124 ] && status=$AGAIN
  return "$status"
}

corpora() {
  CLEAN="${CLEAN:-$OUTPUT/corpora/clean}"
  NOISY="${NOISY:-$OUTPUT/corpora/noisy}"
  PANEL="${PANEL:-$OUTPUT/corpora/panel.jsonl}"
  if [ ! -e "$PANEL" ]; then
    limited "$PYTHON" benchmarks/corpora.py "$OUTPUT/corpora" >&2
  fi
}

speed() {
  mkdir -p "$OUTPUT/speed"
  for size in $SIZES; do
    if [ ! -s "$OUTPUT/speed/$size.json" ]; then
      echo "profile $size" >&2
      limited "$FORGE" train profile --sizes "$size" --context "$CONTEXT" --vocabulary-size "$VOCABULARY" \
        --steps "$STEPS" --batch-tokens "$BATCH_TOKENS" --device "$DEVICE" --json > "$OUTPUT/speed/$size.part" ||
        return $?
      mv "$OUTPUT/speed/$size.part" "$OUTPUT/speed/$size.json"
    fi
  done
}

bench() {
  corpora || return $?
  limited "$FORGE" bench "$CLEAN" "$NOISY" --panel "$PANEL" --size "$SIZE" --tokens "$TOKENS" --seeds "$SEEDS" \
    --device "$DEVICE" --output "$OUTPUT/bench" >&2
}

ladder() {
  corpora || return $?
  local status=0
  limited "$FORGE" bench "$CLEAN" --guard ladder --panel "$PANEL" --size "$SIZE" --tokens "$LADDER_TOKENS" \
    --device "$DEVICE" --output "$OUTPUT/ladder" >&2 || status=$?
  # A guard that fails has a result, too.
  [ "$status" -eq 1 ] && [ -s "$OUTPUT/ladder/guard-ladder.json" ] && status=0
  return "$status"
}

table() {
  "$PYTHON" benchmarks/gpu_table.py "$OUTPUT"
}

case "$part" in
  speed | bench | ladder)
    begun=$SECONDS
    "$part"
    ;;
  table) table ;;
  all)
    for name in speed bench ladder; do
      status=$AGAIN
      for _ in $(seq 20); do
        status=0
        "$0" "$name" "$OUTPUT" || status=$?
        [ "$status" -eq "$AGAIN" ] || break
      done
      [ "$status" -eq 0 ] || exit "$status"
    done
    table
    ;;
  *)
    echo "usage: benchmarks/gpu.sh [speed|bench|ladder|table|all] [OUTPUT]" >&2
    exit 2
    ;;
esac
