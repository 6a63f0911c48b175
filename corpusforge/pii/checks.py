"""Checksums and shapes that tell a real number from any other run of digits and letters."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Mapping

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32M = 0x2BC830A3

IBAN_LENGTHS: Mapping[str, int] = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BI": 27,
    "BR": 29, "BY": 28, "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DJ": 27, "DK": 18, "DO": 28,
    "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FK": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23,
    "GL": 18, "GR": 27, "GT": 28, "HN": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26,
    "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21,
    "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MN": 20, "MR": 27, "MT": 31, "MU": 30, "NI": 28,
    "NL": 18, "NO": 15, "OM": 23, "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22,
    "RU": 33, "SA": 24, "SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "SO": 23, "ST": 25,
    "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20, "YE": 30,
}  # fmt: skip
"""Characters of an account number by country (IBAN registry of SWIFT, the registration authority of ISO 13616)."""

_CARDS: tuple[tuple[int, int, frozenset[int]], ...] = (
    (4, 4, frozenset({13, 16, 19})),
    (51, 55, frozenset({16})),
    (2221, 2720, frozenset({16})),
    (34, 34, frozenset({15})),
    (37, 37, frozenset({15})),
    (300, 305, frozenset({14})),
    (3095, 3095, frozenset({14})),
    (36, 36, frozenset({14})),
    (38, 39, frozenset({14})),
    (6011, 6011, frozenset({16, 19})),
    (644, 659, frozenset({16, 19})),
    (622126, 622925, frozenset({16, 19})),
    (3528, 3589, frozenset({16, 19})),
    (2131, 2131, frozenset({15})),
    (1800, 1800, frozenset({15})),
)
"""First and last prefix of a network's numbers and their lengths: Visa, Mastercard, American Express, Diners Club,
Discover, JCB (ISO/IEC 7812 issuer ranges as the networks publish them)."""
_WIDE = ((50, 50), (56, 58), (60, 60), (63, 63), (67, 67), (35, 35))
"""Maestro's ranges, and the whole of the range in which JCB's are."""


def luhn(digits: str) -> bool:
    """Tell whether the check digit is right (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, character in enumerate(reversed(digits)):
        value = int(character) * (1 + place % 2)
        total += value - 9 * (value > 9)
    return total % 10 == 0


def _starts_in(digits: str, first: int, last: int) -> bool:
    return first <= int(digits[: len(str(first))]) <= last


def card_network(digits: str) -> str | None:
    """`known` for a prefix and length of one network, `wide` for ranges that say little, else None."""
    if any(len(digits) in lengths and _starts_in(digits, first, last) for first, last, lengths in _CARDS):
        return "known"
    wide = 12 <= len(digits) <= 19 and any(_starts_in(digits, first, last) for first, last in _WIDE)
    return "wide" if wide else None


def iban(value: str) -> bool:
    """Tell whether the country, its length and the check digits are right (ISO 13616-1: mod 97-10)."""
    plain = value.replace(" ", "").replace("-", "").upper()
    if len(plain) != IBAN_LENGTHS.get(plain[:2]) or not plain.isascii() or not plain.isalnum():
        return False
    return int("".join(str(int(character, 36)) for character in plain[4:] + plain[:4])) % 97 == 1


def base58check(value: str) -> bytes | None:
    """The payload (version byte first) of a Base58Check string of 25 bytes, None when the checksum is wrong."""
    number = 0
    for character in value:
        digit = _BASE58.find(character)
        if digit < 0:
            return None
        number = number * 58 + digit
    if number >= 1 << 200:
        return None
    raw = number.to_bytes(25, "big")
    # Leading zero bytes are written as ones, no more and no fewer.
    if len(raw) - len(raw.lstrip(b"\0")) != len(value) - len(value.lstrip("1")):
        return None
    digest = hashlib.sha256(hashlib.sha256(raw[:-4]).digest()).digest()
    return raw[:-4] if digest[:4] == raw[-4:] else None


def bech32(value: str, prefixes: frozenset[str]) -> bool:
    """Tell whether a segregated witness address of one of the prefixes is right (BIP 173 and 350)."""
    if value != value.lower() and value != value.upper():
        return False
    prefix, mark, data = value.lower().rpartition("1")
    if not mark or prefix not in prefixes or len(data) < 7 or len(value) > 90:
        return False
    values = [_BECH32.find(character) for character in data]
    if min(values) < 0:
        return False
    expanded = (
        [ord(character) >> 5 for character in prefix] + [0] + [ord(character) & 31 for character in prefix]
    )
    checksum = 1
    for one in expanded + values:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ one
        for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            checksum ^= generator if (top >> bit) & 1 else 0
    return checksum in (1, _BECH32M)


def entropy(value: str) -> float:
    """Shannon entropy of the characters in bits per character; 0 for the empty string.

    Summed in order of the counts, so it is the same everywhere.
    """
    counts = sorted(Counter(value).values())
    return -sum(count / len(value) * math.log2(count / len(value)) for count in counts) if value else 0.0
