"""Recall, precision and F1 of the step `pii` per type, beside presidio's own defaults, in one run.

    python benchmarks/quality_pii.py [--data FOLDER] [--language-model PACKAGE]

FOLDER is the folder of real test data (CORPUSFORGE_DATA, or ../shared/data beside the checkout); its pii/ holds
labelled texts. A label is found when a finding of its type overlaps it, a finding is right when a label of its type
overlaps it. Presidio runs with its default recognizers and context words over a blank English pipeline: all of its
structured types, without names. Findings of types that a set does not label are not counted for either side.
With --language-model (a spaCy package or folder) names of people and places are looked for too, on both sides by
that model; a city, a state, a country and a street address are labels of places.
Exit status 1 when a structured type is found less often than by presidio, or telephone numbers less often than 0.95.
"""

from __future__ import annotations

import argparse
import gzip
import json
import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa

from corpusforge.pii.names import NAMES
from corpusforge.pii.step import Pii, PiiParameters
from corpusforge.rulesets import thresholds
from corpusforge.step import LiveRows, RunContext
from corpusforge.texts import Texts

Span = tuple[int, int, str]
TYPES = ("EMAIL_ADDRESS", "PHONE_NUMBER", "CREDIT_CARD", "IBAN_CODE", "IP_ADDRESS", "US_SSN")
LEAST_PHONE_RECALL = 0.95
LABELS = {"GPE": "LOCATION", "STREET_ADDRESS": "LOCATION", "PERSON_NAME": "PERSON"}
"""What the sets call the types of `NAMES`."""


def synthetic(folder: Path) -> tuple[list[str], list[list[Span]]]:
    """Presidio's own evaluation set: 1,500 sentences from templates."""
    items = json.loads((folder / "presidio-synth_dataset_v2.json").read_text(encoding="utf-8"))
    spans = [
        [(one["start_position"], one["end_position"], one["entity_type"]) for one in item["spans"]]
        for item in items
    ]
    return [item["full_text"] for item in items], spans


def legal(folder: Path) -> tuple[list[str], list[list[Span]]]:
    """Legal documents with typed spans."""
    texts, spans = [], []
    with gzip.open(folder / "pii-anon-legal.jsonl.gz", "rt", encoding="utf-8") as file:
        for line in file:
            item = json.loads(line)
            texts.append(item["text"])
            names = {"SOCIAL_SECURITY_NUMBER": "US_SSN"}
            spans.append(
                [
                    (a["start"], a["end"], names.get(a["entity_type"], a["entity_type"]))
                    for a in item["annotations"]
                ]
            )
    return texts, spans


def in_bytes(text: str, spans: Iterable[Span]) -> list[Span]:
    return [(len(text[:start].encode()), len(text[:end].encode()), kind) for start, end, kind in spans]


def ours(texts: list[str], model: str | None) -> list[list[Span]]:
    """Findings of the step with its default rules; private addresses too, as the labels have them."""
    changed = {"keep_unrouted_addresses": False, "language_model": model}
    step = Pii(PiiParameters(**thresholds("pii@default", "pii") | changed))
    step.open(RunContext())
    rows = LiveRows(Texts.from_strings(texts), {"locator": pa.array([str(row) for row in range(len(texts))])})
    edits = step.measure(rows).edits
    assert edits is not None
    found: list[list[Span]] = [[] for _ in texts]
    for row, start, end, rule in zip(
        edits.rows.tolist(), edits.starts.tolist(), edits.ends.tolist(), edits.rules
    ):
        found[row].append((start, end, rule.upper()))
    return found


