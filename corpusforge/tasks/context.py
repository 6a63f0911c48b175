"""What a task is given: where its inputs and outputs lie, and what earlier stages committed."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import numpy as np
import pyarrow as pa

from corpusforge import storage
from corpusforge.exchange import FileSlice, RunBuilder, merge_runs, write_run
from corpusforge.heartbeat import Heartbeat
from corpusforge.layout import RunLayout
from corpusforge.operations import ExchangeSpec
from corpusforge.step import RunContext

if TYPE_CHECKING:
    from corpusforge.plan import Plan, Stage


class TaskContext:
    """One task of one stage. `kills` names the documents that the watchdog gave up."""

    def __init__(
        self, plan: Plan, root: str, stage: Stage, number: int, heartbeat: Heartbeat | None = None
    ) -> None:
        self.plan = plan
        self.layout = RunLayout(root)
        self.stage = stage
        self.stage_id = stage.id
        self.number = number
        self.heartbeat = heartbeat or Heartbeat()

    def own_file(self, name: str) -> str:
        """Where this task writes a file of that name."""
        return self.layout.task_file(self.stage_id, self.number, name)

    def kills(self) -> dict[str, dict[str, Any]]:
        """Locators that the watchdog gave up in this or an earlier attempt, from ``kills.jsonl``."""
        location = self.layout.file("kills.jsonl")
        if not storage.exists(location):
            return {}
        lines = storage.read_bytes(location).decode("utf-8").splitlines()
        return {entry["locator"]: entry for entry in map(json.loads, lines)}

    def run_context(self) -> RunContext:
        """Committed values and files of the folds and single tasks of earlier stages."""
        stages = {stage.id: stage for stage in self.plan.stages}
        values: dict[str, Any] = {}
        files: dict[str, Path] = {}
        for name, stage_id in self.plan.values.items():
            if stages[stage_id].index >= self.stage.index:
                continue
            manifest = self.layout.read_manifest(stage_id, 0)
            values[name] = manifest["value"]
            for file in manifest["files"]:
                files[f"{name}/{file}"] = Path(self.layout.task_file(stage_id, 0, file))
        return RunContext(self.plan.seed, values, files, self.heartbeat)

    def manifests(self, stage_id: str, tasks: int) -> Iterator[dict[str, Any]]:
        """Manifests of all tasks of an earlier stage, in order."""
        for task in range(tasks):
            yield self.layout.read_manifest(stage_id, task)

    # Exchanges

    def run_builder(self, spec: ExchangeSpec) -> RunBuilder:
        """A builder for the runs that this task emits into an exchange."""
        memory = int(self.plan.options["exchange_memory_bytes"])
        return RunBuilder(spec, self.plan.exchanges[spec.name].partitions, memory)

    def commit_runs(self, builder: RunBuilder) -> dict[str, Any]:
        """Write all runs of an exchange to one file, its index behind them; gives the file's facts."""
        partitions = builder.partitions
        offsets = np.zeros(partitions + 1, "<u8")
        with storage.commit(self.own_file(_runs_name(builder.spec.name))) as file:
            done = 0
            for partition, batches in builder.runs():
                offsets[done : partition + 1] = file.bytes_written
                write_run(cast(BinaryIO, file), builder.spec.schema, batches)
                done = partition + 1
            offsets[done:] = file.bytes_written
            payload = file.bytes_written
            file.write(offsets.tobytes())
        builder.close()
        return {
            "bytes": file.bytes_written,
            "sha256": file.sha256,
            "rows": builder.rows,
            "payload_bytes": payload,
        }

    def read_exchange(self, name: str, partition: int) -> Iterator[pa.RecordBatch]:
        """The rows of one partition of an exchange, merged to one sorted stream."""
        info = self.plan.exchanges[name]
        opened: list[BinaryIO] = []
        try:
            sources: list[io.RawIOBase] = []
            for task in range(info.producer_tasks):
                file = storage.open_read(self.layout.task_file(info.producer, task, _runs_name(name)))
                opened.append(file)
                index = file.seek(0, io.SEEK_END) - 8 * (info.partitions + 1)
                file.seek(index + 8 * partition)
                start, end = (int(value) for value in np.frombuffer(file.read(16), "<u8"))
                if end > start:
                    sources.append(FileSlice(file, start, end - start))
                else:
                    opened.pop().close()
            yield from merge_runs(info.spec, sources)
        finally:
            for file in opened:
                file.close()


def _runs_name(exchange: str) -> str:
    return f"{exchange}.runs"


def exchange_facts(files: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """Rows and bytes of the exchanges among a task's files."""
    return {
        name.removesuffix(".runs"): {"rows": int(facts["rows"]), "bytes": int(facts["payload_bytes"])}
        for name, facts in files.items()
        if name.endswith(".runs")
    }
