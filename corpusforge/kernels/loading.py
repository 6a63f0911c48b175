"""Kernels that load when they are first called: importing their modules loads no code, and not even numba.

A run's driver imports every step's module and calls few kernels, a worker calls a part of what it imports; numba
takes a third of a second to import, and each compiled function milliseconds to link. So a module names its types
through `types`, a stand-in that notes what is done to it, and `kernel` keeps function and signature until the
kernel is called, or until another one that refers to it is compiled.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any


class Noted:
    """An expression over `numba.types`, evaluated by `evaluated` and not before."""

    def __init__(self, evaluate: Callable[[], Any]) -> None:
        self._evaluate = evaluate

    def __getattr__(self, name: str) -> Noted:
        if name.startswith("__"):
            raise AttributeError(name)
        return Noted(lambda: getattr(self._evaluate(), name))

    def __call__(self, *arguments: Any, **options: Any) -> Noted:
        """Note a call."""
        return Noted(lambda: self._evaluate()(*evaluated(arguments), **options))

    def __getitem__(self, key: Any) -> Noted:
        return Noted(lambda: self._evaluate()[key])

    __iter__ = None  # it has no items, though it can be indexed


def evaluated(expression: Any) -> Any:
    """What a noted expression stands for; in tuples and lists, what their items stand for."""
    if isinstance(expression, Noted):
        return expression._evaluate()
    if isinstance(expression, (tuple, list)):
        return type(expression)(evaluated(item) for item in expression)
    return expression


def _numba_types() -> Any:
    from numba import types

    return types


types: Any = Noted(_numba_types)
"""Stands for `numba.types` in signatures (not in the bodies of kernels, which are compiled)."""


class Kernel:
    """A function with signatures, compiled or loaded from the cache once it is needed; see `kernel`.

    `py_func` is the plain function; whatever else numba's dispatchers have is had, too, and loads the kernel.
    """

    def __init__(self, function: Callable[..., Any], signatures: Any, options: dict[str, Any]) -> None:
        functools.update_wrapper(self, function)
        self.py_func = function
        self._signatures = signatures
        self._options = options
        self._dispatcher: Any = None

    def __call__(self, *arguments: Any) -> Any:
        """Call the compiled function."""
        if self._dispatcher is None:
            self.load()
        return self._dispatcher(*arguments)

    def load(self) -> None:
        """Link the code that the cache has, or compile and keep it. No other signature is ever compiled."""
        import numba
        from numba.core.compiler_lock import global_compiler_lock

        from corpusforge.kernels import stored_code

        # The lock that numba holds while it compiles: a second one could be taken in another order.
        with global_compiler_lock:
            if self._dispatcher is None:
                dispatcher: Any = numba.njit(nogil=True, **self._options)(self.py_func)
                if not numba.config.DISABLE_JIT:
                    signatures = evaluated(self._signatures)
                    several = signatures if isinstance(signatures, list) else [signatures]
                    stored_code.compile_or_load(dispatcher, several)
                self._dispatcher = dispatcher

    @property
    def _numba_type_(self) -> Any:
        """What numba asks for where the body of another kernel names this one."""
        self.load()
        return self._dispatcher._numba_type_

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "_dispatcher":
            raise AttributeError(name)
        self.load()
        return getattr(self._dispatcher, name)

    def __reduce__(self) -> str:
        return self.py_func.__qualname__  # a global of its module, as functions are pickled


def kernel(signatures: Any, **options: Any) -> Callable[[Callable[..., Any]], Kernel]:
    """Decorate a function of a module as a kernel: cached, without the interpreter's lock, for these signatures only.

    `signatures`: one, or a list of them, over `types`. `options` go to `numba.njit` (``inline``). A kernel takes
    positional arguments only, and may not call itself.
    """
    return lambda function: Kernel(function, signatures, options)


def load_all(modules: Iterable[ModuleType]) -> None:
    """Load the kernels that modules name."""
    for module in modules:
        for value in list(vars(module).values()):
            if isinstance(value, Kernel):
                value.load()
