"""Presidio's pattern recognizers, without its language models, its network access and its log lines.

Only regular expressions, checksums and libphonenumber are used; they are called directly, one entity at a
time, so neither spaCy nor a context model takes part.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from corpusforge.errors import MissingExtraError, UsageError
from corpusforge.kernels.pii_candidates import CRYPTO, EMAIL, IBAN, IPV4, IPV6, NUMBER

Report = tuple[int, int, float]
"""Start and end in characters of the text given, and presidio's score."""

ENTITIES: Mapping[str, tuple[int, ...]] = {
    "EMAIL_ADDRESS": (EMAIL,),
    "PHONE_NUMBER": (NUMBER,),
    "CREDIT_CARD": (NUMBER,),
    "IBAN_CODE": (IBAN,),
    "IP_ADDRESS": (IPV4, IPV6),
    "US_SSN": (NUMBER,),
    "CRYPTO": (CRYPTO,),
}
"""Entity types by presidio's names, with the classes of candidates among which they can stand."""


@cache
def _suffix_extractor() -> Callable[[str], Any]:
    """Reads an address's domain with the public suffix list inside tldextract; never fetches a newer one."""
    import tldextract

    return tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)


def recognizer(entity: str, phone_regions: Sequence[str]) -> Callable[[str], list[Report]]:
    """A function from a text to what presidio reports of `entity` in it.

    Importing presidio takes seconds, so this is called once per process. Raises `MissingExtraError` without
    the extra, `UsageError` for an entity or region that is not known.
    """
    if entity not in ENTITIES:
        raise UsageError(f"pii knows no entity {entity!r}, only {', '.join(ENTITIES)}")
    try:
        from presidio_analyzer import predefined_recognizers as presidio
    except ImportError as error:
        raise MissingExtraError("pii", "pii") from error
    # Presidio logs the values that it fails to validate; personal data must not reach a log.
    logging.getLogger("presidio-analyzer").setLevel(logging.CRITICAL + 1)

    class OfflineEmail(presidio.EmailRecognizer):  # type: ignore[misc]
        """Checks an address's domain without the network."""

        def validate_result(self, pattern_text: str) -> bool:
            return bool(_suffix_extractor()(pattern_text).fqdn)

    if entity == "PHONE_NUMBER":
        import phonenumbers

        unknown = sorted(set(phone_regions) - set(phonenumbers.SUPPORTED_REGIONS))
        if unknown:
            raise UsageError(f"pii knows no telephone region {', '.join(unknown)}")
        # A number with its country code needs only a possible length: whoever writes a plus sign means a
        # telephone number, also one of an area that is not assigned.
        international = presidio.PhoneRecognizer(supported_regions=(None,), leniency=0)
        made = [presidio.PhoneRecognizer(supported_regions=tuple(phone_regions)), international]
    else:
        pattern = {
            "EMAIL_ADDRESS": OfflineEmail,
            "CREDIT_CARD": presidio.CreditCardRecognizer,
            "IBAN_CODE": presidio.IbanRecognizer,
            "IP_ADDRESS": presidio.IpRecognizer,
            "US_SSN": presidio.UsSsnRecognizer,
            "CRYPTO": presidio.CryptoRecognizer,
        }[entity]
        made = [pattern()]

    def reports(text: str) -> list[Report]:
        found = [one for each in made for one in each.analyze(text, [entity], None)]
        return [(one.start, one.end, one.score) for one in found]

    return reports
