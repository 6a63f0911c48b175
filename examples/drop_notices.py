"""A step of your own that edits: it removes lines that are only a notice, such as "Advertisement".

Give it to a run with --plugin, and name it in the recipe like any other step:

    corpusforge run recipe.yaml --plugin examples/drop_notices.py ...

Edits are spans in bytes of the text that the step read. They are kept beside the text, so the ledger knows how
many bytes the step removed.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from corpusforge.edits import Edits
from corpusforge.step import LiveRows, MapStep, Measured, Rule, Signal, StepParameters


class Parameters(StepParameters):
    """Parameters of `DropNotices`."""

    notices: list[str] = Field(default=["advertisement", "cookie settings", "read more"])
    """Lines that go, in lower case, compared without the white space around them."""
    max_notices: int | None = None
    """Drop documents with more of them; null keeps all."""


class DropNotices(MapStep):
    """Removes lines that hold nothing but a notice."""

    name = "drop_notices"
    summary = "remove lines that are only a notice"
    edits = True
    Parameters = Parameters
    signals = (Signal("notices", description="lines removed"),)
    rules = (Rule("max_notices", "notices", "above"),)

    def measure(self, rows: LiveRows) -> Measured:
        """Look at each line; a removed line takes its line feed with it."""
        texts = rows.texts
        notices = {notice.encode() for notice in self.parameters.notices}
        counts = np.zeros(len(rows), np.int64)
        spans = []
        for row in range(len(rows)):
            text = texts.bytes_of(row)
            start = 0
            for line in text.splitlines(keepends=True):
                if line.strip().lower() in notices:
                    spans.append((row, start, start + len(line), "", "notice"))
                    counts[row] += 1
                start += len(line)
        return Measured(signals={"notices": counts}, edits=Edits.from_spans(spans))
