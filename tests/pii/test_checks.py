from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.pii.checks import base58check, bech32, card_network, entropy, iban, luhn


@given(st.text("0123456789", min_size=1, max_size=18))
def test_exactly_one_check_digit_is_right(digits: str) -> None:
    assert sum(luhn(digits + str(last)) for last in range(10)) == 1


@pytest.mark.parametrize(
    ("digits", "network"),
    [
        ("4111111111111111", "known"),
        ("378282246310005", "known"),
        ("2221000000000009", "known"),
        ("2720999999999996", "known"),
        ("6011111111111117", "known"),
        ("3530111333300000", "known"),
        ("30569309025904", "known"),
        ("501864667909", "wide"),
        ("2721000000000004", None),
        ("411111111111", None),
        ("9999999999999995", None),
    ],
)
def test_networks(digits: str, network: str | None) -> None:
    assert card_network(digits) == network


@pytest.mark.parametrize(
    "value",
    [
        "GB82 WEST 1234 5698 7654 32",
        "gb42nawi04454264788619",
        "NO9386011117947",
        "DE22-1005-0000-0190-0947-29",
    ],
)
def test_right_account_numbers(value: str) -> None:
    assert iban(value)


@pytest.mark.parametrize(
    "value",
    ["GB82 WEST 1234 5698 7654 33", "NO93860111179471", "XX9386011117947", "GB82WEST1234569876543ö", "", "G"],
)
def test_wrong_account_numbers(value: str) -> None:
    assert not iban(value)


@given(st.integers(0, 21), st.sampled_from("0123456789"))
def test_a_wrong_digit_is_noticed(place: int, digit: str) -> None:
    value = "GB82WEST12345698765432"
    changed = value[:place] + digit + value[place + 1 :]
    assert iban(changed) == (changed == value)


def test_base58() -> None:
    assert base58check("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa") is not None
    assert base58check("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb") is None
    assert base58check("11A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa") is None
    assert base58check("0OIl") is None
    assert base58check("z" * 40) is None


@pytest.mark.parametrize(
    "value",
    [
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",  # BIP 173
        "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",  # BIP 350
    ],
)
def test_bech32(value: str) -> None:
    assert bech32(value, frozenset({"bc"}))
    assert not bech32(value[:-1] + "x", frozenset({"bc"}))
    assert not bech32(value, frozenset({"tb"}))
    assert not bech32(value[:-1] + value[-1].swapcase() + "Aa", frozenset({"bc"}))


def test_entropy() -> None:
    assert entropy("") == 0.0
    assert entropy("aaaa") == 0.0
    assert entropy("abab") == 1.0
    assert entropy("0123456789abcdef") == 4.0
