"""What the watchdog gave up: ``kills.jsonl``, an input of resumed runs and of replays.

A kill names a document and the step that was stuck with it. That step quarantines the document instead of
measuring it, whenever and wherever the shard runs again, so bytes are equal given equal kills. To replay a run,
put its ``kills.jsonl`` into an empty output folder.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from corpusforge import storage
from corpusforge.document import canonical_json
from corpusforge.errors import RunFailedError
from corpusforge.heartbeat import Busy
from corpusforge.layout import RunLayout

KILLS_FILE = "kills.jsonl"

Key = tuple[str, str, str]
"""(source, step instance, locator)."""


def key_of(entry: Mapping[str, Any]) -> Key:
    """What identifies a kill. Raises `KeyError` when the entry lacks it."""
    return str(entry["source"]), str(entry["step"]), str(entry["locator"])


def read(layout: RunLayout) -> dict[Key, dict[str, Any]]:
    """All kills of a run directory; none when there is no file."""
    location = layout.file(KILLS_FILE)
    if not storage.exists(location):
        return {}
    return parse(storage.read_bytes(location))


def parse(data: bytes) -> dict[Key, dict[str, Any]]:
    """Kills by key from whole lines; a last one that is torn, or just being written, is none yet."""
    lines = data.decode("utf-8", "surrogateescape").splitlines(keepends=True)
    entries = (json.loads(line) for line in lines if line.endswith("\n"))
    return {key_of(entry): entry for entry in entries}


def give_up(layout: RunLayout, stage_id: str, task: int, busy: Busy, seconds: float) -> dict[str, Any]:
    """Record that a worker was stuck; gives the entry. Only for who holds the run's lock.

    Raises `RunFailedError` when leaving the document out cannot help: outside of steps, or left out already.
    """
    entry: dict[str, Any] = {"source": busy.source, "step": busy.step, "locator": busy.locator}
    entry |= {"stage": stage_id, "task": task, "seconds": seconds}
    where = f"{busy.locator} for more than {seconds} s"
    if not busy.step:
        raise RunFailedError(f"stuck, outside of any step that could leave it out, on {where}")
    if key_of(entry) in read(layout):
        raise RunFailedError(f"step {busy.step!r} was stuck again, although it was given up, on {where}")
    add(layout, entry)
    return entry


def add(layout: RunLayout, entry: Mapping[str, Any]) -> None:
    """Record a kill, durably and as a whole, before anything relies on it. Only for who holds the run's lock."""
    location = layout.file(KILLS_FILE)
    before = storage.read_bytes(location) if storage.exists(location) else b""
    storage.commit_bytes(location, before + canonical_json(entry).encode("utf-8", "surrogateescape") + b"\n")


def reasons(kills: Mapping[Key, Mapping[str, Any]], source: str, step: str) -> dict[str, str]:
    """Locator to error for the documents of a source that a step must not touch."""
    return {
        locator: f"watchdog: busy for more than {entry['seconds']} s"
        for (its_source, its_step, locator), entry in kills.items()
        if its_source == source and its_step == step
    }
