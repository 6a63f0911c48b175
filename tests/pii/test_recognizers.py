from __future__ import annotations

import logging
import socket

import pytest

from corpusforge.errors import UsageError
from corpusforge.pii.recognizers import ENTITIES, recognizer

pytest.importorskip("presidio_analyzer")

EXAMPLES = {
    "EMAIL_ADDRESS": "ann.b@example.com",
    "PHONE_NUMBER": "(212) 555-0147",
    "CREDIT_CARD": "4111 1111 1111 1111",
    "IBAN_CODE": "GB82 WEST 1234 5698 7654 32",
    "IP_ADDRESS": "2001:db8::1",
    "MAC_ADDRESS": "00:10:dc:27:6c:15",
    "US_SSN": "219-09-9999",
    "NATIONAL_ID": "943 476 5919",
    "CRYPTO": "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
    "URL_CREDENTIALS": "ann:h4rdT0gu3ss",
    "SECRET": "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8",
    "PRIVATE_KEY": "-----BEGIN RSA PRIVATE KEY-----\n" + "MIIB" * 12 + "\n-----END RSA PRIVATE KEY-----",
}
AROUND = {
    "NATIONAL_ID": ("NHS number: ", ""),
    "URL_CREDENTIALS": ("https://", "@example.com/path"),
}


@pytest.mark.parametrize("entity", list(ENTITIES))
def test_examples_are_found_without_the_network(entity: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked for")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    before, after = AROUND.get(entity, ("", ""))
    text = f"This is it: {before}{EXAMPLES[entity]}{after} and no more."
    spans = [text[start:end] for start, end, score in recognizer(entity, ["US"])(text) if score >= 0.4]
    assert EXAMPLES[entity] in spans


@pytest.mark.parametrize(
    ("entity", "text"),
    [
        ("CREDIT_CARD", "card 4111 1111 1111 1112"),
        ("IBAN_CODE", "to GB82 WEST 1234 5698 7654 33"),
        ("EMAIL_ADDRESS", "user@localhost and a@b.nosuchsuffix"),
        ("CRYPTO", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb"),
        ("PHONE_NUMBER", "in the years 1999 and 2004"),
    ],
)
def test_wrong_checksums_and_domains_are_not(entity: str, text: str) -> None:
    assert recognizer(entity, ["US"])(text) == []


def test_values_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    find = recognizer("IBAN_CODE", ["US"])
    with caplog.at_level(logging.DEBUG):
        find("IBAN GB82 WEST 1234 5698 7654 32 and DE00 ÄÖÜ1 2345 6789 0123 4567")
    assert "5698" not in caplog.text


def test_unknown_names_are_errors() -> None:
    with pytest.raises(UsageError, match="no entity"):
        recognizer("PERSON", ["US"])
    with pytest.raises(UsageError, match="no telephone region"):
        recognizer("PHONE_NUMBER", ["XX"])
