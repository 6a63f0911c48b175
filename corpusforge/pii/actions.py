"""What replaces a finding: a typed placeholder, a consistent pseudonym, nothing at all, or the value as it was."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from pathlib import Path
from typing import Literal

from corpusforge.errors import UsageError
from corpusforge.pii.widths import plain_widths

Action = Literal["placeholder", "pseudonym", "remove", "keep"]

KEY_BYTES = 16
"""Fewest bytes of a key: with a shorter one the values behind pseudonyms could be found by trying keys."""
_PSEUDONYM_DIGITS = 16


def read_key(reference: str) -> bytes:
    """Read a key from ``env:NAME`` or ``file:PATH`` (white space around it is no part of it).

    Raises `UsageError`, which never shows any of the key, for another form, a missing key or a short one.
    """
    kind, _, place = reference.partition(":")
    if kind == "env":
        value = os.environ.get(place, "").encode("utf-8", "surrogateescape")
    elif kind == "file":
        try:
            value = Path(place).expanduser().read_bytes()
        except OSError as error:
            raise UsageError(f"pii cannot read the key in {place}: {error.strerror}") from error
    else:
        raise UsageError("pii takes pseudonym_key as env:NAME or file:PATH, never the key itself")
    value = value.strip()
    if len(value) < KEY_BYTES:
        raise UsageError(
            f"pii found {len(value)} bytes of key in {kind}:{place} and needs at least {KEY_BYTES}"
        )
    return value


def key_fingerprint(key: bytes) -> str:
    """Tell two keys apart without showing anything of either: a keyed hash of a constant, 64 bits."""
    return hmac.new(key, b"corpusforge pii key", hashlib.sha256).hexdigest()[:16]


def canonical(entity: str, value: str) -> str:
    """The form in which two spellings of one value are equal, in full width too.

    Addresses in lower case; numbers without punctuation and extension; everything else as it stands.
    """
    value = plain_widths(value)
    if entity in ("EMAIL_ADDRESS", "IP_ADDRESS", "MAC_ADDRESS"):
        return value.lower().replace("-", ":") if entity == "MAC_ADDRESS" else value.lower()
    if entity == "PHONE_NUMBER":
        number = re.split(r"[x#;]|ext", value, maxsplit=1, flags=re.I)[0].replace("(0)", "")
        return ("+" if "+" in number else "") + re.sub(r"\D", "", number)
    if entity in ("CREDIT_CARD", "US_SSN"):
        return re.sub(r"\D", "", value)
    if entity in ("IBAN_CODE", "NATIONAL_ID"):
        return re.sub(r"[\W_]", "", value).upper()
    return value


class Replacer:
    """Gives the text that replaces a finding.

    `actions` by entity (`placeholder` where none is named); `template` has ``{type}``; `key` is needed for
    pseudonyms only. A pseudonym is the placeholder with 64 bits of HMAC-SHA-256 (RFC 2104) over type and
    canonical value behind the type: the same value gives the same pseudonym in every document of every run with
    that key, and no one without the key can tell which value it is.
    """

    def __init__(self, actions: dict[str, Action], template: str, key: bytes | None) -> None:
        self._actions = actions
        self._template = template
        self._key = key

    def action(self, entity: str) -> Action:
        """The action of a type."""
        return self._actions.get(entity, "placeholder")

    def replacement(self, entity: str, value: str) -> str | None:
        """The new text of a finding; None to leave the value where it is."""
        action = self.action(entity)
        if action == "keep":
            return None
        if action == "remove":
            return ""
        if action == "placeholder" or self._key is None:
            return self._template.format(type=entity)
        message = f"{entity}\0{canonical(entity, value)}".encode("utf-8", "surrogateescape")
        digest = hmac.new(self._key, message, hashlib.sha256).hexdigest()[:_PSEUDONYM_DIGITS]
        return self._template.format(type=f"{entity}_{digest}")
