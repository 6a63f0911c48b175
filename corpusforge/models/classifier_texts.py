"""Documents for training a classifier: read, without repetitions, and split so that no copy is on both sides.

A document's place is a function of its normalized text (lower case, white space collapsed) and the seed alone:
neither the order of files nor the number of documents moves it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from corpusforge.errors import UsageError
from corpusforge.models.normalization import cut
from corpusforge.reference_texts import TextReader
from corpusforge.texts import Texts

MAXIMUM_DOCUMENT = 262_144
"""Bytes of a document that are used for training; the rest is left out."""

LEAST_HELD_OUT = 5
"""Fewest documents of a class in either held-out half."""

TRAINING, CALIBRATION, TEST = range(3)


@dataclass(frozen=True)
class Document:
    """One document: its text in UTF-8, 1 or 0 for its class, and the file it came from."""

    text: bytes
    label: int
    origin: str


@dataclass
class Counts:
    """What became of a class's records."""

    documents: int = 0
    unreadable: int = 0
    repeated: int = 0
    in_both: int = 0
    beyond_limit: int = 0


@dataclass(frozen=True)
class Split:
    """Documents in training order, the two held-out parts, and counts by class (negative, positive)."""

    parts: tuple[list[Document], list[Document], list[Document]]
    counts: tuple[Counts, Counts]

    def texts(self, part: int) -> Texts:
        """The texts of a part."""
        import pyarrow as pa

        return Texts.from_arrow(pa.array([document.text for document in self.parts[part]], pa.large_binary()))

    def labels(self, part: int) -> npt.NDArray[np.uint8]:
        """The classes of a part's documents, uint8[n]."""
        return np.array([document.label for document in self.parts[part]], np.uint8)


def read_split(
    positive: Sequence[Path], negative: Sequence[Path], *, held_out: float, limit: int, seed: int
) -> Split:
    """Read both classes and split them: a share of `held_out` in two halves, for calibration and for the test.

    Repeated documents count once; those of both classes belong to neither. Of more than `limit` documents of a
    class those with the lowest hashes stay. Raises `UsageError` for unreadable files and too few documents.
    """
    counts = (Counts(), Counts())
    classes = [
        _read(paths, label, limit, seed, counts[label]) for label, paths in enumerate((negative, positive))
    ]
    for key in classes[0].keys() & classes[1].keys():
        for label in (0, 1):
            del classes[label][key]
            counts[label].in_both += 1
    parts: tuple[list[Document], list[Document], list[Document]] = ([], [], [])
    for key, document in sorted({**classes[0], **classes[1]}.items()):
        parts[_part_of(key, held_out)].append(document)
    for label, name in enumerate(("negative", "positive")):
        counts[label].documents = len(classes[label])
        sizes = [sum(document.label == label for document in part) for part in parts]
        if sizes[TRAINING] < 1 or min(sizes[CALIBRATION], sizes[TEST]) < LEAST_HELD_OUT:
            raise UsageError(
                f"too few {name} documents: {sizes[TRAINING]} to train on, {sizes[CALIBRATION]} to calibrate, "
                f"{sizes[TEST]} to test (at least {LEAST_HELD_OUT} each): give more text, or hold out another share"
            )
    return Split(parts, counts)


def _read(paths: Sequence[Path], label: int, limit: int, seed: int, counts: Counts) -> dict[bytes, Document]:
    found: dict[bytes, Document] = {}
    for path in paths:
        reader = TextReader([path], None)
        for text in reader:
            whole = text.encode("utf-8", "replace")
            key = _key(text, seed)
            if not whole.strip():
                counts.unreadable += 1
            elif key in found:
                counts.repeated += 1
            else:
                found[key] = Document(cut(whole, MAXIMUM_DOCUMENT), label, path.name)
                if len(found) >= 2 * limit:
                    counts.beyond_limit += _keep_lowest(found, limit)
        counts.unreadable += reader.skipped
    counts.beyond_limit += _keep_lowest(found, limit)
    return found


def _keep_lowest(found: dict[bytes, Document], limit: int) -> int:
    """Forget all but the lowest keys; give how many went."""
    surplus = sorted(found)[limit:]
    for key in surplus:
        del found[key]
    return len(surplus)


def _key(text: str, seed: int) -> bytes:
    normalized = " ".join(text.lower().split()).encode("utf-8", "replace")
    return hashlib.blake2b(normalized, digest_size=16, key=seed.to_bytes(8, "little")).digest()


def _part_of(key: bytes, held_out: float) -> int:
    """Part of a document: by the second half of its key, as the first one orders documents."""
    place = int.from_bytes(key[8:], "little") / (1 << 64)
    if place >= held_out:
        return TRAINING
    return TEST if place < held_out / 2 else CALIBRATION


def training_lines(documents: Sequence[Document]) -> Iterator[bytes]:
    """Lines that fastText trains on: the label and the words, as it will be asked about them.

    Words that begin like a label are left out, as prediction leaves them out, and what follows the word that
    ends a line for fastText.
    """
    for document in documents:
        words = document.text.translate(_SEPARATORS).split(b" ")
        if b"</s>" in words:
            words = words[: words.index(b"</s>")]
        kept = (word for word in words if word and not word.startswith(b"__label__"))
        label = b"__label__hq" if document.label else b"__label__cc"
        yield label + b" " + b" ".join(kept) + b"\n"


_SEPARATORS = bytes(ord(" ") if byte in b" \n\r\t\v\f\0" else byte for byte in range(256))
"""fastText's white space, as spaces."""
