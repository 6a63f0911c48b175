"""URL filter: block lists of domains and addresses, and words in the address itself.

The tiers follow RefinedWeb (Penedo et al. 2023, arXiv:2306.01116, section G.1): listed domains and addresses drop a
page, one hard word drops it, soft words drop it when several occur. Lists come in the layout of UT1 (Université
Toulouse Capitole): folders ``category/domains`` and ``category/urls``, one entry a line.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import ClassVar

import numpy as np
from pydantic import Field

from corpusforge.errors import UsageError
from corpusforge.local_copies import local_folder
from corpusforge.sources.urls import host_of, surt
from corpusforge.step import LiveRows, MapStep, Measured, Rule, RunContext, Signal, StepParameters

_FILES = ("domains", "urls")
_WORD = re.compile(r"[^\W_]+")


class Parameters(StepParameters):
    """Parameters of `UrlFilter`."""

    rules: str = "url@default"
    """Section of ``filters/*.yaml`` that gives the words and thresholds."""
    blocklists: list[str] = Field(default=[])
    """Folders in UT1's layout, folders that hold them, or single files of domains and addresses."""
    categories: list[str] | None = None
    """Categories (folder names) that count; all where this is null."""
    hard_words: list[str] = Field(default=[])
    """Words of which one is enough: whole runs of letters and digits in the address."""
    soft_words: list[str] = Field(default=[])
    """Words of which several are needed."""
    listed_domain: bool | None = True
    """Drop pages of a listed domain or its subdomains; null switches the rule off."""
    listed_url: bool | None = True
    """Drop listed addresses and what lies below them; null switches the rule off."""
    max_hard_words: int | None = 0
    """Most hard words that are kept."""
    max_soft_words: int | None = 1
    """Most distinct soft words that are kept."""


def list_files(blocklists: Sequence[str], categories: Sequence[str] | None) -> list[Path]:
    """Find the list files, sorted within each of `blocklists`. Raises `UsageError` for one that holds none."""
    files: list[Path] = []
    for name in blocklists:
        path = local_folder(name, _FILES)
        if path.is_file():
            files.append(path)
            continue
        found = sorted(file for kind in _FILES for file in path.glob(f"**/{kind}") if file.is_file())
        if not found:
            raise UsageError(f"url_filter: no block list (domains, urls) at {path}")
        files += [file for file in found if categories is None or file.parent.name in categories]
    missing = set(categories or ()) - {file.parent.name for file in files}
    if blocklists and missing:
        raise UsageError(f"url_filter: no list of category {', '.join(sorted(missing))}")
    return files


def entries(file: Path) -> Iterator[str]:
    """Iterate a list's entries without empty lines and comments; bytes that are not UTF-8 are replaced."""
    with file.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            entry = line.partition(" #")[0].strip()
            if entry and not entry.startswith("#"):
                yield entry


class BlockList:
    """Listed domains and addresses. Addresses are held as SURTs, cut at every slash on a look-up."""

    def __init__(self, files: Sequence[Path]) -> None:
        self.domains: set[str] = set()
        self.addresses: set[str] = set()
        for file in files:
            for entry in entries(file):
                if file.name != "urls" and "/" not in entry.partition("//")[2 if "//" in entry else 0]:
                    self.domains.add(host_of(entry))
                else:
                    self.addresses.add(surt(entry))
        self.domains.discard("")
        self.addresses.discard("")

    def has_domain(self, host: str) -> bool:
        """Tell whether the host or a domain above it is listed."""
        while host:
            if host in self.domains:
                return True
            host = host.partition(".")[2]
        return False

    def has_address(self, name: str) -> bool:
        """Tell whether a SURT or an address above it is listed."""
        if not self.addresses:
            return False
        if name in self.addresses:
            return True
        name = name.partition("?")[0]
        while ")/" in name:
            if name in self.addresses:
                return True
            above = name.rpartition("/")[0]
            if above.endswith(")"):
                return f"{above}/" in self.addresses
            name = above
        return False


@cache
def _load(files: tuple[Path, ...], _states: tuple[tuple[int, int], ...]) -> BlockList:
    return BlockList(files)


def load(files: Sequence[Path]) -> BlockList:
    """Load lists, or give what was loaded of the same files in the same state."""
    states = tuple((stat.st_mtime_ns, stat.st_size) for stat in (file.stat() for file in files))
    return _load(tuple(files), states)


class UrlFilter(MapStep):
    """Drops documents by their address. Runs before extraction, so that dropped pages are never parsed."""

    name = "url_filter"
    summary = "Drop pages by block lists (UT1 layout) and by words in the URL"
    Parameters = Parameters
    signals: ClassVar[Sequence[Signal]] = (
        Signal("listed_domain", description="1 when the host or a domain above it is listed"),
        Signal("listed_url", description="1 when the address or one above it is listed"),
        Signal("hard_words", description="occurrences of hard words in the address"),
        Signal("soft_words", description="distinct soft words in the address"),
    )
    rules: ClassVar[Sequence[Rule]] = (
        Rule("listed_domain", "listed_domain", "is_true"),
        Rule("listed_url", "listed_url", "is_true"),
        Rule("max_hard_words", "hard_words", "above"),
        Rule("max_soft_words", "soft_words", "above"),
    )

    def _files(self) -> list[Path]:
        return list_files(self.parameters.blocklists, self.parameters.categories)

    def fingerprint(self) -> dict[str, str]:
        """SHA-256 of every list, by ``category/file`` and its number."""
        return {
            f"{number}:{file.parent.name}/{file.name}": hashlib.sha256(file.read_bytes()).hexdigest()
            for number, file in enumerate(self._files())
        }

    def check(self) -> None:
        """Raise `UsageError` when a list is missing."""
        self._files()

    def open(self, context: RunContext) -> None:
        """Load the lists."""
        self._list = load(self._files())
        self._hard = frozenset(word.lower() for word in self.parameters.hard_words)
        self._soft = frozenset(word.lower() for word in self.parameters.soft_words)

    def measure(self, rows: LiveRows) -> Measured:
        """Look up every document's URL; without one nothing is found."""
        found = np.zeros((4, len(rows)), np.int64)
        for row, value in enumerate(rows.column("url")):
            url = value.as_py()
            if url:
                found[:, row] = self._look_up(url)
        return Measured(signals={signal.name: found[index] for index, signal in enumerate(self.signals)})

    def _look_up(self, url: str) -> tuple[int, int, int, int]:
        words = _WORD.findall(url.lower())
        return (
            int(self._list.has_domain(host_of(url))),
            int(self._list.has_address(surt(url))),
            sum(word in self._hard for word in words),
            len(self._soft.intersection(words)),
        )
