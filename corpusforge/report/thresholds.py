"""What other thresholds would do to a run, as far as its report tells: the numbers behind the sliders of report.html.

The report holds the distribution of every signal among the documents that a step kept and among those that it dropped,
and for every rule how many documents met its condition and how many it took as the first rule to match. So at the edges
of the signals' bins it is exact what one rule matches by itself. What several rules do together, and which of the
dropped documents another rule would still drop, depends on documents that share values, which no histogram tells: for
these there are bounds (of Fréchet's kind, from the counts of each rule), and `corpusforge tune` counts.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate
from typing import Any

from corpusforge.report import charts, numbers
from corpusforge.statistics.histogram import bin_edges
from corpusforge.step import RATIO, fixed_point

Json = Mapping[str, Any]

NUMERIC = ("below", "at_most", "above", "at_least")
PLACES = 32
"""A slider has at most this many places spread evenly over its documents, and as many spread over its bins."""
ROWS = 9
"""Thresholds of each rule that the page tells as a table."""


@dataclass(frozen=True)
class Place:
    """A threshold in fixed point (None: switched off), and the documents that the step kept and dropped it matches."""

    limit: int | None
    kept: int
    dropped: int


@dataclass(frozen=True)
class State:
    """A rule of a step: what it took and matched in the run, and what it matches under a threshold.

    `decided`: documents that it took as the first to match. `was`: documents that met its condition, all of them
    dropped by the step (None where the report does not know). `place`: where its slider stands, None without one.
    """

    decided: int
    was: int | None
    place: Place | None


@dataclass(frozen=True)
class Bounds:
    """Least and most documents of a step that go although it kept them, and that stay although it dropped them."""

    gone: tuple[int, int]
    back: tuple[int, int]


def bounds(kept: int, dropped: int, states: Sequence[State]) -> Bounds:
    """Bound what the rules of a step do together, in the order in which they decide.

    `kept`, `dropped`: documents of the step in the run.
    """
    new = [state.place.kept if state.place else 0 for state in states]
    gone = (max(new, default=0), min(kept, sum(new)))
    still = [_still(state) for state in states]
    freed = [
        max(state.was - state.place.dropped, 0) if state.place and state.was is not None else 0
        for state in states
    ]
    looser = [at for at, amount in enumerate(freed) if amount]
    if not looser:
        return Bounds(gone, (0, 0))
    # Those that a rule took stay dropped while it still matches them, so only its own can come back.
    most = sum(min(states[at].decided, freed[at]) for at in looser)
    sure = max(state.decided if matches is None else matches for state, matches in zip(states, still))
    most = max(min(most, dropped - sure), 0)
    # Of those that looser rules took, at most these still match some rule.
    held = 0
    for at, (state, matches) in enumerate(zip(states, still)):
        if at in looser:
            held += matches or 0
        elif matches is None or state.was is None:
            held += 0 if at < looser[0] else dropped - state.decided
        else:
            # A rule before them did not match them in the run, or it would have taken them.
            held += matches - (state.was if at < looser[0] else state.decided)
    least = max(sum(states[at].decided for at in looser) - held, 0)
    return Bounds(gone, (min(least, most), most))


def _still(state: State) -> int | None:
    return state.place.dropped if state.place else state.was


def kept_at_end(steps: Sequence[tuple[int, Bounds]], kept: int) -> tuple[int, int]:
    """Bound the documents of the run's end, `kept` in the run, from (documents that later steps dropped, bounds).

    Holds as long as the steps that compare documents decide as they did.
    """
    most_gone = min(sum(each.gone[1] for _, each in steps), kept)
    least_gone = max((each.gone[0] - later for later, each in steps), default=0)
    return kept - most_gone, kept - max(least_gone, 0) + sum(each.back[1] for _, each in steps)


def places_of(rule: Json, signal: Json) -> tuple[list[Place], int]:
    """Thresholds that a rule can be moved to, rising, and the number of the one that the run had.

    `rule` and `signal` are entries of the report; at most 2 · `PLACES` + 2 places. All counts are exact: other
    thresholds are edges of bins, and what the run's own threshold matched was counted.
    """
    scale, comparison = signal["scale"], rule["comparison"]
    # Values equal to the threshold are on the upper side for two comparisons, and on the lower one for the others.
    shift = 1 if comparison in ("above", "at_most") else 0
    drops_low = comparison in ("below", "at_most")
    limit = fixed_point(rule["threshold"], scale)
    here = None if limit is None else limit + shift
    totals = {side: signal[side]["count"] for side in ("kept", "dropped")}
    under = {side: _under(signal[side]) for side in totals}
    edges = _edges(signal, under)
    found = []
    for edge in sorted({*edges, *([] if here is None else [here])}):
        if edge == here:
            found.append(Place(limit, 0, rule["matched"]))
            continue
        low = [_count(under[side], edge) for side in ("kept", "dropped")]
        kept, dropped = low if drops_low else [totals["kept"] - low[0], totals["dropped"] - low[1]]
        if kept or dropped:
            found.append(Place(edge - shift, kept, dropped))
    found.insert(0 if drops_low else len(found), Place(None, 0, 0))
    return found, next(at for at, place in enumerate(found) if place.limit == limit)


def _under(side: Json) -> tuple[list[int], list[int]]:
    """Upper edges of the bins, rising, and the documents in the first 0, 1, 2, … of them."""
    uppers = [_ends(number, side["scale"])[1] for number, _ in side["bins"]]
    return uppers, list(accumulate((count for _, count in side["bins"]), initial=0))


def _ends(number: int, scale: int) -> tuple[int, int]:
    """Edges of a bin, half-open: the bin of the least negative values ends at 0, which the next one holds."""
    low, high = bin_edges(number, scale)
    return low, min(high, 0) if number < 0 else high


def _count(under: tuple[list[int], list[int]], edge: int) -> int:
    """Documents below an edge of a bin."""
    uppers, totals = under
    return totals[bisect_right(uppers, edge)]


def _edges(signal: Json, under: Mapping[str, tuple[list[int], list[int]]]) -> list[int]:
    """Edges of bins that hold documents: some evenly by documents, some evenly by bins, so that tails have them too."""
    bins = {number for side in ("kept", "dropped") for number, _ in signal[side]["bins"]}
    edges = sorted({edge for number in bins for edge in _ends(number, signal["scale"])})
    if len(edges) <= 2 * PLACES:
        return edges
    last = len(edges) - 1
    chosen = {edges[at * last // (PLACES - 1)] for at in range(PLACES)}
    below = [sum(_count(each, edge) for each in under.values()) for edge in edges]
    for part in range(1, PLACES + 1):
        wanted = -(-below[-1] * part // (PLACES + 1))
        chosen.add(edges[bisect_left(below, wanted)])
    return sorted(chosen)


def sections(report: Json) -> list[dict[str, Any]]:
    """The steps that have rules, with all that the page shows of them; none where no rule has a slider."""
    steps = []
    for number, step in enumerate(report["steps"], 1):
        row = step["funnel"]
        similar = report.get("similarities", {}).get(step["step"])
        rules = [
            _rule(step, rule, f"step-{number}-{at}", similar) for at, rule in enumerate(step["rules"], 1)
        ]
        if rules:
            for at, rule in enumerate(rules):
                rule["rows"] = _rows(rules, at, row)
            steps.append(
                {
                    "step": step["step"],
                    "kept": row["documents_kept"],
                    "dropped": row["documents_dropped"],
                    "later": max(row["documents_kept"] - report["summary"]["documents_kept"], 0),
                    "rules": rules,
                }
            )
    return steps if any(rule["places"] for step in steps for rule in step["rules"]) else []


def _rule(step: Json, rule: Json, anchor: str, similar: Json | None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "rule": rule["rule"],
        "setting": f"{step['step']}.{rule['rule']}",
        "anchor": anchor,
        "on": rule["on"],
        "comparison": numbers.COMPARISONS.get(rule["comparison"], ""),
        "drops_when": numbers.drops_when(rule["comparison"], rule["threshold"]) if rule["comparison"] else "",
        "decided": rule["documents"],
        "was": rule["matched"],
        "places": [],
        "reason": _not_movable(step, rule),
    }
    if similar is not None and rule["comparison"] in (None, "is_true"):
        return {**found, **_similarity(step, rule, similar)}
    if found["reason"]:
        return found
    signal = step["signals"][rule["signal"]]
    places, start = places_of(rule, signal)
    axis = charts.axis_of(signal["kept"], signal["dropped"], rule)
    measured = signal["kept"]["count"] + signal["dropped"]["count"]
    across = [_across(place, axis, rule, signal["scale"]) for place in places]
    shares = [(measured - place.kept - place.dropped) / measured for place in places]
    label = f"{rule['rule']}: documents kept by this rule alone, by its threshold"
    return {
        **found,
        "places": places,
        "start": start,
        "measured": measured,
        "scale": signal["scale"],
        "data": _data(places, across, signal["scale"]),
        "chart": charts.retention(axis, list(zip(across, shares)), across[start], label),
    }


def _data(places: Sequence[Place], across: Sequence[float], scale: int) -> str:
    """Places of a slider as its script reads them: label, setting, pixels across, kept, dropped."""
    return ";".join(
        f"{numbers.threshold(None) if place.limit is None else numbers.measured(place.limit, scale)}"
        f"|{exact(place.limit, scale)}|{left:.0f}|{place.kept}|{place.dropped}"
        for place, left in zip(places, across)
    )


def _similarity(step: Json, rule: Json, similar: Json) -> dict[str, Any]:
    """The slider of a step that compares documents: its places are similarities."""
    if "at" not in similar:
        return {"reason": similar["reason"]}
    places = [Place(at, gone, still) for at, gone, still in similar["at"]]
    start = next(at for at, place in enumerate(places) if place.limit == similar["threshold"])
    measured = step["funnel"]["documents_kept"] + step["funnel"]["documents_dropped"]
    axis = charts.Axis(min(place.limit or 0 for place in places) / RATIO, 1.0, False)
    across = [_across(place, axis, {}, RATIO) for place in places]
    shares = [(measured - place.kept - place.dropped) / max(measured, 1) for place in places]
    label = "documents kept by this step, by the similarity that makes a duplicate"
    comparison = "similarity at least"
    return {
        "setting": f"{step['step']}.threshold",
        "comparison": comparison,
        "drops_when": f"{comparison} {numbers.measured(similar['threshold'], RATIO)}",
        "was": rule["documents"],
        "reason": "",
        "places": places,
        "start": start,
        "measured": measured,
        "scale": RATIO,
        "data": _data(places, across, RATIO),
        "chart": charts.retention(axis, list(zip(across, shares)), across[start], label),
    }


def _across(place: Place, axis: charts.Axis, rule: Json, scale: int) -> float:
    """Where a threshold stands on the axis in pixels; a rule that is off, at the end where it drops nothing."""
    if place.limit is None:
        return axis.place(axis.low if rule["comparison"] in ("below", "at_most") else axis.high)
    return axis.place(place.limit / scale)


def _not_movable(step: Json, rule: Json) -> str:
    """Why a rule has no slider; empty where it has one."""
    signal = step["signals"].get(rule["signal"])
    if rule["comparison"] is None or signal is None:
        return "compares documents with each other"
    if isinstance(rule["threshold"], Mapping):
        return "has one threshold per language"
    if rule["comparison"] not in NUMERIC or not signal["scale"]:
        return "compares no number"
    if rule["matched"] is None:
        return "what its condition holds for was not counted"
    if not signal["kept"]["count"] + signal["dropped"]["count"]:
        return "its signal was measured for no document"
    return ""


def exact(limit: int | None, scale: int) -> str:
    """A threshold as ``--set`` takes it, with all digits of its fixed point."""
    if limit is None:
        return "null"
    text = format(Decimal(limit) / Decimal(scale), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _rows(rules: Sequence[Json], at: int, row: Json) -> list[dict[str, Any]]:
    """Some thresholds of a rule with what it does alone and what its step does then, all others as in the run."""
    places = rules[at]["places"]
    if not places:
        return []
    chosen = {number * (len(places) - 1) // (ROWS - 1) for number in range(ROWS)} | {rules[at]["start"]}
    others = [
        State(rule["decided"], rule["was"], rule["places"][rule["start"]] if rule["places"] else None)
        for rule in rules
    ]
    rows = []
    for number in sorted(chosen):
        place = places[number]
        states = [*others[:at], State(rules[at]["decided"], rules[at]["was"], place), *others[at + 1 :]]
        found = bounds(row["documents_kept"], row["documents_dropped"], states)
        rows.append(
            {
                "limit": "off" if place.limit is None else numbers.measured(place.limit, rules[at]["scale"]),
                "here": number == rules[at]["start"],
                "alone": rules[at]["measured"] - place.kept - place.dropped,
                "gone": found.gone,
                "back": found.back,
            }
        )
    return rows
