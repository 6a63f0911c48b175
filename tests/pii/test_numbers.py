from __future__ import annotations

import pytest

from corpusforge.pii.numbers import account_numbers, credit_cards, crypto_addresses, social_security_numbers


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("pay 4111 1111 1111 1111 now", {"4111 1111 1111 1111": 1.0}),
        ("pay 4111-1111-1111-1111 now", {"4111-1111-1111-1111": 1.0}),
        ("amex 3782 822463 10005.", {"3782 822463 10005": 1.0}),
        ("my card 501864667909 is lost", {"501864667909": 1.0}),
        ("part 501864667909 is lost", {"501864667909": 0.5}),
        ("41 111 111 1111 111 1", {"41 111 111 1111 111 1": 0.5}),
        ("pay 4111 1111 1111 1112 now", {}),
        ("0.4111111111111111", {}),
        ("4111111111111111.5", {}),
        ("41111111111111110000000000", {}),
        ("0000 0000 0000 0000", {}),
    ],
)
def test_cards(text: str, values: dict[str, float]) -> None:
    assert {text[start:end]: score for start, end, score in credit_cards(text)} == values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("to GB82 WEST 1234 5698 7654 32 today", ["GB82 WEST 1234 5698 7654 32"]),
        ("to GB82 WEST 1234 5698 7654 32 TODAY AND", ["GB82 WEST 1234 5698 7654 32"]),
        ("to gb42nawi04454264788619.", ["gb42nawi04454264788619"]),
        ("to GB82WEST12345698765433", []),
        ("xGB82WEST12345698765432", []),
    ],
)
def test_accounts(text: str, values: list[str]) -> None:
    assert [text[start:end] for start, end, _ in account_numbers(text)] == values


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("he has 219-09-9999", 0.5),
        ("SSN 219 09 9999", 0.5),
        ("Social Security No. 219099999", 0.5),
        ("sizes 219 09 9999", 0.05),
        ("number 219099999", 0.05),
        ("he has 666-09-9999", 0.05),
        ("SSN: 666-09-9999", 0.5),
        ("he has 000-09-9999", None),
        ("he has 219-00-9999", None),
        ("he has 219-09-0000", None),
        ("he has 219-09-9999-1", None),
        ("he has 219-09.9999", None),
    ],
)
def test_social_security(text: str, score: float | None) -> None:
    assert [found for _, _, found in social_security_numbers(text)] == ([] if score is None else [score])


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("to 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", 1.0),
        ("to 3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy", 1.0),
        ("to bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", 1.0),
        ("to 0xde0B295669a9FD93d5F28D9Ec85E40f4cb697BAe", 0.8),
        ("to 0x0000000000000000000000000000000000000001", None),
        ("to 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb", None),
        ("to de0B295669a9FD93d5F28D9Ec85E40f4cb697BAe", None),
    ],
)
def test_crypto(text: str, score: float | None) -> None:
    assert [found for _, _, found in crypto_addresses(text)] == ([] if score is None else [score])
