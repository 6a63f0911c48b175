"""Numba types that the eager signatures share: an array that is only read accepts every C-ordered one."""

from __future__ import annotations

from corpusforge.kernels.loading import types

READ_UINT8 = types.Array(types.uint8, 1, "C", readonly=True)
READ_INT32 = types.Array(types.int32, 1, "C", readonly=True)
READ_INT64 = types.Array(types.int64, 1, "C", readonly=True)
READ_UINT64 = types.Array(types.uint64, 1, "C", readonly=True)
UINT8 = types.Array(types.uint8, 1, "C")
INT32 = types.Array(types.int32, 1, "C")
INT64 = types.Array(types.int64, 1, "C")
UINT64 = types.Array(types.uint64, 1, "C")
