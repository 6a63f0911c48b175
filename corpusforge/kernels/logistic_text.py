"""Logistic regression over hashed terms: a text's features are its terms and runs of terms, hashed into buckets.

The score's logit is a bias plus the mean of the weights of a text's features (their relative frequencies times
the weights), so a long text is no surer than a short one. Training is stochastic gradient descent with a step
size per weight (Duchi, Hazan, Singer, "Adaptive Subgradient Methods", JMLR 2011), one text after another in the
given order: the same order gives the same weights.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.array_types import INT32, INT64, READ_INT32, READ_INT64, READ_UINT8, READ_UINT64
from corpusforge.kernels.hash64 import add_hash, mix
from corpusforge.kernels.loading import kernel, types

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]
Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

_FLOAT64 = types.Array(types.float64, 1, "C")
_READ_FLOAT32 = types.Array(types.float32, 1, "C", readonly=True)


@kernel(types.Tuple((INT64, INT32))(READ_UINT64, READ_INT64, types.int64, types.int64))
def hash_features(hashes: UInt64, offsets: Int64, ngrams: int, buckets: int) -> tuple[Int64, Int32]:
    """Buckets of the terms of n texts and of their runs of up to `ngrams` terms.

    `hashes` uint64[t] of the terms, ``offsets[i]:offsets[i + 1]`` those of text i; `buckets` is a power of two.
    Returns (feature offsets int64[n + 1], buckets int32[f]).
    """
    documents = len(offsets) - 1
    feature_offsets = np.zeros(documents + 1, np.int64)
    found = np.empty(ngrams * len(hashes), np.int32)
    count = 0
    mask = np.uint64(buckets - 1)
    for document in range(documents):
        end = offsets[document + 1]
        for first in range(offsets[document], end):
            state = np.uint64(0)
            for last in range(first, min(end, first + ngrams)):
                state = add_hash(state, hashes[last])
                found[count] = np.int32(mix(state) & mask)
                count += 1
        feature_offsets[document + 1] = count
    return feature_offsets, found[:count]


@kernel(_FLOAT64(READ_INT64, READ_INT32, _READ_FLOAT32, types.float64))
def score_features(offsets: Int64, features: Int32, weights: Float32, bias: float) -> Float64:
    """Probability float64[n] of each text, NaN for one without features; arrays as `hash_features` gives them."""
    scores = np.empty(len(offsets) - 1, np.float64)
    for document in range(len(offsets) - 1):
        count = offsets[document + 1] - offsets[document]
        if count == 0:
            scores[document] = np.nan
            continue
        total = 0.0
        for place in range(offsets[document], offsets[document + 1]):
            total += weights[features[place]]
        scores[document] = 1.0 / (1.0 + math.exp(-(bias + total / count)))
    return scores


@kernel(types.float64(READ_INT64, READ_INT32, READ_UINT8, READ_INT64, types.float64, _FLOAT64, _FLOAT64))
def train_features(
    offsets: Int64,
    features: Int32,
    labels: npt.NDArray[np.uint8],
    order: Int64,
    rate: float,
    weights: Float64,
    squares: Float64,
) -> float:
    """Go once over the texts numbered in `order`, int64[k], and adapt `weights` float64[buckets]; gives the mean loss.

    `labels` uint8[n]: 1 or 0. The last items of `weights` and of `squares` (sums of squared gradients, which one
    pass hands to the next), each float64[buckets + 1], are the bias's.
    """
    loss = 0.0
    bias = len(weights) - 1
    for document in order:
        count = offsets[document + 1] - offsets[document]
        if count == 0:
            continue
        total = 0.0
        for place in range(offsets[document], offsets[document + 1]):
            total += weights[features[place]]
        logit = weights[bias] + total / count
        probability = 1.0 / (1.0 + math.exp(-logit))
        error = probability - labels[document]
        loss -= math.log(max(1e-12, 1.0 - abs(error)))
        gradient = error / count
        if gradient == 0.0:
            continue
        for place in range(offsets[document], offsets[document + 1]):
            bucket = features[place]
            squares[bucket] += gradient * gradient
            weights[bucket] -= rate * gradient / math.sqrt(squares[bucket])
        squares[bias] += error * error
        weights[bias] -= rate * error / math.sqrt(squares[bias])
    return loss / max(len(order), 1)
