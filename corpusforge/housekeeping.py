"""Cleaning a finished run: what can go, and what later commands still need."""

from __future__ import annotations

import json
import shutil
from pathlib import Path


def clean(run: Path, everything: bool = False) -> int:
    """Remove exchange files of a complete run and stages of earlier plans; gives the bytes freed.

    With `everything` the whole ``stages`` folder goes: outputs and reports stay, resuming does not.
    """
    stages = run / "stages"
    before = _size(stages)
    if everything:
        shutil.rmtree(stages, ignore_errors=True)
        return before
    current = _current_stages(run)
    for folder in sorted(path for path in stages.iterdir() if path.is_dir()):
        if folder.name not in current:
            shutil.rmtree(folder)
            continue
        for path in folder.glob("*.runs"):
            path.unlink()
        for path in folder.glob(".*.tmp"):
            path.unlink()
    return before - _size(stages)


def _current_stages(run: Path) -> set[str]:
    """Stages that the log names behind the last start of stage 0: those of the last plan."""
    current: set[str] = set()
    for line in (run / "log.jsonl").read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        if event["event"] == "stage_started":
            if event["stage"].startswith("00-"):
                current = set()
            current.add(event["stage"])
    return current


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else 0
