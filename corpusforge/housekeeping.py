"""Cleaning a finished run: what can go, and what later commands still need."""

from __future__ import annotations

import shutil
from pathlib import Path

from corpusforge import claim
from corpusforge.layout import RunLayout


def clean(run: Path, everything: bool = False) -> int:
    """Remove exchange files of a complete run and stages of earlier plans; gives the bytes freed.

    With `everything` the whole ``stages`` folder goes: outputs and reports stay, resuming does not. Raises
    `UsageError` while a run is working there.
    """
    layout = RunLayout(str(run))
    with claim.lock(layout):
        return _clean(run / "stages", set(claim.current_stages(layout)), everything)


def _clean(stages: Path, current: set[str], everything: bool) -> int:
    before = _size(stages)
    if everything or not stages.is_dir():
        shutil.rmtree(stages, ignore_errors=True)
        return before
    for folder in sorted(path for path in stages.iterdir() if path.is_dir()):
        if current and folder.name not in current:
            shutil.rmtree(folder)
            continue
        for path in folder.glob("*.runs"):
            path.unlink()
        for path in folder.glob(".*.tmp"):
            path.unlink()
    return before - _size(stages)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else 0
