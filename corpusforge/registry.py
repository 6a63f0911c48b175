"""Steps and sources by name: the built-in ones, those of installed packages, and those of plugin files.

Modules are imported when their step is first asked for, so a recipe pays only for what it names.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
import traceback
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

from corpusforge.errors import UsageError
from corpusforge.names import nearest
from corpusforge.sources.base import Source
from corpusforge.step import Step

STEPS: dict[str, str] = {
    "url_filter": "corpusforge.filters.url:UrlFilter",
    "extract": "corpusforge.extract.step:Extract",
    "takedown": "corpusforge.filters.takedown:Takedown",
    "language": "corpusforge.filters.language:Language",
    "gopher_quality": "corpusforge.filters.gopher_quality:GopherQuality",
    "gopher_repetition": "corpusforge.filters.gopher_repetition:GopherRepetition",
    "c4": "corpusforge.filters.c4:C4",
    "fineweb": "corpusforge.filters.fineweb:FineWeb",
    "refinedweb": "corpusforge.filters.refinedweb:RefinedWeb",
    "redpajama_v2": "corpusforge.filters.redpajama_v2:RedPajamaV2",
    "madlad400": "corpusforge.filters.madlad:Madlad400",
    "code_quality": "corpusforge.filters.code:CodeQuality",
    "quality_classifier": "corpusforge.filters.classifier:QualityClassifier",
    "perplexity": "corpusforge.filters.perplexity:Perplexity",
    "repeated_phrases": "corpusforge.dedup.repeated:RepeatedPhrases",
    "exact_dedup": "corpusforge.dedup.exact:ExactDedup",
    "minhash_dedup": "corpusforge.dedup.minhash:MinhashDedup",
    "line_dedup": "corpusforge.dedup.lines:LineDedup",
    "ngram_dedup": "corpusforge.dedup.ngrams:NgramDedup",
    "substring_dedup": "corpusforge.dedup.substring:SubstringDedup",
    "decontaminate": "corpusforge.dedup.decontaminate:Decontaminate",
    "pii": "corpusforge.pii.step:Pii",
    "tokenize": "corpusforge.tokenize.step:Tokenize",
    "pack": "corpusforge.mix.step:Pack",
    "mix": "corpusforge.mix.step:Mix",
}
"""Built-in steps: name to ``module:class``, in the order in which data usually meets them."""

SOURCES: dict[str, str] = {
    "commoncrawl": "corpusforge.sources.commoncrawl:CommonCrawl",
    "c4": "corpusforge.sources.c4:C4",
    "github": "corpusforge.sources.github:GitHub",
    "wikipedia": "corpusforge.sources.wikipedia:Wikipedia",
    "dialogue": "corpusforge.sources.dialogue:Dialogue",
    "stackexchange": "corpusforge.sources.stackexchange:StackExchange",
    "arxiv": "corpusforge.sources.arxiv:Arxiv",
    "books": "corpusforge.sources.books:Books",
}
"""Built-in sources: name to ``module:class``."""

_plugins: dict[str, tuple[Path, str]] = {}
"""Loaded plugin files: module name to path and SHA-256 of the file."""


def step_class(name: str) -> type[Step]:
    """The class of a step. Raises `UsageError` for an unknown name."""
    return _load(name, STEPS, "corpusforge.steps", "step", Step)


def source_class(name: str) -> type[Source]:
    """The class of a source. Raises `UsageError` for an unknown name."""
    return _load(name, SOURCES, "corpusforge.sources", "source", Source)


def step_names() -> list[str]:
    """All known step names."""
    return [*STEPS, *_external("corpusforge.steps")]


def source_names() -> list[str]:
    """All known source names."""
    return [*SOURCES, *_external("corpusforge.sources")]


def _external(group: str) -> dict[str, str]:
    return {entry.name: entry.value for entry in sorted(entry_points(group=group))}


def _load(name: str, built_in: dict[str, str], group: str, kind: str, base: type) -> type:
    # Looking through all that is installed takes longer than importing a step: built-in names come first.
    known = built_in if name in built_in else {**_external(group), **built_in}
    if name not in known:
        raise UsageError(
            f"unknown {kind} {name!r}{nearest(name, known)}; --plugin brings {kind}s of your own"
        )
    module_name, _, class_name = known[name].partition(":")
    found = getattr(importlib.import_module(module_name), class_name)
    if not (isinstance(found, type) and issubclass(found, base)):
        raise UsageError(f"{known[name]} is not a {base.__name__}")
    return found


def load_plugin(path: Path) -> None:
    """Import a Python file and register the steps and sources that it defines.

    The file's hash becomes part of every stage hash, and the file is loaded again in worker processes.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read plugin {path}: {error.strerror}") from error
    digest = hashlib.sha256(data).hexdigest()
    module_name = f"corpusforge_plugin_{path.stem}_{digest[:12]}"
    if module_name in sys.modules:
        return
    specification = importlib.util.spec_from_file_location(module_name, path)
    if specification is None or specification.loader is None:
        raise UsageError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(specification)
    sys.modules[module_name] = module
    try:
        specification.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        # A plugin is the user's own code: it may raise anything, and a script that ends itself is no plugin.
        del sys.modules[module_name]
        raise UsageError(f"plugin {path}: {traceback.format_exception_only(error)[-1].strip()}") from error
    try:
        _register(module, path)
    except UsageError:
        del sys.modules[module_name]
        raise
    _plugins[module_name] = (path.resolve(), digest)


def _register(module: ModuleType, path: Path) -> None:
    """Make the steps and sources of a plugin known. Raises `UsageError` for names of built-in ones."""
    for value in list(vars(module).values()):
        if not (isinstance(value, type) and value.__module__ == module.__name__ and hasattr(value, "name")):
            continue
        for base, known in ((Step, STEPS), (Source, SOURCES)):
            if not issubclass(value, base):
                continue
            if known.get(value.name, "").startswith("corpusforge."):
                raise UsageError(
                    f"plugin {path} defines {value.name!r}, which is built in: give yours another name"
                )
            known[value.name] = f"{module.__name__}:{value.__name__}"


def plugin_hashes() -> dict[str, str]:
    """Hashes of the loaded plugin files by module name."""
    return {name: digest for name, (_, digest) in sorted(_plugins.items())}


def plugin_files() -> list[str]:
    """Paths of the loaded plugin files, for workers to load again."""
    return [str(path) for path, _ in _plugins.values()]
