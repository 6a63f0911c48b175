"""Compare our variants of the rule sets with the peers' own verdicts, document by document.

``python benchmarks/peers/conformance.py IN.jsonl --datatrove VERDICTS.jsonl --dolma VERDICTS.jsonl`` prints for each
rule set the share of equal verdicts and the documents where they differ. A verdict is equal when both keep, or when
both drop for the same reason: datatrove tells its first one, which must be among ours; Dolma's are all compared.

``--goldens FILE`` writes the generated texts (`texts.py`) with the verdicts that stand in the files, for the tests.
The verdicts come from `run_datatrove.py` and `run_dolma.py`, each run in an environment of its own (`*.lock`).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from corpusforge.recipe import make_step
from corpusforge.step import LiveRows, MapStep
from corpusforge.texts import Texts
from corpusforge.verdicts import drops

RULES = {
    "gopher_short_doc": "min_words",
    "gopher_long_doc": "max_words",
    "gopher_below_avg_threshold": "min_mean_word_length",
    "gopher_above_avg_threshold": "max_mean_word_length",
    "gopher_too_many_hashes": "max_hash_ratio",
    "gopher_too_many_ellipsis": "max_ellipsis_ratio",
    "gopher_too_many_bullets": "max_bullet_line_ratio",
    "gopher_too_many_end_ellipsis": "max_ellipsis_line_ratio",
    "gopher_below_alpha_threshold": "min_alphabetic_word_ratio",
    "gopher_enough_stop_words": "min_stop_words",
    "dup_para_frac": "max_duplicate_paragraph_ratio",
    "dup_para_char_frac": "max_duplicate_paragraph_character_ratio",
    "dup_line_frac": "max_duplicate_line_ratio",
    "dup_line_char_frac": "max_duplicate_line_character_ratio",
    **{f"top_{n}_gram": f"max_top_{n}_gram_character_ratio" for n in (2, 3, 4)},
    **{f"duplicated_{n}_n_grams": f"max_duplicate_{n}_gram_character_ratio" for n in range(5, 11)},
    "lorem_ipsum": "max_lorem_ipsum",
    "curly_bracket": "max_curly_brackets",
    "too_few_sentences": "min_sentences",
    "line_punct_ratio": "min_terminal_line_ratio",
    "short_line_ratio": "max_short_line_ratio",
    "char_dup_ratio": "max_duplicate_line_character_ratio",
    "list_ratio": "max_line_feed_ratio",
}
"""Reasons of datatrove to the names of our rules. Two more say that a text holds no word: "empty" and a division."""
NO_WORDS = ("empty", "division_by_zero")
PEERS = {
    "datatrove": ("gopher_quality", "gopher_repetition", "c4", "fineweb"),
    "dolma": ("gopher_quality", "gopher_repetition"),
}


def matching_rules(step: MapStep, texts: Sequence[str], batch: int = 256) -> list[list[str]]:
    """Names of all rules of a step that drop, for each text."""
    found: list[list[str]] = []
    by_name = {signal.name: signal for signal in step.signals}
    for begin in range(0, len(texts), batch):
        some = texts[begin : begin + batch]
        measured = step.measure(
            LiveRows(Texts.from_strings(some), {"lang": pa.nulls(len(some), pa.string())})
        )
        rows: list[list[str]] = [[] for _ in some]
        for rule in step.rules:
            values = pa.array(measured.signals[rule.signal])
            threshold = getattr(step.parameters, rule.name)
            for row in np.flatnonzero(drops(rule, by_name[rule.signal], values, threshold)).tolist():
                rows[row].append(rule.name)
        found += rows
    return found


def is_equal(peer: str, theirs: Any, ours: Sequence[str], text: str) -> bool:
    """Whether two verdicts on one text are equal."""
    if peer == "dolma":
        return sorted(theirs) == sorted(ours)
    if theirs is None:
        return not ours
    return not text.split() if theirs in NO_WORDS else RULES[theirs] in ours


def read_lines(path: Path) -> list[Any]:
    """Values of a file with one JSON value a line."""
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def compare(peer: str, documents: Sequence[str], verdicts: Sequence[Any], shown: int) -> Iterable[str]:
    """Lines of a report on one peer."""
    for rule_set in PEERS[peer]:
        step = make_step(rule_set, rules=f"{rule_set}@{peer}")
        ours = matching_rules(step, documents)
        theirs = [verdict[rule_set] for verdict in verdicts]
        different = [
            index
            for index, text in enumerate(documents)
            if not is_equal(peer, theirs[index], ours[index], text)
        ]
        sides = sum(bool(theirs[index]) != bool(ours[index]) for index in different)
        share = 100 * (1 - len(different) / len(documents))
        dropped = sum(bool(verdict) for verdict in theirs)
        yield (
            f"{rule_set}@{peer}: {share:.2f} % equal of {len(documents)} ({dropped} dropped by the peer); "
            f"{len(different)} differ, {sides} of them in whether the document is kept"
        )
        for index in different[:shown]:
            yield f"  document {index}: theirs {theirs[index]}, ours {ours[index]}"


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("documents", type=Path)
    parser.add_argument("--datatrove", type=Path)
    parser.add_argument("--dolma", type=Path)
    parser.add_argument("--shown", type=int, default=20)
    parser.add_argument("--goldens", type=Path, help="write the texts and both peers' verdicts here")
    arguments = parser.parse_args()
    documents = [line["text"] for line in read_lines(arguments.documents)]
    given = {peer: read_lines(path) for peer in PEERS if (path := getattr(arguments, peer)) is not None}
    for peer, verdicts in given.items():
        for line in compare(peer, documents, verdicts, arguments.shown):
            print(line)
    if arguments.goldens is not None:
        with arguments.goldens.open("w", encoding="utf-8") as out:
            for index, text in enumerate(documents):
                line = {"text": text, **{peer: verdicts[index] for peer, verdicts in given.items()}}
                out.write(json.dumps(line, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
