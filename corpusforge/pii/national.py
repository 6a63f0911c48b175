"""National identity, tax and health numbers: presidio's recognizers, asked only where the number is named.

Most of these are short runs of digits of which one in ten or eleven passes its checksum by chance, so a recognizer
is asked only when one of its own context words stands in the window before the number.
"""

from __future__ import annotations

import logging
import re
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from corpusforge.errors import MissingExtraError, UsageError
from corpusforge.lean_imports import absent
from corpusforge.pii.numbers import Report

NATIONAL_IDS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "AU_MEDICARE": ("AuMedicareRecognizer", ()),
    "AU_TFN": ("AuTfnRecognizer", ()),
    "CA_SIN": ("CaSinRecognizer", ("sin", "social insurance number", "numéro d'assurance sociale")),
    "DE_SOCIAL_SECURITY": ("DeSocialSecurityRecognizer", ()),
    "DE_TAX_ID": ("DeTaxIdRecognizer", ()),
    "ES_NIE": ("EsNieRecognizer", ()),
    "ES_NIF": ("EsNifRecognizer", ("dni", "nif", "documento nacional de identidad")),
    "FI_PERSONAL_IDENTITY_CODE": ("FiPersonalIdentityCodeRecognizer", ()),
    "IN_AADHAAR": ("InAadhaarRecognizer", ()),
    "IN_PAN": ("InPanRecognizer", ("pan", "permanent account number")),
    "IT_FISCAL_CODE": ("ItFiscalCodeRecognizer", ("codice fiscale",)),
    "KR_RRN": ("KrRrnRecognizer", ()),
    "NG_NIN": ("NgNinRecognizer", ("nin", "national identification number")),
    "PL_PESEL": ("PlPeselRecognizer", ()),
    "SE_PERSONNUMMER": ("SePersonnummerRecognizer", ("personnummer", "samordningsnummer")),
    "SG_NRIC_FIN": ("SgFinRecognizer", ("nric", "fin number")),
    "TH_TNIN": ("ThTninRecognizer", ()),
    "TR_NATIONAL_ID": ("TrNationalIdRecognizer", ()),
    "UK_NHS": ("NhsRecognizer", ("nhs number", "nhs no", "nhs", "national health service")),
    "UK_NINO": ("UkNinoRecognizer", ("national insurance", "ni number", "nino")),
    "US_ITIN": ("UsItinRecognizer", ("itin", "individual taxpayer")),
    "ZA_ID_NUMBER": ("ZaIdNumberRecognizer", ("south african id", "rsa id", "identity number", "id number")),
}
"""What is looked for unless a recipe says otherwise: presidio's names, the classes that recognize them, and the words
that name them where presidio's own context is too wide; an empty tuple means presidio's context."""

_PASSPORT = ("passport", "passport no", "passport number", "travel document")
_LICENCE = ("driving licence", "driving license", "driver license", "drivers license", "driver's license")

