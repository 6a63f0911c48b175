"""From signals to verdicts: which rows a rule drops, given its threshold."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpusforge.step import Rule, Signal, fixed_point


def drops(rule: Rule, signal: Signal, values: pa.Array, threshold: Any) -> npt.NDArray[np.bool_]:
    """Which rows a rule drops, bool[n]; null signals never."""
    if threshold is None:
        return np.zeros(len(values), bool)
    units = fixed_point(threshold, signal.scale)
    limit: Any = threshold if units is None else units
    if rule.comparison == "is_true":
        result = pc.and_(pc.not_equal(values, 0), bool(limit))
    elif rule.comparison in ("is_in", "not_in"):
        result = pc.is_in(values, value_set=pa.array(list(limit), values.type))
        result = pc.invert(result) if rule.comparison == "not_in" else result
        result = pc.and_(result, values.is_valid())
    else:
        compare = {
            "below": pc.less,
            "at_most": pc.less_equal,
            "above": pc.greater,
            "at_least": pc.greater_equal,
        }
        result = compare[rule.comparison](values, pa.scalar(limit, values.type))
    return np.asarray(result.fill_null(False).to_numpy(zero_copy_only=False), bool)
