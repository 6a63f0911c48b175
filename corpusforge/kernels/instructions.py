"""Functions of kernels that are written as LLVM code, for instructions of the processor that numba has no name for."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any


class Instruction:
    """A function for kernels, made when a kernel that names it is compiled, as kernels are.

    `declare` gives signature and code, as numba's ``intrinsic`` asks for them. Arrays must be C-ordered, and where
    they end is not looked at.
    """

    def __init__(self, declare: Callable[..., Any]) -> None:
        self._declare = declare

    @cached_property
    def _numba_type_(self) -> Any:
        from numba.core.registry import cpu_target
        from numba.extending import intrinsic

        function = intrinsic(self._declare)
        # What was declared since the compilation began is not known to it before.
        cpu_target.typing_context.refresh()
        return cpu_target.typing_context.resolve_value_type(function)


def address(context: Any, builder: Any, kind: Any, array: Any, *steps: Any) -> Any:
    """Address of the byte that lies `steps` behind the start of an array: a step for each dimension, then bytes."""
    from llvmlite import ir  # type: ignore[import-untyped]

    view = context.make_array(kind)(context, builder, array)
    place = builder.ptrtoint(view.data, ir.IntType(64))
    for dimension, step in enumerate(steps):
        if dimension < kind.ndim:
            step = builder.mul(builder.extract_value(view.strides, dimension), step)
        place = builder.add(place, step)
    return place
