"""Which licence a text is: SPDX ids recognised by word triples, and expressions compared with a list of ids.

A licence is known by the hashes of its word triples, made from the texts of the SPDX license list
(https://spdx.org/licenses) by `corpusforge.sources.make_license_fingerprints`; holders' names and copyright lines are
taken out first. A text is the licences that it contains, the larger before those that are part of it (BSD-2-Clause is
part of BSD-3-Clause). Notices of bundled works behind a project's own licence are common, so what else stands in the
text is not judged, except for phrases that take back what the licence gives.
"""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

Fingerprint = tuple[int, npt.NDArray[np.uint32]]
"""Only triples divisible by the first number are kept, and these (sorted)."""

UNKNOWN = "unknown"
LONGEST_TEXT = 1 << 18
"""Bytes of a licence file that are looked at."""

_CONTAINED = 0.9
"""Share of a licence's word triples that a text must hold."""
_STRETCH = 1.3
"""Words of a text in which a licence must stand, per word of the licence."""
_MISSING_COST = 5
_LATEST_START = 200
"""Words before the first licence: a title, holders, an introduction."""
_COPYRIGHT = re.compile(
    r"^\W*(?:(?:portions )?copyright\W{0,4}(?:\(c\)|©|c?\s?\d{4}|year|yyyy).*|\(c\) .*|© .*|all rights reserved\W*)$",
    re.MULTILINE,
)
_WORD = re.compile(r"[a-z0-9]+")
_RULES = (
    (
        re.compile(r"neither the names? of .{1,150}? nor the names? of .{1,40}? contributors"),
        "neither holder",
    ),
    (re.compile(r"provided by .{1,150}? as is"), "provided by holder as is"),
    (re.compile(r"in no event shall .{1,150}? be liable"), "in no event shall holder be liable"),
    (re.compile(r"\blicence"), "license"),
)
_TAKES_BACK = re.compile(
    r"commons clause|non ?commercial|not evil|not for commercial|military|nuclear|evaluation purposes only|"
    r"license condition v|may not be used for"
)
_FILE_NAME = re.compile(
    r"(?:un)?licen[sc]es?(?:[-_.][\w.+-]{1,40})?|copying(?:[-_.][\w.+-]{1,40})?|[\w.+]{1,20}[-_.]licen[sc]e(?:\.(?:txt|md|rst))?",
    re.IGNORECASE,
)
_NOT_A_TEXT = (
    ".py",
    ".js",
    ".go",
    ".rs",
    ".java",
    ".c",
    ".h",
    ".json",
    ".yml",
    ".yaml",
    ".html",
    ".ts",
    ".rb",
    ".sh",
)
_DECLARED = re.compile(r"SPDX-License-Identifier:[ \t]*([A-Za-z0-9.+() \t-]{2,100})")
_CHOICE = re.compile(r"\bdual licensed|\beither license|\bat your option\b|\bterms of either\b")
_SUFFIX = re.compile(r"(?:-only|-or-later|\+)$")
_CONDITIONS = re.compile(r"\s+WITH\s+\S+")
_HEAD = 4096


def is_license_file(name: str) -> bool:
    """Whether a file of this name (without folders) holds a licence by convention: LICENSE, COPYING, UNLICENSE, …"""
    return _FILE_NAME.fullmatch(name) is not None and not name.lower().endswith(_NOT_A_TEXT)


def words_of(text: str) -> list[str]:
    """The words of a licence text, without copyright lines and names of holders."""
    joined = " ".join(_WORD.findall(_COPYRIGHT.sub("", text[:LONGEST_TEXT].lower())))
    for pattern, replacement in _RULES:
        joined = pattern.sub(replacement, joined)
    return joined.split()


def triples(words: list[str]) -> npt.NDArray[np.uint32]:
    """CRC-32 of each word triple in order, uint32[n - 2]."""
    joined = (" ".join(words[at : at + 3]) for at in range(len(words) - 2))
    return np.fromiter((zlib.crc32(item.encode()) for item in joined), np.uint32)


@cache
def _fingerprints() -> dict[str, Fingerprint]:
    path = Path(__file__).with_name("license_fingerprints.json")
    found = json.loads(path.read_text(encoding="utf-8"))
    return {
        name: (int(body["rate"]), np.frombuffer(base64.b64decode(body["triples"]), "<u4").astype(np.uint32))
        for name, body in sorted(found.items())
    }


