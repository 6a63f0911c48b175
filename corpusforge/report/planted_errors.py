"""Error rates of steps that look at one document at a time: phrases and evaluation items planted in kept documents.

What is planted is found when the step drops the document or removes every word of it (of a phrase: all but its first
place); what was changed so that the rule does not apply is to be left alone. The documents are those that the run kept,
cut to a stretch around the place; the step's own code looks at them, with the index of the run. All of it is a function
of the files in ``documents/``, the evaluation sets and the recipe.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpusforge.dedup.decontaminate import Decontaminate, DecontaminateParameters
from corpusforge.dedup.evaluation import evaluation_items
from corpusforge.dedup.repeated import RepeatedPhrases, RepeatedPhrasesParameters
from corpusforge.kernels.words import split_terms
from corpusforge.layout import RunLayout
from corpusforge.report.intervals import share
from corpusforge.report.sampled import kept_texts
from corpusforge.sample.draw import Draw
from corpusforge.step import LiveRows, MapStep, RunContext
from corpusforge.tasks.context import TaskContext
from corpusforge.texts import Texts
from corpusforge.verdicts import drops

if TYPE_CHECKING:
    from corpusforge.plan import Plan, Stage

Bool = npt.NDArray[np.bool_]
Json = dict[str, Any]

STEPS = (Decontaminate, RepeatedPhrases)
"""Steps that are measured so."""

PLANTED = 96
"""Values planted in each form."""

AROUND = 2000
"""Bytes of a document before and after what is planted."""

LONGEST_ITEM = 20_000
"""Characters of an evaluation item that is planted; an item may be a whole file."""

_CANDIDATES = 4
"""Items that are drawn for each that is planted: those that are too short to be compared are none."""

_ANOTHER = 4
"""Every so manieth word of an item is another one where it is to be left alone."""

_LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class Plant:
    """What is put into a document: `first` bytes that stay, then `value`, which has to go where it is `expected` to."""

    form: str
    expected: bool
    first: bytes
    value: bytes


def planted_errors(layout: RunLayout, plan: Plan, stage: Stage, step: MapStep) -> Json | None:
    """What planting gives for one of `STEPS`; None for a step that looks for nothing.

    ``forms`` tells by form how many were planted and for how many the step decided as ``expected``; with
    ``index_ngrams``, the distinct n-grams that documents are compared with, by hashes of 64 bits.
    """
    own = type(step)(step.parameters, step.instance)
    draw = Draw(plan.seed, "planted", step.instance)
    found: Json = {}
    if isinstance(own, Decontaminate):
        if own.parameters.against is None:
            return None
        context = TaskContext(plan, layout.root, stage, 0).run_context()
        own.open(context)
        found["index_ngrams"] = own.index_size
        plants = list(item_plants(own.parameters, draw))
    else:
        own.open(RunContext(plan.seed))
        plants = list(phrase_plants(own.parameters, draw))
    hosts = [text for _, text, _ in kept_texts(layout, plan, step.only)]
    return found | planted(own, plants, hosts, draw)


def planted(step: MapStep, plants: Sequence[Plant], hosts: Sequence[bytes], draw: Draw) -> Json:
    """Put each plant into the next of the hosts (UTF-8) and let the step, which is open, look at them."""
    if not hosts:
        return {"documents": 0, "bytes": 0, "forms": []}
    texts, spans = [], []
    for number, plant in enumerate(plants):
        before, after = _around(hosts[number % len(hosts)], draw)
        start = len(before) + len(plant.first)
        texts.append(before + plant.first + plant.value + after)
        spans.append((start, start + len(plant.value)))
    together = Texts.from_arrow(pa.array(texts, pa.large_binary()))
    gone, touched = _gone(step, together, spans)
    right = [bool(gone[at] if plant.expected else not touched[at]) for at, plant in enumerate(plants)]
    forms: dict[str, list[int]] = {}
    for plant in plants:
        forms.setdefault(plant.form, [int(plant.expected), 0, 0])
    for plant, decision in zip(plants, right):
        forms[plant.form][1] += 1
        forms[plant.form][2] += decision
    return {
        "documents": min(len(hosts), len(plants)),
        "bytes": sum(map(len, hosts[: len(plants)])),
        "forms": [
            {"form": form, "expected": "removed" if expected else "left"} | share(found, count)
            for form, (expected, count, found) in forms.items()
        ],
    }


def item_plants(parameters: DecontaminateParameters, draw: Draw) -> Iterator[Plant]:
    """Evaluation items that are long enough to be compared, drawn by lot; and these with other words in them."""
    assert parameters.against is not None
    salt = f"{draw.bits():x}"
    candidates = heapq.nsmallest(
        _CANDIDATES * PLANTED,
        (
            (Draw(salt, item.name).bits(), item.name, item.text)
            for item in evaluation_items(parameters.against, parameters.fields, parameters.text_items)
            if len(item.text) <= LONGEST_ITEM
        ),
    )
    long_enough = (one for one in candidates if _count_words(one[2]) >= parameters.min_words)
    drawn = list(itertools.islice(long_enough, PLANTED))
    for _, _, text in drawn:
        yield Plant("whole items", True, b"\n\n", text.encode("utf-8") + b"\n\n")
    for _, _, text in drawn:
        words = [_word(draw) if at % _ANOTHER == 0 else word for at, word in enumerate(text.split())]
        yield Plant(
            "items with every fourth word another", False, b"\n\n", " ".join(words).encode() + b"\n\n"
        )


def phrase_plants(parameters: RepeatedPhrasesParameters, draw: Draw) -> Iterator[Plant]:
    """Phrases in a row, as often as it takes and once less."""
    times = parameters.min_repeats
    for number in range(2 * PLANTED):
        size = 1 if number % 2 == 0 else draw.between(1, parameters.max_words)
        phrase = b" ".join(_word(draw).encode() for _ in range(size))
        if number % 4 < 2:
            yield Plant(f"phrases {times} times in a row", True, b" " + phrase, (b" " + phrase) * (times - 1))
        else:
            less = b" " + phrase
            yield Plant(f"phrases {times - 1} times in a row", False, less, less * (times - 2))


def _gone(step: MapStep, texts: Texts, spans: Sequence[tuple[int, int]]) -> tuple[Bool, Bool]:
    """Whether the step lets all words of a text's span go, or any of them."""
    measured = step.measure(LiveRows(texts, {}))
    dropped = np.zeros(len(texts), np.bool_)
    signals = {signal.name: signal for signal in step.signals}
    for rule in step.rules:
        values = measured.signals[rule.signal]
        array = values if isinstance(values, pa.Array) else pa.array(values)
        dropped |= drops(rule, signals[rule.signal], array, getattr(step.parameters, rule.name))
    offsets, _, starts, ends = split_terms(texts.data, texts.offsets)
    change = np.zeros(len(texts.data) + 1, np.int64)
    if measured.edits is not None:
        edits = measured.edits
        base = texts.offsets[edits.rows]
        np.add.at(change, edits.starts + base, 1)
        np.add.at(change, edits.ends + base, -1)
    removed = np.cumsum(change) > 0
    every, some = dropped.copy(), dropped.copy()
    for row, (start, end) in enumerate(spans):
        first, last = int(offsets[row]), int(offsets[row + 1])
        at = texts.offsets[row]
        inside = (starts[first:last] >= at + start) & (ends[first:last] <= at + end)
        words = removed[starts[first:last][inside]]
        every[row] |= bool(words.all()) and len(words) > 0
        some[row] |= bool(words.any())
    return every, some


def _around(host: bytes, draw: Draw) -> tuple[bytes, bytes]:
    """A stretch of a text, cut in two at a drawn space (or at its end)."""
    place = host.find(b" ", draw.below(len(host) + 1))
    place = len(host) if place < 0 else place
    return _whole(host[max(0, place - AROUND) : place]), _whole(host[place : place + AROUND])


def _whole(text: bytes) -> bytes:
    """Without the parts of characters at the ends."""
    return text.decode("utf-8", "ignore").encode("utf-8")


def _count_words(text: str) -> int:
    raw = Texts.from_strings([text])
    return len(split_terms(raw.data, raw.offsets)[1])


def _word(draw: Draw) -> str:
    """A word that no text holds."""
    return "".join(draw.choice(_LETTERS) for _ in range(16))
