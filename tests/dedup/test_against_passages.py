"""Passages that documents of earlier runs hold: a dump added to others loses what it would lose in a run of all."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from in_process import fates, run_here

from corpusforge.dedup.against import AskForPassages
from corpusforge.dedup.passages import ANCHOR_SCHEMA, MATCHED_SCHEMA, MatchReducer, matched_spec
from corpusforge.earlier import EarlierRun
from corpusforge.operations import ROW_BITS

DUMPS = 4

RECIPE = """\
name: passages
shard_bytes: 2500
batch_documents: 7
partitions: {partitions}
error_budget: 1
sources: {{c4: {{}}}}
steps:
  - extract
  - line_dedup: {{scope: global, min_remaining_words: null}}
  - substring_dedup: {{words: 6, min_remaining_characters: 4{more}}}
"""


def write_dumps(folder: Path, seed: int, dumps: int = DUMPS) -> list[str]:
    """Passages of a common pool between words of the document's own: of two dumps, of many, or of one twice."""
    draw = random.Random(seed)
    pool = [" ".join(f"p{number}w{at}" for at in range(draw.randint(5, 12))) for number in range(30)]
    found = []
    for dump in range(dumps):
        rows = []
        for number in range(24):
            parts = []
            for part in range(draw.randint(1, 4)):
                # The first passages stand everywhere, the last ones in few places.
                passage = pool[min(draw.randrange(30), draw.randrange(30))]
                parts += [f"d{dump}n{number}p{part}", passage]
            text = " ".join(parts) + "\nline of all"
            rows.append({"text": text, "url": f"http://h.org/{dump}/{number}"})
        path = folder / f"dump{dump}.jsonl"
        path.write_text("\n".join(json.dumps(row) for row in rows))
        found.append(str(path))
    return found


def removed(rows: dict[tuple[str, bytes], dict[str, object]]) -> list[int]:
    return [row["substring_dedup.removed_words"] for row in rows.values()]  # type: ignore[misc]


def test_dumps_added_one_by_one_equal_a_run_of_all(tmp_path: Path) -> None:
    files = write_dumps(tmp_path, 1)
    whole = tmp_path / "whole"
    run_here(
        RECIPE.format(partitions=2, more=""), {f"c4@{at}": [file] for at, file in enumerate(files)}, whole
    )
    expected = fates(whole)
    runs: list[Path] = []
    for dump, (file, partitions) in enumerate(zip(files, [4, 1, 2, 8])):
        against = [str(run) for run in runs[-1:]]
        runs.append(tmp_path / f"run{dump}")
        run_here(RECIPE.format(partitions=partitions, more=""), {"c4": [file]}, runs[-1], against=against)
        found = fates(runs[-1])
        assert found == {key: row for key, row in expected.items() if key[0].startswith(f"dump{dump}.jsonl")}
        assert json.loads((runs[-1] / "ledger.json").read_bytes())["closed"]
    assert sum(count > 0 for count in removed(expected)) > 50
    alone = tmp_path / "alone"
    run_here(RECIPE.format(partitions=1, more=""), {"c4@3": [files[3]]}, alone)
    across = sum(removed(fates(runs[3]))) - sum(removed(fates(alone)))
    assert across > 50, "few passages of earlier dumps: the comparison shows little"


def test_runs_that_know_nothing_of_each_other_are_asked_one_by_one(tmp_path: Path) -> None:
    """An anchor in one place of either run: neither table has the windows around it."""
    files = write_dumps(tmp_path, 5, 3)
    runs = [tmp_path / f"run{dump}" for dump in range(3)]
    for dump in range(2):
        run_here(RECIPE.format(partitions=2, more=""), {"c4": [files[dump]]}, runs[dump])
    run_here(
        RECIPE.format(partitions=4, more=""),
        {"c4": [files[2]]},
        runs[2],
        against=[str(run) for run in runs[:2]],
    )
    lines = [
        json.loads(line)["text"].split() for file in files[:2] for line in Path(file).read_text().split("\n")
    ]
    known = {tuple(words[at : at + 6]) for words in lines for at in range(len(words) - 5)}
    rows = [row for row in fates(runs[2]).values() if row["folder"] == "documents"]
    assert len(rows) > 10
    for row in rows:
        # What was cut out leaves two blanks, and no window reaches across them.
        for part in re.split("\n|  ", row["text"]):
            words = part.split()
            assert not known & {tuple(words[at : at + 6]) for at in range(len(words) - 5)}
    assert sum(count > 0 for count in removed(fates(runs[2]))) > 10