def presidios(texts: list[str], model: str | None) -> list[list[Span]]:
    """Findings of presidio's analyzer with its default registry, over a language model or a blank pipeline."""
    import spacy
    import tldextract
    from presidio_analyzer import AnalyzerEngine, predefined_recognizers
    from presidio_analyzer.nlp_engine import SpacyNlpEngine

    logging.getLogger("presidio-analyzer").setLevel(logging.CRITICAL)
    # Presidio asks the network for the list of public suffixes; the one inside tldextract is the same list.
    offline: Any = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
    predefined_recognizers.EmailRecognizer.validate_result = lambda self, text: bool(offline(text).fqdn)

    class Given(SpacyNlpEngine):  # type: ignore[misc]
        """A pipeline that is not fetched: without a model, tokens for the context words, and nothing else."""

        def __init__(self) -> None:
            super().__init__()
            self.nlp = {"en": spacy.load(model) if model else spacy.blank("en")}

    types = [*TYPES, *NAMES] if model else list(TYPES)
    engine = AnalyzerEngine(nlp_engine=Given(), supported_languages=["en"])
    return [
        in_bytes(text, ((one.start, one.end, one.entity_type) for one in engine.analyze(text, "en", types)))
        for text in texts
    ]


def overlap(one: Span, other: Span) -> bool:
    return one[2] == other[2] and one[0] < other[1] and other[0] < one[1]


def score(found: list[list[Span]], truth: list[list[Span]]) -> dict[str, tuple[float, float, float, int]]:
    """Recall, precision, F1 and number of false findings per labelled type."""
    hits, labelled, right, reported = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    for findings, labels in zip(found, truth):
        for label in labels:
            labelled[label[2]] += 1
            hits[label[2]] += any(overlap(label, one) for one in findings)
        for one in findings:
            reported[one[2]] += 1
            right[one[2]] += any(overlap(one, label) for label in labels)
    scores = {}
    for kind in (*TYPES, *NAMES):
        if labelled[kind]:
            recall = hits[kind] / labelled[kind]
            precision = right[kind] / reported[kind] if reported[kind] else 0.0
            both = 2 * recall * precision / (recall + precision) if recall + precision else 0.0
            scores[kind] = (recall, precision, both, reported[kind] - right[kind])
    return scores


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    default = os.environ.get("CORPUSFORGE_DATA", Path(__file__).resolve().parents[2] / "shared" / "data")
    parser.add_argument("--data", type=Path, default=Path(default))
    parser.add_argument("--language-model")
    arguments = parser.parse_args()
    folder, model = arguments.data / "pii", arguments.language_model
    failed = False
    for name, read in (("presidio-synth_dataset_v2", synthetic), ("pii-anon-legal", legal)):
        texts, spans = read(folder)
        named = [[(start, end, LABELS.get(kind, kind)) for start, end, kind in one] for one in spans]
        truth = [in_bytes(text, one) for text, one in zip(texts, named)]
        ours(texts[:1], model)
        begun = time.process_time()
        mine = score(ours(texts, model), truth)
        between = time.process_time()
        theirs = score(presidios(texts, model), truth)
        ended = time.process_time()
        size = sum(len(text.encode()) for text in texts) / 1e6
        print(f"{name}: {len(texts)} texts, {size:.2f} MB; CPU seconds: ", end="")
        print(f"corpusforge {between - begun:.2f}, presidio {ended - between:.2f} (with its start)")
        print(
            "| type | labels | corpusforge recall, precision, F1, false | presidio recall, precision, F1, false |"
        )
        print("| --- | ---: | --- | --- |")
        for kind, values in mine.items():
            if kind in NAMES and model is None:
                continue
            labels = sum(one[2] == kind for row in truth for one in row)
            columns = [f"{v[0]:.3f}, {v[1]:.3f}, {v[2]:.3f}, {v[3]}" for v in (values, theirs[kind])]
            print(f"| {kind} | {labels} | {columns[0]} | {columns[1]} |")
            failed |= kind in TYPES and (values[0] < theirs[kind][0] or values[3] > theirs[kind][3])
            failed |= kind == "PHONE_NUMBER" and values[0] < LEAST_PHONE_RECALL
    print("worse than presidio" if failed else "nowhere worse than presidio")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
