"""The Huffman tree and the best label, beside all probabilities computed one by one."""

from __future__ import annotations

import heapq

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusforge.kernels.fasttext_output import HIERARCHICAL, SOFTMAX, best_labels, tree


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=40))
@settings(deadline=None)
def test_tree_is_a_huffman_tree(counts: list[int]) -> None:
    counts.sort(reverse=True)
    left, right = tree(np.array(counts, np.int64))
    children = [*left.tolist(), *right.tolist()]
    assert sorted(children) == list(range(2 * len(counts) - 2))
    totals = list(counts)
    for pair in zip(left, right):
        totals.append(totals[pair[0]] + totals[pair[1]])
    # Huffman trees differ, their cost does not: the sum of the inner nodes' counts.
    heap = list(counts)
    heapq.heapify(heap)
    cost = 0
    while len(heap) > 1:
        total = heapq.heappop(heap) + heapq.heappop(heap)
        cost += total
        heapq.heappush(heap, total)
    assert sum(totals[len(counts) :]) == cost


@given(seed=st.integers(0, 2**32), labels=st.integers(1, 30), layer=st.sampled_from([HIERARCHICAL, SOFTMAX]))
@settings(deadline=None)
def test_best_label(seed: int, labels: int, layer: int) -> None:
    random = np.random.default_rng(seed)
    sums = random.normal(size=(6, 4)).astype(np.float32) * 3
    rows = np.array([1, 2, 0, 1, 3, 1])
    weights = random.normal(size=(4, labels)).astype(np.float32)
    left, right = tree(np.sort(random.integers(0, 50, labels))[::-1].astype(np.int64))
    found, probabilities = best_labels(sums, rows, weights, layer, left, right)
    for number in range(6):
        if rows[number] == 0:
            assert found[number] == -1
            continue
        scores = (sums[number].astype(np.float64) / rows[number]) @ weights
        if layer == SOFTMAX:
            powers = np.exp(scores - scores.max())
            all_probabilities = powers / powers.sum() + 1e-5
        else:
            all_probabilities = np.zeros(2 * labels - 1)
            all_probabilities[-1] = 1
            for inner in range(labels - 2, -1, -1):
                share = 1 / (1 + np.exp(-scores[inner]))
                all_probabilities[left[inner]] = all_probabilities[labels + inner] * (1 - share + 1e-5)
                all_probabilities[right[inner]] = all_probabilities[labels + inner] * (share + 1e-5)
            all_probabilities = all_probabilities[:labels]
        assert probabilities[number] == pytest.approx(all_probabilities.max(), rel=1e-3)
        assert all_probabilities[found[number]] == pytest.approx(all_probabilities.max(), rel=1e-3)
