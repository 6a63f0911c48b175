"""The model store: one folder of model files, each found by name and known by its hash.

`CORPUSFORGE_MODELS` names the folder, or its URL in a store: then models are opened as copies on this machine. Without
it, it is ``corpusforge/models`` in the user's cache folder. Nothing here touches another network.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from corpusforge import storage
from corpusforge.errors import MissingModelError, UsageError
from corpusforge.local_copies import local_folder, local_path
from corpusforge.model_catalog import CATALOG
from corpusforge.places import place
from corpusforge.redaction import redacted

LANGUAGE_MODELS = "lm"
"""Folder of the store that holds ``<language>/<language>.sp.model`` and ``.arpa``."""

_MODEL_FILES = ("*.sp.model", "*.arpa", "*.arpa.bin")

_LANGUAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")


@dataclass(frozen=True)
class LanguageModelFiles:
    """Files of one language's perplexity model: SentencePiece pieces and the n-gram model over them."""

    language: str
    pieces: Path
    ngrams: Path


def models_folder() -> Path:
    """Folder of the store, or a `StoredPath`; it need not exist."""
    named = os.environ.get("CORPUSFORGE_MODELS")
    if named:
        return place(named) if storage.is_remote(named) else Path(named.removeprefix("file://")).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME")
    base = Path(cache) if cache and Path(cache).is_absolute() else Path.home() / ".cache"
    return base / "corpusforge" / "models"


def find(name_or_path: str) -> Path:
    """Find a model by its name in the catalog, or a model file by its path or URL (then a copy of it).

    Raises `MissingModelError`, with the command that gets the model, when it is not there, and when a file in
    the store does not have the hash of the catalog.
    """
    known = CATALOG.get(name_or_path)
    if known is None:
        path = local_path(name_or_path)
        if path.is_file():
            return path
        raise MissingModelError(
            f"no model file {name_or_path!r}, and no model of that name ({', '.join(CATALOG)})"
        )
    stored = str(models_folder() / known.file_name)
    path = local_path(stored)
    command = f"corpusforge models get {known.name}"
    if not path.is_file():
        raise MissingModelError(f"model {known.name!r} is not at {redacted(stored)}; get it with: {command}")
    if sha256_of(path) != known.sha256:
        raise MissingModelError(
            f"model {known.name!r} at {redacted(stored)} is damaged; get it again with: {command}"
        )
    return path


def sha256_of(path: Path) -> str:
    """SHA-256 of a file as hex digits; computed once per process while size, time and inode stay the same."""
    status = path.stat()
    return _sha256(path, status.st_size, status.st_mtime_ns, status.st_ino)


@lru_cache(maxsize=256)
def _sha256(path: Path, size: int, modified: int, inode: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def install(name: str, stream: BinaryIO) -> Path:
    """Copy a model of the catalog into the store, whole or not at all.

    Raises `UsageError` when the name is unknown or the bytes are not the model's; reads no more than it.
    """
    known = CATALOG.get(name)
    if known is None:
        raise UsageError(f"no model is called {name!r}; known: {', '.join(CATALOG)}")
    content = stream.read(known.size + 1)
    digest = hashlib.sha256(content).hexdigest()
    if digest != known.sha256:
        raise UsageError(
            f"this is not {known.file_name}: its SHA-256 starts with {digest[:12]}, not {known.sha256[:12]}"
        )
    path = models_folder() / known.file_name
    if storage.is_remote(str(path)):
        storage.commit_bytes(str(path), content)
    else:
        write_whole(path, content)
    return path


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that appears complete or not at all, creating its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        Path(temporary).chmod(0o666 & ~umask)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def language_model_folder(language: str) -> Path:
    """Folder of the store to write a language's perplexity model to.

    Raises `UsageError` for no language code, and when the store is not on this machine.
    """
    if not _LANGUAGE.fullmatch(language):
        raise UsageError(f"{language!r} is no language code")
    folder = models_folder() / LANGUAGE_MODELS / language
    if storage.is_remote(str(folder)):
        raise UsageError(
            f"the model store is {redacted(str(folder.parent))}: write to a folder here, and copy it there"
        )
    return folder


def _language_models_here(models: str) -> Path:
    """The folder of perplexity models, or copies of it."""
    if models != "store":
        return local_folder(models, _MODEL_FILES)
    stored = str(models_folder() / LANGUAGE_MODELS)
    try:
        return local_folder(stored, _MODEL_FILES)
    except UsageError as error:  # a store in which there is none
        raise MissingModelError(f"no perplexity model: {error}; train one and copy it there") from error


def language_models(models: str) -> Mapping[str, LanguageModelFiles]:
    """Find the perplexity models in a folder (a path or a URL), or in the store for ``"store"``, in order of language.

    A model is a pair ``<language>.sp.model`` and ``<language>.arpa`` (or ``<language>.arpa.bin``, the name of
    the KenLM binaries that CCNet published), in the folder or in a folder below it named like the language.
    Raises `MissingModelError` when there is none.
    """
    folder = _language_models_here(models)
    found: dict[str, LanguageModelFiles] = {}
    for pieces in sorted([*folder.glob("*.sp.model"), *folder.glob("*/*.sp.model")]):
        language = pieces.name.removesuffix(".sp.model")
        if pieces.parent != folder and pieces.parent.name != language:
            continue
        for ending in (".arpa", ".arpa.bin"):
            ngrams = pieces.with_name(language + ending)
            if ngrams.is_file() and language not in found:
                found[language] = LanguageModelFiles(language, pieces, ngrams)
    if not found:
        target = "--install" if models == "store" else f"--output {models}"
        raise MissingModelError(
            f"no perplexity model in {folder}; train one with: "
            f"corpusforge models train-lm --text FILE --language en {target}"
        )
    return dict(sorted(found.items()))
