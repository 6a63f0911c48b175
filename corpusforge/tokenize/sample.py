"""Which documents train the tokenizer: those with the lowest random numbers, within a quota per source.

Each document has a number u = Philox(seed, id) (`corpusforge.randomness`). A fold adds up the bytes of
the documents by source and bin of u; from these sums follows how many whole bins fit each source's quota. So
the sample is decided without sorting or moving a text, and is the same however the documents are distributed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpusforge.operations import Folder
from corpusforge.randomness import STREAM_TOKENIZER_SAMPLE, id_bytes, uniform_bits
from corpusforge.step import LiveRows

Int64 = npt.NDArray[np.int64]

BINS = 1 << 16
"""Bins of u. A source of 10^12 bytes has about 15 MB in each, which is how closely a quota is met."""


def bins_of(ids: pa.Array, seed: int, bins: int) -> Int64:
    """Bin int64[n] in [0, bins) of documents with binary(16) `ids`: floor(u * bins), u from its high bits."""
    bits = uniform_bits(seed, id_bytes(ids), STREAM_TOKENIZER_SAMPLE)
    return ((bits >> np.uint64(32)) * np.uint64(bins) >> np.uint64(32)).astype(np.int64)


def cutoffs(histogram: Mapping[str, int], quota_bytes: Mapping[str, int] | int) -> dict[str, int]:
    """Per source the number of leading bins that are taken.

    `histogram` maps "source:bin" to bytes; `quota_bytes` is a quota for every source or one by source (a
    source without a quota is not taken). Taken are as many whole bins as fit the quota, but of a source with
    a quota at least the first one that has documents; all of a source that is smaller than its quota.
    """
    by_source: dict[str, list[tuple[int, int]]] = {}
    for key, size in histogram.items():
        source, _, number = key.rpartition(":")
        by_source.setdefault(source, []).append((int(number), size))
    result = {}
    for source in sorted(by_source):
        quota = quota_bytes if isinstance(quota_bytes, int) else quota_bytes.get(source, 0)
        result[source] = _cutoff(sorted(by_source[source]), quota)
    return result


def _cutoff(sizes: list[tuple[int, int]], quota: int) -> int:
    if quota <= 0:
        return 0
    first, taken = sizes[0]
    cutoff = first + 1
    for number, size in sizes[1:]:
        taken += size
        if taken > quota:
            break
        cutoff = number + 1
    return cutoff


class TokenizerSample(Folder):
    """Folds documents to the cutoffs of the sample.

    The value is {"seed", "bins", "cutoffs" by source, "bytes" taken by source, "available" bytes by source}.
    """

    def __init__(self, seed: int, quota_bytes: Mapping[str, int] | int, bins: int = BINS) -> None:
        """Raise `ValueError` for a number of bins outside [1, 2^32)."""
        if not 1 <= bins < 1 << 32:
            raise ValueError(f"the number of bins must lie in [1, 2^32), it is {bins}")
        self.seed = seed
        self.quota_bytes = quota_bytes
        self.bins = bins

    def partial(self, rows: LiveRows) -> dict[str, int]:
        """Bytes of text by "source:bin"."""
        if len(rows) == 0:
            return {}
        names, codes = _sources(rows.column("source"))
        bins = bins_of(rows.column("id"), self.seed, self.bins)
        keys, inverse = np.unique(codes * self.bins + bins, return_inverse=True)
        sizes = np.zeros(len(keys), np.int64)
        np.add.at(sizes, inverse, rows.texts.sizes)
        return {
            f"{names[key // self.bins]}:{key % self.bins}": size
            for key, size in zip(keys.tolist(), sizes.tolist(), strict=True)
        }

    def finish(self, totals: Mapping[str, int]) -> dict[str, Any]:
        """Decide the cutoffs."""
        chosen = cutoffs(totals, self.quota_bytes)
        taken = dict.fromkeys(chosen, 0)
        available = dict.fromkeys(chosen, 0)
        for key, size in totals.items():
            source, _, number = key.rpartition(":")
            available[source] += size
            if int(number) < chosen[source]:
                taken[source] += size
        return {
            "seed": self.seed,
            "bins": self.bins,
            "cutoffs": chosen,
            "bytes": taken,
            "available": available,
        }


def select(rows: LiveRows, value: Mapping[str, Any]) -> npt.NDArray[np.bool_]:
    """Tell which of n rows the sample takes, bool[n]; `value` is what `TokenizerSample.finish` gave."""
    if len(rows) == 0:
        return np.zeros(0, np.bool_)
    names, codes = _sources(rows.column("source"))
    limits = np.array([value["cutoffs"].get(name, 0) for name in names], np.int64)
    return bins_of(rows.column("id"), int(value["seed"]), int(value["bins"])) < limits[codes]


def _sources(column: pa.Array) -> tuple[list[str], Int64]:
    """Distinct names, and the index int64[n] of each row's."""
    if not pa.types.is_dictionary(column.type):
        column = pc.dictionary_encode(column)
    return column.dictionary.to_pylist(), column.indices.to_numpy(zero_copy_only=False).astype(np.int64)
