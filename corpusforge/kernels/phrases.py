"""Finding fixed phrases in spans of text, whatever their case in ASCII."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.array_types import INT64, READ_INT64, READ_UINT8
from corpusforge.kernels.loading import kernel, types

Bytes = npt.NDArray[np.uint8]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Phrases:
    """Phrases in groups, sorted by their bytes.

    `data` uint8, `offsets` int64[k + 1]: the phrases; `groups` int64[k]: the group of each; `buckets`
    int64[257]: the phrases that begin with byte b are ``buckets[b]:buckets[b + 1]``; `group_count`: how many groups.
    """

    data: Bytes
    offsets: Int64
    groups: Int64
    buckets: Int64
    group_count: int

    @classmethod
    def of(cls, *groups: Iterable[str]) -> Phrases:
        """Prepare groups of phrases in lower case, without empty and repeated ones."""
        encoded = sorted(
            {
                (phrase.lower().encode("utf-8"), group)
                for group, phrases in enumerate(groups)
                for phrase in phrases
                if phrase
            }
        )
        offsets = np.zeros(len(encoded) + 1, np.int64)
        np.cumsum([len(phrase) for phrase, _ in encoded], out=offsets[1:])
        first = np.array([phrase[0] for phrase, _ in encoded], np.int64)
        return cls(
            data=np.frombuffer(b"".join(phrase for phrase, _ in encoded), np.uint8),
            offsets=offsets,
            groups=np.array([group for _, group in encoded], np.int64),
            buckets=np.searchsorted(first, np.arange(257)).astype(np.int64),
            group_count=len(groups),
        )


def count_phrases(data: Bytes, starts: Int64, ends: Int64, phrases: Phrases, bounded: bool = False) -> Int64:
    """Count occurrences of phrases in each of m spans by group, int64[m, groups]; they may overlap.

    Letters A to Z of the text count as lower case; other letters must stand as in the phrase. `bounded`: the
    bytes before and behind the phrase must not be letters a to z (the edges of the span are no letters).
    """
    table = phrases.data, phrases.offsets, phrases.groups, phrases.buckets
    counts = _count_phrases(data, starts, ends, *table, phrases.group_count, bounded)
    return np.asarray(counts).reshape(len(starts), phrases.group_count)


@kernel(types.uint8(types.uint8))
def _lower(byte: int) -> int:
    return byte + 32 if 65 <= byte <= 90 else byte


@kernel(types.boolean(READ_UINT8, types.int64, types.int64, types.int64))
def _is_letter(data: Bytes, at: int, start: int, end: int) -> bool:
    return start <= at < end and 97 <= _lower(data[at]) <= 122


@kernel(INT64(READ_UINT8, *[READ_INT64] * 2, READ_UINT8, *[READ_INT64] * 3, types.int64, types.boolean))
def _count_phrases(
    data: Bytes,
    starts: Int64,
    ends: Int64,
    phrase_data: Bytes,
    phrase_offsets: Int64,
    groups: Int64,
    buckets: Int64,
    group_count: int,
    bounded: bool,
) -> Int64:
    counts = np.zeros(len(starts) * group_count, np.int64)
    begins_one = np.zeros(256, np.uint8)
    for byte in range(256):
        lower = np.int64(_lower(byte))
        begins_one[byte] = buckets[lower] < buckets[lower + 1]
    for span in range(len(starts)):
        start = starts[span]
        end = ends[span]
        for at in range(start, end):
            if not begins_one[data[at]] or (bounded and _is_letter(data, at - 1, start, end)):
                continue
            first = np.int64(_lower(data[at]))
            for phrase in range(buckets[first], buckets[first + 1]):
                begin = phrase_offsets[phrase]
                size = phrase_offsets[phrase + 1] - begin
                if at + size > end:
                    continue
                same = 1
                while same < size and _lower(data[at + same]) == phrase_data[begin + same]:
                    same += 1
                if same == size and not (bounded and _is_letter(data, at + size, start, end)):
                    counts[span * group_count + groups[phrase]] += 1
    return counts
