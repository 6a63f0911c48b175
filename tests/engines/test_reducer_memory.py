"""A key with millions of equal members, as boilerplate has: every reducer of the package streams it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from parity import DUPLICATES, INTERRUPTED

ROWS = 1_500_000

LIMIT = 32 << 20
"""Bytes that memory may grow by: collected, the rows of any of these exchanges would take more."""

PROGRAM = """
import json, resource, sys
import numpy as np, pyarrow as pa
from corpusforge import recipe as recipes
from corpusforge.plan import compile_plan
from corpusforge.sources.base import Shard, SourceFile
from corpusforge.step import RunContext
from corpusforge.tasks.reduce import ReduceBody

text, source, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
recipe = recipes.load_text(text, "recipe")
plan = compile_plan(recipe, [Shard(0, source, (SourceFile("x", "x", 1),))])

def batches(spec, rows, step=65536):
    # One key throughout, as a reducer sees it: the other columns of the order ascend.
    for start in range(0, rows, step):
        numbers = np.arange(start, min(rows, start + step))
        columns = []
        for field in spec.schema:
            same = field.name == spec.order[0] or field.name == "key_low"
            values = np.full(len(numbers), 7) if same else numbers
            columns.append(pa.array(values.astype(field.type.to_pandas_dtype()), field.type))
        yield pa.record_batch(columns, schema=spec.schema)

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10

found = {}
for stage in plan.stages:
    if not isinstance(stage.body, ReduceBody):
        continue
    spec = plan.exchanges[stage.body.exchange].spec
    if not all(pa.types.is_integer(field.type) for field in spec.schema):
        continue
    growth = []
    for rows in (200_000, count):
        stage.body.reducer.open(RunContext())
        before = peak()
        out = sum(batch.num_rows for _, batch in stage.body.reducer.reduce(batches(spec, rows)))
        growth.append(peak() - before)
    found[stage.name] = {"out": out, "growth": growth[-1]}
print(json.dumps(found))
"""


@pytest.mark.slow
def test_reducers_stream_a_key_with_millions_of_members(tmp_path: Path) -> None:
    found: dict[str, dict[str, int]] = {}
    evaluation = tmp_path / "evaluation.txt"
    evaluation.write_text("a text of thirteen words is what it takes to be worth a comparison here\n")
    duplicates = DUPLICATES.replace("- decontaminate", f"- decontaminate: {{against: {evaluation}}}")
    for recipe, source in ((duplicates, "c4"), (INTERRUPTED, "stackexchange")):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, recipe, source, str(ROWS)],
            capture_output=True,
            text=True,
            check=False,
            timeout=280,
        )
        assert done.returncode == 0, done.stderr
        found |= json.loads(done.stdout)
    kinds = {"same_url", "same_text", "lines", "minhash_dedup"}
    assert kinds <= {name.partition(".")[0] for name in found}
    assert {name: entry for name, entry in found.items() if entry["growth"] > LIMIT} == {}
