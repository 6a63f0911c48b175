"""Counts of values (languages, domains, buckets), bounded per shard by a rule that no merge order can change.

Inside a shard the counts are exact. What a shard hands over is its `limit` most frequent values, ties in the
order of the values; the rest is summed under ``other``, and the greatest count given up is kept as
``uncertainty``. Merging adds and never prunes again. So a merged count is exact when every shard had at most
`limit` distinct values, and otherwise too low by at most the summed uncertainty.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

VALUE_CHARACTERS = 100
"""Longer values are cut: a value may be a hostile page's own words."""

_HOST = (
    r"^[a-zA-Z][a-zA-Z0-9+.\-]*://(?:[^/?#@]*@)?(?:[wW][wW][wW]\.)?"
    r"(?P<host>\[[0-9a-fA-F:.]*\]|[^/:?#\s@]+)"
)


class ValueCounts:
    """Counts per string value of one shard; nulls are counted as missing."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.counts: dict[str, int] = {}
        self.missing = 0

    def add(self, values: pa.Array) -> None:
        """Count an Arrow array (string, or what casts to it)."""
        if isinstance(values, pa.ChunkedArray):
            values = values.combine_chunks()
        if not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
            values = values.cast(pa.string())
        self.missing += values.null_count
        for item in pc.value_counts(values.drop_null()).to_pylist():
            value = item["values"][:VALUE_CHARACTERS]
            self.counts[value] = self.counts.get(value, 0) + item["counts"]

    def to_json(self) -> dict[str, Any]:
        """Give the most frequent values as ``{value: count}``, with other, uncertainty and missing."""
        ordered = sorted(self.counts.items(), key=lambda item: (-item[1], item[0]))
        cut = ordered[self.limit :]
        return {
            "counts": dict(sorted(ordered[: self.limit])),
            "other": sum(count for _, count in cut),
            "uncertainty": cut[0][1] if cut else 0,
            "missing": self.missing,
        }


def merge_counts(parts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Add counts that `ValueCounts.to_json` wrote: associative and commutative."""
    counts: dict[str, int] = {}
    other = uncertainty = missing = 0
    for part in parts:
        for value, count in part["counts"].items():
            counts[value] = counts.get(value, 0) + count
        other += part["other"]
        uncertainty += part["uncertainty"]
        missing += part["missing"]
    return {
        "counts": dict(sorted(counts.items())),
        "other": other,
        "uncertainty": uncertainty,
        "missing": missing,
    }


def domains_of(urls: pa.Array) -> pa.Array:
    """Hosts of URLs, string[n]: lower case, without user, port and a leading ``www.``; null where none."""
    if isinstance(urls, pa.ChunkedArray):
        urls = urls.combine_chunks()
    hosts = pc.struct_field(pc.extract_regex(urls.cast(pa.string()), _HOST), "host")
    return pc.utf8_lower(hosts)
