"""Error rates of the steps that remove equal documents, lines, sentences and passages, on documents of the run.

Two measurements, both on documents that hold the parts of least hash (`corpusforge.dedup.sampling`), so that of such a
part all places are there:

- planted: into every second sampled document that the step kept a part of another one is put, as it stands, in other
  forms that the step takes for equal, or changed so that it is not equal any more; then the step's own code decides
  over all of them in memory;
- compared: the parts of the sample are compared by their text (`corpusforge.report.copies`), and what the step removed
  in the run is held against that.

Found is a copy when not both places were left. All of it is a function of the run's documents and the recipe.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpusforge.dedup.exact import ExactDedup
from corpusforge.dedup.in_memory import measure_in_memory
from corpusforge.dedup.lines import LineDedup
from corpusforge.dedup.ngrams import NgramDedup
from corpusforge.dedup.substring import SubstringDedup
from corpusforge.report.copies import Parts, outcome, parts_of
from corpusforge.report.intervals import share
from corpusforge.report.sampled import Sampled
from corpusforge.sample.draw import Draw
from corpusforge.step import MapStep, Measured
from corpusforge.texts import Texts

Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]
Json = dict[str, Any]

STEPS = (ExactDedup, LineDedup, NgramDedup, SubstringDedup)
"""Steps that are measured so."""

SAMPLED_BYTES = 1_000_000
"""Text of the documents that one step is measured on, at most."""

PLANTED = 48
"""Parts planted in each form, or a few more, so that each document gets as many."""

_WITHIN = ("source", "url", "locator", "meta")
"""Columns that tell what a document is compared within."""

_LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class Form:
    """How a part is planted: `write` makes what is put there from the atoms of the part and what stands between.

    `expected` is True when the step is to find it. `fewer`: atoms that the planted part lacks. `bounded`: it stands
    between two words that no text holds.
    """

    name: str
    expected: bool
    write: Callable[[Draw, list[bytes]], bytes]
    fewer: int = 0
    bounded: bool = False


def copy_errors(step: MapStep, sampled: Sampled, whole: bool, seed: int) -> Json:
    """What both measurements give for one of `STEPS`; `whole` says that the sample has all places of its parts."""
    parts = parts_of(step, sampled.texts, sampled.columns, sampled.generations)
    dropped = sampled.duplicate != 0
    # A step without edits removes documents as a whole.
    removed = parts.removed(sampled.removed) if sampled.removed else dropped[parts.rows]
    return {
        "planted": planted(step, sampled, seed),
        "compared": {
            "documents": len(sampled.texts),
            "bytes": int(sampled.texts.sizes.sum()),
            **outcome(parts, removed, dropped, whole),
        },
    }


def planted(step: MapStep, sampled: Sampled, seed: int) -> Json:
    """Plant parts of documents in others and let the step's own code decide.

    ``forms`` tells by form how many were planted, and of how many the decision is the one ``expected``; ``copies`` and
    ``removed`` judge all that the step decided over these documents, planted or not.
    """
    kept = sampled.take(np.flatnonzero(sampled.duplicate == 0))
    texts, plants = _planted(step, kept, Draw(seed, "copies", step.instance))
    columns = _columns(kept.columns, plants)
    together = Texts.from_arrow(pa.array(texts, pa.large_binary()))
    parts = parts_of(step, together, columns)
    measured = measure_in_memory(step, together, columns, kept.signals)
    removed, dropped = _decided(parts, measured, len(texts))
    gone = removed | dropped[parts.rows]
    allowed = parts.repeated() if parts.may_go is None else parts.may_go
    forms: dict[str, list[int]] = {form.name: [0, 0] for form in forms_of(step)}
    for plant in plants:
        there, here = parts.inside(*plant.origin), parts.inside(plant.host, plant.start, plant.end)
        if plant.form.expected:
            right = bool(gone[here].all() or gone[there].all())
        else:
            right = not bool((gone[here] & ~allowed[here]).any())
        forms[plant.form.name][0] += 1
        forms[plant.form.name][1] += right
    return {
        "documents": len(texts),
        "bytes": sum(map(len, texts)),
        "forms": [
            {"form": form.name, "expected": "removed" if form.expected else "left"}
            | share(forms[form.name][1], forms[form.name][0])
            for form in forms_of(step)
        ],
        **outcome(parts, removed, dropped),
    }


def forms_of(step: MapStep) -> list[Form]:
    """The forms in which parts are planted for a step."""
    parameters = step.parameters
    if isinstance(step, SubstringDedup):
        return [
            Form(f"{parameters.words} words", True, _joined, bounded=True),
            Form(f"{parameters.words - 1} words", False, _joined, fewer=1, bounded=True),
        ]
    forms = [Form("as it stands", True, _joined)]
    if isinstance(step, NgramDedup):
        return [*forms, Form("every few words another", False, _rewritten(parameters.ngram))]
    if isinstance(step, ExactDedup) and parameters.key == "url":
        return [*forms, Form("at another address", False, _joined)]
    normalization = parameters.normalization
    sentences = isinstance(step, LineDedup) and parameters.unit == "sentence"
    if not sentences:
        # Where sentences end depends on letters and blanks, so these forms are for whole lines and documents.
        if normalization in ("whitespace", "strip_lower", "ccnet", "lower_alnum"):
            forms.append(Form("between blanks", True, lambda draw, atoms: b" " + b"".join(atoms) + b"  "))
        if normalization in ("strip_lower", "ccnet", "lower_alnum"):
            forms.append(Form("in capitals", True, lambda draw, atoms: _capitals(b"".join(atoms))))
    return [*forms, Form("with a word more", False, _prefixed)]


def _word(draw: Draw) -> bytes:
    """A word that no text holds."""
    return "".join(draw.choice(_LETTERS) for _ in range(16)).encode("ascii")


def _joined(draw: Draw, atoms: list[bytes]) -> bytes:
    return b"".join(atoms)


def _prefixed(draw: Draw, atoms: list[bytes]) -> bytes:
    """Another word before each atom; what stands between atoms has every second place."""
    return b"".join(_word(draw) + b" " + atom if at % 2 == 0 else atom for at, atom in enumerate(atoms))


def _rewritten(ngram: int) -> Callable[[Draw, list[bytes]], bytes]:
    step = max(1, ngram // 2)

    def write(draw: Draw, atoms: list[bytes]) -> bytes:
        words = b"".join(atoms).split()
        return b" ".join(word if at % step else _word(draw) for at, word in enumerate(words))

    return write


def _capitals(text: bytes) -> bytes:
    """In capitals, where these come back as they were in small letters."""
    plain = text.decode("utf-8", "surrogateescape")
    upper = plain.upper()
    same = upper.lower() == plain.lower()
    return (upper if same else plain).encode("utf-8", "surrogateescape")


@dataclass(frozen=True)
class _Plant:
    """A stretch of text `host`, and row, start and end of what it was made of."""

    form: Form
    host: int
    start: int
    end: int
    origin: tuple[int, int, int]


def _planted(step: MapStep, sampled: Sampled, draw: Draw) -> tuple[list[bytes], list[_Plant]]:
    """The sampled texts, every second one with parts of the one before it, and what was planted."""
    texts = [sampled.texts.bytes_of(row) for row in range(len(sampled.texts))]
    parts = parts_of(step, sampled.texts, sampled.columns, sampled.generations)
    edges = np.searchsorted(parts.rows[parts.firsts], np.arange(len(texts) + 1)).tolist()
    origins = [row for row in range(0, len(texts) - 1, 2) if edges[row] < edges[row + 1]]
    forms = forms_of(step)
    each = 1 if isinstance(step, ExactDedup) else -(-PLANTED * len(forms) // max(1, len(origins)))
    plants: list[_Plant] = []
    for origin in origins[: PLANTED * len(forms)]:
        host, data, before = origin + 1, texts[origin], 0
        cuts = sorted(_cut(step, texts[host], draw) for _ in range(each))
        made = b""
        for at in cuts:
            form = forms[len(plants) % len(forms)]
            place = edges[origin] + draw.below(edges[origin + 1] - edges[origin])
            atoms = range(int(parts.firsts[place]), int(parts.firsts[place]) + parts.width - form.fewer)
            spans = [(int(parts.starts[atom]), int(parts.ends[atom])) for atom in atoms]
            written = form.write(draw, _pieces(data, spans))
            left, right = _around(step, form, draw)
            made += texts[host][before:at] + left
            source = (origin, spans[0][0], spans[-1][1])
            plants.append(_Plant(form, host, len(made), len(made) + len(written), source))
            made, before = made + written + right, at
        texts[host] = made if isinstance(step, ExactDedup) else made + texts[host][before:]
    return texts, plants


def _pieces(data: bytes, spans: Sequence[tuple[int, int]]) -> list[bytes]:
    """The atoms, and between each two what stands there."""
    pieces = [data[slice(*spans[0])]]
    for (_, end), (start, stop) in zip(spans, spans[1:]):
        pieces += [data[end:start], data[start:stop]]
    return pieces


def _separator(step: MapStep) -> bytes:
    if isinstance(step, SubstringDedup):
        return b" "
    return b"\n\n" if getattr(step.parameters, "unit", "") == "paragraph" else b"\n"


def _around(step: MapStep, form: Form, draw: Draw) -> tuple[bytes, bytes]:
    """What is put before and after a planted part."""
    if isinstance(step, ExactDedup):
        return b"", b""
    if form.bounded:
        return _word(draw) + b" ", b" " + _word(draw) + b" "
    return b"", _separator(step)


def _cut(step: MapStep, text: bytes, draw: Draw) -> int:
    """A place behind a drawn separator, or the beginning; of a document that is replaced as a whole the beginning."""
    if isinstance(step, ExactDedup):
        return 0
    separator = _separator(step)
    after = text.find(separator, draw.below(len(text) + 1))
    return after + len(separator) if after >= 0 else 0


def _columns(columns: Mapping[str, pa.Array], plants: Sequence[_Plant]) -> dict[str, pa.Array]:
    """The columns of planted documents: they stand where that stands what they were planted with."""
    count = len(columns["id"])
    within, address = np.arange(count), np.arange(count)
    for plant in plants:
        within[plant.host] = plant.origin[0]
        if plant.form.expected:
            address[plant.host] = plant.origin[0]
    moved = {name: columns[name].take(pa.array(within)) for name in _WITHIN}
    return {**columns, **moved, "url_key": columns["url_key"].take(pa.array(address))}


def _decided(parts: Parts, measured: Measured, count: int) -> tuple[Bool, Bool]:
    """Atoms that the step's edits removed, and texts that it takes for duplicates."""
    if measured.edits is None:
        dropped = np.asarray(measured.signals["duplicate"]) != 0
        return dropped[parts.rows], dropped
    spans: list[list[tuple[int, int]]] = [[] for _ in range(count)]
    edits = measured.edits
    for row, start, end in zip(edits.rows.tolist(), edits.starts.tolist(), edits.ends.tolist()):
        spans[row].append((start, end))
    return parts.removed(spans), np.zeros(count, np.bool_)
