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
    entries = (json.loads(line) for line in storage.read_bytes(location).decode("utf-8").splitlines())
    return {key_of(entry): entry for entry in entries}


def add(layout: RunLayout, entry: Mapping[str, Any]) -> None:
    """Record a kill, durably and as a whole, before anything relies on it. Only for who holds the run's lock."""
    location = layout.file(KILLS_FILE)
    before = storage.read_bytes(location) if storage.exists(location) else b""
    storage.commit_bytes(location, before + canonical_json(entry).encode("utf-8") + b"\n")


def reasons(kills: Mapping[Key, Mapping[str, Any]], source: str, step: str) -> dict[str, str]:
    """Locator to error for the documents of a source that a step must not touch."""
    return {
        locator: f"watchdog: busy for more than {entry['seconds']} s"
        for (its_source, its_step, locator), entry in kills.items()
        if its_source == source and its_step == step
    }
