"""Numbers with a checksum or a fixed shape: cards, accounts, social security numbers, crypto addresses."""

from __future__ import annotations

import re

from corpusforge.pii.checks import base58check, bech32, card_network, iban, luhn

Report = tuple[int, int, float]
"""Start and end in characters of the text given, and a score between 0 and 1."""

_CARD = re.compile(r"(?<![\d.])\d(?:[ -]?\d){11,18}(?![\d])(?!\.\d)")
_CARD_LAYOUT = re.compile(
    r"\d{4}([ -])\d{4}\1\d{4}\1\d{1,4}(?:\1\d{3})?|\d{4}([ -])\d{6}\2\d{4,5}|\d{6}([ -])\d{8,13}"
)
_CARD_CONTEXT = re.compile(
    r"\b(?:cards?|credit|debit|visa|maestro|master-?card|amex|cc|kreditkarte|tarjeta|carte)\b", re.I
)
_IBAN = re.compile(
    r"(?<![A-Za-z0-9])(?:[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]){11,30}|[a-z]{2}\d{2}[a-z0-9]{11,30})(?![A-Za-z0-9])"
)
_SSN = re.compile(r"(?<![\w-])(?:\d{3}([-. ])\d{2}\1\d{4}|\d{9}|\d{5}-\d{4}|\d{3}-\d{6})(?![\w-])(?!\.\d)")
_SSN_CONTEXT = re.compile(r"\b(?:ssns?|ss\s?#|social\s+security|soc\.?\s+sec)", re.I)
_CRYPTO = re.compile(
    r"(?<![A-Za-z0-9])(?:(?P<base58>[13DLMTA9][1-9A-HJ-NP-Za-km-z]{25,34})"
    r"|(?P<bech32>(?:bc|tb|ltc)1[02-9ac-hj-np-z]{11,71}|(?:BC|TB|LTC)1[02-9AC-HJ-NP-Z]{11,71})"
    r"|(?P<account>0x[0-9a-fA-F]{40})|(?P<monero>[48][0-9AB][1-9A-HJ-NP-Za-km-z]{93}))(?![A-Za-z0-9])"
)
_VERSIONS = frozenset({0x00, 0x05, 0x1E, 0x16, 0x30, 0x32, 0x41})
"""Version bytes of Bitcoin, Dogecoin, Litecoin and Tron addresses."""
_BECH32_PREFIXES = frozenset({"bc", "tb", "ltc"})
_CONTEXT = 64


def _before(text: str, start: int) -> str:
    return text[max(0, start - _CONTEXT) : start]


def credit_cards(text: str) -> list[Report]:
    """Card numbers: issuer range, length and check digit are right (1.0).

    Maestro's ranges and numbers of twelve or thirteen digits are so wide that a card must be spoken of, or the
    score is 0.5; so it is for separators that stand where no card has them.
    """
    found = []
    for match in _CARD.finditer(text):
        digits = re.sub(r"\D", "", match.group())
        network = card_network(digits)
        if network is None or len(set(digits)) < 2 or not luhn(digits):
            continue
        plain = len(digits) == match.end() - match.start() or bool(_CARD_LAYOUT.fullmatch(match.group()))
        certain = network == "known" and len(digits) > 13 and plain
        named = certain or bool(_CARD_CONTEXT.search(_before(text, match.start())))
        found.append((match.start(), match.end(), 1.0 if named else 0.5))
    return found


def account_numbers(text: str) -> list[Report]:
    """IBANs with the length of their country and right check digits (1.0), capitals with blanks or all small.

    A run of capitals may go on behind the number; the country's length tells where it ends.
    """
    found = []
    for match in _IBAN.finditer(text):
        value = match.group()
        for end in range(len(value), 14, -1):
            whole = end == len(value) or value[end] in " -"
            if whole and iban(value[:end]):
                found.append((match.start(), match.start() + end, 1.0))
                break
    return found


def social_security_numbers(text: str) -> list[Report]:
    """US social security numbers: 3-2-4 digits with hyphens 0.5; other forms 0.05, 0.5 when they are named.

    No part is all zeros and the digits are not all equal (20 CFR 422.110 gives the form). Numbers from 900 on
    are taxpayers' numbers of the same form and need the same care.
    """
    found = []
    for match in _SSN.finditer(text):
        digits = re.sub(r"\D", "", match.group())
        if len(set(digits)) == 1 or digits[:3] == "000" or digits[3:5] == "00" or digits[5:] == "0000":
            continue
        named = bool(_SSN_CONTEXT.search(_before(text, match.start())))
        # No number begins with 666 (SSA, program operations manual RM 10201.035): only who names it means one.
        written = match.group(1) == "-" and digits[:3] != "666"
        found.append((match.start(), match.end(), 0.5 if named or written else 0.05))
    return found


def crypto_addresses(text: str) -> list[Report]:
    """Addresses: Base58Check and Bech32 with right checksums 1.0; Ethereum's and Monero's by their form 0.8."""
    found = []
    for match in _CRYPTO.finditer(text):
        value = match.group()
        score = 0.8 if len(set(value)) > 8 else 0.0
        if match.lastgroup == "base58":
            payload = base58check(value)
            score = 1.0 if payload is not None and payload[0] in _VERSIONS else 0.0
        elif match.lastgroup == "bech32":
            score = 1.0 if bech32(value, _BECH32_PREFIXES) else 0.0
        if score > 0:
            found.append((match.start(), match.end(), score))
    return found
