"""The run directory: every path in one place."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from corpusforge import storage


def number(index: int) -> str:
    """Five digits at least: names sort as numbers do."""
    return f"{index:05d}"


@dataclass(frozen=True)
class RunLayout:
    """Paths below the root of one run."""

    root: str

    def file(self, *parts: str) -> str:
        """A path below the root."""
        return storage.join(self.root, *parts)

    def stage(self, stage_id: str) -> str:
        """The folder of a stage."""
        return self.file("stages", stage_id)

    def task_file(self, stage_id: str, task: int, name: str) -> str:
        """A file that a task of a stage writes."""
        return self.file("stages", stage_id, f"{number(task)}.{name}")

    def manifest(self, stage_id: str, task: int) -> str:
        """The shard manifest: it exists exactly when the task is committed."""
        return self.file("stages", stage_id, f"{number(task)}.json")

    def read_manifest(self, stage_id: str, task: int) -> dict[str, Any]:
        """The manifest of a committed task."""
        return dict(json.loads(storage.read_bytes(self.manifest(stage_id, task))))


def dump_json(value: Mapping[str, Any]) -> bytes:
    """JSON for people and machines: sorted keys, two spaces, one newline at the end."""
    return (json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode(
        "utf-8"
    )
