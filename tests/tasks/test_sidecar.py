"""Sidecars: what a stage left is what the next one finds, row for row."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from corpusforge.document import DOCUMENT_SCHEMA, document_id
from corpusforge.edits import Edits
from corpusforge.layout import RunLayout
from corpusforge.step import LiveRows, MapStep, Measured, Rule, Signal, StepParameters
from corpusforge.tasks.batch import Batch, run_step
from corpusforge.tasks.sidecar import DOCUMENTS_FILE, STORED_SCHEMA, Sidecar, stored_batches
from corpusforge.writer import commit_parquet

GROUPS = [["first text", "drop this"], [], ["third", "fourth text", "bad"]]
TWIN = document_id("web", "twin")


class Parameters(StepParameters):
    drop: bool = True


class Mask(MapStep):
    """Masks the first letter, drops by a word, names a twin, decides the language."""

    name = "mask"
    edits = True
    columns = ("lang",)
    Parameters = Parameters
    signals = (Signal("drop"), Signal("words", scale=0, type=pa.large_list(pa.string())))
    rules = (Rule("drop", "drop", "is_true"),)

    def measure(self, rows: LiveRows) -> Measured:
        texts = rows.texts.strings()
        if any("bad" in text for text in texts):
            raise ValueError("bad")
        return Measured(
            signals={
                "drop": np.array(["drop" in text for text in texts], np.int64),
                "words": pa.array([text.split() for text in texts], pa.large_list(pa.string())),
            },
            columns={"lang": pa.array(["en"] * len(texts))},
            edits=Edits.from_spans([(row, 0, 1, "[X]", "mask") for row in range(len(texts))]),
            twins=pa.array([TWIN if "drop" in text else None for text in texts], pa.binary(16)),
        )


def batch_of(texts: list[str], first_row: int) -> Batch:
    values = {
        "id": [document_id("web", f"{first_row + row}") for row in range(len(texts))],
        "source": ["web"] * len(texts),
        "locator": [f"a@{first_row + row}" for row in range(len(texts))],
        "text": texts,
    }
    arrays = [
        pa.array(values[field.name], field.type) if field.name in values else pa.nulls(len(texts), field.type)
        for field in DOCUMENT_SCHEMA
    ]
    sizes = np.array([len(text) for text in texts], np.int64)
    return Batch(0, first_row, pa.RecordBatch.from_arrays(arrays, schema=DOCUMENT_SCHEMA), sizes)


@pytest.fixture
def processed(tmp_path: Path) -> tuple[SimpleNamespace, list[Batch]]:
    """Documents stored by stage 0, two editing steps in stages 1 and 2, and a task of stage 3."""
    layout = RunLayout(str(tmp_path))
    steps = [(1, Mask(instance="one")), (2, Mask(instance="two"))]
    stages = tuple(SimpleNamespace(id=f"{index:02d}-s@x", index=index) for index in range(4))
    sidecars = tuple(Sidecar.of(stages[index].id, step) for index, step in steps)
    shards = (SimpleNamespace(generation=0),)
    plan = SimpleNamespace(stages=stages, sidecars=sidecars, documents_stage=stages[0].id, shards=shards)
    first_rows = np.cumsum([0, *map(len, GROUPS)]).tolist()
    batches = [batch_of(texts, first) for texts, first in zip(GROUPS, first_rows)]
    with commit_parquet(layout.task_file(stages[0].id, 0, DOCUMENTS_FILE), STORED_SCHEMA) as documents:
        for batch in batches:
            columns = [*batch.columns.values(), pa.array(batch.sizes)]
            documents.write(pa.RecordBatch.from_arrays(columns, schema=STORED_SCHEMA))
    for item, (_, step) in zip(sidecars, steps):
        with commit_parquet(layout.task_file(item.stage_id, 0, item.file), item.schema) as writer:
            for batch in batches:
                writer.write(item.rows(run_step(batch, step, False, {}), batch.sizes))
    return SimpleNamespace(plan=plan, layout=layout, stage=stages[3]), batches


def test_only_row_groups_with_wanted_rows_are_read(processed: tuple[SimpleNamespace, list[Batch]]) -> None:
    task, _ = processed
    everything = list(stored_batches(task, 0))
    assert len(everything) > 1
    for wanted in ([], [0], [everything[1].first_row], [0, everything[-1].first_row]):
        found = [batch.first_row for batch in stored_batches(task, 0, wanted=np.array(wanted, np.int64))]
        assert found == wanted


def test_a_later_stage_finds_the_state_that_the_earlier_ones_left(processed):
    task, batches = processed
    restored = []
    for found, left in zip(stored_batches(task, 0), batches, strict=True):
        restored.append(found)
        assert found.verdicts == left.verdicts
        assert found.sizes.tolist() == left.sizes.tolist()
        assert found.addresses.tolist() == left.addresses.tolist()
        assert found.columns["lang"].to_pylist() == left.columns["lang"].to_pylist()
        kept = left.kept().tolist()
        assert [found.views.text().string(row) for row in kept] == [
            left.views.text().string(row) for row in kept
        ]
        assert sorted(found.signals) == ["one.drop", "one.words", "two.drop", "two.words"]
        for name in found.signals:
            assert found.signals[name].to_pylist() == left.signals[name].to_pylist()
    assert restored[0].verdicts == [None, "one.drop"]
    assert restored[0].extra["duplicate_of"].to_pylist() == [None, TWIN]
    assert restored[2].verdicts == [None, None, "quarantine:step_error"]
    assert restored[0].views.text().string(0) == "[X]irst text", (
        "the second mask takes the whole of the first"
    )


def test_a_stage_in_between_sees_only_what_is_before_it(processed):
    task, _ = processed
    task.stage = task.plan.stages[2]
    restored = list(stored_batches(task, 0))
    assert sorted(restored[0].signals) == ["one.drop", "one.words"]
    assert restored[0].views.latest == "one"


def test_without_text_all_else_is_the_same(processed):
    task, batches = processed
    for found, left in zip(stored_batches(task, 0, text=False), batches):
        assert found.verdicts == left.verdicts
        assert found.sizes.tolist() == left.sizes.tolist()
        assert found.views.text().strings() == [""] * left.size
