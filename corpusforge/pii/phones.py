"""Telephone numbers: forms that numbers are written in, judged by libphonenumber and by the words around them.

A number with its country code stands for itself. A national number without a word like "call" beside it must have
a form that little else has, and be valid in one of the regions asked for. Beside such a word, any grouping of
seven to thirteen digits counts, for nobody writes "Phone: " before something else.
"""

from __future__ import annotations

import re
from bisect import bisect_left, insort
from collections.abc import Callable, Sequence

from corpusforge.errors import UsageError
from corpusforge.pii.numbers import Report

VALID_INTERNATIONAL = 0.9
POSSIBLE_INTERNATIONAL = 0.6
VALID_NAMED = 0.8
NAMED = 0.5
VALID_NATIONAL = 0.4

_GAP = r"[ \u00a0\u2007\u202f.\-\u2010-\u2013/]"
_EXTENSION = r"(?:[ ,;]{0,2}(?:x|ext\.?|extension|#|poste|durchwahl)[ .:]{0,2}\d{1,6})?"
_ENDS = r"(?![\d@%])(?!\w{2})(?![.,:/-]\d)"
_INTERNATIONAL = re.compile(
    rf"(?<![\w+./=&-])(?:\(?\+|\(?00){_GAP}?[1-9](?:{_GAP}?[()]{{0,2}}{_GAP}?\d){{6,14}}{_EXTENSION}{_ENDS}"
)
_PARENTHESIS = re.compile(
    rf"(?<![\w+/])\(\d{{2,5}}\){_GAP}{{0,2}}\d{{2,5}}(?:{_GAP}\d{{2,5}}){{0,4}}{_EXTENSION}{_ENDS}"
)
_GROUPED = re.compile(
    rf"(?<![\w+@/$€£#&=])(?<!\d[.,:-])(?:1[ .-])?\d{{2,5}}(?:({_GAP})\d{{2,4}}(?:\1\d{{2,4}}){{0,4}}"
    rf"|[ /-]\d{{3,8}}(?:[ -]\d{{2,8}})?){_EXTENSION}{_ENDS}"
)
_BARE = re.compile(rf"(?<![\w+@/$€£#&=.])(?<!\d[,:-])\d{{7,13}}{_EXTENSION}{_ENDS}")
_NOT_A_NUMBER = re.compile(
    r"(?:1[5-9]|20)\d\d[-./](?:0?\d|1[0-2])[-./](?:[0-2]?\d|3[01])|(?:[0-2]?\d|3[01])[-./](?:0?\d|1[0-2])[-./](?:1[5-9]|20)?\d\d"
    r"|(?:(?:1[5-9]|20)\d\d\W{1,2})+(?:1[5-9]|20)\d\d"
)
"""Dates and lists or ranges of years."""
_POSTAL_CODE = re.compile(r"0\d{4}-\d{4}")
_STATE = re.compile(r"\b[A-Z]{2}[ \u00a0]{1,2}$")
_PAIRS = re.compile(r"\d\d(?: \d\d)+")
_PAIR_BEFORE = re.compile(r"\b[0-9A-Fa-f]{2}[ >]{1,3}$")
_PAIR_AFTER = re.compile(r"^ {1,3}[0-9A-Fa-f]{2}\b")
_STRONG = re.compile(
    r"(?:1[ .-])?[2-9]\d\d([ .-])[2-9]\d\d[ .-]\d{4}\b.*|0\d{1,4}[ ./\-\u2010-\u2013]\d.*|\(0?\d{2,5}\).*"
)
"""Forms of national numbers that need no word beside them: of North America, with a trunk prefix, with the area in
parentheses."""

_LABEL_WORDS = (
    r"fon|tel(?:e(?:ph|f)(?:one|on|ono|onos|oon|fon)?|éf?(?:ono|éphone)?)?|tél(?:éphone)?|telefon[oe]?|telefax|telecopie|"
    r"(?:tele)?phone|fone|mobile?|mobil|móvil|cell(?:ular|phone)?|handy|gsm|(?:tele)?fax|desk|office|work|home|direct|"
    r"hotline|helpline|toll[- ]free|whatsapp|sms|switchboard|pager|rufnummer|durchwahl|puh(?:elin)?|"
    r"тел(?:ефон)?|факс|моб|τηλ(?:έφωνο)?|הטלפון|טלפון|电话|電話|传真|전화|هاتف|फ़ोन"
)
_LABEL_BEFORE = re.compile(
    rf"(?:^|(?<=[\W_]))(?:{_LABEL_WORDS})s?(?:[ _-]?(?:no|nr|num(?:ber)?|#))?\.?[\"')\]]?"
    r"\s{0,2}[:：.=|,–-]?\s{0,3}[\"'(]?$",
    re.I,
)
_LABEL_AFTER = re.compile(
    r"^[ \t]?[(\-–,\\]{0,2}[ \t]?(?:office|fax|mobile|cell|home|work|phone|tel|voice)\b", re.I
)
_SPOKEN = re.compile(
    r"\b(?:call(?:ed|ing)?|ring|rang|dial(?:led|ing)?|phoned?|phoning|text(?:ed|ing)? (?:me|us|at|to)|sms|messages?|"
    r"answer(?:ed|ing)?|reach(?:ed)?|contact(?:ed|ing)?|whatsapp|rufen|anrufen|llam[ae]r?|appel(?:ez|er)|chiam[ai]r?e?|"
    r"telephoned?|fax(?:ed)?)\b[^.!?\n]{0,40}$",
    re.I,
)
_LOOK = 56


