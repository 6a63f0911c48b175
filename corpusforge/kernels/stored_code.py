"""Compiled code of kernels on disk: found without what only compiling needs, and made once per machine.

It lies where numba keeps it, in its format. What differs is how it is come by, and when it is out of date: code of a
kernel holds that of the kernels and the constants it uses, so it is good for one state of all modules beside it.
"""

from __future__ import annotations

import fcntl
import functools
import glob
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from numba.core.caching import FunctionCache
from numba.core.registry import cpu_target
from numba.core.runtime import rtsys


def start_up() -> None:
    """Do once what every process needs before its first kernel; those that are forked from here have it."""
    rtsys.initialize(cpu_target.target_context)


def compile_or_load(dispatcher: Any, signatures: Sequence[Any]) -> None:
    """Give a dispatcher of numba code for these signatures and no others. The caller holds numba's lock."""
    with ExitStack() as until_compiled:
        dispatcher._cache = StoredCode(dispatcher.py_func, until_compiled)
        for signature in signatures:
            dispatcher.compile(signature)
    dispatcher.disable_compile()


@functools.cache
def sources_stamp(folder: Path) -> str:
    """State of a folder's modules, 16 hex digits: their names, sizes and times, read once per process."""
    digest = hashlib.blake2b(digest_size=8)
    for path in sorted(folder.glob("*.py")):
        facts = path.stat()
        digest.update(f"{path.name}\0{facts.st_size}\0{facts.st_mtime_ns}\0".encode())
    return digest.hexdigest()


class StoredCode(FunctionCache):  # type: ignore[misc]
    """numba's cache of a function.

    Before numba looks for stored code, it imports and registers how each function that it knows is compiled,
    SciPy's linear algebra included where there is any. Stored code only needs the symbols that it is linked to.

    Where there is none, other processes may be about to compile the same: they wait for the first one.
    """

    def __init__(self, function: Any, until_compiled: ExitStack) -> None:
        super().__init__(function)
        self._until_compiled = until_compiled
        file, self._base = self._cache_file, self._impl.filename_base
        self._stamp = sources_stamp(Path(function.__code__.co_filename).parent)
        file._source_stamp = (file._source_stamp, self._stamp)
        # numba would write a new state's code over the old one's, which another process may then read for the new.
        file._data_name_pattern = f"{self._base}.{self._stamp}.{{number:d}}.nbc"

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The compiled function, or None: then the caller compiles, and has the right to."""
        start_up()
        with self._guard_against_spurious_io_errors():
            found = self._load_overload(sig, target_context)
        if found is not None:
            return found
        self._until_compiled.enter_context(_alone(Path(self.cache_path)))
        return super().load_overload(sig, target_context)

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep compiled code, and remove what is left of other states."""
        super().save_overload(sig, data)
        for path in Path(self.cache_path).glob(f"{glob.escape(self._base)}.*.nbc"):
            if not path.name.startswith(f"{self._base}.{self._stamp}."):
                path.unlink(missing_ok=True)


_holders = 0
"""How many kernels this process is compiling: those that a kernel calls are compiled while it is."""


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the right to compile into a folder. Only the owner of numba's lock calls this: one thread at a time."""
    global _holders
    with ExitStack() as held:
        if _holders == 0:
            # Without locks (some network file systems), or rights, each process compiles for itself, as ever.
            with suppress(OSError):
                file = held.enter_context((folder / "compiling.lock").open("w"))
                fcntl.flock(file, fcntl.LOCK_EX)
        _holders += 1
        try:
            yield
        finally:
            _holders -= 1
