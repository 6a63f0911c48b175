"""A page's shape before it is parsed."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt
from numba import types

_BYTES = types.Array(types.uint8, 1, "C", readonly=True)


class PageShape(NamedTuple):
    """Estimates, all int: start tags, greatest depth, most attributes of one tag, sum of depths over tags."""

    nodes: int
    depth: int
    attributes: int
    path_steps: int


@numba.njit([types.UniTuple(types.int64, 4)(_BYTES)], cache=True, nogil=True)
def _scan(data: npt.NDArray[np.uint8]) -> tuple[int, int, int, int]:
    nodes = depth = deepest = steps = 0
    for i in range(len(data) - 1):
        if data[i] == 60:
            following = data[i + 1] | 32
            if 97 <= following <= 122:
                nodes += 1
                depth += 1
                deepest = max(deepest, depth)
                steps += depth
            elif data[i + 1] == 47:
                depth = max(0, depth - 1)
    return nodes, deepest, 0, steps


def scan_html(data: npt.NDArray[np.uint8]) -> PageShape:
    """Scan the bytes uint8[n] of a page."""
    return PageShape(*(int(value) for value in _scan(data)))
