from __future__ import annotations

import importlib.metadata
import inspect
import re
from collections.abc import Iterator

import pytest

pytest.importorskip("presidio_analyzer")

from presidio_analyzer import predefined_recognizers

from corpusforge.errors import UsageError
from corpusforge.pii import national
from corpusforge.pii.national import NATIONAL_IDS, NOT_OFFERED, OFFERED, NationalNumbers
from corpusforge.pii.step import Pii, PiiParameters
from corpusforge.rulesets import thresholds
from corpusforge.step import RunContext
from corpusforge.texts import Texts


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
        ("National Insurance number AB 12 34 56 C is", "AB 12 34 56 C"),
        ("codice fiscale: RSS MRA 85T10 A562S", "RSS MRA 85T10 A562S"),
        ("PAN ABCPE 1234 F AND MORE", "ABCPE 1234 F"),
        ("PESEL NR 440 514 013 59", "440 514 013 59"),
        ("DNI 12.345.678-Z", "12.345.678-Z"),
        ("NIE: X 1234567 L", "X 1234567 L"),
        ("ID number 800101 5009 087", "800101 5009 087"),
        ("T.C. KİMLİK NO: 10000000146", "10000000146"),
        ("T.C. kımlık no: 10000000146", "10000000146"),
        ("PESEL NR 440 514 013 58", None),
        ("DNI 12.345.678-A", None),
        ("order 943 476 5919", None),
        ("PESEL 44051401358", None),
        ("the NHS has 9434765918", None),
    ],
)
def test_named_numbers(find: NationalNumbers, text: str, value: str | None) -> None:
    assert {text[start:end] for start, end, _ in find(text)} == ({value} if value else set())


VECTORS = {
    "AU_MEDICARE": "Medicare 2149 37424 6",
    "AU_TFN": "TFN 100 029 290",
    "CA_SIN": "SIN 138 032 958",
    "DE_FUEHRERSCHEIN": "Führerscheinnummer NH81143917Z",
    "DE_HEALTH_INSURANCE": "Krankenversicherungsnummer T828119891",
    "DE_ID_CARD": "Personalausweis G48Y92Z46",
    "DE_LANR": "LANR 806053763",
    "DE_PASSPORT": "Reisepass C78W64K41",
    "DE_SOCIAL_SECURITY": "Rentenversicherungsnummer 65150872M052",
    "DE_TAX_ID": "Steuer-ID 90428789566",
    "DE_TAX_NUMBER": "Steuernummer 042/447/08956",
    "ES_NIE": "NIE X9921202Z",
    "ES_NIF": "DNI 12345678Z",
    "ES_PASSPORT": "pasaporte PAA853414",
    "FI_PERSONAL_IDENTITY_CODE": "hetu 131052-308T",
    "IN_AADHAAR": "Aadhaar 2345 6789 0124",
    "IN_PAN": "PAN EVGPC9819P",
    "IN_PASSPORT": "passport J8077949",
    "IN_VOTER": "Voter ID ABC1127135",
    "IT_DRIVER_LICENSE": "patente AA5275065A",
    "IT_FISCAL_CODE": "codice fiscale RSSMRA85T10A562S",
    "IT_IDENTITY_CARD": "carta d'identità CA59157AA",
    "IT_PASSPORT": "passaporto YA1495007",
    "KR_DRIVER_LICENSE": "운전면허번호 11-13-339167-91",
    "KR_FRN": "외국인등록번호 960121-5944339",
    "KR_PASSPORT": "여권 M723A8931",
    "KR_RRN": "RRN 960121-1919020",
    "MEDICAL_LICENSE": "DEA number BB4956869",
    "NG_NIN": "NIN 16080606746",
    "PH_PASSPORT": "passport P5491545A",
    "PH_TIN": "TIN 552-193-252",
    "PH_UMID": "UMID 0081-5529672-6",
    "PL_PESEL": "PESEL 44051401359",
    "SE_PERSONNUMMER": "personnummer 811228-9874",
    "SG_NRIC_FIN": "NRIC S1234567D",
    "TH_TNIN": "TNIN 1724870381470",
    "TR_NATIONAL_ID": "TC kimlik 64230015630",
    "UK_DRIVING_LICENCE": "driving licence MORGA657054SM9ZH",
    "UK_NHS": "NHS number 943 476 5919",
    "UK_NINO": "National Insurance AB123456C",
    "UK_PASSPORT": "passport AB2323360",
    "US_BANK_NUMBER": "account number 3184179925",
    "US_DRIVER_LICENSE": "driver's license H52636620",
    "US_ITIN": "ITIN 942-75-1920",
    "US_MBI": "Medicare 1EG4TE5MK73",
    "US_NPI": "NPI 1176049744",
    "US_PASSPORT": "passport A79996011",
    "ZA_DRIVER_LICENSE": "driving licence 54254056VXSC",
    "ZA_ID_NUMBER": "ID number 8001015009087",
    "ZA_INCOME_TAX_NUMBER": "income tax number 0105431495",
    "ZA_PASSPORT": "passport A10638840",
    "ZA_TRAFFIC_REGISTER_NUMBER": "traffic register number 5981896253006",
}
"""Made up, with right check digits; the word and the number are what a page would show."""

