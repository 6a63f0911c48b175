"""Charts as inline SVG: the distribution of a signal, kept above and dropped below, with its threshold."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from corpusforge.report.numbers import decimal, integer, measured, percent
from corpusforge.statistics.examples import visible
from corpusforge.statistics.histogram import bin_edges, quantile
from corpusforge.step import fixed_point

Json = Mapping[str, Any]

WIDTH = 640
HEIGHT = 212
CURVE_HEIGHT = 130
LEFT = 12
RIGHT = 12
TOP = 26
BOTTOM = 26
COLUMNS = 52
LEAST_WIDTH = 0.25
THRESHOLDS_SHOWN = 6


@dataclass(frozen=True)
class Axis:
    """A horizontal axis over values (in units, not fixed point) from `low` to `high`."""

    low: float
    high: float
    logarithmic: bool
    whole: bool = False

    def place(self, value: float) -> float:
        """Position in pixels, clamped to the axis."""
        bend: Callable[[float], float] = math.log1p if self.logarithmic else float
        value = min(max(value, self.low), self.high)
        share = (bend(value) - bend(self.low)) / ((bend(self.high) - bend(self.low)) or 1.0)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def ticks(self) -> list[float]:
        """About eight round values or fewer."""
        if self.logarithmic:
            powers = [0.0, *(10.0**power for power in range(0, 19))]
            inside = [value for value in powers if self.low <= value <= self.high]
            return inside if len(inside) > 2 else sorted({self.low, *inside, self.high})
        rough = (self.high - self.low) / 8 or 1.0
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
        step = max(step, 1.0) if self.whole else step
        first = math.ceil(self.low / step)
        last = math.floor(self.high / step + 1e-9)
        return [number * step for number in range(first, last + 1)]


@dataclass
class Column:
    """Counts of the values from `low` up to `high` (in units)."""

    low: float
    high: float
    kept: int = 0
    dropped: int = 0


def _axis(sides: Sequence[Json], scale: int, marks: Sequence[float]) -> Axis:
    filled = [side for side in sides if side["count"]]
    low = min(side["min"] for side in filled) / scale
    high = max(side["max"] for side in filled) / scale + (scale == 1)
    if scale > 1 and low >= 0 and high <= 1:
        return Axis(
            0.0, 1.0 if high > 0.5 or any(mark > 0.5 for mark in marks) else _round_up(high, marks), False
        )
    low = min([low, *marks])
    if low >= 0 and high > 30 * max(low, 1.0):
        return Axis(0.0 if low < 2 else low, max([high, *marks]) * 1.02, True)
    tail = max(quantile(side, 995, 1000) or 0 for side in filled) / scale
    if high > 4 * abs(tail) + 1:
        high = tail * 1.5 + 1
    high = max([high, *marks])
    pad = (high - low) * 0.04 or 1.0
    return Axis(0.0 if 0 <= low < high / 3 else low - pad, high + pad, False, scale == 1)


def _round_up(high: float, marks: Sequence[float]) -> float:
    wanted = max([high, *marks]) * 1.15
    return next(
        edge for edge in (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6) if wanted <= edge or edge == 0.6
    )


def _columns(
    kept: Json, dropped: Json, axis: Axis, scale: int, marks: Sequence[tuple[str, float]]
) -> list[Column]:
    """Gather bins in columns of about equal width on the axis, an edge at the threshold; bins stay whole."""
    counts: dict[int, list[int]] = {}
    for side, histogram in enumerate((kept, dropped)):
        for number, count in histogram["bins"]:
            counts.setdefault(number, [0, 0])[side] += count
    columns: dict[int, Column] = {}
    width = (WIDTH - LEFT - RIGHT) / COLUMNS
    anchor = axis.place(marks[0][1]) if len(marks) == 1 else LEFT
    for number, (of_kept, of_dropped) in sorted(counts.items()):
        low, high = (edge / scale for edge in bin_edges(number, scale))
        middle = low if scale == 1 and high - low <= 1 else (low + high) / 2
        slot = math.floor((axis.place(middle) - anchor) / width + 1e-6)
        column = columns.setdefault(slot, Column(low, high))
        column.low, column.high = min(column.low, low), max(column.high, high)
        column.kept += of_kept
        column.dropped += of_dropped
    return [columns[slot] for slot in sorted(columns)]


def _density(column: Column, axis: Axis) -> tuple[float, float]:
    """Kept and dropped documents per width of an average column: areas, not heights, stand for counts."""
    natural = max(axis.place(column.high) - axis.place(column.low), 2.0)
    share = (WIDTH - LEFT - RIGHT) / COLUMNS / natural
    return column.kept * share, column.dropped * share


def _slots(columns: Sequence[Column], axis: Axis, scale: int) -> list[tuple[float, float]]:
    """Left edge and width in pixels of each column, at least 5 px wide and not past the axis."""
    places = []
    for column in columns:
        left = axis.place(column.low)
        right = axis.place(column.high if scale > 1 or column.high - column.low > 1 else column.low + 0.9)
        slot = (WIDTH - LEFT - RIGHT) / COLUMNS
        width = max(right - left - 1, slot - 1.5)
        places.append((min(left, WIDTH - RIGHT - width), width))
    return places


def thresholds_of(rule: Json) -> list[tuple[str, float]]:
    """Label and position (in units) of each number in a rule's threshold: one, or one per language.

    Whole numbers are drawn as if n reached from n to n + 1, so "above n" divides at n + 1.
    """
    value, scale = rule["threshold"], rule["scale"] or 0
    named = sorted(value.items()) if isinstance(value, Mapping) else [("", value)]
    numbers = [(str(name), number) for name, number in named if fixed_point(number, scale) is not None]
    shift = 1.0 if scale == 1 and rule["comparison"] in ("above", "at_most") else 0.0
    shown = numbers[:THRESHOLDS_SHOWN]
    return [(visible(f"{name} {decimal(number)}".strip()), float(number) + shift) for name, number in shown]


def histogram(kept: Json, dropped: Json, label: str, rule: Json | None = None) -> Markup:
    """Draw one signal's distribution; empty when nothing was measured, a sentence for one single value.

    `kept` and `dropped` are histograms of `corpusforge.statistics.histogram`, `rule` an entry of the report whose
    threshold is drawn in. Heights are logarithmic where linear ones would hide all but the highest columns.
    """
    if not kept["count"] + dropped["count"]:
        return Markup("")
    scale = kept["scale"]
    values = {side[end] for side in (kept, dropped) for end in ("min", "max") if side["count"]}
    if len(values) == 1:
        total, value = integer(kept["count"] + dropped["count"]), measured(values.pop(), scale)
        return Markup('<p class="muted small">All {} measured documents have the value {}.</p>').format(
            total, value
        )
    marks = thresholds_of(rule) if rule else []
    axis = _axis([kept, dropped], scale, [position for _, position in marks])
    columns = _columns(kept, dropped, axis, scale, marks)
    places = _slots(columns, axis, scale)
    densities = [_density(column, axis) for column in columns]
    heights = sorted(density for pair in densities for density in pair if density)
    logarithmic = heights[-1] > 40 * heights[len(heights) // 2]
    bend: Callable[[float], float] = (lambda count: math.log1p(count)) if logarithmic else float
    above = bend(max(kept_density for kept_density, _ in densities))
    below = bend(max(dropped_density for _, dropped_density in densities))
    unit = (HEIGHT - TOP - BOTTOM) / ((above + below) or 1.0)
    base = TOP + above * unit
    parts = [_zone(rule, marks, axis), _bars(densities, places, bend, unit, base)]
    parts += [_ticks(axis, base), _marks(marks, axis), _tips(columns, places, scale, kept, dropped)]
    note = "heights are logarithmic" if logarithmic else "heights are linear"
    summary = (
        f"{label}: distribution among {integer(kept['count'])} kept and {integer(dropped['count'])} dropped"
    )
    return Markup(
        '<figure class="chart"><svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>'
        '<figcaption><span class="key kept">kept, upwards</span> '
        '<span class="key dropped">dropped by this step, downwards</span> '
        '<span class="muted">{}</span> <span class="readout"></span></figcaption></figure>'
    ).format(WIDTH, HEIGHT, summary, Markup("").join(parts), note)


def axis_of(kept: Json, dropped: Json, rule: Json) -> Axis:
    """Give the axis of a measured signal's distribution, wide enough for a rule's threshold."""
    return _axis([kept, dropped], kept["scale"], [position for _, position in thresholds_of(rule)])


def retention(axis: Axis, points: Sequence[tuple[float, float]], here: float, label: str) -> Markup:
    """Draw a retention curve: points of (pixels across, share kept), rising, and a line at the run's threshold.

    The line of class ``moving`` stands at the same place until a script moves it.
    """
    base = CURVE_HEIGHT - BOTTOM
    corners = " ".join(f"{left:.0f},{base - share * (base - 8):.1f}" for left, share in points)
    line = Markup('<line class="{}" x1="{:.0f}" x2="{:.0f}" y1="4" y2="{}"/>')
    return Markup(
        '<figure class="chart"><svg viewBox="0 0 {} {}" role="img" aria-label="{}">'
        '{}<polyline class="curve" points="{}"/>{}{}</svg></figure>'
    ).format(
        WIDTH,
        CURVE_HEIGHT,
        visible(label),
        _ticks(axis, base, CURVE_HEIGHT),
        corners,
        line.format("threshold", here, here, base),
        line.format("moving", here, here, base),
    )


def _bars(
    densities: Sequence[tuple[float, float]],
    places: Sequence[tuple[float, float]],
    bend: Callable[[float], float],
    unit: float,
    base: float,
) -> Markup:
    drawn = []
    for pair, (left, width) in zip(densities, places):
        for kind, density in zip(("kept", "dropped"), pair):
            if density:
                height = max(bend(density) * unit, 1.0)
                top = base - height if kind == "kept" else base
                drawn.append(
                    Markup('<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>').format(
                        kind, left, top, width, height
                    )
                )
    return Markup("").join(drawn)


def _zone(rule: Json | None, marks: Sequence[tuple[str, float]], axis: Axis) -> Markup:
    """Shade the side on which the rule drops (only for a single threshold)."""
    if rule is None or len(marks) != 1:
        return Markup("")
    place = axis.place(marks[0][1])
    leftwards = rule["comparison"] in ("below", "at_most")
    left, right = (LEFT, place) if leftwards else (place, WIDTH - RIGHT)
    return Markup('<rect class="zone" x="{:.1f}" y="{}" width="{:.1f}" height="{}"/>').format(
        left, TOP, max(right - left, 0), HEIGHT - TOP - BOTTOM
    )


def _ticks(axis: Axis, base: float, height: int = HEIGHT) -> Markup:
    drawn = [
        Markup('<line class="base" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>').format(
            LEFT, WIDTH - RIGHT, base, base
        )
    ]
    for value in axis.ticks():
        place = axis.place(value)
        anchor = "start" if place < LEFT + 14 else "end" if place > WIDTH - RIGHT - 14 else "middle"
        drawn.append(
            Markup('<text class="tick" x="{:.1f}" y="{}" text-anchor="{}">{}</text>').format(
                place, height - 8, anchor, decimal(round(value, 12))
            )
        )
    return Markup("").join(drawn)


def _marks(marks: Sequence[tuple[str, float]], axis: Axis) -> Markup:
    drawn = []
    for position, (label, value) in enumerate(marks):
        place = axis.place(value)
        anchor = "start" if place < WIDTH / 2 else "end"
        words = f"threshold {label}" if len(marks) == 1 else label
        drawn.append(
            Markup(
                '<line class="threshold" x1="{0:.1f}" x2="{0:.1f}" y1="{1}" y2="{2}"/>'
                '<text class="threshold-label" x="{3:.1f}" y="{4}" text-anchor="{5}">{6}</text>'
            ).format(
                place,
                TOP - 6,
                HEIGHT - BOTTOM,
                place + (4 if anchor == "start" else -4),
                TOP - 12 + 11 * position,
                anchor,
                words,
            )
        )
    return Markup("").join(drawn)


def _tips(
    columns: Sequence[Column], places: Sequence[tuple[float, float]], scale: int, kept: Json, dropped: Json
) -> Markup:
    """Lay one transparent rectangle over each column that says what is in it, and how much lies below it."""
    total = kept["count"] + dropped["count"]
    before, drawn = 0, []
    for column, (left, width) in zip(columns, places):
        single = scale == 1 and column.high - column.low <= 1
        span = decimal(column.low) if single else f"{decimal(column.low)} to {decimal(column.high)}"
        words = (
            f"{span}: {integer(column.kept)} kept, {integer(column.dropped)} dropped; "
            f"{percent(before, total)} of the measured documents lie lower"
        )
        before += column.kept + column.dropped
        drawn.append(
            Markup(
                '<rect class="tip" x="{:.1f}" y="{}" width="{:.1f}" height="{}"><title>{}</title></rect>'
            ).format(left, TOP, width, HEIGHT - TOP - BOTTOM, words)
        )
    return Markup("").join(drawn)


def bar(parts: Sequence[tuple[str, int]], whole: int, label: str) -> Markup:
    """Draw a horizontal stacked bar of (class, amount) against a whole; what is not zero stays visible."""
    shown = [(kind, amount) for kind, amount in parts if amount > 0 and whole > 0]
    widths = [max(100 * amount / whole, LEAST_WIDTH) for _, amount in shown]
    over = sum(widths) - 100
    if over > 0:
        widths[widths.index(max(widths))] -= over
    drawn, left = [], 0.0
    for (kind, _), width in zip(shown, widths):
        drawn.append(
            Markup('<rect class="{}" x="{:.3f}%" y="0" width="{:.3f}%" height="100%"/>').format(
                kind, left, width
            )
        )
        left += width
    return Markup('<svg class="bar" role="img" aria-label="{}">{}</svg>').format(
        visible(label), Markup("").join(drawn)
    )
