"""A hint to the processor that memory will be needed soon. It changes no result, only how long the memory takes."""

from __future__ import annotations

from typing import Any

from corpusforge.kernels.instructions import Instruction, address

_FOR_READING, _KEEP, _DATA = 0, 3, 1


def _declare(typing_context: Any, array: Any, row: Any, offset: Any) -> Any:
    from numba import types

    return types.void(array, types.uint64, types.uint64), _generate


def _generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    """Write the call of LLVM's ``llvm.prefetch``."""
    from llvmlite import ir  # type: ignore[import-untyped]

    array, row, offset = arguments
    place = builder.add(address(context, builder, signature.args[0], array, row), offset)
    byte = ir.IntType(8).as_pointer()
    number = ir.IntType(32)
    function = builder.module.declare_intrinsic(
        "llvm.prefetch", [byte], ir.FunctionType(ir.VoidType(), [byte, number, number, number])
    )
    hint = [number(value) for value in (_FOR_READING, _KEEP, _DATA)]
    builder.call(function, [builder.inttoptr(place, byte), *hint])
    return context.get_dummy_value()


prefetch: Any = Instruction(_declare)
"""``prefetch(array, row, offset)``, the last two uint64, begins to load the cache line `offset` bytes behind the
start of ``array[row]``. The address need not lie in the array."""
