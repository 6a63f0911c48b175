"""What the sliders say is exact for one rule, and for several it encloses what documents counted one by one give."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusforge.report.html import render
from corpusforge.report.thresholds import (
    NUMERIC,
    PLACES,
    Bounds,
    Place,
    State,
    bounds,
    exact,
    kept_at_end,
    places_of,
    sections,
)
from corpusforge.statistics.histogram import Histogram
from corpusforge.step import RATIO

COMPARE: dict[str, Callable[[Any, int], Any]] = {
    "below": np.less,
    "at_most": np.less_equal,
    "above": np.greater,
    "at_least": np.greater_equal,
}


@dataclass
class Checked:
    """A rule with the values of its signal, int64[n], as the run had it and as it is moved."""

    values: Any
    comparison: str
    scale: int
    limit: int | None
    moved: Place | None = None

    def matches(self, limit: int | None) -> Any:
        if limit is None:
            return np.zeros(len(self.values), bool)
        return COMPARE[self.comparison](self.values, limit)


def decide(rules: list[Checked], seen: Any) -> tuple[list[Any], Any]:
    """Which documents each rule takes as the first to match, and which the step keeps."""
    left, taken = seen.copy(), []
    for rule in rules:
        taken.append(left & rule.matches(rule.limit))
        left &= ~taken[-1]
    return taken, left


def entry(rule: Checked, seen: Any, kept: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """A rule and its signal as a report has them."""
    sides: dict[str, Any] = {}
    for side, rows in (("kept", kept), ("dropped", seen & ~kept)):
        histogram = Histogram(rule.scale)
        histogram.add(rule.values[rows])
        sides[side] = histogram.to_json()
    threshold = (
        None if rule.limit is None else int(rule.limit) if rule.scale == 1 else rule.limit / rule.scale
    )
    matched = int((rule.matches(rule.limit) & seen).sum())
    return {"comparison": rule.comparison, "threshold": threshold, "matched": matched}, {
        "scale": rule.scale,
        **sides,
    }


@st.composite
def steps(draw: st.DrawFn) -> list[list[Checked]]:
    """Two steps of two rules over the same documents, with few enough values that rules overlap."""
    count = draw(st.integers(1, 40))
    found = []
    for _ in range(2):
        rules = []
        for _ in range(draw(st.integers(1, 3))):
            scale = draw(st.sampled_from([1, 1000, RATIO]))
            value = st.integers(-3, 12) if draw(st.booleans()) else st.integers(0, 5000)
            values = draw(st.lists(value, min_size=count, max_size=count))
            unit = 1 if scale == 1 else scale // 1000
            limit = draw(st.one_of(st.none(), value))
            rules.append(
                Checked(
                    np.array(values, np.int64) * unit,
                    draw(st.sampled_from(NUMERIC)),
                    scale,
                    None if limit is None else limit * unit,
                )
            )
        found.append(rules)
    return found


@settings(deadline=None, max_examples=60)
@given(steps(), st.randoms(use_true_random=False))
def test_counts_of_one_rule_are_exact_and_bounds_hold_for_all(
    chain: list[list[Checked]], random: Any
) -> None:
    count = len(chain[0][0].values)
    seen = np.ones(count, bool)
    survivors, told, ends = np.ones(count, bool), [], []
    for rules in chain:
        taken, kept = decide(rules, seen)
        states = []
        for rule, own in zip(rules, taken):
            if not seen.any():
                continue
            declared, signal = entry(rule, seen, kept)
            places, start = places_of(declared, signal)
            assert len(places) <= 2 * PLACES + 2
            assert (places[start].kept, places[start].dropped) == (0, declared["matched"])
            for place in places:
                now = rule.matches(place.limit) & seen
                assert (place.kept, place.dropped) == ((now & kept).sum(), (now & ~kept).sum())
            rule.moved = places[start] if random.random() < 0.3 else random.choice(places)
            states.append(State(int(own.sum()), declared["matched"], rule.moved))
        dropping = np.zeros(count, bool)
        for rule in rules:
            dropping |= rule.matches(rule.moved.limit if rule.moved else None)
        found = bounds(int(kept.sum()), int((seen & ~kept).sum()), states)
        assert found.gone[0] <= (kept & dropping).sum() <= found.gone[1]
        assert found.back[0] <= (seen & ~kept & ~dropping).sum() <= found.back[1]
        told.append((int(kept.sum()), found))
        survivors &= ~dropping
        ends.append(kept)
        seen = kept
    last = int(ends[-1].sum())
    low, high = kept_at_end([(kept - last, each) for kept, each in told], last)
    assert low <= survivors.sum() <= high


def test_bounds_by_hand() -> None:
    strict, loose = Place(70, 30, 25), Place(10, 0, 5)
    as_it_was = Place(50, 0, 20)
    assert bounds(100, 40, [State(20, 20, strict)]) == Bounds((30, 30), (0, 0))
    # The first rule took 20 and still matches 5; the second one took 20 others and matched 22, so 2 of these 20 too.
    assert bounds(100, 40, [State(20, 20, loose), State(20, 22, None)]) == Bounds((0, 0), (13, 15))
    # A rule before it took what it matched: it matches none of those that the second one took.
    assert bounds(100, 40, [State(20, 22, None), State(20, 20, loose)]) == Bounds((0, 0), (15, 15))
    # Where it is not known what a later rule matched, all of them may be matched by it.
    assert bounds(100, 40, [State(20, 20, loose), State(20, None, None)]) == Bounds((0, 0), (0, 15))
    two = bounds(100, 40, [State(20, 20, strict), State(20, 20, Place(3, 80, 20))])
    assert two == Bounds((80, 100), (0, 0))
    assert bounds(100, 40, [State(20, 20, as_it_was)]) == Bounds((0, 0), (0, 0))
    assert kept_at_end([(15, two), (0, Bounds((0, 0), (0, 9)))], 85) == (0, 29)


@pytest.mark.parametrize(
    ("limit", "scale", "told"),
    [
        (70, 1, "70"),
        (199_999_999, RATIO, "0.199999999"),
        (RATIO // 2, RATIO, "0.5"),
        (0, RATIO, "0"),
        (None, 1, "null"),
    ],
)
def test_thresholds_are_told_with_all_digits(limit: int | None, scale: int, told: str) -> None:
    assert exact(limit, scale) == told


def test_a_page_says_what_has_no_slider_and_stays_small(report: dict[str, Any]) -> None:
    found = sections(report)
    reasons = {rule["rule"]: rule["reason"] for step in found for rule in step["rules"]}
    assert reasons["min_words"] == ""
    assert reasons["min_stop_words"] == "", (
        "a rule that was off can be switched on where its signal was measured"
    )
    assert reasons["max_perplexity"] == "has one threshold per language"
    assert reasons["drop_buckets"] == "compares no number"
    page = render(report)
    section = page[page.index('id="thresholds"') :]
    section = section[: section.index("</section>")]
    parts = section.split('<div class="slide')[1:]
    assert max(len(part.encode("utf-8")) for part in parts) < 8_000
    for rule in re.findall(r'data-places="([^"]*)"', section):
        assert len(rule.split(";")) <= 2 * PLACES + 2


def test_numbers_are_there_without_a_script(report: dict[str, Any]) -> None:
    (step,) = [step for step in sections(report) if step["step"] == "gopher"]
    (rule,) = [rule for rule in step["rules"] if rule["rule"] == "min_words"]
    (here,) = [row for row in rule["rows"] if row["here"]]
    assert (here["limit"], here["gone"], here["back"]) == ("50", (0, 0), (0, 0))
    assert rule["rows"][0]["limit"] == "off"
    assert rule["rows"][-1]["alone"] == 0
    page = render(report)
    for row in rule["rows"]:
        assert f'<th scope="row">{row["limit"]}</th><td>{row["alone"]:,}</td>' in page


def test_a_report_without_movable_rules_has_no_section(report: dict[str, Any]) -> None:
    plain = json.loads(json.dumps(report))
    for step in plain["steps"]:
        step["signals"] = {}
    assert sections(plain) == []
    assert 'id="thresholds"' not in render(plain)
