"""Names of people and places: presidio's recognizer over a spaCy pipeline, which no form or checksum can replace.

A text is read in windows that end behind a paragraph, a line, a sentence or a word, so that cost and memory are
linear in its bytes, whatever the pipeline. One window is one call: results depend on neither batches nor workers.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import importlib.util
import logging
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from corpusforge.errors import MissingExtraError, MissingModelError
from corpusforge.local_copies import local_folder
from corpusforge.model_store import sha256_of
from corpusforge.pii.detect import SCORE_UNITS, Finding

NAMES = ("PERSON", "LOCATION")
"""Types that only a language model finds, by presidio's names."""

WINDOW_BYTES = 8192
"""Most bytes that the pipeline is given at once."""
WORD_BYTES = 512
"""Longer runs without white space are cut, for spaCy's tokenizer takes time that grows with the square of a run."""

_LABELS = {"FAC": "LOCATION", "ADDRESS": "LOCATION", "STREET_ADDRESS": "LOCATION"}
"""Labels of pipelines besides those that presidio knows (PER, PERSON, LOC, GPE, …)."""
_LONG_WORD = re.compile(rb"[^\x00-\x20]{%d,}" % (WORD_BYTES + 1))
_ENDS = (
    re.compile(rb"\n[ \t\r]*\n[ \t\r\n]*"),
    re.compile(rb"\n[ \t\r]*"),
    re.compile(rb"[.!?][\"')\]]?[ \t]+|\xe3\x80\x82|\xef\xbc[\x81\x9f]"),
    re.compile(rb"[ \t]+"),
)
"""What a window may end behind, best first: an empty line, a line, a sentence, a word."""
_SURROGATE = re.compile("[\ud800-\udfff]")
_RIM = b" \t\r\n,.;:()[]<>\"'-"
"""Bytes that are cut off the ends of what is left of a name."""


def installed_model(location: str) -> Path | str:
    """A pipeline's folder on this machine (a copy, for a URL), or the name of an installed package.

    Raises `MissingExtraError` without presidio or spaCy, `MissingModelError` when there is no such pipeline.
    """
    for library in ("presidio_analyzer", "spacy"):
        if importlib.util.find_spec(library) is None:
            raise MissingExtraError("pii", "pii")
    if _is_name(location):
        try:
            importlib.metadata.version(location)
            return location
        except importlib.metadata.PackageNotFoundError:
            pass
    folder = local_folder(location, ("*",))
    if (folder / "config.cfg").is_file() and (folder / "meta.json").is_file():
        return folder
    raise MissingModelError(
        f"pii finds no spaCy pipeline {location!r}: neither an installed package (`python -m spacy download` gets "
        "one) nor a folder with config.cfg and meta.json, as spaCy's to_disk writes it"
    )


def model_fingerprint(location: str) -> str:
    """What tells one pipeline from another: spaCy's version, and the package's or a hash of all files of the folder.

    Raises as `installed_model`.
    """
    found = installed_model(location)
    library = f"spacy {importlib.metadata.version('spacy')}"
    if isinstance(found, str):
        return f"{library}, {found} {importlib.metadata.version(found)}"
    digest = hashlib.sha256()
    for path in sorted(found.rglob("*")):
        if path.is_file():
            name = path.relative_to(found).as_posix().encode("utf-8", "surrogateescape")
            digest.update(len(name).to_bytes(8, "little") + name + bytes.fromhex(sha256_of(path)))
    return f"{library}, sha256 {digest.hexdigest()}"


def _is_name(location: str) -> bool:
    return re.fullmatch(r"\w[\w.-]*", location) is not None


def pieces(data: bytes, longest: int = WINDOW_BYTES) -> Iterator[tuple[int, int]]:
    """Windows [start, end) that cover a UTF-8 text without gap or overlap, of at most `longest` bytes each."""
    start = 0
    for word in _LONG_WORD.finditer(data):
        yield from _cut(data, start, word.start(), longest)
        yield from _cut(data, word.start(), word.end(), min(longest, WORD_BYTES))
        start = word.end()
    yield from _cut(data, start, len(data), longest)


def _cut(data: bytes, start: int, end: int, longest: int) -> Iterator[tuple[int, int]]:
    while end - start > longest:
        last = _last_end(data, start, start + longest)
        yield start, last
        start = last
    if end > start:
        yield start, end


