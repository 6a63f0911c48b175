"""Made-up identifiers, and values that only look like some, to be planted in text and looked for again.

Values are drawn by lot, with check digits, ranges and forms that the types prescribe; telephone numbers are
libphonenumber's examples with other digits at their end. Nothing here is anybody's, but by chance.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from corpusforge.pii.checks import luhn
from corpusforge.sample.draw import Draw

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BASE62 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_SUFFIXES = ("com", "org", "net", "de", "fr", "co.uk", "io", "edu")
_FIRST_NAMES = (
    *(
        "Mary",
        "James",
        "Anna",
        "Paul",
        "Fatima",
        "Wei",
        "Priya",
        "Carlos",
        "Olga",
        "Yusuf",
        "Chloé",
        "Jürgen",
    ),
    *("Aiko", "Kwame", "Ingrid", "Mateo"),
)
_LAST_NAMES = (
    *(
        "Smith",
        "Johnson",
        "García",
        "Müller",
        "Dubois",
        "Rossi",
        "Ivanova",
        "Chen",
        "Patel",
        "Nguyen",
        "Okafor",
    ),
    *("Tanaka", "Haddad", "Kowalski", "Jansen", "Silva"),
)
_CITIES = ("London", "Chicago", "Nairobi", "Osaka", "Lyon", "Kraków", "Lima", "Mumbai", "Oslo", "Toronto")
_STREETS = ("High Street", "Oak Avenue", "Station Road", "Park Lane", "Mill Road", "Rue de la Paix")
_NIF = "TRWAGMYFPDXBNJZSQVHLCKE"


@dataclass(frozen=True)
class Plant:
    """A value with the words around it; `value` is what has to be found."""

    before: str
    value: str
    after: str = ""

    @property
    def text(self) -> str:
        """All that is planted."""
        return self.before + self.value + self.after


Maker = Callable[[Draw], Plant]


def _digits(draw: Draw, count: int) -> str:
    return "".join(str(draw.below(10)) for _ in range(count))


def _characters(draw: Draw, alphabet: str, count: int) -> str:
    return "".join(draw.choice(alphabet) for _ in range(count))


def _word(draw: Draw) -> str:
    return _characters(draw, _LETTERS, draw.between(4, 9))


def _host(draw: Draw) -> str:
    return f"{_word(draw)}.{draw.choice(_SUFFIXES)}"


def _grouped(value: str, size: int = 4) -> str:
    return " ".join(value[at : at + size] for at in range(0, len(value), size))


def _email(draw: Draw) -> Plant:
    name = (
        f"{_word(draw)}{draw.choice(('.', '_', '-', ''))}{_word(draw)}{draw.choice(('', _digits(draw, 2)))}"
    )
    return Plant("", f"{name}@{_host(draw)}")


def _card_number(draw: Draw, valid: bool = True) -> str:
    first = draw.choice(("4", "51", "52", "53", "54", "55"))
    body = first + _digits(draw, 15 - len(first))
    (check,) = [digit for digit in "0123456789" if luhn(body + digit)]
    return body + (check if valid else str((int(check) + draw.between(1, 9)) % 10))


def _iban_number(draw: Draw, valid: bool = True) -> str:
    country = draw.choice(("DE", "FR", "GB", "NL"))
    body = {
        "DE": lambda: _digits(draw, 18),
        "FR": lambda: _digits(draw, 23),
        "GB": lambda: _characters(draw, _LETTERS.upper(), 4) + _digits(draw, 14),
        "NL": lambda: _characters(draw, _LETTERS.upper(), 4) + _digits(draw, 10),
    }[country]()
    number = int("".join(str(int(character, 36)) for character in body + country + "00"))
    check = 98 - number % 97
    return f"{country}{check if valid else (check + draw.between(1, 90)) % 97 + 2:02d}{body}"


def _address(draw: Draw) -> Plant:
    """A routed IPv4 address of the first 120 networks but those of private use."""
    first = draw.choice([number for number in range(11, 120) if number not in (10, 100)])
    return Plant("", f"{first}.{draw.below(256)}.{draw.below(256)}.{draw.between(51, 254)}")


def _long_address(draw: Draw) -> Plant:
    groups = [f"2a0{draw.below(10)}", *(f"{draw.between(0x1000, 0xFFFF):x}" for _ in range(7))]
    return Plant("", ":".join(groups))


def _security_number(draw: Draw) -> tuple[str, str, str]:
    area = draw.choice([number for number in range(100, 800) if number != 666])
    return str(area), f"{draw.between(1, 99):02d}", f"{draw.between(1, 9999):04d}"


def _nhs(draw: Draw) -> Plant:
    """A number of England's health service: the check digit is of modulus 11, and never 10."""
    while True:
        body = str(draw.between(4, 7)) + _digits(draw, 8)
        check = -sum(int(digit) * weight for digit, weight in zip(body, range(10, 1, -1))) % 11
        if check < 10:
            return Plant("NHS number ", f"{body[:3]} {body[3:6]} {body[6:]}{check}")


