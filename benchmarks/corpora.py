"""Corpora for the benchmark from real text: clean and noisy English as JSON lines, and a panel held out of both.

    python benchmarks/corpora.py OUTPUT [--data FOLDER] [--gzip] [--wet]

FOLDER is the folder of real test data (CORPUSFORGE_DATA, or ../shared/data beside the checkout). Writes
OUTPUT/clean/clean.jsonl, OUTPUT/noisy/noisy.jsonl and OUTPUT/panel.jsonl. The panel's domains are the sources of the
clean texts; whole works are held out (a book, a speech, a file), chosen by hash, so that no passage has its
neighbours in training. With --gzip the corpora are .jsonl.gz, for a machine that they are carried to. With --wet
there are also OUTPUT/clean.warc.wet.gz and OUTPUT/noisy.warc.wet.gz, the same documents as texts extracted by Common
Crawl, for recipes that read those.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from corpusforge.train.corpora import read_json_lines

HELD_OUT = 12
"""One work in so many, by hash, and at least one of each source."""

PASSAGES = 40


def rows(path: Path) -> Iterator[dict[str, Any]]:
    for _, row in read_json_lines(path):
        if row is not None:
            yield row


def work(row: dict[str, Any]) -> str:
    return str(row["id"]).split("#")[0]


def held_out(documents: list[dict[str, Any]]) -> set[str]:
    """Works whose hash says so, and of each source the one of least hash."""
    names = {(row["source"], work(row)) for row in documents}
    ranked = sorted((hashlib.sha256(name.encode()).hexdigest(), source, name) for source, name in names)
    chosen = {name for digest, _, name in ranked if int(digest, 16) % HELD_OUT == 0}
    for wanted in {source for source, _ in names}:
        chosen.add(next(name for _, source, name in ranked if source == wanted))
    return chosen


def write(path: Path, documents: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in documents).encode()
    path.write_bytes(gzip.compress(lines, 9, mtime=0) if path.suffix == ".gz" else lines)
    print(
        f"{path}: {len(documents):,} documents, {sum(len(row['text'].encode()) for row in documents):,} bytes"
    )


def write_wet(path: Path, documents: list[dict[str, Any]]) -> None:
    """One `conversion` record for each document (ISO 28500), each a gzip member, as in WET files."""
    with path.open("wb") as file:
        for row in documents:
            text = row["text"].encode()
            name = hashlib.sha256(row["id"].encode()).hexdigest()[:32]
            lines = (
                "WARC/1.0",
                "WARC-Type: conversion",
                f"WARC-Target-URI: http://{row['source']}.example/{name}",
                "WARC-Date: 2024-01-01T00:00:00Z",
                f"WARC-Record-ID: <urn:uuid:{uuid.UUID(name)}>",
                "Content-Type: text/plain",
                f"Content-Length: {len(text)}",
            )
            head = "".join(f"{line}\r\n" for line in lines) + "\r\n"
            file.write(gzip.compress(head.encode() + text + b"\r\n\r\n", 6, mtime=0))
    print(f"{path}: {len(documents):,} records")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("output", type=Path)
    default = os.environ.get("CORPUSFORGE_DATA") or Path(__file__).parent.parent.parent / "shared" / "data"
    parser.add_argument("--data", type=Path, default=Path(default))
    parser.add_argument("--gzip", action="store_true")
    parser.add_argument("--wet", action="store_true")
    options = parser.parse_args()
    clean = list(rows(options.data / "text" / "clean-english.jsonl.zst"))
    noisy = list(rows(options.data / "text" / "noisy-web.jsonl.zst"))
    away = held_out(clean)
    panel = []
    for source in sorted({row["source"] for row in clean}):
        inside = [row for row in clean if row["source"] == source and work(row) in away]
        inside.sort(key=lambda row: hashlib.sha256(row["id"].encode()).hexdigest())
        panel += [{"domain": source, "text": row["text"]} for row in inside[:PASSAGES]]
    corpora = {"clean": [row for row in clean if work(row) not in away], "noisy": noisy}
    ending = "jsonl.gz" if options.gzip else "jsonl"
    for name, documents in corpora.items():
        write(options.output / name / f"{name}.{ending}", documents)
        if options.wet:
            write_wet(options.output / f"{name}.warc.wet.gz", documents)
    # Last: where there is a panel, there is all else.
    write(options.output / "panel.jsonl", panel)


if __name__ == "__main__":
    main()