MORE_NATIONAL_IDS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "DE_FUEHRERSCHEIN": ("DeFuehrerscheinRecognizer", ()),
    "DE_HEALTH_INSURANCE": ("DeHealthInsuranceRecognizer", ()),
    "DE_ID_CARD": ("DeIdCardRecognizer", ("personalausweis", "personalausweisnummer", "ausweisnummer")),
    "DE_LANR": ("DeLanrRecognizer", ("arztnummer", "lanr", "arzt-nr", "arzt-nummer")),
    "DE_PASSPORT": (
        "DePassportRecognizer",
        ("reisepass", "reisepassnummer", "passnummer", "pass-nr", "passport"),
    ),
    "DE_TAX_NUMBER": ("DeTaxNumberRecognizer", ("steuernummer", "steuer-nr", "steuer nr", "st.-nr", "st-nr")),
    "ES_PASSPORT": ("EsPassportRecognizer", ()),
    "IN_PASSPORT": ("InPassportRecognizer", ()),
    "IN_VOTER": ("InVoterRecognizer", ("voter", "voter id", "epic no", "elector photo identity card")),
    "IT_DRIVER_LICENSE": ("ItDriverLicenseRecognizer", ("patente", "patente di guida")),
    "IT_IDENTITY_CARD": (
        "ItIdentityCardRecognizer",
        ("carta d'identità", "carta d’identità", "carta di identità"),
    ),
    "IT_PASSPORT": ("ItPassportRecognizer", ("passaporto", "passport")),
    "KR_DRIVER_LICENSE": ("KrDriverLicenseRecognizer", ()),
    "KR_FRN": ("KrFrnRecognizer", ()),
    "KR_PASSPORT": ("KrPassportRecognizer", ()),
    "MEDICAL_LICENSE": ("MedicalLicenseRecognizer", ("dea", "dea number", "medical license")),
    "PH_PASSPORT": ("PhPassportRecognizer", _PASSPORT),
    "PH_TIN": ("PhTinRecognizer", ("tin", "taxpayer identification number")),
    "PH_UMID": ("PhUmidRecognizer", ("umid", "crn", "common reference number", "sss", "gsis")),
    "UK_DRIVING_LICENCE": ("UkDrivingLicenceRecognizer", ()),
    "UK_PASSPORT": ("UkPassportRecognizer", _PASSPORT),
    "US_BANK_NUMBER": ("UsBankRecognizer", ("account number", "account no", "account #", "bank account")),
    "US_DRIVER_LICENSE": ("UsLicenseRecognizer", (*_LICENCE, "driver’s license", "dl number")),
    "US_MBI": ("UsMbiRecognizer", ("medicare", "mbi", "medicare number")),
    "US_NPI": ("UsNpiRecognizer", ("npi", "national provider identifier")),
    "US_PASSPORT": ("UsPassportRecognizer", _PASSPORT),
    "ZA_DRIVER_LICENSE": ("ZaDriverLicenseRecognizer", _LICENCE),
    "ZA_INCOME_TAX_NUMBER": (
        "ZaIncomeTaxNumberRecognizer",
        ("income tax number", "tax reference number", "sars"),
    ),
    "ZA_PASSPORT": ("ZaPassportRecognizer", _PASSPORT),
    "ZA_TRAFFIC_REGISTER_NUMBER": ("ZaTrafficRegisterNumberRecognizer", ("traffic register number", "trn")),
}
"""What a recipe may ask for too: papers and registers whose numbers mostly have no checksum, so that only the word
beside them tells them from others."""

OFFERED: Mapping[str, tuple[str, tuple[str, ...]]] = {**NATIONAL_IDS, **MORE_NATIONAL_IDS}

NOT_OFFERED: Mapping[str, tuple[str, ...]] = {
    "of firms and offices": (
        *(
            "AbaRoutingRecognizer",
            "AuAbnRecognizer",
            "AuAcnRecognizer",
            "DeBsnrRecognizer",
            "DeHandelsregisterRecognizer",
        ),
        *(
            "DeVatIdRecognizer",
            "InGstinRecognizer",
            "ItVatCodeRecognizer",
            "KrBrnRecognizer",
            "SgUenRecognizer",
        ),
        *("SeOrganisationsnummerRecognizer", "UsProviderTaxIdRecognizer", "ZaCompanyRegistrationRecognizer"),
        "ZaVatNumberRecognizer",
    ),
    "of places, with thousands of people each": (
        *("CaPostalCodeRecognizer", "DePlzRecognizer", "UkPostcodeRecognizer"),
    ),
    "of vehicles": (
        *("DeKfzRecognizer", "InVehicleRegistrationRecognizer", "NgVehicleRegistrationRecognizer"),
        *("TrLicensePlateRecognizer", "UkVehicleRegistrationRecognizer", "ZaLicensePlateRecognizer"),
    ),
    "of a case or a paper, in any form": (
        *("UsClaimNumberRecognizer", "UsHealthInsuranceMemberIdRecognizer", "UsPrescriptionNumberRecognizer"),
        *("UsPriorAuthorizationNumberRecognizer", "UsReferralNumberRecognizer"),
    ),
    "found as other types": (
        *("UsSsnRecognizer", "ZaMobileNumberRecognizer", "ZaTelephoneNumberRecognizer"),
    ),
}
"""Presidio's other recognizers of one country, by what their numbers are."""

VALID = 1.0
"""Score of a number with a right checksum that is named."""
NAMED = 0.6
"""Score of a number of the right form that is named and has no checksum."""
_LOOK = 48

_GROUPS = re.compile(r"(?<![^\W_])[A-Z0-9]{1,12}(?:[ .\-\u00a0/][A-Z0-9]{1,12}){1,8}(?![^\W_])")
_LONGEST_RUN = 9 * 13 + 1
"""Characters of a run of groups and one behind it. Without a limit every word would look through the whole window."""
_WORD = re.compile(r"\w+")
_GAP = re.compile(r"[ .\-\u00a0/]")
_SHORTEST, _LONGEST = 8, 16
_FEWEST_DIGITS = 4
_FIRST_GROUPS = 3
"""Groups that a grouped number may begin at: what stands before it in capitals ("NO", "ID") looks like one."""


