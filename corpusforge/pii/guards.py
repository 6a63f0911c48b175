"""Guards: what a recognizer reports and yet is no personal data, told from the value and the text before it.

A guard only discards. Each one stands for a kind of false report that was seen: version numbers as addresses,
words of hexadecimal letters as IPv6, lists of years as cards, book numbers, short numbers and parts of web
addresses as telephone numbers.
"""

from __future__ import annotations

import ipaddress
import re

from corpusforge.kernels.pii_candidates import NUMBER_DIGITS

_VERSION = re.compile(
    r"(?:\b(?:version|ver|release|rev|revision|build|firmware|section|sec|chapter|v)\.?|§)\s{0,2}$", re.I
)
_IDENTIFIER = re.compile(
    r"\b(?:isbn(?:-1[03])?|issn|doi|arxiv|pmid|oclc|ean|upc|asin|lccn|rfc|ticket|invoice|order|sku)"
    r"(?:\s?(?:no|nr|number|id))?[.:#]?\s{0,2}#?$",
    re.I,
)
_LINE_START = re.compile(r"(?:^|\n)[ \t\u00a0]*(?:[^\w\s][ \t\u00a0]*)?$")
_TITLE = re.compile(r"\.?[ \t\u00a0]+[^\W\d_]")
_REFERENCE_AFTER = re.compile(r"[ \u00a0]?[,:]?[ \u00a0]?[“”„«»「『]|[ \u00a0]?[節节절章]")
_DOMAIN_BEFORE = re.compile(r"(?:://|www\.)\S*$", re.I)

_NEVER_PUBLIC = tuple(
    ipaddress.ip_network(network)
    for network in (
        *("0.0.0.0/8", "10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"),
        *("224.0.0.0/3", "::/127", "fc00::/7", "fe80::/10", "ff00::/8"),
    )
)
"""Unspecified, private, loopback, link-local, multicast, reserved (IANA special-purpose registries).

Written down because Python's own `is_private` changed its mind between patch releases.
"""


def is_never_public(value: str) -> bool:
    """True for an address that names no host on the Internet (with or without a prefix length)."""
    address = ipaddress.ip_address(value.partition("/")[0].partition("%")[0])
    return any(address.version == network.version and address in network for network in _NEVER_PUBLIC)


def is_version_number(before: str, value: str, after: str) -> bool:
    """True for four numbers that are called a version or section, or are part of a longer dotted number."""
    if ":" in value:
        return False
    longer = re.search(r"\d\.$", before) or re.match(r"\.\d", after)
    return bool(longer or _VERSION.search(before))


def is_section_number(before: str, value: str, after: str) -> bool:
    """True for four small numbers where headings have them: at the start of a line with a title behind, or in a
    reference with a quoted title or a word for section behind them.

    Of addresses drawn by lot one in six hundred has four numbers up to 50.
    """
    heading = _LINE_START.search(before) and _TITLE.match(after)
    if not heading and not _REFERENCE_AFTER.match(after):
        return False
    parts = value.partition("/")[0].split(".")
    return len(parts) == 4 and all(part.isdigit() and int(part) <= 50 for part in parts)


def is_hexadecimal_word(value: str) -> bool:
    """True for what looks like IPv6 but holds no digit or only one group, as ``face::`` and ``::a`` do."""
    if ":" not in value:
        return False
    groups = [group for group in re.split(r"[:/%]", value) if group]
    return len(groups) < 2 or not any(character.isdigit() for character in value)


def is_list_of_years(value: str) -> bool:
    """True for a card number of separate groups that are all years, 1700 to 2099: every tenth such list passes
    the checksum.
    """
    groups = re.split(r"[- ]", value)
    return len(groups) > 1 and all(re.fullmatch(r"(?:1[789]|20)[0-9]{2}", group) for group in groups)


def is_part_of_identifier(before: str) -> bool:
    """True when the text just before names a catalogue number, or the value stands inside a web address."""
    return bool(_IDENTIFIER.search(before) or _DOMAIN_BEFORE.search(before))


def discards(entity: str, before: str, value: str, after: str, keep_unrouted: bool) -> bool:
    """Tell whether a reported `value` of type `entity` is discarded; `before` and `after` are its context."""
    if entity == "IP_ADDRESS":
        if is_hexadecimal_word(value) or is_version_number(before, value, after):
            return True
        if is_section_number(before, value, after):
            return True
        return keep_unrouted and is_never_public(value)
    if entity == "CREDIT_CARD":
        return is_list_of_years(value)
    if entity == "PHONE_NUMBER" and sum(character.isdigit() for character in value) < NUMBER_DIGITS:
        return True
    if entity in ("PHONE_NUMBER", "US_SSN"):
        return is_part_of_identifier(before)
    return False
