"""Views: the texts of a batch after each editing step, and the way back to the extracted text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpusforge.edits import Edits
from corpusforge.kernels.edits import apply_edits, to_source_ends, to_source_starts
from corpusforge.texts import Texts

Int64 = npt.NDArray[np.int64]

EDIT_TYPE = pa.large_list(
    pa.struct(
        [
            pa.field("start", pa.int64()),
            pa.field("end", pa.int64()),
            pa.field("replacement", pa.string()),
            pa.field("rule", pa.string()),
        ]
    )
)
"""How a sidecar stores the edits of one document, in coordinates of the extracted text."""

_ROW_STRIDE = 1 << 40


class Views:
    """The extracted texts of a batch with layers of edits.

    `text(name)` gives the texts after the editing step of that name; "extract" is the base and "latest" the
    last layer. Edits of all layers are kept in coordinates of the base.
    """

    def __init__(self, base: Texts) -> None:
        self.base = base
        self._layers: list[tuple[str, Edits]] = []
        self._texts: dict[str, Texts] = {"extract": base}

    @property
    def latest(self) -> str:
        """Name of the last layer."""
        return self._layers[-1][0] if self._layers else "extract"

    def text(self, name: str = "latest") -> Texts:
        """The texts of a view. Raises `KeyError` for a view that is not there (yet)."""
        name = self.latest if name == "latest" else name
        if name not in self._texts:
            edits = dict(self._layers)[name]
            data, offsets = replacement_buffers(edits.replacements)
            self._texts[name] = Texts(
                *apply_edits(
                    self.base.data, self.base.offsets, edits.rows, edits.starts, edits.ends, data, offsets
                )
            )
        return self._texts[name]

    def layer(self, name: str) -> Edits:
        """All edits up to a view, in coordinates of the base. Raises `KeyError` for a view that is not there."""
        return Edits.empty() if name == "extract" else dict(self._layers)[name]

    @property
    def edits(self) -> Edits:
        """All edits of the last layer, in coordinates of the base."""
        return self._layers[-1][1] if self._layers else Edits.empty()

    def sizes(self) -> Int64:
        """Bytes of each text in the latest view, int64[n], without making the texts."""
        sizes = self.base.sizes.copy()
        if self._layers:
            edits = self._layers[-1][1]
            _, offsets = replacement_buffers(edits.replacements)
            np.add.at(sizes, edits.rows, np.diff(offsets) - (edits.ends - edits.starts))
        return sizes

    def edit(self, name: str, edits: Edits) -> Edits:
        """Add a layer from edits in coordinates of the latest view; gives them in coordinates of the base.

        An edit that cuts an earlier replacement takes all of it: half a placeholder is of no use.
        """
        mapped = self._to_base(edits)
        self.replay(name, mapped)
        return mapped

    def replay(self, name: str, edits: Edits) -> None:
        """Add a layer from edits in coordinates of the base (as a sidecar stores them)."""
        before = self._layers[-1][1] if self._layers else Edits.empty()
        self._layers.append((name, _overlay(before, edits)))

    def _to_base(self, edits: Edits) -> Edits:
        if not self._layers or len(edits) == 0:
            return edits
        before = self._layers[-1][1]
        _, offsets = replacement_buffers(before.replacements)
        layer = (before.rows, before.starts, before.ends, offsets)
        starts = to_source_starts(*layer, edits.rows, edits.starts)
        ends = to_source_ends(*layer, edits.rows, edits.ends)
        insertion = edits.starts == edits.ends
        starts = np.where(insertion, ends, starts)
        _part(edits.rows, starts, ends)
        return Edits(edits.rows, starts, ends, edits.replacements, edits.rules)


def _part(rows: Int64, starts: Int64, ends: Int64) -> None:
    """Where two edits cut the same replacement, the first takes it and the second begins behind it (in place)."""
    while True:
        overlapping = np.flatnonzero((rows[1:] == rows[:-1]) & (starts[1:] < ends[:-1])) + 1
        if len(overlapping) == 0:
            return
        at = overlapping[0]
        starts[at] = ends[at - 1]
        ends[at] = max(ends[at], starts[at])


def _overlay(before: Edits, after: Edits) -> Edits:
    """Join two layers: an earlier edit inside a later span is swallowed by it."""
    if len(before) == 0:
        return after
    if len(after) == 0:
        return before
    before_start, before_end = (
        before.rows * _ROW_STRIDE + before.starts,
        before.rows * _ROW_STRIDE + before.ends,
    )
    after_start, after_end = after.rows * _ROW_STRIDE + after.starts, after.rows * _ROW_STRIDE + after.ends
    candidate = np.searchsorted(after_start, before_start, "right") - 1
    swallowed = (candidate >= 0) & (after_end[np.maximum(candidate, 0)] >= before_end)
    swallowed &= after_end[np.maximum(candidate, 0)] > after_start[np.maximum(candidate, 0)]
    kept = np.flatnonzero(~swallowed)
    indices = kept.tolist()
    rows = np.concatenate([before.rows[kept], after.rows])
    starts = np.concatenate([before.starts[kept], after.starts])
    ends = np.concatenate([before.ends[kept], after.ends])
    order = np.lexsort([ends, starts, rows])
    replacements = [before.replacements[index] for index in indices] + list(after.replacements)
    rules = [before.rules[index] for index in indices] + list(after.rules)
    return Edits(
        rows[order],
        starts[order],
        ends[order],
        [replacements[index] for index in order.tolist()],
        [rules[index] for index in order.tolist()],
    )


def replacement_buffers(replacements: Sequence[str]) -> tuple[npt.NDArray[np.uint8], Int64]:
    """Replacements as one buffer: data uint8, offsets int64[m + 1]."""
    encoded = [replacement.encode("utf-8") for replacement in replacements]
    offsets = np.zeros(len(encoded) + 1, np.int64)
    np.cumsum([len(item) for item in encoded], out=offsets[1:])
    return np.frombuffer(b"".join(encoded), np.uint8), offsets


def select_rows(edits: Edits, rows: Int64) -> Edits:
    """The edits of the given rows (sorted), renumbered to positions in `rows`."""
    if len(edits) == 0 or len(rows) == 0:
        return Edits.empty()
    position = np.searchsorted(rows, edits.rows)
    inside = (position < len(rows)) & (rows[np.minimum(position, len(rows) - 1)] == edits.rows)
    chosen = np.flatnonzero(inside)
    return Edits(
        position[chosen],
        edits.starts[chosen],
        edits.ends[chosen],
        [edits.replacements[index] for index in chosen.tolist()],
        [edits.rules[index] for index in chosen.tolist()],
    )


def to_arrow(edits: Edits, rows: int) -> pa.Array:
    """Edits as a column of `EDIT_TYPE` with one list per row."""
    offsets = np.searchsorted(edits.rows, np.arange(rows + 1)).astype(np.int64)
    values = pa.StructArray.from_arrays(
        [
            pa.array(edits.starts, pa.int64()),
            pa.array(edits.ends, pa.int64()),
            pa.array(list(edits.replacements), pa.string()),
            pa.array(list(edits.rules), pa.string()),
        ],
        names=["start", "end", "replacement", "rule"],
    )
    return pa.LargeListArray.from_arrays(pa.array(offsets), values).cast(EDIT_TYPE)


def from_arrow(column: pa.Array) -> Edits:
    """The inverse of `to_arrow`."""
    counts = column.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    values = column.flatten()
    return Edits(
        np.repeat(np.arange(len(column), dtype=np.int64), counts),
        values.field("start").to_numpy(zero_copy_only=False),
        values.field("end").to_numpy(zero_copy_only=False),
        values.field("replacement").to_pylist(),
        values.field("rule").to_pylist(),
    )
