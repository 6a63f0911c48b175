"""Importing large libraries without the larger ones that they take along where those happen to be installed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


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
