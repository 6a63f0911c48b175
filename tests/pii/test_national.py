from __future__ import annotations

import pytest

pytest.importorskip("presidio_analyzer")

from corpusforge.errors import UsageError
from corpusforge.pii.national import NATIONAL_IDS, NationalNumbers


@pytest.fixture(scope="module")
def find() -> NationalNumbers:
    return NationalNumbers(list(NATIONAL_IDS))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("NHS number: 943 476 5919", "943 476 5919"),
        ("his DNI 12345678Z is", "12345678Z"),
        ("PESEL 44051401359", "44051401359"),
        ("codice fiscale RSSMRA85T10A562S", "RSSMRA85T10A562S"),
        ("personnummer 811228-9874", "811228-9874"),
        ("National Insurance AB123456C", "AB123456C"),
        ("her hetu is 131052-308T", "131052-308T"),
        ("the NRIC S1234567D", "S1234567D"),
        ("Aadhaar 2345 6789 0124", "2345 6789 0124"),
        ("Aadhaar 2345 6789 0125", None),
        ("order 943 476 5919", None),
        ("PESEL 44051401358", None),
        ("the NHS has 9434765918", None),
    ],
)
def test_named_numbers(find: NationalNumbers, text: str, value: str | None) -> None:
    assert {text[start:end] for start, end, _ in find(text)} == ({value} if value else set())


def test_the_word_must_be_near(find: NationalNumbers) -> None:
    assert find("PESEL " + "and so on " * 10 + "44051401359") == []


def test_only_what_is_asked_for() -> None:
    assert NationalNumbers(["UK_NHS"])("PESEL 44051401359") == []
    assert NationalNumbers([])("PESEL 44051401359") == []
    with pytest.raises(UsageError, match="XX_ID"):
        NationalNumbers(["XX_ID"])