def _nif(draw: Draw) -> Plant:
    number = draw.between(10_000_000, 89_999_999)
    return Plant("DNI ", f"{number}{_NIF[number % 23]}")


def _pesel(draw: Draw) -> Plant:
    body = f"{draw.between(50, 99)}{draw.between(1, 12):02d}{draw.between(1, 28):02d}{_digits(draw, 4)}"
    weights = (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)
    check = -sum(int(digit) * weight for digit, weight in zip(body, weights)) % 10
    return Plant("PESEL ", f"{body}{check}")


NATIONAL: Mapping[str, Maker] = {"ES_NIF": _nif, "PL_PESEL": _pesel, "UK_NHS": _nhs}
"""The national numbers that are planted, of the many that are looked for."""


def _coin(draw: Draw) -> Plant:
    """A Bitcoin address of version 0 in Base58Check."""
    payload = b"\0" + bytes(draw.below(256) for _ in range(20))
    raw = payload + hashlib.sha256(hashlib.sha256(payload).digest()).digest()[:4]
    number, text = int.from_bytes(raw, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = _BASE58[digit] + text
    return Plant("", "1" * (len(raw) - len(raw.lstrip(b"\0"))) + text)


def _person(draw: Draw) -> str:
    return f"{draw.choice(_FIRST_NAMES)} {draw.choice(_LAST_NAMES)}"


def _private_key(draw: Draw) -> Plant:
    body = base64.b64encode(bytes(draw.below(256) for _ in range(240))).decode("ascii")
    lines = "\n".join(body[at : at + 64] for at in range(0, len(body), 64))
    return Plant("\n", f"-----BEGIN PRIVATE KEY-----\n{lines}\n-----END PRIVATE KEY-----", "\n")


_FORMS: Mapping[str, Mapping[str, Maker]] = {
    "EMAIL_ADDRESS": {
        "bare": _email,
        "in angle brackets": lambda draw: Plant("<", _email(draw).value, ">"),
    },
    "CREDIT_CARD": {
        "bare": lambda draw: Plant("", _card_number(draw)),
        "grouped": lambda draw: Plant("", _grouped(_card_number(draw))),
    },
    "IBAN_CODE": {
        "bare": lambda draw: Plant("", _iban_number(draw)),
        "grouped": lambda draw: Plant("", _grouped(_iban_number(draw))),
    },
    "IP_ADDRESS": {"version 4": _address, "version 6": _long_address},
    "MAC_ADDRESS": {
        "bare": lambda draw: Plant("", ":".join(f"{draw.below(256):02x}" for _ in range(6))),
    },
    "US_SSN": {
        "with hyphens": lambda draw: Plant("", "-".join(_security_number(draw))),
        "named": lambda draw: Plant("SSN ", "".join(_security_number(draw))),
    },
    "CRYPTO": {
        "Bitcoin": _coin,
        "Ethereum": lambda draw: Plant("", "0x" + _characters(draw, "0123456789abcdef", 40)),
    },
    "URL_CREDENTIALS": {
        "in an address": lambda draw: Plant(
            "https://", f"{_word(draw)}:{_characters(draw, _BASE62, 12)}", f"@{_host(draw)}/{_word(draw)}"
        ),
    },
    "SECRET": {
        "access key": lambda draw: Plant("", "AKIA" + _characters(draw, _BASE32, 16)),
        "token": lambda draw: Plant("", "ghp_" + _characters(draw, _BASE62, 36)),
        "assigned": lambda draw: Plant('api_key = "', _characters(draw, _BASE62, 32), '"'),
    },
    "PRIVATE_KEY": {"block": _private_key},
    "PERSON": {
        "in a sentence": lambda draw: Plant("My name is ", _person(draw), ", and so it stays."),
        "signed": lambda draw: Plant("Kind regards, ", _person(draw), "."),
    },
    "LOCATION": {
        "city": lambda draw: Plant("She was born in ", draw.choice(_CITIES), ", as was her father."),
        "street": lambda draw: Plant(
            "The office is at ",
            f"{draw.between(2, 399)} {draw.choice(_STREETS)}",
            f" in {draw.choice(_CITIES)}.",
        ),
    },
}


class _Telephone:
    """Numbers that libphonenumber calls valid, in the forms that it writes them in."""

    def __init__(self, regions: Sequence[str], form: str) -> None:
        import phonenumbers

        self._library = phonenumbers
        self._form = form
        kinds = (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE)
        examples = [
            phonenumbers.example_number_for_type(region, kind) for region in regions for kind in kinds
        ]
        self._examples = [example for example in examples if example is not None]

    def __call__(self, draw: Draw) -> Plant:
        """Another number of the same length; the example itself where none of twenty is valid."""
        example = draw.choice(self._examples)
        library, number = self._library, example
        for _ in range(20):
            drawn = library.PhoneNumber()
            drawn.merge_from(example)
            drawn.national_number = (example.national_number or 0) // 10_000 * 10_000 + draw.below(10_000)
            if library.is_valid_number(drawn):
                number = drawn
                break
        kind = library.PhoneNumberFormat
        if self._form == "international":
            return Plant("", library.format_number(number, kind.INTERNATIONAL))
        before = "Tel.: " if self._form == "national, named" else ""
        return Plant(before, library.format_number(number, kind.NATIONAL))


def makers(
    entities: Sequence[str], regions: Sequence[str], national_ids: Sequence[str]
) -> dict[str, dict[str, Maker]]:
    """Makers of planted values by type and form, of the types, telephone regions and national numbers asked for.

    Names of people and places are of short lists, so their rate is that of common ones in plain English sentences.
    """
    found = {entity: dict(_FORMS[entity]) for entity in entities if entity in _FORMS}
    if "PHONE_NUMBER" in entities and regions:
        forms = ("international", "national", "national, named")
        found["PHONE_NUMBER"] = {form: _Telephone(regions, form) for form in forms}
    if "NATIONAL_ID" in entities:
        named = {name: maker for name, maker in NATIONAL.items() if name in national_ids}
        if named:
            found["NATIONAL_ID"] = named
    return {entity: found[entity] for entity in sorted(found)}


LOOK_ALIKES: Mapping[str, Maker] = {
    "IBAN, wrong check digits": lambda draw: Plant("", _iban_number(draw, valid=False)),
    "book number": lambda draw: Plant(
        "ISBN ", f"978-{draw.below(10)}-{_digits(draw, 4)}-{_digits(draw, 4)}-{draw.below(10)}"
    ),
    "card number, wrong check digit": lambda draw: Plant("", _grouped(_card_number(draw, valid=False))),
    "commit hash": lambda draw: Plant("", _characters(draw, "0123456789abcdef", 40)),
    "coordinates": lambda draw: Plant(
        "", f"{draw.between(10, 80)}.{_digits(draw, 5)}, {draw.between(10, 99)}.{_digits(draw, 5)}"
    ),
    "date and time": lambda draw: Plant(
        "", f"{draw.between(1950, 2029)}-{draw.between(1, 12):02d}-{draw.between(1, 28):02d} "
        f"{draw.below(24):02d}:{draw.below(60):02d}:{draw.below(60):02d}",
    ),
    "handle": lambda draw: Plant("", f"@{_word(draw)}_{_word(draw)}"),
    "local name": lambda draw: Plant("", f"{_word(draw)}@localhost"),
    "price": lambda draw: Plant("", f"${draw.between(1, 999)},{_digits(draw, 3)},{_digits(draw, 3)}.00"),
    "unique identifier": lambda draw: Plant(
        "", "-".join(_characters(draw, "0123456789abcdef", size) for size in (8, 4, 4, 4, 12))
    ),
    "version number": lambda draw: Plant(
        "version ", ".".join(str(draw.between(0, 40)) for _ in range(4))
    ),
    "years": lambda draw: Plant("", ", ".join(str(draw.between(1900, 2029)) for _ in range(4))),
}  # fmt: skip
"""Values of everyday texts that are nobody's, and what a careless detector takes them for."""
