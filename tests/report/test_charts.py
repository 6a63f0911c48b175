from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusforge.report import charts
from corpusforge.statistics.histogram import Histogram
from corpusforge.step import MICRO, RATIO


def of(values: list[int], scale: int) -> dict[str, Any]:
    histogram = Histogram(scale)
    histogram.add(np.array(values, np.int64))
    return histogram.to_json()


def svg(drawn: str) -> ElementTree.Element:
    return ElementTree.fromstring(re.search(r"<svg.*</svg>", drawn, re.DOTALL)[0])  # type: ignore[index]


def rule(comparison: str, threshold: Any, scale: int) -> dict[str, Any]:
    return {"comparison": comparison, "threshold": threshold, "scale": scale}


@settings(deadline=None)
@given(
    st.lists(st.integers(-(2**62), 2**62), max_size=30),
    st.lists(st.integers(-50, 5_000), min_size=1, max_size=30),
    st.sampled_from([1, MICRO, RATIO]),
    st.sampled_from(["below", "above"]),
    st.floats(-1e6, 1e6),
)
def test_any_distribution_is_drawn_inside_the_picture(
    kept: list[int], dropped: list[int], scale: int, comparison: str, threshold: float
) -> None:
    drawn = charts.histogram(of(kept, scale), of(dropped, scale), "name", rule(comparison, threshold, scale))
    if len({*kept, *dropped}) == 1:
        assert "<svg" not in drawn
        return
    for part in svg(drawn).iter("rect"):
        left, top, width, height = (float(part.attrib[name]) for name in ("x", "y", "width", "height"))
        assert left >= -0.1
        assert left + width <= charts.WIDTH + 0.1
        assert top >= charts.TOP - 1.1
        assert top + height <= charts.HEIGHT - charts.BOTTOM + 1.1


@given(
    st.lists(st.integers(0, 3_000), max_size=80).map(lambda values: [1, 7, *values]),
    st.lists(st.integers(0, 3_000), max_size=80),
)
def test_the_tips_of_all_columns_add_up(kept: list[int], dropped: list[int]) -> None:
    tips = [part.text or "" for part in svg(charts.histogram(of(kept, 1), of(dropped, 1), "n")).iter("title")]
    numbers = [re.search(r": ([\d,]+) kept, ([\d,]+) dropped", tip) for tip in tips]
    totals = [sum(int(found[side].replace(",", "")) for found in numbers if found) for side in (1, 2)]
    assert totals == [len(kept), len(dropped)]


@pytest.mark.parametrize(
    ("comparison", "place"), [("below", 50), ("above", 51), ("at_most", 51), ("at_least", 50)]
)
def test_the_threshold_divides_kept_from_dropped(comparison: str, place: int) -> None:
    split = place
    low, high = list(range(30, split)), list(range(split, 80))
    kept, dropped = (high, low) if comparison in ("below", "at_most") else (low, high)
    drawn = svg(charts.histogram(of(kept, 1), of(dropped, 1), "words", rule(comparison, 50, 1)))
    (line,) = drawn.findall("line[@class='threshold']")
    (zone,) = drawn.findall("rect[@class='zone']")
    x = float(line.attrib["x1"])
    for part in drawn.findall("rect[@class='kept']") + drawn.findall("rect[@class='dropped']"):
        left, right = float(part.attrib["x"]), float(part.attrib["x"]) + float(part.attrib["width"])
        on_the_left = part.attrib["class"] == ("dropped" if comparison in ("below", "at_most") else "kept")
        assert right <= x + 1 if on_the_left else left >= x - 1
    zone_left = float(zone.attrib["x"])
    assert (zone_left < x - 1) == (comparison in ("below", "at_most"))
    assert [part.text for part in drawn.findall("text[@class='threshold-label']")] == ["threshold 50"]


def test_one_threshold_per_language_is_one_line_each() -> None:
    limits = rule("above", {"en": 3.4, "de": 3.6}, MICRO)
    drawn = svg(charts.histogram(of([2 * MICRO, 3 * MICRO], MICRO), of([], MICRO), "perplexity", limits))
    assert [part.text for part in drawn.findall("text[@class='threshold-label']")] == ["de 3.6", "en 3.4"]
    assert not drawn.findall("rect[@class='zone']")


def test_one_single_value_is_a_sentence() -> None:
    words = charts.histogram(of([0, 0], 1), of([0], 1), "listed")
    assert "All 3 measured documents have the value 0." in words


def test_whole_numbers_have_whole_ticks() -> None:
    drawn = svg(charts.histogram(of([0, 1], 1), of([], 1), "listed"))
    assert [part.text for part in drawn.findall("text[@class='tick']")] == ["0", "1", "2"]


def test_nothing_measured_draws_nothing() -> None:
    assert charts.histogram(of([], 1), of([], 1), "name") == ""


def test_labels_are_escaped() -> None:
    drawn = charts.histogram(of([1, 5], 1), of([2], 1), '"><script>')
    assert "<script>" not in drawn
    assert "<script>" not in charts.bar([("kept", 1)], 2, '"><script>')


def test_bars_never_leave_their_width_and_small_parts_stay_visible() -> None:
    drawn = svg(charts.bar([("kept", 999_999), ("dropped", 1), ("quarantined", 0)], 1_000_000, "x"))
    widths = {part.attrib["class"]: float(part.attrib["width"].rstrip("%")) for part in drawn.iter("rect")}
    assert set(widths) == {"kept", "dropped"}
    assert widths["dropped"] > 0
    assert sum(widths.values()) <= 100.001


def test_a_retention_curve_falls_inside_the_picture_and_has_its_threshold() -> None:
    kept, dropped = of([60, 80, 900], 1), of([3, 20], 1)
    axis = charts.axis_of(kept, dropped, rule("below", 50, 1))
    points = [(axis.place(value), share) for value, share in ((0, 1.0), (50, 0.6), (901, 0.0))]
    drawn = svg(charts.retention(axis, points, points[1][0], "a <b> rule"))
    assert drawn.attrib["aria-label"] == "a <b> rule"
    (curve,) = drawn.iter("polyline")
    corners = [tuple(map(float, corner.split(","))) for corner in curve.attrib["points"].split()]
    assert corners == sorted(corners)
    assert all(0 <= x <= charts.WIDTH and 0 <= y <= charts.CURVE_HEIGHT - charts.BOTTOM for x, y in corners)
    assert [corner[1] for corner in corners] == sorted(corner[1] for corner in corners)
    at = {line.attrib["class"]: float(line.attrib["x1"]) for line in drawn.iter("line")}
    assert at["threshold"] == at["moving"] == round(points[1][0])
