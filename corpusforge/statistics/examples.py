"""Examples: a few documents per rule, chosen by hash, not by arrival, shown in short and without raw PII."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from corpusforge.document import canonical_json

UInt64 = npt.NDArray[np.uint64]

EXAMPLES = 5
"""Documents shown per rule and side."""

NEAREST = 3
"""Kept documents shown per rule because their signal lies nearest to the threshold."""

EXCERPT_CHARACTERS = 400
URL_CHARACTERS = 300
VALUE_CHARACTERS = 100
_WINDOW_CHARACTERS = 800

_MAIL = re.compile(r"[^\s@<>()\[\]\"',;:]{1,64}(?:[@\uff20]|%40)[^\s@<>()\[\]\"',;:]{1,190}")
_ADDRESS = re.compile(
    r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?!\d|\.\d)"
    r"|\b(?:[0-9a-fA-F]{1,4}:){4,7}[0-9a-fA-F]{1,4}\b"
    r"|\b(?=[0-9a-fA-F:]*\d)(?:[0-9a-fA-F]{1,4}:){1,6}:(?:[0-9a-fA-F]{1,4}:?){0,6}"
)
_MAY_BE_ADDRESS = re.compile(r"[.]\d|:[0-9a-fA-F:]")
_GAP = r"[ ().\-\u00a0\u200e\u200f\u2010-\u2015\u202f\u30fc\uff0d]{0,3}"
_MAY_BE_NUMBER = re.compile(rf"\d(?:{_GAP}\d){{6}}")
"""What every address has, and every number: looked for in a tenth of the time."""
_DIGITS = re.compile(
    r"(?<!\d)(?P<date>\d{4}-\d{2}-\d{2}|\d{1,2}[./]\d{1,2}[./]\d{4})(?!\d)"
    rf"|(?P<run>\+?\d(?:{_GAP}\d){{6,}})"
)
_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,48}PRIVATE KEY.*?(?:-----END[A-Z0-9 ]{0,64}-----|\Z)", re.S
)
_SECRET = re.compile(
    r"(?<![A-Za-z0-9_])(?=[A-Za-z_]*\d)(?=[0-9_]*[A-Za-z])[A-Za-z0-9_]{20,}(?![A-Za-z0-9_])"
    r"|\b(?:AKIA|ASIA|AGPA|AIDA|AROA)[A-Z]{16}\b"
    r"|\b(?:[0-9A-Fa-f]{2}-){5}[0-9A-Fa-f]{2}\b"
)
"""Long runs of letters and digits (keys, tokens, crypto addresses), access keys, hardware addresses."""
_MAY_BE_SECRET = re.compile(r"\w{20}|[0-9A-Fa-f]{2}-[0-9A-Fa-f]{2}-", re.A)
_CREDENTIALS = re.compile(r"(?<=://)[^\s/@]{1,200}(?=@)")
_NAMES_OF_SECRETS = ("passw", "pwd", "secret", "token", "key")
_ASSIGNED = re.compile(
    r"(?P<name>(?:password|passwd|pwd|secret|token|api[_-]?key|access[_-]?key)[\"']?\s{0,3}[:=]\s{0,3})[^\s,;]{1,200}",
    re.I,
)
_IDENTIFIER = re.compile(
    r"(?<![A-Za-z0-9])(?=(?:[A-Z]*\d){4})(?=\d*[A-Z])[A-Z0-9]{8,19}(?![A-Za-z0-9])"
    r"|(?<![A-Za-z0-9])[A-Z]{1,3}[ .-]?(?:\d{2}[ .-]){2,3}\d{2}[ .-]?[A-Z](?![A-Za-z0-9])"
)
"""National numbers of capitals and digits, in one piece or in pairs."""
_MAY_BE_IDENTIFIER = re.compile(r"[A-Z0-9]{8}|\d[ .-]\d\d")
_ACCOUNT = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[0-9A-Z]{4}){2,7}(?: ?[0-9A-Z]{1,4})?\b")
_INVISIBLE = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\udfff\ue000-\uf8ff\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff\U000f0000-\U0010ffff]"
)
_BREAKS = re.compile(r"\s*\n\s*")
_GAPS = re.compile(r"[^\S\n]+")


def mask_pii(text: str) -> str:
    """Replace what looks like an e-mail or IP address, a key, token or password, an account number, a national
    number of letters and digits, or seven and more digits.

    Made to hide too much rather than too little; only dates stay. The redaction of the corpus itself is the
    business of the PII step: this one guards the report, which shows texts from before that step too.
    """
    text = mask_secrets(text)
    if "@" in text or "\uff20" in text or "%40" in text:
        text = _MAIL.sub("[e-mail]", text)
    if _MAY_BE_ADDRESS.search(text):
        text = _ADDRESS.sub("[address]", text)
    text = _ACCOUNT.sub("[account]", text)
    if _MAY_BE_NUMBER.search(text):
        text = _DIGITS.sub(lambda found: found["date"] or "[number]", text)
    return text


def mask_secrets(text: str) -> str:
    """Replace what looks like a key, a token, a password or a national number of letters and digits."""
    if "-----BEGIN" in text:
        text = _PRIVATE_KEY.sub("[key]", text)
    small = text.lower()
    if any(name in small for name in _NAMES_OF_SECRETS):
        text = _ASSIGNED.sub(r"\g<name>[secret]", text)
    if "://" in text:
        text = _CREDENTIALS.sub("[secret]", text)
    if _MAY_BE_SECRET.search(text):
        text = _SECRET.sub("[secret]", text)
    return _IDENTIFIER.sub("[identifier]", text) if _MAY_BE_IDENTIFIER.search(text) else text


def visible(text: str) -> str:
    """Replace control, bidirectional and other invisible characters (but no line feed or joiner) by U+FFFD.

    What a hostile page hides in its text could otherwise turn the words around it or steer a terminal.
    """
    return _INVISIBLE.sub("\N{REPLACEMENT CHARACTER}", text)


def excerpt(text: bytes) -> str:
    """Beginning of a UTF-8 text, at most `EXCERPT_CHARACTERS` characters, masked, printable, without gaps."""
    decoded = text[: 4 * _WINDOW_CHARACTERS].decode("utf-8", "replace")
    window = decoded[:_WINDOW_CHARACTERS].strip()
    if len(decoded) > _WINDOW_CHARACTERS or len(text) > 4 * _WINDOW_CHARACTERS:
        # The last word may be half of an address: leave it out before looking for addresses.
        shortened = window.rstrip().rsplit(maxsplit=1)
        window = shortened[0] if len(shortened) == 2 else window
    shown = visible(mask_pii(_GAPS.sub(" ", _BREAKS.sub("\n", window))))
    if len(shown) > EXCERPT_CHARACTERS:
        return shown[: EXCERPT_CHARACTERS - 1].rstrip() + "…"
    return shown


def shown_url(url: str | None) -> str | None:
    """Give a URL as the report may show it: masked, printable and cut."""
    if url is None:
        return None
    shown = visible(mask_pii(url[: 2 * URL_CHARACTERS]))
    return shown if len(shown) <= URL_CHARACTERS else shown[: URL_CHARACTERS - 1] + "…"


def shown_value(value: Any) -> Any:
    """Give a signal's value as the report may show it: strings masked, printable and cut."""
    return visible(mask_pii(value[:VALUE_CHARACTERS])) if isinstance(value, str) else value