WRONG_DIGITS = {
    "AU_MEDICARE": "2925 90507 2",
    "AU_TFN": "756 834 567",
    "CA_SIN": "180 204 181",
    "DE_HEALTH_INSURANCE": "W174569793",
    "DE_ID_CARD": "C47Z44L48",
    "DE_LANR": "177139087",
    "DE_PASSPORT": "C09G31Z48",
    "DE_SOCIAL_SECURITY": "65150872W059",
    "DE_TAX_ID": "12913437150",
    "ES_NIE": "X5238800C",
    "MEDICAL_LICENSE": "BB1372120",
    "NG_NIN": "86121325738",
    "TH_TNIN": "1567794971928",
    "TR_NATIONAL_ID": "37532354129",
    "US_NPI": "1480753306",
    "ZA_ID_NUMBER": "8001015009082",
}


@pytest.mark.parametrize("name", sorted(OFFERED))
def test_every_number_that_is_offered_is_found(name: str) -> None:
    text = VECTORS[name]
    word, number = (word.group() for word in re.finditer(r"^\D*(?= \S*\d)|(?<= )\S*\d.*$", text))
    find = NationalNumbers([name])
    assert [text[start:end] for start, end, _ in find(text)] == [number]
    assert find(f"order {number}") == []
    if name in WRONG_DIGITS:
        assert find(f"{word} {WRONG_DIGITS[name]}") == []


def test_all_of_them_pass_the_scan_for_candidates() -> None:
    thresholds_of = thresholds("pii@default", "pii")
    step = Pii(
        PiiParameters(**{**thresholds_of, "entities": ["NATIONAL_ID"], "national_ids": sorted(OFFERED)})
    )
    step.open(RunContext())
    texts = [f"See the register. {VECTORS[name]} is on file." for name in sorted(OFFERED)]
    found = step.findings(Texts.from_strings(texts))
    for name, findings, text in zip(sorted(OFFERED), found, texts):
        values = [text.encode()[one.start : one.end].decode() for one in findings]
        assert [VECTORS[name].endswith(value) for value in values] == [True], name


def test_what_is_new_in_presidio_is_judged() -> None:
    """Every recognizer of one country is offered, or there is a reason why it is not."""
    if importlib.metadata.version("presidio-analyzer") != "2.2.366":
        pytest.skip("the list is that of presidio-analyzer 2.2.366")
    national = {
        name
        for name, kind in vars(predefined_recognizers).items()
        if inspect.isclass(kind) and ".country_specific." in kind.__module__
    }
    offered = {kind for kind, _ in OFFERED.values()}
    refused = [kind for kinds in NOT_OFFERED.values() for kind in kinds]
    assert len(refused) == len(set(refused))
    assert not offered & set(refused)
    assert national == offered | set(refused)


def test_the_word_must_be_near(find: NationalNumbers) -> None:
    assert find("PESEL " + "and so on " * 10 + "44051401359") == []


def test_each_word_looks_a_bounded_way_ahead(find: NationalNumbers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a window of many words and no number in groups takes time by the square of its length."""
    looked: list[int] = []
    groups = national._GROUPS

    class Noted:
        def finditer(self, text: str, start: int, stop: int = 1 << 60) -> Iterator[re.Match[str]]:
            looked.append(min(stop, len(text)) - start)
            return groups.finditer(text, start, stop)

    monkeypatch.setattr(national, "_GROUPS", Noted())
    assert find("id number x1234567y " * 500) == []
    assert len(looked) >= 500
    assert max(looked) < 200


def test_only_what_is_asked_for() -> None:
    assert NationalNumbers(["UK_NHS"])("PESEL 44051401359") == []
    assert NationalNumbers([])("PESEL 44051401359") == []
    with pytest.raises(UsageError, match="XX_ID"):
        NationalNumbers(["XX_ID"])
