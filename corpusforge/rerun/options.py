"""Options of the commands that make a new run out of a finished one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

FinishedRun = Annotated[Path, typer.Argument(help="Run directory of a finished run.")]
NewOutput = Annotated[Path, typer.Option("--output", "-o", help="New run directory.")]
Settings = Annotated[list[str] | None, typer.Option("--set", help="step.parameter=value; may be repeated.")]
InputsFound = Annotated[
    list[str] | None,
    typer.Option(
        "--input", "-i", help="source=PATH_OR_GLOB; only where the run's own cannot be found again."
    ),
]
Workers = Annotated[int | None, typer.Option(min=1, help="Worker processes; default: one per processor.")]
Plugins = Annotated[
    list[Path] | None, typer.Option(help="Python file with steps that the run used; may be repeated.")
]
