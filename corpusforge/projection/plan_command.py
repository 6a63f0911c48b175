"""`corpusforge plan`: a probe, and what it says about a larger run."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from corpusforge.errors import UsageError

if TYPE_CHECKING:
    from corpusforge.projection.probe import Probe
    from corpusforge.projection.project import Prices, Projection

UNITS = {
    "": 1, "B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "PB": 10**15,
    "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40, "PiB": 1 << 50,
}  # fmt: skip

SMALL_SHARD = 16 << 20
"""Bytes below which opening files and starting tasks shows in a shard's cost."""


def parse_size(text: str) -> int:
    """``100TB``, ``1.5 GiB``, ``2000000`` to bytes. Raises `UsageError`."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)", text.strip())
    units = {unit.lower(): factor for unit, factor in UNITS.items()}
    if match is None or match[2].lower() not in units:
        raise UsageError(f"--size takes bytes as in 100TB or 1.5GiB, not {text!r}")
    size = round(float(match[1]) * units[match[2].lower()])
    if size <= 0:
        raise UsageError(f"--size {text}: nothing to plan")
    return size


def plan(
    recipe: Annotated[str, typer.Argument(help="Name of a shipped recipe, or a YAML file.")],
    input: Annotated[list[str], typer.Option("--input", "-i", help="source=PATH_OR_GLOB; may be repeated.")],
    size: Annotated[
        str | None, typer.Option(help="Bytes of input as stored: 100TB; default: what --input has.")
    ] = None,
    shards: Annotated[int, typer.Option(min=1, help="Shards of the probe; 4 or more give an interval.")] = 5,
    vcpus: Annotated[int, typer.Option("--vcpus", "--workers", min=1, help="vCPUs of the cluster.")] = 64,
    prices: Annotated[Path | None, typer.Option(help="Price table; default: an example to copy.")] = None,
    probe: Annotated[
        Path | None, typer.Option(help="Folder for the probe's run; default: a temporary one.")
    ] = None,
    set: Annotated[
        list[str] | None, typer.Option("--set", help="step.parameter=value; may be repeated.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print plain values.")] = False,
) -> None:
    """Run a few shards here, and project time, memory, storage and cost to a size."""
    from corpusforge import recipe as recipes
    from corpusforge.arguments import parse_inputs
    from corpusforge.live import LiveProgress
    from corpusforge.projection.probe import run_probe
    from corpusforge.projection.project import describe, load_prices, project

    table = load_prices(prices)
    wanted = None if size is None else parse_size(size)
    loaded = recipes.load(recipe, set or [])
    inputs = parse_inputs(input)
    with (
        tempfile.TemporaryDirectory(prefix="corpusforge-probe-") as folder,
        LiveProgress(Console(stderr=True)) as live,
    ):
        measured = run_probe(loaded, inputs, shards, probe or Path(folder) / "run", live)
    projection = project(measured, loaded, wanted or measured.listed_bytes, vcpus, table)
    if as_json:
        print(json.dumps(describe(projection, table), indent=2))
        return
    _show(Console(), measured, projection, table)


def _show(out: Console, measured: Probe, projection: Projection, prices: Prices) -> None:
    from corpusforge.projection.project import cost

    out.print(
        f"probe: {len(measured.shard_bytes)} of {measured.listed_shards} shards, {_bytes(measured.input_bytes)} of "
        f"{_bytes(measured.listed_bytes)}, {measured.wall_seconds:.0f} s here with one worker",
        highlight=False,
    )
    out.print(
        f"projected to {_bytes(projection.size)} of input on {projection.vcpus} vCPUs\n", highlight=False
    )
    out.print(_steps(projection))
    table = Table("", "", show_header=False, box=None)
    core, bounds = projection.core_seconds / 3600, projection.interval
    spread = (
        "no interval: give more --shards"
        if bounds is None
        else (f"90 % interval over shards: {_number(bounds[0] / 3600)} to {_number(bounds[1] / 3600)}")
    )
    table.add_row("core-hours", f"{_number(core)} ({spread})")
    table.add_row(
        "wall time", f"{_number(projection.wall_seconds / 3600)} h, all vCPUs there from begin to end"
    )
    table.add_row(
        "sorting", f"reducers: linear, at most {projection.sort_factor:.2f} times that (log N / log n)"
    )
    per_text = projection.exchanged_bytes / projection.text_bytes if projection.text_bytes else 0.0
    table.add_row("exchanged", f"{_bytes(projection.exchanged_bytes)}, {per_text:.3f} bytes per byte of text")
    memory = projection.memory_per_process
    table.add_row(
        "memory",
        f"not measured ({measured.memory_trouble or 'unknown'})"
        if memory is None
        else f"{_bytes(memory)} per process (peak of the probe + exchange buffer)",
    )
    stored = ", ".join(f"{name} {_bytes(value)}" for name, value in projection.stored_bytes.items() if value)
    stored += " (stages: until `corpusforge clean`)"
    table.add_row("storage", stored)
    table.add_row("cost", _cost(cost(projection, prices), projection, prices))
    out.print(table)
    for note in _doubts(measured):
        out.print(f"\n{note}", style="yellow", highlight=False)
    out.print(
        "\nDuplicates that only a larger input shows are not in the probe: exchanges of candidate pairs grow faster, "
        "kept text slower, than in proportion.",
        style="dim",
    )


def _doubts(measured: Probe) -> list[str]:
    """What makes this probe a poor one."""
    found = []
    shards = len(measured.shard_bytes)
    if shards == 1:
        found.append(
            "One shard does not tell what a process does once (loading models and tables) from what each byte costs: "
            "all of it is taken to grow with the input, so this is too much."
        )
    size = measured.input_bytes / shards
    if size < SMALL_SHARD:
        found.append(
            f"The probe is not like the run if its shards are small ({_bytes(size)} each here): opening files and "
            "starting tasks then weighs more than it will."
        )
    return found


def _steps(projection: Projection) -> Table:
    table = Table("step", "core-hours", "share", box=None)
    table.columns[1].justify = table.columns[2].justify = "right"
    total = sum(projection.steps.values()) or 1.0
    for step, seconds in projection.steps.items():
        table.add_row(step, _number(seconds / 3600), f"{seconds / total:.1%}")
    return table


def _cost(costs: Mapping[str, float], projection: Projection, prices: Prices) -> str:
    total = sum(costs.values())
    text = f"{_number(total)} {prices.currency}"
    if projection.interval is not None and projection.core_seconds:
        work = costs["vcpu"] + costs["memory"]
        low, high = (total + work * (bound / projection.core_seconds - 1) for bound in projection.interval)
        text += f" ({_number(low)} to {_number(high)})"
    parts = ", ".join(f"{name} {_number(value)}" for name, value in costs.items())
    origin = (
        "EXAMPLE prices, not a provider's: give yours with --prices"
        if prices.example
        else (f"prices: {prices.source}, {prices.date}")
    )
    return f"{text}: {parts}\n{origin}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _bytes(count: float) -> str:
    for unit in ("PB", "TB", "GB", "MB", "kB"):
        if count >= UNITS[unit]:
            return f"{count / UNITS[unit]:.1f} {unit}"
    return f"{count:.0f} B"
