"""The fate of one document: where it came from, what was measured, what decided, and who survived instead."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from corpusforge.errors import UsageError
from corpusforge.places import place as place_of
from corpusforge.places import readable
from corpusforge.report import numbers
from corpusforge.report.retractions import retracted_from
from corpusforge.report.terminal import plain
from corpusforge.sources.urls import url_key
from corpusforge.step import MapStep

Thresholds = Mapping[str, Sequence[tuple[str, str, Any, int]]]
"""``step.signal`` to its rules: (rule, comparison, threshold, scale of the signal)."""

LEAST_PREFIX = 6
OTHERS_SHOWN = 10

_HEX = re.compile(r"[0-9a-f]+")
_DOCUMENT_COLUMNS = ("id", "source", "locator", "url", "date", "license", "lang", "meta", "text")
_VERDICT_COLUMNS = ("verdict", "duplicate_of")


@dataclass(frozen=True)
class Limit:
    """A rule beside a signal: `decided` is true when it is the rule that dropped the document."""

    rule: str
    comparison: str
    threshold: Any
    decided: bool


@dataclass(frozen=True)
class Reading:
    """One signal: `value` as stored (fixed point, string, or None for not measured), with its rules."""

    step: str
    signal: str
    value: Any
    scale: int
    limits: tuple[Limit, ...]

    @property
    def shown(self) -> str:
        """The value in units."""
        return numbers.measured(self.value, self.scale)


@dataclass(frozen=True)
class Twin:
    """The document that survived in place of a duplicate; `outcome` is "absent" when no file holds it."""

    id: str
    outcome: str
    verdict: str | None = None
    source: str | None = None
    locator: str | None = None
    url: str | None = None
    run: str | None = None
    """The earlier run that holds it, where it is not the run that was asked."""


@dataclass(frozen=True)
class Fate:
    """What became of a document: `outcome` is "kept", "dropped" or "quarantined"; `others` also matched."""

    outcome: str
    id: str | None
    source: str
    locator: str
    url: str | None = None
    lang: str | None = None
    date: str | None = None
    verdict: str | None = None
    readings: tuple[Reading, ...] = ()
    twin: Twin | None = None
    error: Mapping[str, Any] | None = None
    file: str = ""
    others: tuple[str, ...] = field(default=())
    retracted_from: str | None = None
    """The earlier run that kept the document, where the run asked replaces it."""


@dataclass(frozen=True)
class _Place:
    """A row of an output file, found without reading any text."""

    outcome: str
    path: Path
    group: int
    row: int
    id: bytes


def thresholds_of(steps: Sequence[MapStep]) -> dict[str, list[tuple[str, str, Any, int]]]:
    """Collect the rules of steps (see `corpusforge.plan.map_steps`) by the signal that they look at."""
    found: dict[str, list[tuple[str, str, Any, int]]] = {}
    for step in steps:
        scales = {signal.name: signal.scale for signal in step.signals}
        for name, scale in scales.items():
            found[f"{step.instance}.{name}"] = [
                (rule.name, rule.comparison, getattr(step.parameters, rule.name, None), scale)
                for rule in step.rules
                if rule.signal == name
            ] or [("", "", None, scale)]
        # What makes a duplicate is no rule of its own: the step compares before it knows who is kept.
        for name in step.replayed if "similarity" in scales else ():
            found[f"{step.instance}.similarity"] = [
                (name, "at_least", getattr(step.parameters, name), scales["similarity"])
            ]
    return found


def why(run: Path, query: str, thresholds: Thresholds | None = None) -> Fate:
    """Find a document by the beginning of its id (hexadecimal, 6 digits or more), its URL, or its locator.

    A URL that no document has as it stands is looked for in its normal form (`corpusforge.sources.urls.url_key`).
    Looks in ``documents/``, ``dropped/`` and ``quarantine/``, in that order; of several documents with one URL the
    first is told and the others are named. Raises `UsageError` when there is none, when the beginning of an id fits
    several, or when `run` is no run directory.
    """
    if not any((run / name).is_dir() for name in ("documents", "dropped", "quarantine")):
        raise UsageError(f"{run} holds no documents: is it a run directory, and did the run get that far?")
    prefix = _prefix(query)
    places = list(_find(run, query, prefix)) or (list(_find_url(run, query)) if prefix is None else [])
    identities = sorted({place.id.hex() for place in places})
    if prefix is not None and len(identities) > 1:
        shown = ", ".join(identities[:OTHERS_SHOWN]) + (", …" if len(identities) > OTHERS_SHOWN else "")
        raise UsageError(f"{len(identities)} documents begin with {query!r}: {shown}")
    if not places:
        damaged: list[str] = []
        quarantined = _find_quarantined(run, query, prefix, damaged)
        if quarantined is None:
            raise _unknown(run, query, damaged)
        return quarantined
    place = places[0]
    others = tuple(f"{other.outcome} {other.id.hex()}" for other in places[1 : OTHERS_SHOWN + 1])
    return _tell(run, place, thresholds or {}, others)


def _prefix(query: str) -> str | None:
    """The lower-case hexadecimal beginning of an id, or None when the query is a URL or locator."""
    plain_query = query.strip().lower()
    if not _HEX.fullmatch(plain_query):
        return None
    if not LEAST_PREFIX <= len(plain_query) <= 32:
        length = len(plain_query)
        raise UsageError(f"an id needs {LEAST_PREFIX} to 32 hexadecimal digits, {query!r} has {length}")
    return plain_query


def _unknown(run: Path, query: str, damaged: Sequence[str]) -> UsageError:
    hint = "" if any((run / "dropped").glob("*.parquet")) else " (this run kept no dropped documents)"
    unread = f". It may be among damaged lines: {', '.join(damaged[:OTHERS_SHOWN])}" if damaged else ""
    return UsageError(
        f"no document {query!r} in {run}: give the beginning of an id (hexadecimal), a full URL or a locator. "
        f"Records that were skipped have no id{hint}{unread}"
    )


def _files(run: Path) -> Iterator[tuple[str, Path]]:
    for outcome, folder in (("kept", "documents"), ("dropped", "dropped")):
        for path in sorted((run / folder).glob("*.parquet")):
            yield outcome, path


def _open(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(readable(path))
    except (OSError, pa.ArrowInvalid) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error


def _find(run: Path, query: str, prefix: str | None) -> Iterator[_Place]:
    """Rows that match, one row group at a time; only ids, or ids with URLs and locators, are read."""
    for outcome, path in _files(run):
        with _open(path) as file:
            for group in range(file.num_row_groups):
                columns = ["id"] if prefix is not None else ["id", "url", "locator"]
                table = file.read_row_group(group, columns=columns)
                matches = _matches(table, query, prefix)
                for row in np.flatnonzero(matches).tolist():
                    yield _Place(outcome, path, group, row, table.column("id")[row].as_py())


def _find_url(run: Path, query: str) -> Iterator[_Place]:
    """Rows whose URL has the same normal form. Only those of the same host are brought to it."""
    wanted = query if "://" in query else f"http://{query}"
    try:
        host = (urlsplit(wanted).hostname or "").removeprefix("www.")
    except ValueError:
        return
    if "." not in host:
        return
    key = url_key(wanted)
    for outcome, path in _files(run):
        with _open(path) as file:
            for group in range(file.num_row_groups):
                table = file.read_row_group(group, columns=["id", "url"])
                near = pc.fill_null(pc.match_substring(table.column("url"), host, ignore_case=True), False)
                for row in np.flatnonzero(near.to_numpy()).tolist():
                    if url_key(table.column("url")[row].as_py()) == key:
                        yield _Place(outcome, path, group, row, table.column("id")[row].as_py())


def _matches(table: pa.Table, query: str, prefix: str | None) -> np.ndarray[Any, np.dtype[np.bool_]]:
    if prefix is None:
        mask = pc.or_(
            pc.fill_null(pc.equal(table.column("url"), query), False),
            pc.fill_null(pc.equal(table.column("locator"), query), False),
        )
    else:
        # An odd digit leaves half a byte open: compare the whole bytes first, then the few that are left.
        whole = bytes.fromhex(prefix[: len(prefix) // 2 * 2])
        mask = pc.starts_with(table.column("id").cast(pa.binary()), whole)
        if len(prefix) % 2:
            hits = np.asarray(mask.to_numpy(zero_copy_only=False), bool)
            ids = table.column("id")
            fits = [row for row in np.flatnonzero(hits).tolist() if ids[row].as_py().hex().startswith(prefix)]
            result = np.zeros(len(hits), bool)
            result[fits] = True
            return result
    return np.asarray(mask.to_numpy(zero_copy_only=False), bool)


def _row(place: _Place) -> dict[str, Any]:
    """All columns of a row but its text."""
    with _open(place.path) as file:
        names = [name for name in file.schema_arrow.names if name != "text"]
        table = file.read_row_group(place.group, columns=names)
    return dict(table.slice(place.row, 1).to_pylist()[0])


def _tell(run: Path, place: _Place, thresholds: Thresholds, others: tuple[str, ...]) -> Fate:
    row = _row(place)
    verdict = row.get("verdict")
    readings = tuple(
        _reading(name, row[name], thresholds.get(name, ()), verdict)
        for name in row
        if name not in _DOCUMENT_COLUMNS and name not in _VERDICT_COLUMNS
    )
    twin = row.get("duplicate_of")
    return Fate(
        outcome=place.outcome,
        id=place.id.hex(),
        source=row["source"],
        locator=row["locator"],
        url=row.get("url"),
        lang=row.get("lang"),
        date=row.get("date"),
        verdict=verdict,
        readings=readings,
        twin=_twin(run, twin, place) if twin is not None else None,
        file=f"{place.path.parent.name}/{place.path.name}",
        others=others,
        retracted_from=retracted_from(run, place.id, row["locator"]) if verdict is not None else None,
    )


def _reading(
    name: str, value: Any, rules: Sequence[tuple[str, str, Any, int]], verdict: str | None
) -> Reading:
    step, _, signal = name.rpartition(".")
    limits = tuple(
        Limit(rule, comparison, threshold, verdict == f"{step}.{rule}")
        for rule, comparison, threshold, _ in rules
        if rule
    )
    return Reading(step, signal, value, rules[0][3] if rules else 1, limits)


def _twin(run: Path, identity: bytes, dropped: _Place) -> Twin:
    """Look for the survivor in the run, then in the runs that it was made against, the latest first.

    A document that was crawled again may have the id of its survivor: it is not its own.
    """
    for root, holder in [(run, None), *_earlier_runs(run)]:
        for place in _find(root, "", identity.hex()):
            if place == dropped:
                continue
            row = _row(place)
            facts = (row.get("verdict"), row["source"], row["locator"], row.get("url"))
            return Twin(identity.hex(), place.outcome, *facts, holder)
    return Twin(identity.hex(), "absent")


def _earlier_runs(run: Path) -> Iterator[tuple[Path, str]]:
    """Runs that a run was made against and that are where they were, the latest first: (place, name)."""
    environment = run / "environment.json"
    named = json.loads(environment.read_bytes()).get("against", []) if environment.exists() else []
    for entry in reversed(named):
        root = place_of(str(entry["root"]))
        if root.exists():
            yield root, str(entry["root"])


def _object(line: str) -> dict[str, Any] | None:
    """The JSON object of a line; None when it is none."""
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _find_quarantined(run: Path, query: str, prefix: str | None, damaged: list[str]) -> Fate | None:
    """Look for a quarantined document by id (where its line names one), URL or locator.

    Lines that are no JSON objects are named in `damaged`.
    """
    for path in sorted((run / "quarantine").glob("*.jsonl")):
        with path.open(encoding="utf-8", errors="replace") as lines:
            for number, line in enumerate(lines, 1):
                entry = _object(line)
                if entry is None:
                    damaged.append(f"line {number} of {path.parent.name}/{path.name}")
                    continue
                identity = entry.get("id") or ""
                if prefix is not None:
                    found = identity.startswith(prefix)
                else:
                    found = query in (entry.get("url"), entry.get("locator"))
                if found:
                    file = f"{path.parent.name}/{path.name}"
                    return Fate(
                        "quarantined",
                        identity or None,
                        str(entry.get("source", "")),
                        str(entry.get("locator", "")),
                        url=entry.get("url"),
                        error=entry,
                        file=file,
                    )
    return None


def print_fate(fate: Fate, console: Console) -> None:
    """Print a fate: location, verdict, twin or error, then every signal beside its thresholds."""
    style = {"kept": "bold green", "dropped": "bold yellow", "quarantined": "bold red"}[fate.outcome]
    headline = f"{fate.outcome}: {fate.verdict}" if fate.verdict else fate.outcome
    console.print(plain(headline, style))
    facts = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    for name, value in _facts(fate):
        facts.add_row(name, plain(value))
    console.print(facts)
    reached = {reading.step for reading in fate.readings if reading.value is not None}
    if reached:
        console.print(_readings_table([reading for reading in fate.readings if reading.step in reached]))
    absent = list(dict.fromkeys(reading.step for reading in fate.readings if reading.step not in reached))
    if absent:
        why_not = " (the verdict came before)" if fate.verdict else ""
        console.print(plain(f"measured nothing{why_not}: {', '.join(absent)}", "dim"))
    if fate.others:
        console.print(plain("also found: " + ", ".join(fate.others), "dim"))


def _facts(fate: Fate) -> Iterator[tuple[str, str]]:
    for name in ("id", "source", "locator", "url", "lang", "date"):
        value = getattr(fate, name)
        if value:
            yield name, value
    yield "written in", fate.file
    if fate.retracted_from is not None:
        yield "retracted", f"kept in {fate.retracted_from}, which this run replaces"
    if fate.error is not None:
        yield "step", str(fate.error.get("step", ""))
        yield "kind", str(fate.error.get("kind", ""))
        yield "error", str(fate.error.get("error", ""))
    if fate.twin is not None:
        twin = fate.twin
        yield "duplicate of", twin.id
        if twin.outcome == "absent":
            yield "twin", "not in documents/ or dropped/ of this run, nor of those that it was made against"
        else:
            yield "twin", f"{twin.outcome}{f' later: {twin.verdict}' if twin.verdict else ''}"
            if twin.run is not None:
                yield "twin in run", twin.run
            yield "twin locator", f"{twin.source} {twin.locator}"
            if twin.url:
                yield "twin url", twin.url


def _readings_table(readings: Sequence[Reading]) -> Table:
    """Signals by step; beside each one the rules that look at it, without those that are switched off beside others."""
    table = Table(
        title="Signals", title_justify="left", title_style="bold", header_style="dim", box=SIMPLE_HEAD
    )
    table.add_column("signal", overflow="fold")
    table.add_column("value", justify="right", overflow="fold")
    table.add_column("drops when", overflow="fold")
    step = None
    for reading in readings:
        if reading.step != step:
            step = reading.step
            table.add_row(plain(step, "bold"))
        name, value = f"  {reading.signal}", reading.shown
        on = [limit for limit in reading.limits if limit.threshold is not None]
        for limit in on or reading.limits[:1] or (None,):
            decided = limit is not None and limit.decided
            words = numbers.drops_when(limit.comparison, limit.threshold) if limit is not None else ""
            words += f"  ← {limit.rule} dropped it" if limit is not None and decided else ""
            style = "bold red" if decided else ""
            table.add_row(plain(name, style), plain(value, style), plain(words, style))
            name = value = ""
    return table
