"""Importing no more than is needed: large libraries without those that they take along, workers without the program."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from typing import Any


@contextmanager
def absent(*packages: str) -> Iterator[None]:
    """Packages that are not imported yet are not found.

    Presidio and spaCy import PyTorch and transformers where they are installed, for parts that are not used here: five
    CPU seconds of every process.
    """
    hidden = [name for name in packages if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type] # None stands for a module that cannot be found
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


class _NotFound(MetaPathFinder):
    """Finds no module of one name. Arrow's compiled code does not take the None in `sys.modules` for an answer."""

    def __init__(self, name: str) -> None:
        self._name = name

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> None:
        """Raise `ModuleNotFoundError` for that name."""
        if fullname == self._name:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)


def arrow_without_pandas() -> None:
    """Arrow looks for pandas once, when it is first given Python objects: a third of a CPU second where there is one.

    Here it looks and finds none, unless pandas is imported already. Until it is asked for something of pandas
    (`to_pandas`), it then reads a pandas series as any sequence: so this is for processes that run no code of others.
    """
    if "pandas" in sys.modules:
        return
    import pyarrow as pa

    hidden = _NotFound("pandas")
    sys.meta_path.insert(0, hidden)
    try:
        pa.array([])
    finally:
        sys.meta_path.remove(hidden)


def workers_without_program() -> None:
    """Processes that `multiprocessing` starts from now on do not import the module that is run as ``__main__``.

    They would, by its name or file, for what was pickled from there: a tenth of a CPU second of the command line, of
    which no worker has any use.
    """
    main = sys.modules["__main__"]
    main.__spec__ = None
    vars(main).pop("__file__", None)
