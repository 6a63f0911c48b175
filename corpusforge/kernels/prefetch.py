"""A hint to the processor that memory will be needed soon. It changes no result, only how long the memory takes."""

from __future__ import annotations

from functools import cached_property
from typing import Any

_FOR_READING, _KEEP, _DATA = 0, 3, 1


class Prefetch:
    """The function `prefetch` of kernels, made when a kernel that names it is compiled, as kernels are.

    ``prefetch(array, row, offset)``, the last two uint64, begins to load the cache line `offset` bytes behind the
    start of ``array[row]``. The address need not lie in the array.
    """

    @cached_property
    def _numba_type_(self) -> Any:
        from numba.core.registry import cpu_target
        from numba.extending import intrinsic

        function = intrinsic(_declare)
        # What was declared since the compilation began is not known to it before.
        cpu_target.typing_context.refresh()
        return cpu_target.typing_context.resolve_value_type(function)


def _declare(typing_context: Any, array: Any, row: Any, offset: Any) -> Any:
    """Signature and code, as numba's ``intrinsic`` asks for them."""
    from numba import types

    return types.void(array, types.uint64, types.uint64), _generate


def _generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    """Write the call of LLVM's ``llvm.prefetch``."""
    from llvmlite import ir  # type: ignore[import-untyped]

    view = context.make_array(signature.args[0])(context, builder, arguments[0])
    stride = builder.extract_value(view.strides, 0)
    byte = ir.IntType(8).as_pointer()
    number = ir.IntType(32)
    start = builder.ptrtoint(view.data, ir.IntType(64))
    address = builder.add(builder.add(start, builder.mul(stride, arguments[1])), arguments[2])
    function = builder.module.declare_intrinsic(
        "llvm.prefetch", [byte], ir.FunctionType(ir.VoidType(), [byte, number, number, number])
    )
    hint = [number(value) for value in (_FOR_READING, _KEEP, _DATA)]
    builder.call(function, [builder.inttoptr(address, byte), *hint])
    return context.get_dummy_value()


prefetch: Any = Prefetch()
