"""Error rates of near-duplicate detection, measured on documents of the run itself.

Two measurements, both on a sample in which near-duplicates stand together (`corpusforge.dedup.sampling`):

- planted: each sampled document that the step kept gets a copy with a known share of its words replaced, and the step's
  own code decides over all of them in memory;
- compared: all pairs of the sample are compared exactly, and what the step decided in the run is held against it.

A pair at or above the threshold counts as found unless both of its documents were kept; a decision counts as right
when document and survivor reach the threshold. All of it depends on the run's documents and the step's parameters
alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpusforge.dedup.in_memory import measure_in_memory
from corpusforge.dedup.minhash import MinhashDedup
from corpusforge.dedup.planted import edited_copies
from corpusforge.dedup.priority import binary_halves
from corpusforge.dedup.sampling import RunSample
from corpusforge.dedup.shingling import shingles_of
from corpusforge.kernels.all_pairs import inverted, similar_pairs
from corpusforge.kernels.jaccard import overlaps
from corpusforge.kernels.shingles import distinct_shingles
from corpusforge.layout import RunLayout
from corpusforge.report.copies import scopes_of
from corpusforge.report.copy_errors import SAMPLED_BYTES as COPY_BYTES
from corpusforge.report.copy_errors import STEPS as COPY_STEPS
from corpusforge.report.copy_errors import copy_errors
from corpusforge.report.intervals import MILLION, share
from corpusforge.report.planted_errors import STEPS as PLANTED_STEPS
from corpusforge.report.planted_errors import planted_errors
from corpusforge.report.sampled import Sampled, read_sampled
from corpusforge.step import RATIO, MapStep, fixed_ratio
from corpusforge.texts import Texts

if TYPE_CHECKING:
    from corpusforge.plan import Plan

Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]
Json = dict[str, Any]

EDITED = (0, 10_000, 30_000, 60_000, 100_000)
"""Shares of words replaced in planted copies, in millionths; documents take them in turn."""

PLANTED_BYTES = 1_000_000
"""Text of the documents that get a planted copy, at most."""

MEETINGS = 200_000_000
"""Meetings of two documents in a shingle that a comparison of all pairs may count; a larger sample is cut."""

BIN_WIDTH = RATIO // 20
"""Width of the first two bins of similarity above the threshold."""

MISSED_SHOWN = 5


def error_rates(layout: RunLayout, plan: Plan, samples: Mapping[str, RunSample]) -> dict[str, Json]:
    """Error rates by step, measured on the samples of the steps."""
    found: dict[str, Json] = {}
    for stage in plan.stages:
        for step in getattr(stage.body, "steps", ()):
            if isinstance(step, PLANTED_STEPS):
                rates = planted_errors(layout, plan, stage, step)
                if rates is not None:
                    found[step.instance] = {"planted": rates, "compared": None}
            if step.instance not in samples:
                continue
            sample = samples[step.instance]
            addresses = sample.addresses()
            if isinstance(step, MinhashDedup):
                sampled = read_sampled(layout, plan, stage, step, addresses)
                found[step.instance] = {
                    "threshold": _threshold(step) * MILLION // RATIO,
                    "planted": planted(step, sampled),
                    "compared": compared(step, sampled),
                }
            elif isinstance(step, COPY_STEPS):
                sampled = read_sampled(layout, plan, stage, step, addresses, COPY_BYTES)
                # Documents of earlier runs, of a crowded rank or too long for the sample may hold copies too.
                whole = not plan.earlier and not sample.crowded and len(sampled.texts) == len(addresses)
                found[step.instance] = copy_errors(step, sampled, whole, plan.seed)
    return found


def planted(step: MinhashDedup, sampled: Sampled) -> Json:
    """Find planted copies with the step's own code.

    ``edits`` tells by share of replaced words how many copies reach the threshold and were found, ``similarity`` by
    similarity, ``decisions`` how many of the step's decisions are right.
    """
    kept_rows = np.flatnonzero(sampled.duplicate == 0)
    fitting = np.cumsum(sampled.texts.sizes[kept_rows]) <= PLANTED_BYTES
    originals = sampled.take(kept_rows[fitting])
    count = len(originals.texts)
    identifiers, _ = binary_halves(originals.columns["id"])
    edited = np.array(EDITED, np.int64)[np.arange(count) % len(EDITED)]
    copies = edited_copies(originals.texts, identifiers, edited)
    texts = Texts.from_arrow(pa.concat_arrays([originals.texts.to_arrow(), copies.to_arrow()]))
    columns = {name: pa.concat_arrays([column, column]) for name, column in originals.columns.items()}
    columns["id"] = pa.concat_arrays([originals.columns["id"], _copied_ids(originals.columns["id"])])
    signals = {name: pa.concat_arrays([column, column]) for name, column in originals.signals.items()}
    measured = measure_in_memory(step, texts, columns, signals)
    sets = _Sets(step, texts)
    left = np.arange(count)
    similarity = sets.similarity(left, left + count)
    kept = np.asarray(measured.signals["duplicate"]) == 0
    resolved = ~(kept[:count] & kept[count:])
    above = similarity >= _threshold(step)
    place = {value: row for row, value in enumerate(columns["id"].to_pylist())}
    twins = measured.twins.to_pylist() if measured.twins is not None else []
    pairs = [(row, place[twin]) for row, twin in enumerate(twins) if twin is not None]
    return {
        "documents": count,
        "bytes": int(originals.texts.sizes.sum()),
        "edits": [
            {"edited": rate, "copies": int((edited == rate).sum())}
            | share(int((above & resolved & (edited == rate)).sum()), int((above & (edited == rate)).sum()))
            for rate in EDITED
        ],
        "similarity": _by_similarity(_threshold(step), similarity, resolved),
        "decisions": _decisions(step, sets, pairs),
    }


def compared(step: MinhashDedup, sampled: Sampled) -> Json:
    """Compare all pairs of the sample exactly and hold the step's decisions in the run against that.

    Where the step compares documents of one dump only, so does this. ``similarity`` tells how many pairs at or above
    the threshold there are and were found, ``decisions`` how many decisions between documents of the sample are right,
    ``missed`` names some pairs that were not found.
    """
    sets = _Sets(step, sampled.texts)
    count = sets.fitting(MEETINGS)
    offsets = sets.offsets[: count + 1]
    values = sets.values[: offsets[-1]]
    threshold = _threshold(step)
    left, right, shared = similar_pairs(offsets, *inverted(offsets, values), threshold, RATIO)
    if step.parameters.scope == "dump":
        dumps = scopes_of(step, sampled.texts, sampled.columns, sampled.generations)
        same = dumps[left] == dumps[right]
        left, right, shared = left[same], right[same], shared[same]
    sizes = np.diff(offsets)
    similarity = fixed_ratio(shared, sizes[left] + sizes[right] - shared)
    resolved = ~((sampled.duplicate[left] == 0) & (sampled.duplicate[right] == 0))
    ids = sampled.columns["id"].to_pylist()
    place = {value: row for row, value in enumerate(ids[:count])}
    pairs = [(row, place[twin]) for row, twin in enumerate(sampled.twins[:count]) if twin in place]
    missed = sorted(
        (-int(similarity[at]), *sorted((ids[left[at]].hex(), ids[right[at]].hex())))
        for at in np.flatnonzero(~resolved).tolist()
    )
    return {
        "documents": count,
        "bytes": int(sampled.texts.sizes[:count].sum()),
        "similarity": _by_similarity(threshold, similarity, resolved),
        "decisions": _decisions(step, sets, pairs),
        "missed": [
            {"similarity": -value * MILLION // RATIO, "ids": [one, two]}
            for value, one, two in missed[:MISSED_SHOWN]
        ],
    }


def _threshold(step: MapStep) -> int:
    return int(Decimal(str(step.parameters.threshold)) * RATIO)


def _copied_ids(ids: pa.Array) -> pa.Array:
    """Ids of the copies: whether original or copy is preferred is a matter of chance."""
    return pa.array(
        [
            hashlib.blake2b(value, digest_size=16, person=b"planted copy").digest()
            for value in ids.to_pylist()
        ],
        pa.binary(16),
    )


def _by_similarity(threshold: int, similarity: Int64, resolved: npt.NDArray[np.bool_]) -> list[Json]:
    """Pairs at or above the threshold and those found, in bins [from, to); the last one holds similarity 1 only."""
    edges = [
        *(edge for edge in (threshold, threshold + BIN_WIDTH, threshold + 2 * BIN_WIDTH) if edge < RATIO),
        RATIO,
    ]
    rows = []
    for low, high in zip(edges, [*edges[1:], RATIO + 1]):
        inside = (similarity >= low) & (similarity < high)
        rows.append(
            {"from": low * MILLION // RATIO, "to": min(high, RATIO) * MILLION // RATIO}
            | share(int((inside & resolved).sum()), int(inside.sum()))
        )
    return rows


def _decisions(step: MapStep, sets: _Sets, pairs: Sequence[tuple[int, int]]) -> Json:
    """How many pairs of document and survivor reach the threshold."""
    rows = np.array(pairs, np.int64).reshape(-1, 2)
    right = sets.similarity(rows[:, 0], rows[:, 1]) >= _threshold(step)
    return share(int(right.sum()), len(rows))


class _Sets:
    """The sets of shingles of some texts, complete and sorted: `values` uint64 by `offsets` int64[n + 1]."""

    def __init__(self, step: MinhashDedup, texts: Texts) -> None:
        offsets, shingles = shingles_of(texts, step.parameters)
        self.offsets, self.values, _ = distinct_shingles(offsets, shingles, len(shingles) + 1)

    def similarity(self, left: Int64, right: Int64) -> Int64:
        """Exact Jaccard similarities int64[k] in units of 1 / `RATIO`."""
        found = np.zeros(len(left), np.int64)
        whole = np.zeros(1, np.int64)
        for at, (one, two) in enumerate(zip(left.tolist(), right.tolist())):
            first = self.values[self.offsets[one] : self.offsets[one + 1]]
            second = self.values[self.offsets[two] : self.offsets[two + 1]]
            shared, union = overlaps(first, 0, np.array([0, len(second)]), second, whole)
            found[at] = fixed_ratio(shared, union)[0]
        return found

    def fitting(self, meetings: int) -> int:
        """How many of the first texts can be compared with each other within so many meetings in a shingle."""
        count = len(self.offsets) - 1
        while count > 1:
            _, holders = np.unique(self.values[: self.offsets[count]], return_counts=True)
            if int((holders.astype(np.int64) ** 2).sum()) <= 2 * meetings:
                break
            count //= 2
        return count
