"""Arrays in files: they behave like arrays in memory, and leave nothing behind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from corpusforge.models.scratch import Scratch


@pytest.mark.parametrize("files", [True, False])
def test_arrays(tmp_path: Path, files: bool) -> None:
    scratch = Scratch(tmp_path if files else None, 4)
    zeros = scratch.zeros(10, np.int64)
    assert zeros.tolist() == [0] * 10
    zeros[3:5] = 7
    growing = scratch.appending(np.int64)
    for start, stop in scratch.spans(len(zeros)):
        growing.add(zeros[start:stop])
    growing.add(np.array([1.0]))
    assert growing.count == 11
    found = growing.done()
    assert found.dtype == np.int64
    assert found.tolist() == [*zeros.tolist(), 1]
    found[0] = 5
    assert scratch.stored(found).tolist() == found.tolist()
    assert scratch.appending(np.float64).done().tolist() == scratch.zeros(0, np.float64).tolist() == []
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="missing"):
        Scratch(tmp_path / "missing").zeros(1, np.int64)
