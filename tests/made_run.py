"""A made-up run, large enough to look like one: all that a report is built from, and hostile texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from corpusforge.document import document_id
from corpusforge.report.build import build_report
from corpusforge.statistics.steps import StepStatistics, merge
from corpusforge.step import RATIO, Rule, Signal
from corpusforge.texts import Texts

HOSTILE = [
    "<script>document.title='owned'</script><img src=x onerror=alert(1)>",
    "</script><script>document.title='owned'</script>",
    '"\' onmouseover="document.title=`owned`" {{ 7 * 7 }} {% raw %} ]]> <!-- ',
    "left \u202eright to left override\u202c and \u2066isolate\u2069 \x1b[31mred\x07 \x00",
    "Write to jane.doe@example.org or call +49 (30) 123 456-789 from 192.168.10.25.",
]

GOPHER_SIGNALS = [
    Signal("word_count", description="Words of the text."),
    Signal("mean_word_length", RATIO, description="Characters per word."),
    Signal("symbol_to_word_ratio", RATIO, description="Hash signs and ellipses per word."),
    Signal("alphabetic_words", RATIO, description="Share of words with a letter."),
    Signal("stop_words", description="Distinct English stop words."),
]
GOPHER_RULES = [
    Rule("min_words", "word_count", "below"),
    Rule("max_words", "word_count", "above"),
    Rule("min_mean_word_length", "mean_word_length", "below"),
    Rule("max_symbol_to_word_ratio", "symbol_to_word_ratio", "above"),
    Rule("min_alphabetic_words", "alphabetic_words", "below"),
    Rule("min_stop_words", "stop_words", "below"),
]
GOPHER_THRESHOLDS = {
    "min_words": 50,
    "max_words": 100_000,
    "min_mean_word_length": 3,
    "max_symbol_to_word_ratio": 0.1,
    "min_alphabetic_words": 0.8,
    "min_stop_words": None,
}
SENTENCE = (
    "the harbour office opened at seven and nobody had written down which boats were due that morning so "
    "people waited on the quay with coffee and talked about the weather until the first sail came round"
)
WORDS = SENTENCE.split(" ")


@dataclass
class Batch:
    """Columns of n documents as a step's statistics take them."""

    signals: dict[str, pa.Array]
    verdicts: pa.Array
    ids: pa.Array
    texts: Texts
    urls: pa.Array
    langs: pa.Array

    def rows(self, start: int, stop: int) -> Batch:
        """Slice all columns."""
        return Batch(
            {name: values[start:stop] for name, values in self.signals.items()},
            self.verdicts[start:stop],
            self.ids[start:stop],
            self.texts.take(np.arange(start, stop)),
            self.urls[start:stop],
            self.langs[start:stop],
        )

    def add_to(self, statistics: StepStatistics) -> StepStatistics:
        """Count all rows."""
        statistics.add(self.signals, self.verdicts, self.ids, self.texts, self.urls, self.langs)
        return statistics


def gopher_statistics() -> StepStatistics:
    return StepStatistics("gopher", GOPHER_SIGNALS, GOPHER_RULES, GOPHER_THRESHOLDS)


def text_of(row: int, words: int) -> str:
    """At most 400 words, beginning at another one in each row."""
    return " ".join(WORDS[(row + at) % len(WORDS)] for at in range(min(words, 400)))