def test_quality_decides_among_new_documents_only(tmp_path: Path) -> None:
    """The owner is an earlier document, whatever the order of preference within a dump."""
    passage = " ".join(f"w{number}" for number in range(8))
    inputs = []
    for dump, date in enumerate(("2020-01-01", "2024-01-01")):
        path = tmp_path / f"dump{dump}.jsonl"
        row = {"text": f"begin{dump} {passage} end{dump}", "url": "http://h.org/", "timestamp": date}
        path.write_text(json.dumps(row))
        inputs.append(str(path))
    recipe = RECIPE.format(partitions=1, more=", prefer: newest")
    run_here(recipe, {"c4": [inputs[0]]}, tmp_path / "run0")
    run_here(recipe, {"c4": [inputs[1]]}, tmp_path / "run1", against=[str(tmp_path / "run0")])
    [first], [second] = ([row["text"] for row in fates(tmp_path / run).values()] for run in ("run0", "run1"))
    assert passage in first
    assert second.split() == ["begin1", "end1"]


EARLIER = tuple(EarlierRun("", name, (0, 0), "", (), {}, first) for name, first in (("a", -4), ("b", -2)))


def brute_force(rows: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Requests by hand: (key, address) that stands alone in its run, where a new document has the key."""
    asked = []
    for key, address in rows:
        shard = address >> ROW_BITS
        own = [
            other
            for name, other in rows
            if name == key and other < 0 and (other >> ROW_BITS < -2) == (shard < -2)
        ]
        if address < 0 and len(own) == 1 and any(name == key and other >= 0 for name, other in rows):
            asked.append((key, address + (4 << ROW_BITS)))
    return sorted(asked)


PLACES = st.sampled_from([(-4, 1), (-3, 0), (-2, 7), (-1, 2), (0, 0), (0, 3), (2, 1)])


@given(
    st.lists(st.tuples(st.integers(1, 4), PLACES), max_size=24),
    st.lists(st.integers(1, 5), min_size=1, max_size=8),
)
def test_requests_equal_brute_force(rows: list[tuple[int, tuple[int, int]]], sizes: list[int]) -> None:
    ordered = sorted((key, (shard << ROW_BITS) + row) for key, (shard, row) in rows)

    def batches() -> Iterator[pa.RecordBatch]:
        at = turn = 0
        while at < len(ordered):
            part = ordered[at : at + sizes[turn % len(sizes)]]
            at, turn = at + len(part), turn + 1
            keys = pa.array(np.array([key for key, _ in part], np.uint64))
            places = pa.array(np.array([address for _, address in part], np.int64))
            yield pa.RecordBatch.from_arrays([keys, places], schema=ANCHOR_SCHEMA)

    reducer = AskForPassages(MatchReducer(matched_spec("matched")), matched_spec("asked"), EARLIER)
    found: dict[str, list[tuple[int, int]]] = {"asked": [], "matched": []}
    for name, batch in reducer.reduce(batches()):
        assert batch.schema == MATCHED_SCHEMA
        found[name] += [(row["key"], row["address"]) for row in batch.to_pylist()]
    assert sorted(found["asked"]) == brute_force(ordered)
    new = {(key, address) for key, address in ordered if address >= 0}
    shared = {one for one in new if sum(key == one[0] for key, _ in ordered) > 1}
    assert sorted(found["matched"]) == sorted(shared)
