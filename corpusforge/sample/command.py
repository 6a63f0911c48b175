"""Writes a whole sample: web pages, files of every other source, evaluation texts, blocklists, and the truth."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from corpusforge.errors import UsageError
from corpusforge.sample.archives import write_arxiv, write_books, write_github
from corpusforge.sample.containers import Folder
from corpusforge.sample.draw import Draw
from corpusforge.sample.pages import LANGUAGES, Page, furnished_text, good_page, page, page_with_personal_data
from corpusforge.sample.planted import (
    BLOCKED_DOMAINS,
    BLOCKED_URLS,
    EVALUATION_PASSAGES,
    EVALUATION_QUESTIONS,
    EVALUATION_SHORT,
)
from corpusforge.sample.tables import write_c4, write_dialogue, write_stackexchange, write_wikipedia
from corpusforge.sample.text import plain_text
from corpusforge.sample.warc import RecordFile, Truth

TEXT_SIZE = {"en": 400_000, "de": 120_000, "fr": 120_000, "es": 120_000}
"""Characters of plain text per language, for language models and tokenizers to learn from."""

OTHER_SOURCES = {
    "c4": write_c4,
    "github": write_github,
    "wikipedia": write_wikipedia,
    "arxiv": write_arxiv,
    "books": write_books,
    "stackexchange": write_stackexchange,
    "dialogue": write_dialogue,
}
"""Sources besides web pages: a folder each, in the format in which their publisher ships them."""

_FLIPPED_PAGE = 8
_WITH_REQUEST = 4
_WITH_REVISIT = 40


@dataclass(frozen=True)
class SampleSummary:
    """What was written: `pages` in `records` of `files` (paths below `directory`), `size` bytes in these."""

    directory: Path
    pages: int
    records: int
    files: tuple[str, ...]
    size: int


def write_sample(directory: Path, seed: int = 0, pages: int = 400, files: int = 4) -> SampleSummary:
    """Write a sample into an empty or new directory; `truth.jsonl` appears last, when everything is there.

    It tells of the web pages; `sources.jsonl` tells of the records of the other sources.

    `pages` counts the scheduled pages in the `files` WARC files; one truncated page more ends the last of
    them, and a WET file holds a tenth as many again. Memory does not grow with `pages`. Raises `UsageError`
    for a directory with content and for counts below 1.
    """
    if pages < 1 or files < 1 or files > pages:
        raise UsageError(f"a sample needs 1 <= files <= pages, not {files} files and {pages} pages")
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise UsageError(f"{directory} is not an empty directory")
    for folder in ("warc", "wet", "eval", "blocklists", "text"):
        (directory / folder).mkdir(parents=True, exist_ok=True)
    _write_evaluation(directory / "eval")
    _write_blocklists(directory / "blocklists")
    for code, language in LANGUAGES.items():
        text = plain_text(language, Draw(seed, "text", code), TEXT_SIZE[code])
        (directory / "text" / f"{code}.txt").write_text(text, encoding="utf-8", newline="\n")
    others = _write_others(directory, seed)
    partial = directory / "truth.jsonl.partial"
    with partial.open("w", encoding="utf-8", newline="\n") as file:
        truth = Truth(file)
        written = [
            *_write_warc(directory, seed, pages, files, truth),
            _write_wet(directory, seed, pages, truth),
            *others,
        ]
    partial.rename(directory / "truth.jsonl")
    names = tuple(name for name, _ in written)
    return SampleSummary(directory, pages, truth.records, names, sum(size for _, size in written))


def _write_others(directory: Path, seed: int) -> list[tuple[str, int]]:
    """A folder for every other source, and what its records are; gives (name, size) of the files."""
    written: list[tuple[str, int]] = []
    lines: list[str] = []
    for name, write in OTHER_SOURCES.items():
        folder = Folder(directory, name, seed)
        write(folder)
        written += folder.files
        lines += [json.dumps(fact, sort_keys=True, ensure_ascii=False) for fact in folder.facts]
    (directory / "sources.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    return written


def _write_warc(
    directory: Path, seed: int, pages: int, files: int, truth: Truth
) -> Iterator[tuple[str, int]]:
    """Pages in order over the files; yields (name, size)."""
    for index in range(files):
        numbers = range(index * pages // files, (index + 1) * pages // files)
        with RecordFile(directory, f"warc/sample-{index:05d}.warc.gz", seed, truth) as file:
            file.information(numbers.start)
            for number in numbers:
                made = page(seed, number)
                if number % _WITH_REQUEST == 0:
                    file.request(made)
                file.response(made, "flipped" if number == _FLIPPED_PAGE else None)
                if number % _WITH_REQUEST == 0:
                    file.metadata(made)
                if number % _WITH_REVISIT == 0:
                    file.revisit(made, number + 3600)
            if index == files - 1:
                file.response(good_page(seed, pages, "en"), "truncated")
        yield file.name, file.size


def _write_wet(directory: Path, seed: int, pages: int, truth: Truth) -> tuple[str, int]:
    """Plain-text records: articles in the four languages, every fifth with personal data."""
    languages = ("en", "de", "en", "fr", "es")
    with RecordFile(directory, "wet/sample-00000.warc.wet.gz", seed, truth) as file:
        file.information(pages)
        for turn in range(max(len(languages), pages // 10)):
            number = pages + 1 + turn
            if turn % 5 == 2:
                made: Page = page_with_personal_data(seed, number)
            else:
                made = good_page(seed, number, languages[turn % len(languages)])
            file.conversion(made, furnished_text(made))
    return file.name, file.size


def _write_evaluation(folder: Path) -> None:
    """The evaluation files that decontamination compares with."""
    (folder / "reading.txt").write_text(
        "\n\n".join(EVALUATION_PASSAGES) + "\n", encoding="utf-8", newline="\n"
    )
    lines = [json.dumps({"question": q, "answer": a}, sort_keys=True) for q, a in EVALUATION_QUESTIONS]
    (folder / "questions.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    lines = [json.dumps({"text": text}) for text in EVALUATION_SHORT]
    (folder / "short.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def _write_blocklists(folder: Path) -> None:
    """Folders by category with `domains` and `urls`, as the UT1 lists have them."""
    for name, lists in (("domains", BLOCKED_DOMAINS), ("urls", BLOCKED_URLS)):
        for category, entries in lists.items():
            (folder / category).mkdir(exist_ok=True)
            (folder / category / name).write_text(
                "\n".join(sorted(entries)) + "\n", encoding="utf-8", newline="\n"
            )


def sample(
    directory: Annotated[Path, typer.Argument(help="New or empty folder to write into.")],
    seed: Annotated[int, typer.Option(help="Another seed gives other pages.")] = 0,
    pages: Annotated[int, typer.Option(min=1, help="Pages in the WARC files.")] = 400,
    files: Annotated[int, typer.Option(min=1, help="WARC files.")] = 4,
) -> None:
    """Write a small sample of every source in its real format, with the truth about every record."""
    summary = write_sample(directory, seed, pages, files)
    typer.echo(
        f"{summary.records} web records with {summary.pages} pages, and the other sources, in "
        f"{len(summary.files)} files, "
        f"{summary.size / 1e6:.1f} MB, below {summary.directory}"
    )
