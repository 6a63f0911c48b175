"""Entity types: where each can stand, and the function that recognizes it in a window.

Forms and checksums are looked at here; telephone numbers by libphonenumber, national numbers by presidio's
recognizers (both come with presidio-analyzer). No language model takes part, and nothing touches the network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from corpusforge.errors import MissingExtraError, UsageError
from corpusforge.kernels.pii_candidates import CRYPTO, EMAIL, IBAN, IPV4, IPV6, NUMBER
from corpusforge.kernels.pii_marks import ASSIGNMENT, CREDENTIALS, GROUPED, IDENTIFIER, KEY_BLOCK, MAC, TOKEN
from corpusforge.pii import network, numbers, secrets
from corpusforge.pii.national import NATIONAL_IDS, NationalNumbers
from corpusforge.pii.numbers import Report
from corpusforge.pii.phones import PhoneNumbers

__all__ = ["ENTITIES", "Report", "recognizer"]

ENTITIES: Mapping[str, tuple[int, ...]] = {
    "EMAIL_ADDRESS": (EMAIL,),
    "PHONE_NUMBER": (NUMBER,),
    "CREDIT_CARD": (NUMBER,),
    "IBAN_CODE": (IBAN,),
    "IP_ADDRESS": (IPV4, IPV6),
    "MAC_ADDRESS": (MAC,),
    "US_SSN": (NUMBER,),
    "NATIONAL_ID": (NUMBER, IDENTIFIER, GROUPED),
    "CRYPTO": (CRYPTO,),
    "URL_CREDENTIALS": (CREDENTIALS,),
    "SECRET": (TOKEN, ASSIGNMENT),
    "PRIVATE_KEY": (KEY_BLOCK,),
}
"""Entity types, by presidio's names where it has them, with the classes of candidates among which they stand."""


def recognizer(
    entity: str, phone_regions: Sequence[str], national_ids: Sequence[str] = tuple(NATIONAL_IDS)
) -> Callable[[str], list[Report]]:
    """Give the function from a text to the reports of `entity` in it.

    Libraries are imported here, which takes seconds, so this is called once per process. Raises
    `MissingExtraError` without the extra, `UsageError` for an entity, region or national number not known.
    """
    if entity not in ENTITIES:
        raise UsageError(f"pii knows no entity {entity!r}, only {', '.join(ENTITIES)}")
    try:
        import phonenumbers  # noqa: F401
        import tldextract  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("pii", "pii") from error
    if entity == "PHONE_NUMBER":
        return PhoneNumbers(phone_regions)
    if entity == "NATIONAL_ID":
        return NationalNumbers(national_ids)
    return {
        "EMAIL_ADDRESS": network.email_addresses,
        "CREDIT_CARD": numbers.credit_cards,
        "IBAN_CODE": numbers.account_numbers,
        "IP_ADDRESS": network.ip_addresses,
        "MAC_ADDRESS": network.mac_addresses,
        "US_SSN": numbers.social_security_numbers,
        "CRYPTO": numbers.crypto_addresses,
        "URL_CREDENTIALS": network.url_credentials,
        "SECRET": secrets.secrets,
        "PRIVATE_KEY": secrets.private_keys,
    }[entity]
