"""All similar pairs of a small number of sets, counted over an inverted index; and the rank of a set by its content.

The sets are compared exactly: no pair that shares anything is passed over.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.array_types import READ_INT64, READ_UINT64
from corpusforge.kernels.hash64 import mix
from corpusforge.kernels.loading import kernel, types

Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]

_HASH_BITS = np.uint64(24)
_LARGEST = np.uint64(0xFFFFFFFFFFFFFFFF)
_MOST = (1 << 24) - 1


@kernel(types.uint64[::1](READ_INT64, READ_UINT64, types.uint64))
def content_ranks(offsets: Int64, hashes: UInt64, salt: np.uint64) -> UInt64:
    """Rank of each set ``hashes[offsets[i]:offsets[i + 1]]`` by its content, uint64[n]; empty sets come last.

    The least of all ``mix(hash ^ salt)``, its upper 40 bits, times the number of hashes (at most 2^24 - 1). Two sets
    of similarity J share their least hash with probability J (Broder, On the resemblance and containment of
    documents, 1997), so near-duplicates are ranked together; the factor makes small and large sets equally likely to
    be ranked low.
    """
    count = len(offsets) - 1
    ranks = np.empty(count, np.uint64)
    for number in range(count):
        least = _LARGEST
        for place in range(offsets[number], offsets[number + 1]):
            value = mix(hashes[place] ^ salt)
            least = min(least, value)
        size = offsets[number + 1] - offsets[number]
        ranks[number] = (least >> _HASH_BITS) * np.uint64(min(size, _MOST)) if size > 0 else _LARGEST
    return ranks


@kernel(
    types.UniTuple(types.int64[::1], 3)(
        READ_INT64, READ_INT64, READ_INT64, READ_INT64, types.int64, types.int64
    )
)
def similar_pairs(
    offsets: Int64, codes: Int64, holder_offsets: Int64, holders: Int64, numerator: int, denominator: int
) -> tuple[Int64, Int64, Int64]:
    """Pairs of sets with intersection / union >= numerator / denominator > 0.

    Gives left < right and the intersections, int64[k] each, by left and then in no particular (but always the same)
    order. Set i is ``codes[offsets[i]:offsets[i + 1]]``, int64 without repeats; ``holders[holder_offsets[c]:
    holder_offsets[c + 1]]`` are the sets that hold code c, ascending. Time: for every code the square of its holders.
    """
    count = len(offsets) - 1
    shared = np.zeros(count, np.int64)
    met = np.empty(count, np.int64)
    lefts = np.empty(64, np.int64)
    rights = np.empty(64, np.int64)
    intersections = np.empty(64, np.int64)
    found = 0
    for left in range(count):
        meetings = 0
        for place in range(offsets[left], offsets[left + 1]):
            code = codes[place]
            for holder in range(holder_offsets[code + 1] - 1, holder_offsets[code] - 1, -1):
                right = holders[holder]
                if right <= left:
                    break
                if shared[right] == 0:
                    met[meetings] = right
                    meetings += 1
                shared[right] += 1
        size = offsets[left + 1] - offsets[left]
        for meeting in range(meetings):
            right = met[meeting]
            both = shared[right]
            shared[right] = 0
            union = size + offsets[right + 1] - offsets[right] - both
            if both * denominator < union * numerator:
                continue
            if found == len(lefts):
                lefts = np.concatenate((lefts, lefts))
                rights = np.concatenate((rights, rights))
                intersections = np.concatenate((intersections, intersections))
            lefts[found] = left
            rights[found] = right
            intersections[found] = both
            found += 1
    return lefts[:found].copy(), rights[:found].copy(), intersections[:found].copy()


def inverted(offsets: Int64, values: UInt64) -> tuple[Int64, Int64, Int64]:
    """Codes of the values and the sets that hold each: what `similar_pairs` takes, from sets without repeats.

    Gives codes int64[m], holder offsets int64[c + 1] and holders int64[m].
    """
    distinct, codes = np.unique(values, return_inverse=True)
    codes = codes.astype(np.int64).reshape(-1)
    owners = np.repeat(np.arange(len(offsets) - 1, dtype=np.int64), np.diff(offsets))
    holders = owners[np.argsort(codes, kind="stable")]
    holder_offsets = np.zeros(len(distinct) + 1, np.int64)
    np.cumsum(np.bincount(codes, minlength=len(distinct)), out=holder_offsets[1:])
    return codes, holder_offsets, holders
