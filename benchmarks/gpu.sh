#!/usr/bin/env bash
# What a GPU is needed for: speed of the trainer at sequence 2048, the standard benchmark (2 corpora, 3 seeds), and the
# known-answer ladder. Every call ends within LIMIT seconds, prints the table of what is there last, and goes on where
# the one before stopped.
#
#   benchmarks/gpu.sh prepare [OUTPUT]               corpora, panel and tokenizer; needs no GPU, and takes minutes
#   benchmarks/gpu.sh next [OUTPUT]                  as much as LIMIT allows; exit status 75: not all, call it again
#   benchmarks/gpu.sh speed|bench|ladder [OUTPUT]    the same for one part
#   benchmarks/gpu.sh table [OUTPUT]                 what is there
#   benchmarks/gpu.sh [all] [OUTPUT]                 all of it, in as many calls as it takes
#
# On a machine without a network: `prepare` where the data are, carry the checkout with OUTPUT (17 MB) there, and call
# `next` until its status is 0. Nothing needs to be installed where python3 (or PYTHON) has torch, numpy, pyarrow, numba,
# SentencePiece and MarkupSafe; `speed` needs the first two only. OUTPUT/results.tar.gz holds all that is worth keeping,
# finished runs included: put into a fresh OUTPUT it is gone on with.
#
# CLEAN, NOISY, PANEL and TOKENIZER name other corpora (.jsonl.gz), held-out texts and pieces; by default they are made of
# the test data (benchmarks/corpora.py; CORPUSFORGE_DATA). Those hold 6 million tokens each, so TOKENS is 20 million: more
# than about 4 passes says little (the verdict notes it).
# A trial without a GPU:
#   DEVICE=cpu SIZES=1m STEPS=6 CONTEXT=64 VOCABULARY=512 BATCH_TOKENS=256 SIZE=1m TOKENS=20k LADDER_TOKENS=4k \
#     benchmarks/gpu.sh all runs/trial
set -euo pipefail
cd "$(dirname "$0")/.."

part="${1:-all}"
OUTPUT="${2:-runs/gpu}"
if [ -z "${PYTHON:-}" ]; then
  PYTHON=.venv/bin/python
  [ -x "$PYTHON" ] || PYTHON=python3
fi
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
CLEAN="${CLEAN:-$OUTPUT/corpora/clean}"
NOISY="${NOISY:-$OUTPUT/corpora/noisy}"
PANEL="${PANEL:-$OUTPUT/corpora/panel.jsonl}"
TOKENIZER="${TOKENIZER:-$OUTPUT/corpora/tokenizer-$SIZE.model}"
AGAIN=75
RESULTS=(speed bench/result.json bench/report.html bench/runs ladder)
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1

begun=$SECONDS

# A command within what is left of LIMIT; out of time is AGAIN.
limited() {
  local left=$((LIMIT - SECONDS + begun)) status=0
  [ "$left" -gt 0 ] || return "$AGAIN"
  timeout "$left" "$@" || status=$?
  [ "$status" -eq 124 ] && status=$AGAIN
  return "$status"
}

run_part() {
  limited "$PYTHON" benchmarks/gpu_part.py "$@" --device "$DEVICE"
}

prepare() {
  if [ ! -e "$PANEL" ]; then
    "$PYTHON" benchmarks/corpora.py "$OUTPUT/corpora" --gzip >&2 || return $?
  fi
  if [ ! -e "$TOKENIZER" ]; then
    echo "training a tokenizer for $SIZE" >&2
    "$PYTHON" benchmarks/gpu_part.py tokenizer "$CLEAN" "$NOISY" --size "$SIZE" --output "$TOKENIZER.part" || return $?
    mv "$TOKENIZER.part" "$TOKENIZER"
  fi
}

speed() {
  mkdir -p "$OUTPUT/speed"
  for size in $SIZES; do
    if [ ! -s "$OUTPUT/speed/$size.json" ]; then
      echo "speed of $size" >&2
      run_part speed --size "$size" --context "$CONTEXT" --vocabulary "$VOCABULARY" --steps "$STEPS" \
        --batch-tokens "$BATCH_TOKENS" > "$OUTPUT/speed/$size.part" || return $?
      mv "$OUTPUT/speed/$size.part" "$OUTPUT/speed/$size.json"
    fi
  done
}

bench() {
  [ -s "$OUTPUT/bench/result.json" ] && return 0
  prepare || return $?
  run_part bench "$CLEAN" "$NOISY" --panel "$PANEL" --tokenizer "$TOKENIZER" --size "$SIZE" --tokens "$TOKENS" \
    --seeds "$SEEDS" --output "$OUTPUT/bench" >&2
}

ladder() {
  [ -s "$OUTPUT/ladder/guard-ladder.json" ] && return 0
  prepare || return $?
  mkdir -p "$OUTPUT/ladder"
  run_part ladder "$CLEAN" --panel "$PANEL" --tokenizer "$TOKENIZER" --size "$SIZE" --tokens "$LADDER_TOKENS" \
    --output "$OUTPUT/ladder" >&2
}

next() {
  speed && bench && ladder
}

table() {
  "$PYTHON" benchmarks/gpu_table.py "$OUTPUT"
}

# What was brought back from another machine.
unpack() {
  if [ -e "$OUTPUT/results.tar.gz" ] && [ ! -e "$OUTPUT/speed" ]; then
    tar -xzf "$OUTPUT/results.tar.gz" -C "$OUTPUT"
  fi
}

bundle() {
  local there=() name
  for name in "${RESULTS[@]}"; do
    [ ! -e "$OUTPUT/$name" ] || there+=("$name")
  done
  [ "${#there[@]}" -eq 0 ] || tar -czf "$OUTPUT/results.tar.gz" -C "$OUTPUT" "${there[@]}"
}

case "$part" in
  prepare) prepare ;;
  next | speed | bench | ladder)
    unpack
    status=0
    "$part" || status=$?
    bundle
    table
    exit "$status"
    ;;
  table) table ;;
  all)
    for _ in $(seq 60); do
      status=0
      "$0" next "$OUTPUT" || status=$?
      [ "$status" -eq "$AGAIN" ] || exit "$status"
    done
    exit "$AGAIN"
    ;;
  *)
    echo "usage: benchmarks/gpu.sh [prepare|next|speed|bench|ladder|table|all] [OUTPUT]" >&2
    exit 2
    ;;
esac
