"""Addresses that the functions of LLVM code read and write at."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from corpusforge.kernels.instructions import Instruction, address
from corpusforge.kernels.loading import kernel, types


def _declare(typing_context: Any, array: Any, row: Any, column: Any, offset: Any) -> Any:
    from numba import types

    number = types.uint64
    return types.uint8(array, number, number, number), _generate


def _generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    from llvmlite import ir

    place = address(context, builder, signature.args[0], *arguments)
    return builder.load(builder.inttoptr(place, ir.IntType(8).as_pointer()))


byte_at: Any = Instruction(_declare)
_N = types.uint64


@kernel(types.uint8(types.Array(types.uint32, 2, "C"), _N, _N, _N))
def read(array: np.ndarray, row: int, column: int, offset: int) -> int:
    return byte_at(array, row, column, offset)


@pytest.mark.parametrize("place", [(0, 0, 0), (2, 4, 3), (1, 0, 2), (0, 3, 1)])
def test_steps_count_rows_columns_and_bytes(place: tuple[int, int, int]) -> None:
    array = np.arange(15, dtype=np.uint32).reshape(3, 5) * np.uint32(0x01020304)
    row, column, offset = place
    assert read(array, row, column, offset) == array[row, column].tobytes()[offset]


def test_importing_them_loads_no_numba() -> None:
    code = "import sys, corpusforge.kernels.vectors; sys.exit('numba' in sys.modules or 'llvmlite' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=120).returncode == 0
