"""A probe: a few shards, spread over the input, run for real with one worker, and what they cost.

One worker makes the costs separable: the first task of a stage carries what a process does once (loading models
and tables), the others show the steady rate.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corpusforge.engines.base import Progress
from corpusforge.errors import UsageError
from corpusforge.layout import RunLayout
from corpusforge.listing import list_shards
from corpusforge.recipe import Recipe
from corpusforge.sources.base import Shard

PER_SHARD = ("collect", "read", "map", "write")
"""Operations whose tasks belong to a shard each."""

OUTPUTS = ("documents", "dropped", "quarantine", "shards", "stages")
"""Folders of a run directory whose size is projected."""

MEMORY_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class StageCost:
    """What the tasks of one stage cost, task by task."""

    name: str
    operation: str
    seconds_cpu: tuple[float, ...]
    steps: tuple[dict[str, float], ...]
    """For each task: step to CPU seconds."""
    step: str
    """The recipe's step that the stage belongs to; "" for the driver's own."""


@dataclass(frozen=True)
class Probe:
    """What a probe measured."""

    shard_bytes: tuple[int, ...]
    """Input bytes of every shard of the probe, as stored."""
    listed_bytes: int
    """Input bytes of everything that was listed."""
    listed_shards: int
    stages: tuple[StageCost, ...]
    text_bytes: int
    """Bytes of text that extraction gave, what exchanges are compared with."""
    exchanges: Mapping[str, int]
    """Exchange to bytes moved."""
    stored_bytes: Mapping[str, int]
    """Folder of the run directory to its bytes."""
    peak_memory: int | None
    """Most bytes that a worker process held at once; None where the system does not tell."""
    wall_seconds: float
    memory_trouble: str = ""
    """Why the memory is not known."""

    @property
    def input_bytes(self) -> int:
        """Input bytes of the probe."""
        return sum(self.shard_bytes)


def choose(
    recipe: Recipe, inputs: Mapping[str, Sequence[str]], shards: int
) -> tuple[list[Shard], list[Shard]]:
    """(chosen, all): shards evenly spaced over the listed input, at least one of each source."""
    everything = list_shards(recipe, inputs)
    count = min(max(shards, len(recipe.sources)), len(everything))
    chosen = {(2 * number + 1) * len(everything) // (2 * count) for number in range(count)}
    for source in recipe.sources:
        own = [shard.index for shard in everything if shard.source == source]
        if not chosen & set(own):
            chosen.add(own[len(own) // 2])
    return [everything[index] for index in sorted(chosen)], everything


def run_probe(
    recipe: Recipe,
    inputs: Mapping[str, Sequence[str]],
    shards: int,
    folder: Path,
    progress: Progress | None = None,
) -> Probe:
    """Run the recipe on a few shards below `folder`, or read what an equal probe left there.

    Raises what a run raises.
    """
    chosen, everything = choose(recipe, inputs, shards)
    files: dict[str, list[str]] = {}
    for shard in chosen:
        files.setdefault(shard.source, []).extend(file.url for file in shard.files)
    files = {source: list(dict.fromkeys(urls)) for source, urls in files.items()}
    names = [(shard.source, url.rsplit("/", 1)[-1]) for shard in chosen for url in files[shard.source]]
    if len(set(names)) != len({(shard.source, url) for shard in chosen for url in files[shard.source]}):
        raise UsageError(
            "files of the probe have equal names in different folders: name fewer inputs, one folder of each source"
        )
    begun = time.monotonic()
    with MemoryWatch() as memory:
        recipe.run(files, folder, workers=1, progress=progress)
    return read_probe(
        folder,
        listed_bytes=sum(file.size for shard in everything for file in shard.files),
        listed_shards=len(everything),
        peak_memory=memory.peak,
        wall_seconds=time.monotonic() - begun,
        memory_trouble=memory.trouble,
    )


def read_probe(
    run: Path,
    listed_bytes: int,
    listed_shards: int,
    peak_memory: int | None,
    wall_seconds: float,
    memory_trouble: str = "",
) -> Probe:
    """What a finished run cost, from the files of its run directory."""
    layout = RunLayout(str(run))
    ledger = json.loads((run / "ledger.json").read_bytes())
    shards = json.loads(Path(layout.file("stages", "inputs.json")).read_bytes())["shards"]
    timed = json.loads((run / "timings.json").read_bytes())["stages"]
    return Probe(
        shard_bytes=tuple(sum(size for _, size in files) for _, files in shards),
        listed_bytes=listed_bytes,
        listed_shards=listed_shards,
        stages=tuple(_stage_cost(layout, entry["stage"], entry["tasks"]) for entry in timed),
        text_bytes=_text_bytes(ledger),
        exchanges={entry["name"]: entry["bytes"] for entry in ledger["exchanges"]},
        stored_bytes={name: _folder_bytes(run / name) for name in OUTPUTS},
        peak_memory=peak_memory,
        wall_seconds=wall_seconds,
        memory_trouble=memory_trouble,
    )


def _stage_cost(layout: RunLayout, stage_id: str, tasks: int) -> StageCost:
    described = json.loads(Path(layout.file("stages", stage_id, "stage.json")).read_bytes())
    timings = [
        json.loads(Path(layout.task_file(stage_id, task, "timings.json")).read_bytes())
        for task in range(tasks)
    ]
    return StageCost(
        name=described["name"],
        operation=described["operation"],
        seconds_cpu=tuple(float(entry["seconds_cpu"]) for entry in timings),
        steps=tuple(
            {step: float(spent["seconds_cpu"]) for step, spent in entry["steps"].items()} for entry in timings
        ),
        step=described["steps"][0] if described["steps"] else "",
    )


def _text_bytes(ledger: Mapping[str, Any]) -> int:
    """What the first converting step (extraction) made of the payloads; all payload bytes where none did.

    Only payloads that were not text yet count as converted: the others went through as they were.
    """
    for step in ledger["steps"]:
        accounts = step["sources"].values()
        if any(account["converted"]["to_bytes"] for account in accounts):
            return sum(
                int(
                    account["bytes_in"]
                    - account["converted"]["from_bytes"]
                    + account["converted"]["to_bytes"]
                )
                for account in accounts
            )
    return sum(int(account["payload_bytes"]) for account in ledger["records"].values())


def _folder_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


class MemoryWatch:
    """The largest resident set that a descendant of this process ever had, from ``/proc``."""

    def __init__(self, processes: Path = Path("/proc")) -> None:
        self.peak: int | None = None
        self.trouble = ""
        """Why nothing could be measured."""
        self._processes = processes
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> MemoryWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        if self.peak is None and not self.trouble:
            self.trouble = f"{self._processes} names no process of the run"

    def _watch(self) -> None:
        over = False
        while not over:
            over = self._over.wait(MEMORY_POLL_SECONDS)
            try:
                for process in _descendants(self._processes):
                    held = _high_water(process)
                    if held is not None:
                        self.peak = max(self.peak or 0, held)
            except (OSError, ValueError, IndexError) as error:
                # A system whose /proc is hidden or of another form: half a measurement would be a wrong one.
                self.peak, self.trouble = None, f"{self._processes}: {error}"
                return


def _descendants(processes: Path) -> Iterator[Path]:
    """Folders below ``/proc`` of the processes that this one started, and of theirs."""
    parents: dict[str, str] = {}
    for process in processes.glob("[0-9]*"):
        text = _read_if_alive(process / "stat")
        if text is not None:
            # The name of the program stands in parentheses and may hold anything: what follows the last one is fixed.
            parents[process.name] = text.rpartition(")")[2].split()[1]
    family = {str(os.getpid())}
    while True:
        found = {child for child, parent in parents.items() if parent in family} - family
        if not found:
            return
        yield from (processes / child for child in sorted(found))
        family |= found


def _high_water(process: Path) -> int | None:
    """VmHWM in bytes: the most that was resident at once; None for a process that has ended."""
    for line in (_read_if_alive(process / "status") or "").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) << 10
    return None


def _read_if_alive(path: Path) -> str | None:
    """A file of a process; None when the process ended meanwhile, before it was opened or while it was read."""
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
