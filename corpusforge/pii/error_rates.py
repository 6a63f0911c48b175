"""How often the step `pii` misses and errs, measured on texts of the run at hand with values planted in them.

Of kept documents a few hundred bytes around a space are taken, a made-up value is put there, and the step's own
detector looks at it. So recall is that of values in the forms of `corpusforge.pii.planting` amid these texts, with
their languages and their clutter: it tells what the thresholds and the surroundings cost. It says nothing about forms
that are not planted, and it cannot tell how many identifiers the texts themselves hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from corpusforge.pii.names import NAMES
from corpusforge.pii.planting import LOOK_ALIKES, Maker, Plant, makers
from corpusforge.pii.step import Pii
from corpusforge.sample.draw import Draw
from corpusforge.step import RunContext
from corpusforge.texts import Texts

PLANTED = 96
"""Values planted of each type, and of each kind of look-alike."""

AROUND = 300
"""Bytes of a document before and after a planted value."""


@dataclass(frozen=True)
class Rates:
    """Planted values, those found as what they are, and those only found as something else.

    `recall` by type and form, `false_alarms` by kind of look-alike, which all are found as something else.
    """

    recall: Mapping[str, Mapping[str, tuple[int, int, int]]]
    false_alarms: Mapping[str, tuple[int, int, int]]


def planted_rates(
    step: Pii,
    hosts: Sequence[tuple[bytes, bytes]],
    seed: int,
    model_hosts: Sequence[tuple[bytes, bytes]] | None = None,
) -> Rates:
    """Plant values in `hosts`, (id, UTF-8 text) each, and look for them: a function of these, `seed` and parameters.

    `model_hosts`: those of them that the language model reads; None for all.

    Raises `MissingExtraError` without the libraries of the step, `MissingModelError` without its language model.
    """
    if not hosts:
        return Rates({}, {})
    step.open(RunContext())
    parameters = step.parameters
    names = [] if parameters.language_model is None else parameters.model_entities
    known = makers([*parameters.entities, *names], parameters.phone_regions, parameters.national_ids)
    places = dict.fromkeys(NAMES, hosts if model_hosts is None else model_hosts)
    recall = {
        entity: {
            form: _found(step, among, Draw(seed, "plant", entity, form), maker, _share(len(forms)), entity)
            for form, maker in forms.items()
        }
        for entity, forms in known.items()
        if (among := places.get(entity, hosts))
    }
    alarms = {
        kind: _found(step, hosts, Draw(seed, "look-alike", kind), maker, PLANTED, None)
        for kind, maker in LOOK_ALIKES.items()
    }
    return Rates(recall, alarms)


def _share(forms: int) -> int:
    return -(-PLANTED // forms)


def _found(
    step: Pii, hosts: Sequence[tuple[bytes, bytes]], draw: Draw, maker: Maker, count: int, entity: str | None
) -> tuple[int, int, int]:
    """Values planted, those with a finding of `entity` at their place, and those with findings of other types only."""
    texts, spans = [], []
    for number in range(count):
        text, start, end = _plant(draw, hosts[number % len(hosts)][1], maker(draw))
        texts.append(text)
        spans.append((start, end))
    offsets = np.cumsum([0, *map(len, texts)]).astype(np.int64)
    # A language model is a thousand times slower than all else: it is asked about its own types only.
    findings = step.findings(Texts(np.frombuffer(b"".join(texts), np.uint8), offsets), entity in NAMES)
    hits = others = 0
    for row, (start, end) in zip(findings, spans):
        types = {one.entity for one in row if one.start < end and start < one.end}
        hits += entity in types
        others += bool(types) and entity not in types
    return count, hits, others


def _plant(draw: Draw, host: bytes, plant: Plant) -> tuple[bytes, int, int]:
    """The stretch of a text around a drawn space with the plant there, and where its value stands."""
    data = np.frombuffer(host, np.uint8)
    spaces = np.flatnonzero(data == 0x20)
    place = int(spaces[draw.below(len(spaces))]) if len(spaces) else len(host)
    before = _whole(host[max(0, place - AROUND) : place]) + b" " + plant.before.encode("utf-8")
    value = plant.value.encode("utf-8")
    after = plant.after.encode("utf-8") + b" " + _whole(host[place + 1 : place + 1 + AROUND])
    return before + value + after, len(before), len(before) + len(value)


def _whole(piece: bytes) -> bytes:
    """A stretch of UTF-8 without the parts of characters at its ends."""
    return piece.decode("utf-8", "ignore").encode("utf-8")
