"""What is installed, which models are there, and how to get what is missing."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import pkgutil
import time

from rich.console import Console
from rich.table import Table

EXTRAS = {
    "quality": ("fasttext", "kenlm"),
    "sources": ("trafilatura",),
    "pii": ("presidio_analyzer",),
    "tokenizers": ("tokenizers", "tiktoken"),
    "spark": ("pyspark",),
    "beam": ("apache_beam",),
    "cloud": ("gcsfs", "s3fs"),
    "train": ("torch",),
    "tensorboard": ("tensorboard",),
}
"""Extra to the modules that it brings."""


def examine(console: Console) -> None:
    """Print tables of extras and models."""
    table = Table("extra", "state", "what to do", title="extras", title_justify="left")
    for extra, modules in EXTRAS.items():
        missing = [module for module in modules if importlib.util.find_spec(module) is None]
        state = "[green]installed[/]" if not missing else f"missing {', '.join(missing)}"
        remedy = "" if not missing else f'pip install "corpusforge\\[{extra}]"'
        table.add_row(extra, state, remedy)
    console.print(table)
    _fasttext_warning(console)
    from corpusforge.models.commands import list_models

    list_models()


def _fasttext_warning(console: Console) -> None:
    """Two distributions that install the same module overwrite each other silently."""
    rivals = [
        name
        for name in (
            "fasttext-community",
            "fasttext",
            "fasttext-wheel",
            "fasttext-predict",
            "fasttext-numpy2-wheel",
        )
        if _installed(name)
    ]
    if len(rivals) > 1:
        console.print(
            f"[red]several distributions provide the module fasttext ({', '.join(rivals)}): keep fasttext-community[/]"
        )


def _installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def warm_kernels(console: Console) -> None:
    """Load every kernel: what is not in the cache is compiled, and the cache keeps it."""
    import corpusforge.kernels
    from corpusforge.kernels.loading import load_all

    begun = time.perf_counter()
    found = pkgutil.iter_modules(corpusforge.kernels.__path__)
    names = [module.name for module in found if not module.name.startswith("make_")]
    load_all(importlib.import_module(f"corpusforge.kernels.{name}") for name in names)
    console.print(f"{len(names)} kernel modules ready in {time.perf_counter() - begun:.1f} s")
