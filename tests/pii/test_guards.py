from __future__ import annotations

import pytest

from corpusforge.pii.guards import discards


@pytest.mark.parametrize(
    ("entity", "before", "value", "after"),
    [
        ("IP_ADDRESS", "upgrade to version ", "1.2.3.4", " now"),
        ("IP_ADDRESS", "see section ", "4.1.2.1", ""),
        ("IP_ADDRESS", "in §", "4.1.2.1", ""),
        ("IP_ADDRESS", "object 1.", "3.6.1.4", ".1"),
        ("IP_ADDRESS", "object ", "1.3.6.1", ".4.1"),
        ("IP_ADDRESS", "class ", "face::add", ""),
        ("IP_ADDRESS", "", "1::", ""),
        ("IP_ADDRESS", "at ", "192.168.0.1", ""),
        ("IP_ADDRESS", "at ", "10.1.2.3/8", ""),
        ("IP_ADDRESS", "at ", "fe80::1%eth0", ""),
        ("CREDIT_CARD", "year: ", "1990 1991 1992 1993", " 1994"),
        ("PHONE_NUMBER", "ISBN: ", "3161484100", ""),
        ("PHONE_NUMBER", "order no. ", "212 555 0147", ""),
        ("PHONE_NUMBER", "https://shop.example/item/", "2125550147", ""),
        ("PHONE_NUMBER", "Bar No. TX-", "398659", ""),
    ],
)
def test_false_reports_are_discarded(entity: str, before: str, value: str, after: str) -> None:
    assert discards(entity, before, value, after, keep_unrouted=True)


@pytest.mark.parametrize(
    ("entity", "before", "value", "after"),
    [
        ("IP_ADDRESS", "from ", "192.0.2.17", "."),
        ("IP_ADDRESS", "from ", "8.8.8.8", " and"),
        ("IP_ADDRESS", "from ", "2001:db8::1", ""),
        ("PHONE_NUMBER", "call ", "(212) 555-0147", "."),
        ("PHONE_NUMBER", "tel:", "+44 20 7946 0018", ""),
        ("CREDIT_CARD", "card ", "4111 1111 1111 1111", " 12/26"),
        ("CREDIT_CARD", "card ", "1990199119921993", ""),
        ("US_SSN", "SSN ", "219-09-9999", ""),
        ("EMAIL_ADDRESS", "https://", "a@example.com", ""),
    ],
)
def test_true_reports_stay(entity: str, before: str, value: str, after: str) -> None:
    assert not discards(entity, before, value, after, keep_unrouted=True)


def test_unrouted_addresses_can_be_asked_for() -> None:
    assert not discards("IP_ADDRESS", "at ", "192.168.0.1", "", keep_unrouted=False)


@pytest.mark.parametrize(
    ("before", "value", "after", "expected"),
    [
        ("text\n\n", "12.2.2.2", ". Network Co", True),
        ("\n  • ", "7.12.9.2", " The floor", True),
        ("see Abschnitt\u00a0", "6.3.4.2", ", „Festplatt", True),
        ("参见 第 ", "6.3.1.1", " 節", True),
        ("\n", "12.2.2.212", ". Network", False),
        ("from ", "8.8.8.8", " and", False),
        ("\n", "8.8.8.8", " - - [", False),
    ],
)
def test_section_numbers_are_no_addresses(before: str, value: str, after: str, expected: bool) -> None:
    assert discards("IP_ADDRESS", before, value, after, keep_unrouted=True) == expected
