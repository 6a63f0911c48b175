"""Single tasks: one process sees the kept documents of the whole run and leaves files and a value."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from corpusforge import storage
from corpusforge.operations import DocumentReader, SingleTask
from corpusforge.step import LiveRows
from corpusforge.tasks.body import Body, TaskResult
from corpusforge.tasks.context import TaskContext
from corpusforge.tasks.sidecar import stored_batches


class SingleBody(Body):
    """Runs a `SingleTask` in a temporary folder and commits the files that it wrote."""

    operation: ClassVar[str] = "single"

    def __init__(self, name: str, work: SingleTask) -> None:
        self.name = name
        self.work = work

    def run(self, task: TaskContext) -> TaskResult:
        """Run the work; commit its files in the order of their names."""
        result = TaskResult()
        with tempfile.TemporaryDirectory(prefix="corpusforge-single-") as folder:
            result.value = self.work.run(task.run_context(), StoredDocuments(task), Path(folder))
            for path in sorted(Path(folder).iterdir()):
                with path.open("rb") as source, storage.commit(task.own_file(path.name)) as target:
                    while block := source.read(1 << 20):
                        target.write(block)
                result.files[path.name] = {"bytes": target.bytes_written, "sha256": target.sha256, "rows": 0}
        return result


class StoredDocuments(DocumentReader):
    """The kept documents of all shards, in order, with the latest view."""

    def __init__(self, task: TaskContext) -> None:
        self._task = task

    def __iter__(self) -> Iterator[LiveRows]:
        for shard in range(len(self._task.plan.shards)):
            for batch in stored_batches(self._task, shard):
                kept = batch.kept()
                if len(kept):
                    yield batch.rows(kept, "latest")
