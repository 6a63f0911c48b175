"""National identity, tax and health numbers: presidio's recognizers, asked only where the number is named.

Most of these are short runs of digits of which one in ten or eleven passes its checksum by chance, so a recognizer
is asked only when one of its own context words stands in the window before the number.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from corpusforge.errors import MissingExtraError, UsageError
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
"""Presidio's names, the classes that recognize them, and the words that name them where presidio's own context is
too wide; an empty tuple means presidio's context."""

VALID = 1.0
"""Score of a number with a right checksum that is named."""
NAMED = 0.6
"""Score of a number of the right form that is named and has no checksum."""
_LOOK = 48


class NationalNumbers:
    """Asks presidio's recognizers of `names` (keys of `NATIONAL_IDS`) about numbers that are named.

    Raises `MissingExtraError` without presidio, `UsageError` for a name that is not known.
    """

    def __init__(self, names: Sequence[str]) -> None:
        unknown = sorted(set(names) - set(NATIONAL_IDS))
        if unknown:
            raise UsageError(
                f"pii knows no national number {', '.join(unknown)}, only {', '.join(NATIONAL_IDS)}"
            )
        try:
            from presidio_analyzer import predefined_recognizers as presidio
        except ImportError as error:
            raise MissingExtraError("pii", "pii") from error
        # Presidio logs the values that it fails to validate; personal data must not reach a log.
        logging.getLogger("presidio-analyzer").setLevel(logging.CRITICAL + 1)
        self._made: list[tuple[re.Pattern[str], Callable[[str], list[Any]]]] = []
        words: list[str] = []
        for name in sorted(set(names)):
            kind, named_by = NATIONAL_IDS[name]
            recognizer = getattr(presidio, kind)()
            context = sorted(named_by or recognizer.context or ())
            words += context
            self._made.append((_pattern(context), _asked(recognizer, name)))
        self._any = _pattern(sorted(set(words)))

    def __call__(self, text: str) -> list[Report]:
        """Named numbers of the window."""
        found: list[Report] = []
        if not self._made or not self._any.search(text):
            return found
        for context, ask in self._made:
            named = [match.end() for match in context.finditer(text)]
            if not named:
                continue
            for one in ask(text):
                near = any(0 <= one.start - end <= _LOOK for end in named)
                if near and one.score > 0:
                    found.append((one.start, one.end, VALID if one.score >= VALID else NAMED))
        return found


def _pattern(words: Sequence[str]) -> re.Pattern[str]:
    """Any of the words, not inside a longer one."""
    if not words:
        return re.compile(r"(?!)")
    return re.compile(rf"(?<!\w)(?:{'|'.join(re.escape(word) for word in words)})(?!\w)", re.I)


def _asked(recognizer: Any, entity: str) -> Callable[[str], list[Any]]:
    def ask(text: str) -> list[Any]:
        found: list[Any] = recognizer.analyze(text, [entity], None)
        return found

    return ask