def _overlaps(spans: list[tuple[int, int]], start: int, end: int) -> bool:
    """Whether one of the spans, which are sorted and do not overlap, overlaps [start, end)."""
    behind = bisect_left(spans, (end, 0))
    return behind > 0 and start < spans[behind - 1][1]


class PhoneNumbers:
    """Finds telephone numbers; `regions` (ISO 3166) are those whose national numbers need no country code.

    Raises `UsageError` for a region that libphonenumber does not know.
    """

    def __init__(self, regions: Sequence[str]) -> None:
        import phonenumbers

        unknown = sorted(set(regions) - set(phonenumbers.SUPPORTED_REGIONS))
        if unknown:
            raise UsageError(f"pii knows no telephone region {', '.join(unknown)}")
        self._library = phonenumbers
        self._regions = tuple(regions)

    def __call__(self, text: str) -> list[Report]:
        """What could be a telephone number in `text`, with a score (see the constants of this module)."""
        found: list[Report] = []
        taken: list[tuple[int, int]] = []
        judges: tuple[tuple[re.Pattern[str], Callable[[str, str, str], float]], ...] = (
            (_INTERNATIONAL, self._international),
            (_PARENTHESIS, self._national),
            (_GROUPED, self._national),
            (_BARE, self._bare),
        )
        for pattern, judge in judges:
            for match in pattern.finditer(text):
                if _overlaps(taken, match.start(), match.end()):
                    continue
                before = text[max(0, match.start() - _LOOK) : match.start()]
                score = judge(match.group(), before, text[match.end() : match.end() + 16])
                if score > 0:
                    found.append((match.start(), match.end(), score))
                    insort(taken, match.span())
        return found

    def _parsed(self, value: str, region: str | None) -> tuple[bool, bool]:
        """Whether a number has a possible length and whether its digits are valid."""
        try:
            number = self._library.parse(value, region)
        except self._library.NumberParseException:
            return False, False
        possible = self._library.is_possible_number(number)
        return possible, possible and self._library.is_valid_number(number)

    def _international(self, value: str, before: str, after: str) -> float:
        named = _named(before, after)
        plain = value.lstrip("(")
        if plain.startswith("00"):
            plain = plain[2:].lstrip(" -.")
            possible, valid = self._parsed("+" + plain, None)
        else:
            possible, valid = self._parsed(plain, None)
        if valid:
            return VALID_INTERNATIONAL
        # Zeros stand before much else; a plus sign before a number of a possible length says enough.
        return POSSIBLE_INTERNATIONAL if possible and (named or plain.startswith("+")) else 0.0

    def _valid_here(self, value: str) -> bool:
        return any(self._parsed(value, region)[1] for region in self._regions)

    def _national(self, value: str, before: str, after: str) -> float:
        digits = sum(character.isdigit() for character in re.split("[xe#]", value)[0])
        if not 7 <= digits <= 13 or _NOT_A_NUMBER.fullmatch(value):
            return 0.0
        if _named(before, after):
            return VALID_NAMED if self._valid_here(value) else NAMED
        strong = digits >= 9 and _STRONG.fullmatch(value) and not _is_other(value, before, after)
        return VALID_NATIONAL if strong and self._valid_here(value) else 0.0

    def _bare(self, value: str, before: str, after: str) -> float:
        """Digits without any separator: only with a label right before or behind, or spoken of and valid."""
        if _LABEL_BEFORE.search(before) or _LABEL_AFTER.search(after):
            return VALID_NAMED if self._valid_here(value) else NAMED
        spoken = _SPOKEN.search(before) and self._valid_here(value)
        return VALID_NAMED if spoken else 0.0


def _is_other(value: str, before: str, after: str) -> bool:
    """Tell a postal code behind a state's letters, or a stretch of a hexadecimal dump, from a telephone number."""
    if _POSTAL_CODE.fullmatch(value):
        return bool(_STATE.search(before))
    return bool(_PAIRS.fullmatch(value) and (_PAIR_BEFORE.search(before) or _PAIR_AFTER.search(after)))


def _named(before: str, after: str) -> bool:
    """Tell whether the words around a number say that it is one of a telephone."""
    return bool(_LABEL_BEFORE.search(before) or _LABEL_AFTER.search(after) or _SPOKEN.search(before))