def gopher_batch(count: int, seed: int = 0, hostile: bool = True) -> Batch:
    """Documents with plausible Gopher signals and the verdicts that the thresholds give."""
    random = np.random.default_rng(seed)
    words = np.maximum(random.lognormal(5.6, 1.1, count), 1).astype(np.int64)
    length = (random.normal(4.8, 0.7, count).clip(1.2, 12) * RATIO).astype(np.int64)
    symbols = (random.exponential(0.012, count) * (random.random(count) < 0.3) * RATIO).astype(np.int64)
    alphabetic = ((1 - random.beta(1.4, 14, count)) * RATIO).astype(np.int64)
    stop_words = random.integers(0, 9, count)
    conditions = [
        ("min_words", words < 50),
        ("max_words", words > 100_000),
        ("min_mean_word_length", length < 3 * RATIO),
        ("max_symbol_to_word_ratio", symbols > RATIO // 10),
        ("min_alphabetic_words", alphabetic < RATIO * 8 // 10),
    ]
    verdicts: list[str | None] = [None] * count
    for rule, condition in reversed(conditions):
        for row in np.flatnonzero(condition):
            verdicts[row] = f"gopher.{rule}"
    texts = [
        " ".join(WORDS[(row + at) % len(WORDS)] for at in range(min(int(n), 400)))
        for row, n in enumerate(words)
    ]
    if hostile:
        for row, text in enumerate(HOSTILE[:count]):
            texts[row] = text
    hosts = random.zipf(1.7, count).clip(1, 400)
    urls = [
        None if row % 97 == 3 else f"https://www.site{host}.example/page/{row}"
        for row, host in enumerate(hosts)
    ]
    if hostile and count > 5:
        urls[5] = "https://evil.example/\"><script>document.title='owned'</script>?mail=jane.doe@example.org"
    langs = random.choice(["en", "de", "fr", "es", "ja"], count, p=[0.62, 0.16, 0.11, 0.08, 0.03])
    return Batch(
        {
            "word_count": pa.array(words),
            "mean_word_length": pa.array(length),
            "symbol_to_word_ratio": pa.array(symbols),
            "alphabetic_words": pa.array(alphabetic),
            "stop_words": pa.array(stop_words),
        },
        pa.array(verdicts, pa.string()),
        pa.array([document_id("synthetic", f"{seed}/{row}") for row in range(count)], pa.binary(16)),
        Texts.from_strings(texts),
        pa.array(urls, pa.string()),
        pa.array(langs.tolist(), pa.string()),
    )


def perplexity_batch(before: Batch, seed: int) -> Batch:
    """The rows that `before` kept, with a score and a bucket; the tail is dropped."""
    kept = np.flatnonzero(before.verdicts.is_null().to_numpy(zero_copy_only=False))
    random = np.random.default_rng(seed)
    score = (random.normal(2.6, 0.35, len(kept)) * 1_000_000).astype(np.int64)
    langs = before.langs.take(pa.array(kept))
    bucket = [
        "all" if lang == "ja" else "head" if s < 2.45e6 else "middle" if s < 2.9e6 else "tail"
        for s, lang in zip(score, langs.to_pylist())
    ]
    taken = pa.array(kept)
    return Batch(
        {
            "log10_perplexity": pa.array(score, mask=np.array([name == "all" for name in bucket])),
            "bucket": pa.array(bucket),
        },
        pa.array(["perplexity.drop_buckets" if name == "tail" else None for name in bucket], pa.string()),
        before.ids.take(taken),
        before.texts.take(kept),
        before.urls.take(taken),
        langs,
    )


def account(incoming: tuple[int, int], kept: tuple[int, int], **more: Any) -> dict[str, Any]:
    return {
        "documents_in": incoming[0],
        "bytes_in": incoming[1],
        "documents_kept": kept[0],
        "bytes_kept": kept[1],
        "dropped": {},
        "quarantined": {},
        "removed": {},
        "inserted": {},
        "converted": {"from_bytes": 0, "to_bytes": 0},
        **more,
    }


def account_of(statistics: Mapping[str, Any]) -> dict[str, Any]:
    """The ledger's account of a step that only drops, from its statistics."""
    documents, size = statistics["documents"], statistics["bytes"]
    return account(
        (sum(documents.values()), sum(size.values())),
        (documents["kept"], size["kept"]),
        dropped={
            name: {"documents": rule["documents"], "bytes": rule["bytes"]}
            for name, rule in statistics["rules"].items()
            if rule["documents"]
        },
    )


@dataclass
class Run:
    """What a run committed."""

    recipe: dict[str, Any]
    ledger: dict[str, Any]
    statistics: list[dict[str, Any]]
    clusters: dict[str, dict[str, int]]
    tokens: dict[str, Any]
    timings: dict[str, Any]
    environment: dict[str, Any] = field(default_factory=lambda: {"python": "3.11.9", "cores": 2})

    def report(self) -> dict[str, Any]:
        return build_report(self.recipe, self.ledger, self.statistics, self.clusters, self.tokens)


def steps_of(gopher: dict[str, Any], perplexity: dict[str, Any]) -> Sequence[tuple[str, dict[str, Any]]]:
    """Accounts of seven steps that hand on exactly what they kept."""
    first, second = account_of(gopher), account_of(perplexity)
    documents, text = first["documents_in"], first["bytes_in"]
    payload = text * 9
    kept, size = second["documents_kept"], second["bytes_kept"]
    twins = kept // 8
    left, left_size = kept - twins, size - size // 9
    filtered = documents // 20
    extract_in = documents + 12
    return [
        (
            "url_filter",
            account(
                (extract_in + filtered, payload + 90_000 * filtered),
                (extract_in, payload),
                dropped={"domain_list": {"documents": filtered, "bytes": 90_000 * filtered}},
            ),
        ),
        (
            "extract",
            account(
                (extract_in, payload),
                (documents, text),
                quarantined={"too_deep": {"documents": 12, "bytes": 120_000}},
                converted={"from_bytes": payload - 120_000, "to_bytes": text},
            ),
        ),
        ("gopher", first),
        ("perplexity", second),
        (
            "minhash",
            account(
                (kept, size),
                (left, left_size),
                dropped={"near_duplicate": {"documents": twins, "bytes": size // 9}},
            ),
        ),
        (
            "line_dedup",
            account((left, left_size), (left, left_size - 40_000), removed={"repeated_line": 40_000}),
        ),
        (
            "pii",
            account(
                (left, left_size - 40_000),
                (left, left_size - 41_000),
                removed={"EMAIL_ADDRESS": 2_400, "IP_ADDRESS": 300, "PHONE_NUMBER": 900},
                inserted={"EMAIL_ADDRESS": 1_750, "IP_ADDRESS": 250, "PHONE_NUMBER": 600},
            ),
        ),
    ]


def make_run(count: int = 4000) -> Run:
    shards = [gopher_batch(count // 4, seed) for seed in range(4)]
    gopher = merge([shard.add_to(gopher_statistics()).to_json() for shard in shards])
    signals = [
        Signal("log10_perplexity", 1_000_000, description="Logarithm of the perplexity."),
        Signal("bucket", 0, pa.string(), "Third of the perplexities of the language."),
    ]
    rules = [Rule("drop_buckets", "bucket", "is_in"), Rule("max_perplexity", "log10_perplexity", "above")]
    limits = {"drop_buckets": ["tail"], "max_perplexity": {"de": 3.6, "en": 3.4}}
    perplexity = merge(
        [
            perplexity_batch(shard, seed)
            .add_to(StepStatistics("perplexity", signals, rules, limits))
            .to_json()
            for seed, shard in enumerate(shards)
        ]
    )
    accounts = steps_of(gopher, perplexity)
    first, last = accounts[0][1], accounts[-1][1]
    records = first["documents_in"]
    tokens = last["bytes_kept"] // 4
    ledger = {
        "closed": True,
        "checks": [
            {
                "name": f"{name}/synthetic: documents in = kept + dropped + quarantined",
                "left": each["documents_in"],
                "right": each["documents_in"],
                "ok": True,
            }
            for name, each in accounts
        ],
        "records": {
            "synthetic": {
                "records": records + 120,
                "documents": records,
                "bytes": 3 * first["bytes_in"] // 10,
                "skipped": {"status_404": 80, "type_image/png": 39},
                "damaged": {"damaged_member": 1},
            }
        },
        "steps": [{"step": name, "sources": {"synthetic": each}} for name, each in accounts],
        "tokens": {
            "tokenized": tokens,
            "selected": tokens - 900,
            "repeated": 0,
            "unused": 900,
            "special": 2_000,
            "padding": 512,
            "cells": tokens + 1_612,
            "rows": (tokens + 1_612) // 513,
        },
        "exchanges": [
            {"name": "minhash.bands", "rows": 42_000, "bytes": 1_008_000, "budget_bytes_per_row": 32}
        ],
    }
    return Run(
        {"name": "cc_pipeline", "description": "Common Crawl to packed shards."},
        ledger,
        [perplexity, gopher],
        {"minhash": {"2": 190, "3": 41, "4": 12, "6": 5, "11": 2, "40": 1}},
        {"tokenizer": "sample-8k", "shards": {"mds": {"files": 3, "bytes": 1_234_567}}},
        {
            "wall_seconds": 83.4,
            "stages": [
                {
                    "stage": "01-map",
                    "tasks": 4,
                    "seconds_wall": 41.2,
                    "seconds_cpu": 78.1,
                    "bytes_in": 36_000_000,
                }
            ],
            "steps": [
                {"step": name, "seconds_cpu": 0.4 + 1.7 * (at % 4), "bytes_in": each["bytes_in"]}
                for at, (name, each) in enumerate(accounts)
            ],
        },
    )
