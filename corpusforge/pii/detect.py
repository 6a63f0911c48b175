"""Findings: what recognizers report in windows, guarded, mapped to bytes, overlaps resolved."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from corpusforge.pii.guards import discards
from corpusforge.pii.recognizers import ENTITIES, Report
from corpusforge.pii.widths import plain_widths
from corpusforge.pii.windows import Window, windows
from corpusforge.texts import Texts

SCORE_UNITS = 1_000_000
_BEFORE = 64
_AFTER = 8


@dataclass(frozen=True)
class Finding:
    """Bytes [start, end) of a text that are an `entity`; `score` in millionths. Never holds the value."""

    start: int
    end: int
    entity: str
    score: int


class Detector:
    """Looks for some entities with their recognizers and minimum scores.

    `window_bytes` bounds the bytes that the recognizers see of one text; `Detector.detect` names the texts
    that have more and finds nothing in them.
    """

    def __init__(
        self,
        recognizers: Mapping[str, Callable[[str], list[Report]]],
        minimum_scores: Mapping[str, float],
        keep_unrouted: bool,
        window_bytes: int,
    ) -> None:
        self._recognizers = {entity: recognizers[entity] for entity in ENTITIES if entity in recognizers}
        self._minimum = {entity: round(minimum_scores[entity] * SCORE_UNITS) for entity in self._recognizers}
        self._keep_unrouted = keep_unrouted
        self._window_bytes = window_bytes

    def detect(
        self, texts: Texts, begin: Callable[[int], None]
    ) -> tuple[list[list[Finding]], dict[int, int]]:
        """Findings per text, sorted and apart; and the bytes of windows of the texts that have too many.

        `begin` is called with the row before work on a text starts.
        """
        work: dict[int, list[tuple[Window, tuple[str, ...]]]] = {}
        sizes: dict[int, int] = {}
        for kind, entities in self._entities_by_class().items():
            for window in windows(texts, kind):
                work.setdefault(window.row, []).append((window, entities))
                sizes[window.row] = sizes.get(window.row, 0) + window.end - window.start
        found: list[list[Finding]] = [[] for _ in range(len(texts))]
        excessive = {row: size for row, size in sizes.items() if size > self._window_bytes}
        for row in sorted(work):
            if row in excessive:
                continue
            begin(row)
            data = texts.bytes_of(row)
            findings = [finding for window, names in work[row] for finding in self._look(data, window, names)]
            found[row] = resolve(findings)
        return found, excessive

    def _entities_by_class(self) -> dict[int, tuple[str, ...]]:
        classes = sorted({kind for entity in self._recognizers for kind in ENTITIES[entity]})
        return {
            kind: tuple(entity for entity in self._recognizers if kind in ENTITIES[entity])
            for kind in classes
        }

    def _look(self, data: bytes, window: Window, entities: Iterable[str]) -> list[Finding]:
        """What the recognizers report in one window, in bytes of the text."""
        raw = data[window.start : window.end].decode("utf-8", "surrogateescape")
        plain = raw.isascii()
        text = plain_widths(raw)
        findings = []
        for entity in entities:
            for start, end, score in self._recognizers[entity](text):
                units = round(score * SCORE_UNITS)
                before, after = text[max(0, start - _BEFORE) : start], text[end : end + _AFTER]
                if units < self._minimum[entity]:
                    continue
                if discards(entity, before, text[start:end], after, self._keep_unrouted):
                    continue
                first = start if plain else _size(raw[:start])
                last = end if plain else first + _size(raw[start:end])
                findings.append(Finding(window.start + first, window.start + last, entity, units))
        return findings


def resolve(findings: Iterable[Finding]) -> list[Finding]:
    """Keep findings that do not overlap: higher scores first, then longer, earlier, and by entity's name."""
    order = sorted(set(findings), key=lambda one: (-one.score, one.start - one.end, one.start, one.entity))
    kept: list[Finding] = []
    starts: list[int] = []
    for finding in order:
        place = bisect_right(starts, finding.start)
        if place and kept[place - 1].end > finding.start:
            continue
        if place < len(kept) and kept[place].start < finding.end:
            continue
        starts.insert(place, finding.start)
        kept.insert(place, finding)
    return kept


def _size(text: str) -> int:
    """Bytes of text that came from bytes."""
    return len(text.encode("utf-8", "surrogateescape"))
