"""The most probable label of averaged input vectors: fastText's output layers, each label's score from one matrix.

Source: facebookresearch/fastText 0.9.2, ``loss.cc``: hierarchical softmax (the path of highest probability is
found by depth-first search, branches below the best leaf or below log 1e-5 left out), softmax, and one-against-all
with its tabulated sigmoid. A logarithm there is always that of its argument plus 1e-5, so that a score is the
probability plus 1e-5.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.array_types import READ_INT32, READ_INT64
from corpusforge.kernels.fasttext_sums import READ_MATRIX
from corpusforge.kernels.loading import kernel, types

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Float32 = npt.NDArray[np.float32]

HIERARCHICAL, NEGATIVE_SAMPLING, SOFTMAX, ONE_AGAINST_ALL = 1, 2, 3, 4
"""Output layers, by fastText's numbers."""

_SMALLEST = 1e-5
_SIGMOID_SIZE = 512
_SIGMOID_RANGE = 8


@kernel(types.float32(types.float64))
def _log(value: float) -> np.float32:
    return np.float32(math.log(value + _SMALLEST))


@kernel(types.float32(types.float32))
def _tabulated_sigmoid(value: float) -> np.float32:
    """Sigmoid at the grid point below `value`: 512 steps between -8 and 8, 0 and 1 outside."""
    if value < -_SIGMOID_RANGE:
        return np.float32(0)
    if value > _SIGMOID_RANGE:
        return np.float32(1)
    place = np.int64((value + np.float32(_SIGMOID_RANGE)) * _SIGMOID_SIZE / _SIGMOID_RANGE / 2)
    point = place * 2 * _SIGMOID_RANGE / _SIGMOID_SIZE - _SIGMOID_RANGE
    return np.float32(1 / (1 + math.exp(-point)))


@kernel(
    types.Tuple((types.int64, types.float32))(
        types.float32[::1], READ_INT32, READ_INT32, types.int64[::1], types.float32[::1]
    )
)
def _best_leaf(
    scores: Float32, left: Int32, right: Int32, nodes: Int64, sums: Float32
) -> tuple[np.int64, np.float32]:
    """Leaf of the best path and its logarithm, or -1; `nodes` and `sums` have room for a stack of all nodes.

    `left`, `right` int32[inner nodes] are the children, leaves numbered before inner nodes, the root last;
    `scores` float32[inner nodes].
    """
    leaves = len(left) + 1
    lowest = _log(0.0)
    best = np.int64(-1)
    best_sum = np.float32(0)
    nodes[0] = 2 * leaves - 2
    sums[0] = 0
    depth = 1
    while depth > 0:
        depth -= 1
        node = nodes[depth]
        total = sums[depth]
        if total < lowest or (best >= 0 and total < best_sum):
            continue
        if node < leaves:
            best = node
            best_sum = total
            continue
        probability = np.float32(1 / (1 + math.exp(-scores[node - leaves])))
        nodes[depth] = right[node - leaves]
        sums[depth] = total + _log(probability)
        nodes[depth + 1] = left[node - leaves]
        sums[depth + 1] = total + _log(1.0 - probability)
        depth += 2
    return best, best_sum


@kernel(types.Tuple((types.int64, types.float32))(types.float32[::1], types.int64))
def _best_output(scores: Float32, layer: int) -> tuple[np.int64, np.float32]:
    """Label of the highest probability (of equal ones the last) and its logarithm, for the layers without a tree."""
    best = np.int64(0)
    if layer != SOFTMAX:
        for label in range(len(scores)):
            scores[label] = _tabulated_sigmoid(scores[label])
    for label in range(1, len(scores)):
        if scores[label] >= scores[best]:
            best = np.int64(label)
    if layer != SOFTMAX:
        return best, _log(scores[best])
    total = np.float32(0)
    for label in range(len(scores)):
        total += np.float32(math.exp(scores[label] - scores[best]))
    return best, _log(np.float32(1) / total)


@kernel(
    types.Tuple((types.int32[::1], types.float32[::1]))(
        READ_MATRIX, READ_INT64, READ_MATRIX, types.int64, READ_INT32, READ_INT32
    )
)
def best_labels(
    sums: Float32, counts: Int64, weights: Float32, layer: int, left: Int32, right: Int32
) -> tuple[Int32, Float32]:
    """Find the most probable label of s sums of input vectors and its probability.

    `sums` float32[s, d]; `counts` int64[s], the rows summed; `weights` float32[d, outputs], the output matrix
    transposed; `layer` one of this module's; `left`, `right` the tree of `HIERARCHICAL` (see `tree`), else
    empty. Returns labels int32[s], -1 where nothing was summed or no path is likely enough, and probabilities
    float32[s], which can exceed 1 by 1e-5.
    """
    spans = len(sums)
    labels = np.full(spans, -1, np.int32)
    probabilities = np.zeros(spans, np.float32)
    scores = np.empty(weights.shape[1], np.float32)
    nodes = np.empty(len(left) + 2, np.int64)
    path_sums = np.empty(len(left) + 2, np.float32)
    for span in range(spans):
        if counts[span] <= 0:
            continue
        scores[:] = 0
        share = np.float32(1.0 / counts[span])
        for column in range(weights.shape[0]):
            factor = sums[span, column] * share
            for output in range(len(scores)):
                scores[output] += factor * weights[column, output]
        if layer == HIERARCHICAL:
            label, logarithm = _best_leaf(scores, left, right, nodes, path_sums)
        else:
            label, logarithm = _best_output(scores, layer)
        labels[span] = label
        if label >= 0:
            probabilities[span] = np.float32(math.exp(logarithm))
    return labels, probabilities


def tree(counts: Int64) -> tuple[Int32, Int32]:
    """Build the Huffman tree of hierarchical softmax from the labels' counts, int64[n] falling (fastText's order).

    Returns the children int32[n - 1] of the inner nodes, which are numbered after the leaves in the order in
    which they are made.
    """
    leaves = len(counts)
    totals = [int(count) for count in counts] + [10**15] * (leaves - 1)
    left = np.zeros(max(leaves - 1, 0), np.int32)
    right = np.zeros(max(leaves - 1, 0), np.int32)
    leaf, inner = leaves - 1, leaves
    for node in range(leaves, 2 * leaves - 1):
        pair = []
        for _ in range(2):
            if leaf >= 0 and totals[leaf] < totals[inner]:
                pair.append(leaf)
                leaf -= 1
            else:
                pair.append(inner)
                inner += 1
        left[node - leaves], right[node - leaves] = pair
        totals[node] = totals[pair[0]] + totals[pair[1]]
    return left, right
