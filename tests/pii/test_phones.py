from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("phonenumbers")

from corpusforge.errors import UsageError
from corpusforge.pii.phones import PhoneNumbers, _overlaps

REGIONS = ["US", "GB", "DE", "FR", "IL", "IN", "CA", "BR"]


@pytest.fixture(scope="module")
def find() -> PhoneNumbers:
    return PhoneNumbers(REGIONS)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("+1 (959) 293-5583", "+1 (959) 293-5583"),
        ("at +46 (0)157 548 89", "+46 (0)157 548 89"),
        ("fax 00 44 1483 862814 Fax", "00 44 1483 862814"),
        ("+442079460018", "+442079460018"),
        ("(212) 555-0147", "(212) 555-0147"),
        ("or 212-555-0147.", "212-555-0147"),
        ("in Berlin: 030 9599 8099", "030 9599 8099"),
        ("01.84.17.61.18", "01.84.17.61.18"),
        ("Phone: 467 3395", "467 3395"),
        ("Tel. 5403926876", "5403926876"),
        ("téléphone : 72 128 827", "72 128 827"),
        ("电话：010-62345678", "010-62345678"),
        ("call me at 699 956 915 today", "699 956 915"),
        ("416 60 039 office", "416 60 039"),
        ("Fax: 345-899-3560x4587", "345-899-3560x4587"),
    ],
)
def test_numbers(find: PhoneNumbers, text: str, value: str) -> None:
    assert [text[start:end] for start, end, score in find(text) if score >= 0.4] == [value]


@pytest.mark.parametrize(
    "text",
    [
        "in 1999 2004 2007",
        "on 2004-05-06 and 06.05.2004",
        "call at 2004-05-06",
        "1 234 567 890",
        "Boston, MA 02110-1301, USA",
        "02 23 44 30 13 40 ac 34",
        "8b 83 02 23 44 30 13 40",
        "id 5403926876",
        "isbn 3161484100",
        "3.14159265358979",
        "10.1000/123456",
        "$ 1 234 567",
        "",
    ],
)
def test_other_numbers(find: PhoneNumbers, text: str) -> None:
    assert find(text) == []


def test_regions_decide_about_numbers_without_a_word_beside_them() -> None:
    assert PhoneNumbers(["FR"])("01.84.17.61.18") != []
    assert PhoneNumbers(["DK"])("01.84.17.61.18") == []


def test_unknown_regions_are_errors() -> None:
    with pytest.raises(UsageError, match="XX"):
        PhoneNumbers(["XX"])


def test_hostile_windows_take_bounded_work(find: PhoneNumbers) -> None:
    assert isinstance(find("1-" * 20_000), list)
    assert isinstance(find("(" * 20_000 + "+" * 20_000), list)


@given(st.lists(st.integers(0, 30), unique=True).map(sorted), st.integers(0, 30), st.integers(1, 9))
def test_overlaps_are_those_with_any_of_the_spans(edges: list[int], start: int, size: int) -> None:
    spans = list(zip(edges[::2], edges[1::2]))
    expected = any(first < start + size and start < last for first, last in spans)
    assert _overlaps(spans, start, start + size) == expected
