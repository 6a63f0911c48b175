"""Exact substrings: passages of at least 50 words stay in one place and are removed as edits from all others.

What is removed follows Lee et al., Deduplicating Training Data Makes Language Models Better (arXiv:2107.06499), who
find repeated substrings of 50 tokens with a suffix array in memory. Here two exchanges do it with memory that does not
grow with the corpus (see `corpusforge.dedup.passages`), and words between white space take the place of tokens.

Every window of `words` words has one owner among the places where it stands: the preferred document, and the first
place in it. The words of every other place are removed; where such a place overlaps the owner's in the same document
(a text that repeats itself with a short period), the owner's words stay.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field

from corpusforge.dedup.against import Against
from corpusforge.dedup.groups import Columns, joined_columns
from corpusforge.dedup.keepers import FirstOfKey, FirstTwoOfKey
from corpusforge.dedup.passages import (
    OWNED_SCHEMA,
    AnchorEmitter,
    MatchReducer,
    WindowEmitter,
    WindowReducer,
    matched_spec,
    owned_spec,
    windows,
)
from corpusforge.dedup.priority import PriorityParameters
from corpusforge.edits import Edits
from corpusforge.step import LiveRows, MapStep, Measured, Rule, Signal

if TYPE_CHECKING:
    from corpusforge.plan import PlanBuilder

Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]
UInt64 = npt.NDArray[np.uint64]


class SubstringParameters(PriorityParameters):
    """Parameters of `substring_dedup`."""

    rules: str | None = None
    """Settings by name (``filters/dedup.yaml``); null: the defaults below."""
    words: Annotated[int, Field(ge=2, le=10_000)] = 50
    """Words in a row, compared as they stand, that may stand once."""
    min_remaining_characters: int | None = 20
    """Documents that lost words are dropped when fewer characters are left, white space at both ends aside; 20 as in
    RefinedWeb (Penedo et al., 2023). Null: never."""


class SubstringDedup(MapStep):
    """Removes passages that stand in a preferred document, or earlier in the same one."""

    name: ClassVar[str] = "substring_dedup"
    summary: ClassVar[str] = "removes passages of 50 words or more that stand elsewhere too, exactly"
    Parameters = SubstringParameters
    edits = True
    signals = (
        Signal("removed_words", description="words removed"),
        Signal("removed_bytes", description="bytes removed, white space between removed words included"),
        Signal(
            "remaining_characters",
            description="characters left, white space at both ends aside; null when nothing was removed",
        ),
    )
    rules = (Rule("min_remaining_characters", "remaining_characters", "below"),)

    def compile(self, builder: PlanBuilder) -> None:
        """Anchors to their partition and back, windows to theirs and back."""
        parameters: SubstringParameters = self.parameters

        def name(part: str) -> str:
            return f"{self.instance}.{part}"

        earlier = Against(builder, self)
        builder.exchange(AnchorEmitter(parameters, name("anchors")))
        asked = replace(matched_spec(name("asked")), earlier=True)
        matches = MatchReducer(matched_spec(name("matched")))
        builder.reduce(name("anchors"), earlier.asking(matches, asked), FirstTwoOfKey())
        builder.join(name("matched"))
        builder.exchange(WindowEmitter(parameters, name("matched"), name("windows")))
        answers = earlier.answers(asked.name, WindowEmitter(parameters, asked.name, name("windows.earlier")))
        kept = FirstOfKey(("key", "key_low"), ("key", "key_low", "p0"))
        reducer = WindowReducer(owned_spec(name("owned")), f"windows of {parameters.words} words")
        builder.reduce(name("windows"), reducer, kept, also=answers)
        builder.join(name("owned"))
        builder.map(self)

    def measure(self, rows: LiveRows) -> Measured:
        """Remove what is owned elsewhere or stands again."""
        joined = joined_columns(rows, f"{self.instance}.owned", OWNED_SCHEMA)
        documents = np.unique(joined["row"]).astype(np.int64)
        texts = rows.texts.take(documents)
        offsets, high, low = windows(texts, self.parameters.words)
        words = texts.words
        spans: list[tuple[int, int, int, str, str]] = []
        removed_words, removed_bytes = np.zeros(len(rows), np.int64), np.zeros(len(rows), np.int64)
        remaining: list[int | None] = [None] * len(rows)
        for number, row in enumerate(documents.tolist()):
            part = slice(int(offsets[number]), int(offsets[number + 1]))
            told = {name: values[joined["row"] == row] for name, values in joined.items()}
            first_word, last_word = (
                int(words.document_offsets[number]),
                int(words.document_offsets[number + 1]),
            )
            removed = removed_mask(high[part], low[part], told, last_word - first_word, self.parameters.words)
            if not removed.any():
                continue
            starts = words.starts[first_word:last_word] - texts.offsets[number]
            ends = words.ends[first_word:last_word] - texts.offsets[number]
            found = [(int(starts[first]), int(ends[last - 1])) for first, last in _runs(removed)]
            spans += [(row, start, end, "", "passage") for start, end in found]
            removed_words[row] = int(removed.sum())
            removed_bytes[row] = sum(end - start for start, end in found)
            remaining[row] = _characters_outside(texts.bytes_of(number), found)
        signals: dict[str, Any] = {
            "removed_words": removed_words,
            "removed_bytes": removed_bytes,
            "remaining_characters": pa.array(remaining, pa.int64()),
        }
        return Measured(signals=signals, edits=Edits.from_spans(spans))


def removed_mask(high: UInt64, low: UInt64, told: Columns, words: int, width: int) -> Bool:
    """Which words of a document are removed, bool[words].

    `high` and `low` uint64[words - width + 1] are its windows' hashes, `told` what the exchange said of them.
    """
    change = np.zeros(words + 1, np.int64)
    order = np.lexsort((told["key_low"], told["key"]))
    key, key_low, elsewhere = (told[name][order] for name in ("key", "key_low", "elsewhere"))
    # Two keys may share their upper half, so a window is looked for by both halves.
    keys = list(zip(key.tolist(), key_low.tolist()))
    owned_elsewhere = dict(zip(keys, elsewhere.tolist()))
    first_places: dict[tuple[int, int], int] = {}
    for place in np.flatnonzero(np.isin(high, key)).tolist():
        window = (int(high[place]), int(low[place]))
        away = owned_elsewhere.get(window)
        if away is None:
            continue
        start = place
        if not away:
            if window not in first_places:
                first_places[window] = place
                continue
            start = max(place, first_places[window] + width)
        if start < place + width:
            change[start] += 1
            change[place + width] -= 1
    return np.cumsum(change[:-1]) > 0


def _runs(mask: Bool) -> list[tuple[int, int]]:
    """Runs [first, last) of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    return [(int(first), int(last)) for first, last in zip(edges[0::2], edges[1::2])]


def _characters_outside(text: bytes, spans: list[tuple[int, int]]) -> int:
    """Count characters outside the spans, white space at both ends of the rest aside."""
    starts = [0, *(end for _, end in spans)]
    ends = [*(start for start, _ in spans), len(text)]
    kept = b"".join(text[start:end] for start, end in zip(starts, ends))
    return len(kept.decode("utf-8", "replace").strip())
