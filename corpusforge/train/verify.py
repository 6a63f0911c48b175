"""Whether the files that are trained on are the ones that were written: their hashes, beside the training."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

from corpusforge.mix.mds import INDEX_NAME
from corpusforge.train.data import mds_folders, megatron_pairs

THREADS = 4
"""Files that are hashed at a time, at most: one thread hashes 1 to 2 GB a second."""

BLOCK = 1 << 22
"""Bytes that are read at a time."""


@dataclass(frozen=True)
class ListedFile:
    """A file and the hash in hex that an index or a manifest gives for it."""

    path: Path
    algorithm: str
    digest: str


def listed_files(data: Path) -> tuple[ListedFile, ...]:
    """Files of the rows that `open_rows` opens and whose hashes are known.

    Those of MDS shards stand in their indexes, those of Megatron pairs in the manifest that a run writes beside them;
    arrays have none. Raises `ValueError` for an index or a manifest that cannot be understood.
    """
    folders = mds_folders(data)
    if folders:
        return tuple(found for folder in folders for found in _of_index(folder))
    folder, manifest = manifest_beside(data)
    found = []
    try:
        listed = manifest.get("files", {})
        for pair in megatron_pairs(data):
            for path in (pair, pair.with_suffix(".bin")):
                name = f"shards/{path.relative_to(folder)}" if path.is_relative_to(folder) else None
                if name in listed:
                    found.append(ListedFile(path, "sha256", str(listed[name]["sha256"])))
    except (KeyError, TypeError) as error:
        raise ValueError(f"{folder / 'manifest.json'} is no manifest of shards: {error}") from error
    return tuple(found)


def _of_index(folder: Path) -> list[ListedFile]:
    found = []
    try:
        for shard in json.loads((folder / INDEX_NAME).read_bytes())["shards"]:
            raw = shard["raw_data"]
            for algorithm in sorted(set(raw["hashes"]) & hashlib.algorithms_guaranteed)[:1]:
                found.append(ListedFile(folder / raw["basename"], algorithm, str(raw["hashes"][algorithm])))
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{folder / INDEX_NAME} is no index of MDS shards: {error}") from error
    return found


def manifest_beside(data: Path) -> tuple[Path, dict[str, Any]]:
    """The manifest that a run wrote with its shards, and its folder; empty where there is none that can be read.

    `data` is a run directory, its `shards`, or a folder in that.
    """
    for path in (data / "shards" / "manifest.json", data / "manifest.json", data.parent / "manifest.json"):
        if not path.is_file():
            continue
        try:
            found = json.loads(path.read_bytes())
        except ValueError:
            continue
        if isinstance(found, dict):
            return path.parent, found
    return data, {}


class Verification:
    """Hashes files in threads while training goes on."""

    def __init__(self, files: Sequence[ListedFile]) -> None:
        self.count = len(files)
        self._stopped = Event()
        self._pool = ThreadPoolExecutor(min(THREADS, os.cpu_count() or 1), thread_name_prefix="hashes")
        self._pending: list[Future[None]] = [
            self._pool.submit(verify, one, self._stopped.is_set) for one in files
        ]

    def look(self) -> None:
        """Raise `ValueError` when a file that is hashed by now is damaged."""
        while self._pending and self._pending[0].done():
            self._pending.pop(0).result()

    def finish(self) -> None:
        """Wait until all files are hashed. Raises `ValueError` for the first that is damaged."""
        while self._pending:
            self._pending.pop(0).result()

    def close(self) -> None:
        """Stop hashing."""
        self._stopped.set()
        self._pool.shutdown(wait=True, cancel_futures=True)


def verify(file: ListedFile, stopped: Callable[[], bool] = lambda: False) -> None:
    """Hash a file, unless told to stop.

    Raises `ValueError`, which names it, when the hash is another one or it cannot be read.
    """
    digest = hashlib.new(file.algorithm)
    try:
        with file.path.open("rb") as stream:
            while (block := stream.read(BLOCK)) and not stopped():
                digest.update(block)
    except OSError as error:
        raise ValueError(f"{file.path} cannot be read: {error}") from error
    if not stopped() and digest.hexdigest() != file.digest:
        raise ValueError(
            f"{file.path} is damaged: its {file.algorithm} is {digest.hexdigest()[:12]}…, and was "
            f"{file.digest[:12]}… when it was written"
        )