def ranks_of(identifiers: UInt64, salt: str) -> UInt64:
    """Pseudo-random order uint64[n] of documents by the first eight bytes of their ids, another one per salt.

    The finalizer of SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
    """
    key = np.frombuffer(hashlib.blake2b(salt.encode("utf-8"), digest_size=8).digest(), "<u8")[0]
    mixed = identifiers ^ key
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)), np.uint64)


def least(examples: Iterable[Mapping[str, Any]], limit: int) -> list[dict[str, Any]]:
    """Give the `limit` examples of least ``rank`` (a list of integers), ties by content.

    Taking the least of a multiset is associative and commutative, so samples of shards merge in any order.
    """
    ordered = sorted(examples, key=lambda example: (example["rank"], canonical_json(example)))
    return [dict(example) for example in ordered[:limit]]


class Sample:
    """The `limit` documents of least rank in a shard; of equal ranks (one id twice) those of the first rows.

    Rows arrive in the shard's order, so the batches that they arrive in make no difference.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.examples: list[dict[str, Any]] = []

    def candidates(self, ranks: Sequence[UInt64]) -> list[tuple[int, list[int]]]:
        """Positions that enter the sample, each with its rank; ranks are uint64[n] columns, major first."""
        order = np.lexsort(list(reversed(ranks)))[: self.limit]
        found = [(position, [int(column[position]) for column in ranks]) for position in order.tolist()]
        if len(self.examples) == self.limit:
            found = [candidate for candidate in found if candidate[1] < self.examples[-1]["rank"]]
        return found

    def add(self, examples: Iterable[Mapping[str, Any]]) -> None:
        """Add described candidates; the least stay."""
        together = [*self.examples, *(dict(example) for example in examples)]
        self.examples = sorted(together, key=lambda example: example["rank"])[: self.limit]
