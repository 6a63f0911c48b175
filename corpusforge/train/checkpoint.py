"""Checkpoints: complete or not there, written beside training, and never of another data set unnoticed."""

from __future__ import annotations

import os
import pickle
import re
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch

from corpusforge.errors import RunFailedError, UsageError

FORMAT = 1

FREE = frozenset(("microbatch", "rewinds"))
"""Settings that may differ when a run goes on: they do not change what is learned."""


class Checkpoints:
    """The files ``<step>.pt`` of a folder. One thread writes; `save` waits for the write before it."""

    def __init__(self, folder: Path, distance: int) -> None:
        """Kept are those of the last `distance` steps, and one before them."""
        self.folder, self._distance = folder, distance
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._pending: Future[None] | None = None

    def path(self, step: int) -> Path:
        """Where the checkpoint after `step` steps lies."""
        return self.folder / f"{step:09d}.pt"

    def steps(self) -> list[int]:
        """Steps of which there are complete checkpoints, ascending."""
        if not self.folder.is_dir():
            return []
        found = (re.fullmatch(r"(\d{9,})\.pt", path.name) for path in self.folder.iterdir())
        return sorted(int(match[1]) for match in found if match)

    def save(self, step: int, state: dict[str, Any]) -> None:
        """Begin to write; `state` must not change afterwards. Raises what the last write raised."""
        self.wait()
        self._pending = self._pool.submit(self._write, step, {"format": FORMAT, "step": step, **state})

    def wait(self) -> None:
        """Wait for the write that was begun. Raises `OSError` when it failed."""
        if self._pending is not None:
            pending, self._pending = self._pending, None
            pending.result()

    def close(self) -> None:
        """Finish writing and stop the thread."""
        self._pool.shutdown(wait=True)
        self.wait()

    def load(self, step: int) -> dict[str, Any]:
        """Read a checkpoint; it can hold tensors and plain values only. Raises `RunFailedError` if damaged."""
        self.wait()
        return load_checkpoint(self.path(step))

    def forget_after(self, step: int) -> None:
        """Remove what was written after `step`: after a rewind it belongs to a past that is not taken."""
        self.wait()
        for later in self.steps():
            if later > step:
                self.path(later).unlink()

    def _write(self, step: int, state: dict[str, Any]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.path(step)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            with temporary.open("wb") as file:
                torch.save(state, file)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        self._thin()

    def _thin(self) -> None:
        steps = self.steps()
        far = [step for step in steps[:-1] if step <= steps[-1] - self._distance]
        for step in far[:-1]:
            self.path(step).unlink()


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint without running code from it.

    Raises `UsageError` where there is none and `RunFailedError` for a damaged file or one of another format.
    """
    if not path.is_file():
        raise UsageError(f"there is no checkpoint {path}")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, OSError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        raise RunFailedError(f"{path} is damaged or no checkpoint: {error}") from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise RunFailedError(f"{path} is no checkpoint of this format ({FORMAT})")
    return state


def newest_checkpoint(folder: Path) -> Path:
    """Newest checkpoint of a training run's folder. Raises `UsageError` when there is none."""
    checkpoints = Checkpoints(folder / "checkpoints", 0)
    try:
        steps = checkpoints.steps()
        if not steps:
            raise UsageError(f"{folder} holds no checkpoints: it is no folder of `corpusforge train`")
        return checkpoints.path(steps[-1])
    finally:
        checkpoints.close()


def check_same_run(
    state: Mapping[str, Any], fingerprint: str, settings: Mapping[str, Mapping[str, Any]]
) -> None:
    """Raise `UsageError` when a checkpoint is of other data, or of other settings than these (but `FREE` ones)."""
    if state["fingerprint"] != fingerprint:
        raise UsageError(
            f"the checkpoint was trained on other data (fingerprint {state['fingerprint'][:12]}…, these rows "
            f"have {fingerprint[:12]}…)"
        )
    for name, now in settings.items():
        before = state["settings"][name]
        changed = sorted(key for key in now if key not in FREE and now[key] != before.get(key))
        if changed:
            values = ", ".join(f"{key} {before.get(key)} → {now[key]}" for key in changed)
            raise UsageError(f"the checkpoint was trained with other settings: {values}")