def check_names(names: Sequence[str]) -> None:
    """Raise `UsageError` for a name that is not known."""
    unknown = sorted(set(names) - set(OFFERED))
    if unknown:
        raise UsageError(
            f"pii knows no national number {', '.join(unknown)}, only {', '.join(sorted(OFFERED))}"
        )


class NationalNumbers:
    """Asks presidio's recognizers of `names` (keys of `OFFERED`) about numbers that are named.

    Raises `MissingExtraError` without presidio, `UsageError` for a name that is not known.
    """

    def __init__(self, names: Sequence[str]) -> None:
        check_names(names)
        try:
            with absent("torch", "transformers"):
                from presidio_analyzer import predefined_recognizers as presidio
        except ImportError as error:
            raise MissingExtraError("pii", "pii") from error
        # Presidio logs the values that it fails to validate; personal data must not reach a log.
        logging.getLogger("presidio-analyzer").setLevel(logging.CRITICAL + 1)
        self._made: list[tuple[re.Pattern[str], Callable[[str], list[Any]]]] = []
        words: list[str] = []
        for name in sorted(set(names)):
            kind, named_by = OFFERED[name]
            recognizer = getattr(presidio, kind)()
            context = sorted(named_by or recognizer.context or ())
            words += context
            self._made.append((_pattern(context), _asked(recognizer, name)))
        # A window without any of these words is the rule; a set is asked much faster than a pattern of all words.
        self._words = frozenset(_WORD.search(_folded(word)).group() for word in words)  # type: ignore[union-attr]

    def __call__(self, text: str) -> list[Report]:
        """Named numbers of the window."""
        found: list[Report] = []
        if self._words.isdisjoint(_WORD.findall(_folded(text))):
            return found
        for context, ask in self._made:
            named = [match.end() for match in context.finditer(text)]
            if not named:
                continue
            whole = []
            for one in ask(text):
                before = bisect_right(named, one.start)
                near = before > 0 and one.start - named[before - 1] <= _LOOK
                if near and one.score > 0:
                    whole.append((one.start, one.end, VALID if one.score >= VALID else NAMED))
            found += whole or _in_groups(text, named, ask)
        return found


def _in_groups(text: str, named: Sequence[int], ask: Callable[[str], list[Any]]) -> list[Report]:
    """Numbers that are written in groups where the recognizer knows them without: asked about what stands there
    without gaps, and reported when that is all of the number.
    """
    found: list[Report] = []
    for end in named:
        for run in _GROUPS.finditer(text, end, end + _LOOK + _LONGEST_RUN):
            if run.start() - end > _LOOK:
                break
            report = _joined(run, ask)
            if report is not None:
                found.append(report)
                break
    return found


def _joined(run: re.Match[str], ask: Callable[[str], list[Any]]) -> Report | None:
    """The longest part of a run of groups that a recognizer knows when its gaps are taken out."""
    gaps = [gap.start() for gap in _GAP.finditer(run.group())]
    starts, ends = [0, *(gap + 1 for gap in gaps)], [*gaps, len(run.group())]
    for first, start in enumerate(starts[:_FIRST_GROUPS]):
        for end in reversed(ends[first + 1 :]):
            value = _GAP.sub("", run.group()[start:end])
            if not _SHORTEST <= len(value) <= _LONGEST:
                continue
            if sum(character.isdigit() for character in value) < _FEWEST_DIGITS:
                continue
            for one in ask(value):
                if (one.start, one.end) == (0, len(value)) and one.score > 0:
                    score = VALID if one.score >= VALID else NAMED
                    return run.start() + start, run.start() + end, score
    return None


def _pattern(words: Sequence[str]) -> re.Pattern[str]:
    """Any of the words, not inside a longer one."""
    if not words:
        return re.compile(r"(?!)")
    return re.compile(rf"(?<!\w)(?:{'|'.join(re.escape(word) for word in words)})(?!\w)", re.I)


def _folded(text: str) -> str:
    """The text with letters equal that are equal to a pattern that ignores case: all of i, I, \u0130 and \u0131 too."""
    return text.replace("\u0130", "i").replace("\u0131", "i").casefold()


def _asked(recognizer: Any, entity: str) -> Callable[[str], list[Any]]:
    def ask(text: str) -> list[Any]:
        found: list[Any] = recognizer.analyze(text, [entity], None)
        return found

    return ask