def identify(text: str, known: Mapping[str, Fingerprint] | None = None) -> str:
    """SPDX expression of a licence text, or `UNKNOWN`; several licences in one text are joined by AND or OR."""
    words = words_of(text)
    hashes = triples(words)
    free = np.ones(len(hashes), np.bool_)
    found: dict[str, int] = {}
    while free.any():
        table = _fingerprints() if known is None else known
        best = max(_matches(hashes, free, table, found), default=None)
        if best is None:
            break
        _, name, start, end = best
        found[name] = start
        rate, kept = table[name]
        # Of a long licence only a sample is known: all that stands between is taken for its text.
        free[start:end] &= ~np.isin(hashes[start:end], kept) if rate == 1 else np.False_
    rest = " ".join(word for word, is_free in zip(words, [*free, True, True]) if is_free)
    if not found or min(found.values()) > _LATEST_START or _TAKES_BACK.search(rest):
        return UNKNOWN
    names = sorted(found, key=lambda name: (found[name], name))
    return (" OR " if _CHOICE.search(" ".join(words[:_LATEST_START])) else " AND ").join(names)


def _matches(
    hashes: npt.NDArray[np.uint32],
    free: npt.NDArray[np.bool_],
    known: Mapping[str, Fingerprint],
    found: Mapping[str, int],
) -> Iterator[tuple[int, str, int, int]]:
    """Licences that stand in what is free of a text, in one piece: (score, name, first word, end).

    The score is the number of triples explained, less those of the licence that are missing, several times over:
    so a licence comes before its own parts, and before one that has a clause more.
    """
    present = np.unique(hashes[free])
    for name, (rate, kept) in known.items():
        if name in found or np.isin(kept, present, assume_unique=True).mean() < _CONTAINED:
            continue
        where = np.flatnonzero(free & np.isin(hashes, kept))
        length = int(len(kept) * rate * _STRETCH) + 20
        counts = np.searchsorted(where, where + length) - np.arange(len(where))
        first = int(np.argmax(counts))
        inside = where[first : first + int(counts[first])]
        matched = len(np.unique(hashes[inside]))
        if matched >= _CONTAINED * len(kept):
            score = rate * (matched - _MISSING_COST * (len(kept) - matched))
            yield score, name, int(inside[0]), int(inside[-1]) + 1


def combined(texts: Iterable[tuple[str, str]]) -> str:
    """Licence of a folder from its licence files (name, expression).

    LICENSE-MIT beside LICENSE-APACHE is a choice, as is a text that says so; other files hold all together. A short
    file of no known licence (a statement of the choice) does not matter beside such a choice.
    """
    files = sorted(texts)
    if not files:
        return UNKNOWN
    expressions = list(dict.fromkeys(expression for _, expression in files))
    if len(expressions) == 1:
        return expressions[0]
    named = [
        expression
        for name, expression in files
        if re.search(r"licen[sc]e[-_.](?!txt|md|rst)|unlicense", name, re.I)
    ]
    choice = list(dict.fromkeys(expression for expression in named if expression != UNKNOWN))
    others = {expression for expression in expressions if expression not in choice}
    if len(choice) > 1 and others <= {UNKNOWN}:
        return " OR ".join(choice)
    return " AND ".join(expressions)


def declared(text: str) -> str | None:
    """The expression behind ``SPDX-License-Identifier:`` at the top of a file, if there is one."""
    match = _DECLARED.search(text[:_HEAD])
    return match.group(1).strip() or None if match else None


def is_allowed(expression: str, allowed: Iterable[str]) -> bool:
    """Whether an SPDX expression can be satisfied with the given ids.

    An exception (WITH) only gives more. Parentheses are not nested here: an expression that has some needs all.
    """
    listed = {name.lower() for name in allowed}
    plain = _CONDITIONS.sub("", expression)
    if "(" in plain:
        parts = re.split(r"\s+(?:AND|OR)\s+|[()]", plain)
        return all(part.strip().lower() in listed for part in parts if part.strip())
    return any(
        all(part.strip().lower() in listed for part in re.split(r"\s+AND\s+", branch))
        for branch in re.split(r"\s+OR\s+", plain)
    )


def spdx_id(name: str) -> str:
    """The id as SPDX spells it, of a name in any case ("apache-2.0" in BigQuery); others as they stand."""
    stripped = name.strip()
    return {known.lower(): known for known in _fingerprints()}.get(stripped.lower(), stripped)


def label(expression: str) -> str:
    """An expression as a short name to count by: at most two known ids, or "other"; `UNKNOWN` where one is unknown."""
    known = _fingerprints()
    names = [
        _SUFFIX.sub("", spdx_id(name))
        for name in re.split(r"\s+(?:AND|OR|WITH)\s+|[()]", expression)
        if name.strip()
    ]
    if UNKNOWN in names:
        return UNKNOWN
    if not names or len(names) > 2 or not all(name in known for name in names):
        return "other"
    return "_and_".join(names)
