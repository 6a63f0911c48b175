"""Edits: spans (start, end, replacement) in a text, added to and never written over.

Positions are UTF-8 byte positions within a document. Steps return edits in the coordinates of the view that
they read; the pipeline keeps them in the coordinates of the extracted text, where they can be counted, undone,
and applied in one pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Edits:
    """m spans, sorted by (row, start), not overlapping inside a row.

    `rows`, `starts`, `ends` int64[m]; `replacements` m strings ("" removes); `rules` m names of what asked for
    the edit (the ledger counts bytes removed and inserted by rule).
    """

    rows: Int64
    starts: Int64
    ends: Int64
    replacements: Sequence[str]
    rules: Sequence[str]

    def __len__(self) -> int:
        return len(self.rows)

    def chosen(self, places: Int64) -> Edits:
        """The edits at the given places int64[k], in their order."""
        indices = places.tolist()
        return Edits(
            self.rows[places],
            self.starts[places],
            self.ends[places],
            [self.replacements[index] for index in indices],
            [self.rules[index] for index in indices],
        )

    @classmethod
    def empty(cls) -> Edits:
        """No edits."""
        none = np.zeros(0, np.int64)
        return cls(none, none, none, (), ())

    @classmethod
    def from_spans(cls, spans: Sequence[tuple[int, int, int, str, str]]) -> Edits:
        """Build from (row, start, end, replacement, rule) in any order.

        Raises `ValueError` when spans of one row overlap or a span is reversed.
        """
        ordered = sorted(spans)
        for before, after in zip(ordered, ordered[1:]):
            if before[0] == after[0] and after[1] < before[2]:
                raise ValueError(f"edits overlap in row {before[0]}: {before[1:3]} and {after[1:3]}")
        if any(span[1] > span[2] for span in ordered):
            raise ValueError("an edit ends before it starts")
        return cls(
            np.array([span[0] for span in ordered], np.int64),
            np.array([span[1] for span in ordered], np.int64),
            np.array([span[2] for span in ordered], np.int64),
            [span[3] for span in ordered],
            [span[4] for span in ordered],
        )
