"""The page of a training run: one HTML file with its curves, nothing loaded from elsewhere."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from corpusforge.atomic_file import write_atomically
from corpusforge.train.journal import LOG_NAME, duration, read_journal, taken_steps

WIDTH, HEIGHT = 720, 240
LEFT, RIGHT, TOP, BOTTOM = 64, 12, 12, 28
POINTS = 600
"""Points drawn of a curve; where there are more, each is the mean of its neighbours."""

STYLE = """
:root { color-scheme: light dark; --line: #2563ab; --soft: #8884; --text: #1c1e21; --back: #fff; }
@media (prefers-color-scheme: dark) { :root { --line: #7ab2ef; --text: #e6e6e6; --back: #16181b; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--text); background: var(--back);
  max-width: 760px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.05rem; margin: 1.6rem 0 .3rem; }
svg { width: 100%; height: auto; } svg text { font-size: 12px; fill: currentColor; }
.grid { stroke: var(--soft); } .curve { stroke: var(--line); fill: none; stroke-width: 1.5; }
.mark { stroke: #c2410c; stroke-dasharray: 3 3; }
table { border-collapse: collapse; } td, th { text-align: left; padding: .15rem 1rem .15rem 0;
  border-bottom: 1px solid var(--soft); vertical-align: top; overflow-wrap: anywhere; }
"""

Curve = list[tuple[float, float]]


def write_report(folder: Path) -> Path:
    """Write ``report.html`` from the log of a training run. Raises `ValueError` for a damaged log."""
    entries = read_journal(folder / LOG_NAME)
    path = folder / "report.html"
    write_atomically(path, render(folder.name, entries).encode())
    return path


def render(name: str, entries: Sequence[dict[str, Any]]) -> str:
    """The page, from the entries of a log."""
    steps = taken_steps(list(entries))
    begun = [entry for entry in entries if entry.get("event") in ("start", "resume")]
    ended = [entry for entry in entries if entry.get("event") in ("end", "stopped")]
    marks = [float(entry["to_step"]) for entry in entries if entry.get("event") == "rewind"]
    parts = [f"<h1>Training run {escape(name)}</h1>"]
    if begun:
        parts.append(_table(_facts(begun[-1], ended[-1] if ended else None)))
    charts = [
        ("Loss (nats per token)", "loss"),
        ("Gradient norm", "norm"),
        ("Learning rate", "rate"),
        ("Tokens per second", "tokens_per_second"),
        ("Model FLOPs utilization, of the data sheet's peak", "mfu"),
        ("Model FLOPs utilization, of the peak measured here", "mfu_measured"),
        ("Share of time waiting for data", "waiting"),
    ]
    for title, key in charts:
        curve = [(float(step["step"]), float(step[key])) for step in steps if step.get(key) is not None]
        parts.append(chart(title, curve, marks))
    for title, curve in _evaluations(entries).items():
        parts.append(chart(title, curve, marks))
    parts.append(_refused(entries))
    body = "\n".join(part for part in parts if part)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(name)}: training</title><style>{STYLE}</style></head><body>\n{body}\n</body></html>\n"
    )


def _facts(begin: dict[str, Any], end: dict[str, Any] | None) -> list[tuple[str, str]]:
    model, training = begin["settings"]["model"], begin["settings"]["training"]
    facts = [
        ("parameters", f"{begin['parameters']:,}"),
        ("shape", f"{model['layers']} layers, width {model['width']}, context {model['context']}"),
        ("device", f"{begin['device']}, {begin['processes']} process(es), {begin['precision']}"),
        ("steps", f"{begin['steps']:,} of {training['batch']:,} rows"),
        ("highest rate", f"{training['learning_rate']:.3g}, {training['schedule']}, {training['optimizer']}"),
        ("data", f"{begin['rows']:,} rows, fingerprint {begin['fingerprint']}"),
        ("first weights", f"seed {training['seed']}, SHA-256 {begin['initial_weights']}"),
    ]
    if end is not None:
        loss = "not finite" if end["loss"] is None else f"{end['loss']:.4f}"
        facts += [
            ("ended" if end["event"] == "end" else "stopped", f"after step {end['at_step']:,}"),
            ("loss", f"{loss} nats per token (mean of the last 5 % of the steps)"),
            ("tokens", f"{end['tokens']:,} in {duration(end['seconds'])}"),
        ]
    return facts


def _evaluations(entries: Sequence[dict[str, Any]]) -> dict[str, Curve]:
    curves: dict[str, Curve] = {}
    for entry in entries:
        if entry.get("event") != "evaluation":
            continue
        # Of a panel, each domain; zero-shot tasks are scored once, at the end, and make no curve.
        panel = {f"bits per byte, {name}": one for name, one in _mapping(entry.get("bits_per_byte")).items()}
        for name, value in (entry | panel).items():
            if name not in ("event", "at_step") and isinstance(value, int | float) and math.isfinite(value):
                curves.setdefault(f"Evaluation: {name}", []).append((float(entry["at_step"]), float(value)))
    return curves


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _refused(entries: Sequence[dict[str, Any]]) -> str:
    rows = []
    for entry in entries:
        if entry.get("event") == "step not taken":
            rows.append((f"step {entry['at_step']}", f"not taken: batch {entry['batch']} is an outlier"))
        elif entry.get("event") == "rewind":
            first, last = entry["batches"]
            text = f"back to step {entry['to_step']}; batches {first} to {last - 1} left out"
            rows.append((f"step {entry['at_step']}", text))
    return "<h2>Spikes</h2>" + _table(rows) if rows else ""


def _table(rows: Sequence[tuple[str, str]]) -> str:
    cells = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in rows)
    return f"<table>{cells}</table>"


def thinned(curve: Curve) -> Curve:
    """At most `POINTS` points, each the mean of a run of neighbours."""
    if len(curve) <= POINTS:
        return curve
    edges = [number * len(curve) // POINTS for number in range(POINTS + 1)]
    groups = [curve[low:high] for low, high in zip(edges, edges[1:])]
    return [
        (sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group)) for group in groups
    ]


def chart(title: str, curve: Curve, marks: Sequence[float] = ()) -> str:
    """One curve as an SVG under its title, a broken line at each of `marks`; nothing without points."""
    curve = thinned([(x, y) for x, y in curve if math.isfinite(x) and math.isfinite(y)])
    if not curve:
        return ""
    left, right = curve[0][0], max(curve[-1][0], curve[0][0] + 1)
    low, high = min(y for _, y in curve), max(y for _, y in curve)
    if high - low < 1e-9 * max(abs(high), 1e-9):
        low, high = low - abs(low or 1.0) / 10, high + abs(high or 1.0) / 10

    def place(x: float, y: float) -> tuple[float, float]:
        across = LEFT + (x - left) / (right - left) * (WIDTH - LEFT - RIGHT)
        return across, HEIGHT - BOTTOM - (y - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    lines = []
    for number in range(5):
        value = low + (high - low) * number / 4
        y = place(left, value)[1]
        lines.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        lines.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:.4g}</text>')
    for number in range(5):
        value = left + (right - left) * number / 4
        x = place(value, low)[0]
        lines.append(f'<text x="{x:.1f}" y="{HEIGHT - 8}" text-anchor="middle">{value:,.0f}</text>')
    for mark in marks:
        if left <= mark <= right:
            x = place(mark, low)[0]
            lines.append(f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>')
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(x, y) for x, y in curve))
    drawn = f'<polyline class="curve" points="{points}"/>'
    if len(curve) == 1:
        x, y = place(*curve[0])
        drawn = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3"/>'
    label = escape(f"{title}, over steps")
    return (
        f'<h2>{escape(title)}</h2><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">'
        f"{''.join(lines)}{drawn}</svg>"
    )