def _last_end(data: bytes, start: int, limit: int) -> int:
    """Where a window from `start` to at most `limit` ends: the last good place in its second half."""
    middle = (start + limit) // 2
    for pattern in _ENDS:
        found = middle
        for match in pattern.finditer(data, middle, limit):
            found = match.end()
        if found > middle:
            return found
    while limit > middle and data[limit] & 0xC0 == 0x80:
        limit -= 1
    return limit


def around(data: bytes, names: Iterable[Finding], others: Sequence[Finding]) -> list[Finding]:
    """All findings in a text, sorted: those of forms and checksums whole, names without what they share with them.

    `others` are sorted and apart. What is left of a name on either side is a finding of its own, if it has any letter.
    """
    left: list[Finding] = []
    starts, ends = [other.start for other in others], [other.end for other in others]
    for name in names:
        start = name.start
        inside = others[bisect_right(ends, name.start) : bisect_left(starts, name.end)]
        for other in inside:
            left += _rest(data, name, start, other.start)
            start = other.end
        left += _rest(data, name, start, name.end) if inside else [name]
    return sorted([*others, *left], key=lambda one: one.start)


def _rest(data: bytes, name: Finding, start: int, end: int) -> list[Finding]:
    """What is left of a name between two places, without blanks and punctuation at its ends."""
    part = data[start:end]
    if not any(map(str.isalpha, part.decode("utf-8", "replace"))):
        return []
    start += len(part) - len(part.lstrip(_RIM))
    return [Finding(start, start + len(part.strip(_RIM)), name.entity, name.score)]


class LanguageModel:
    """A pipeline that is loaded, and presidio's recognizer for `entities` (of `NAMES`) over it.

    Raises as `installed_model`, and `MissingModelError` for a pipeline that this spaCy cannot load.
    """

    def __init__(self, location: str, entities: Sequence[str]) -> None:
        found = installed_model(location)
        import spacy
        from presidio_analyzer.nlp_engine import NerModelConfiguration, SpacyNlpEngine
        from presidio_analyzer.predefined_recognizers import SpacyRecognizer

        # Presidio logs what it meets; personal data must not reach a log.
        logging.getLogger("presidio-analyzer").setLevel(logging.CRITICAL + 1)
        try:
            self._pipeline: Any = spacy.load(found)
        except (OSError, ValueError, ImportError, KeyError, TypeError) as error:
            raise MissingModelError(f"spaCy cannot load {location!r}: {error}") from error
        configuration = NerModelConfiguration()
        configuration.model_to_presidio_entity_mapping |= _LABELS
        language = self._pipeline.lang
        # Presidio's own loading would ask the network for a package that is not there.
        self._engine: Any = SpacyNlpEngine([{"lang_code": language, "model_name": str(found)}], configuration)
        self._engine.nlp = {language: self._pipeline}
        self._language = language
        self._recognizer: Any = SpacyRecognizer(language, list(entities))
        self._entities = list(entities)
        self._longest = max(4, min(WINDOW_BYTES, self._pipeline.max_length))

    def find(self, data: bytes, begin: Callable[[], None] = lambda: None) -> list[Finding]:
        """Names in a UTF-8 text, in order. `begin` is called before each window, which bounds time and memory."""
        found: list[Finding] = []
        for start, end in pieces(data, self._longest):
            begin()
            found += self._look(data[start:end].decode("utf-8", "surrogateescape"), start)
        return found

    def _look(self, text: str, base: int) -> list[Finding]:
        """Names in one window, in bytes counted from where it stands."""
        # Bytes that are no UTF-8 came in as one character each and go out so.
        clean = _SURROGATE.sub("\ufffd", text)
        zone = getattr(self._pipeline, "memory_zone", contextlib.nullcontext)
        with zone():
            artifacts = self._engine.process_text(clean, self._language)
            reports = [
                (one.start, one.end, one.entity_type, round(one.score * SCORE_UNITS))
                for one in self._recognizer.analyze(clean, self._entities, artifacts)
            ]
        found = []
        place, size = 0, base
        for start, end, entity, score in sorted(reports):
            value = clean[start:end]
            start += len(value) - len(value.lstrip())
            end = start + len(value.strip())
            if not any(map(str.isalpha, value)):
                continue
            size += _size(text[place:start])
            place = start
            found.append(Finding(size, size + _size(text[start:end]), entity, score))
        return found


def _size(text: str) -> int:
    """Bytes of text that came from bytes."""
    return len(text.encode("utf-8", "surrogateescape"))
