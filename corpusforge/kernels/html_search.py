"""Where a byte comes next: C's ``memchr``, which looks at dozens of bytes at once, for kernels.

Most of a page is passed over: scripts, styles, comments, values of attributes. What ends them is one byte.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any


class FindByte:
    """The function `find_byte` of kernels, made when a kernel that names it is compiled, as kernels are.

    ``find_byte(data, byte, begin, end)``, all int64 but `data` uint8[n], gives the first offset in ``data[begin:end]``
    at which `byte` stands, or `end` where it does not or nothing is between. `begin` must not be negative, nor `end`
    greater than n: as kernels do elsewhere, it trusts its caller.
    """

    @cached_property
    def _numba_type_(self) -> Any:
        from numba.core.registry import cpu_target
        from numba.extending import intrinsic

        function = intrinsic(_declare)
        # What was declared since the compilation began is not known to it before.
        cpu_target.typing_context.refresh()
        return cpu_target.typing_context.resolve_value_type(function)


def _declare(typing_context: Any, data: Any, byte: Any, begin: Any, end: Any) -> Any:
    """Signature and code, as numba's ``intrinsic`` asks for them."""
    from numba import types

    return types.int64(data, types.int64, types.int64, types.int64), _generate


def _generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    """Write the call of ``memchr``."""
    from llvmlite import ir  # type: ignore[import-untyped]
    from numba.core import cgutils

    data, byte, begin, end = arguments
    view = context.make_array(signature.args[0])(context, builder, data)
    pointer, number, size = ir.IntType(8).as_pointer(), ir.IntType(32), ir.IntType(64)
    kind = ir.FunctionType(pointer, [pointer, number, size])
    function = cgutils.get_or_insert_function(builder.module, kind, "memchr")
    length = builder.sub(end, begin)
    length = builder.select(builder.icmp_signed("<", length, size(0)), size(0), length)
    start = builder.gep(view.data, [begin])
    found = builder.call(function, [start, builder.trunc(byte, number), length])
    offset = builder.sub(builder.ptrtoint(found, size), builder.ptrtoint(view.data, size))
    return builder.select(builder.icmp_unsigned("==", found, pointer(None)), end, offset)


find_byte: Any = FindByte()
