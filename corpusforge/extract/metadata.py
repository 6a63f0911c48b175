"""What a page tells about itself beside its text: title, date of publication, language.

Dates come from, in this order: schema.org's `datePublished` in linked data, meta elements of Open Graph and Dublin
Core, `time` elements, and the path of the URL. All are given as ISO 8601: a day, or a moment with its offset.
"""

from __future__ import annotations

import datetime
import html
import re
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.html_layout import LINKED_DATA, META_DATE, ROOT_TAG, TIME_TAG, TITLE

_LINKED_DATE = re.compile(rb'"(datePublished|dateCreated|uploadDate)"\s*:\s*"([^"\\]{4,40})"')
_ATTRIBUTE = re.compile(
    rb"([A-Za-z][A-Za-z:_-]{0,30})\s*=\s*(?:\"([^\"]{0,200})\"|'([^']{0,200})'|([^\s\"'>]{1,200}))"
)
_MOMENT = re.compile(
    r"\s*(\d{4})-?(\d\d)-?(\d\d)(?:[T ](\d\d):?(\d\d)(?::?(\d\d)(?:[.,]\d{1,9})?)?\s*(Z|[+-]\d\d:?\d\d)?)?(?!\d)"
)
_URL_DATE = re.compile(r"/((?:19|20)\d\d)[/-](\d\d?)[/-](\d\d?)(?=[/-]|$)")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?=$|[-_])")
_META_NAMES = (
    "article:published_time",
    "datepublished",
    "og:published_time",
    "dc.date.issued",
    "dcterms.issued",
    "dc.date.created",
    "dcterms.created",
    "citation_publication_date",
    "sailthru.date",
    "parsely-pub-date",
    "publishdate",
    "publish-date",
    "pubdate",
    "publication_date",
    "dc.date",
    "dcterms.date",
    "date",
)
"""Names of meta elements that hold a date of publication, the best first."""
_FIRST_YEAR = 1990

Marks = npt.NDArray[np.int64] | Sequence[Sequence[int]]
"""Kind, begin and end of what `corpusforge.kernels.html_blocks.Walked` marks, as an array [m, 3] or its rows."""


def iso_moment(value: str) -> str | None:
    """Read a date that begins `value`: "YYYY-MM-DD", or with the time "YYYY-MM-DDThh:mm:ss" and offset if told."""
    match = _MOMENT.match(value[:64])
    if not match:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    try:
        moment = datetime.datetime(year, month, day, hour, minute, second)
    except ValueError:
        return None
    if not _FIRST_YEAR <= year <= 2100:
        return None
    if match[4] is None:
        return moment.date().isoformat()
    offset = match[7] or ""
    if len(offset) == 5:
        offset = f"{offset[:3]}:{offset[3:]}"
    return moment.isoformat() + ("+00:00" if offset == "Z" else offset)


def url_date(url: str) -> str | None:
    """Read the day that stands in a URL's path, as in "/2019/11/19/"."""
    match = _URL_DATE.search(url[:2000])
    if not match:
        return None
    try:
        found = datetime.date(*(int(part) for part in match.groups()))
    except ValueError:
        return None
    return found.isoformat() if _FIRST_YEAR <= found.year <= 2100 else None


def tag_attributes(tag: bytes) -> dict[str, str]:
    """Attributes of a tag by their names in lower case; of equal names the first counts."""
    found: dict[str, str] = {}
    for match in _ATTRIBUTE.finditer(tag[:4000]):
        value = next(group for group in match.groups()[1:] if group is not None)
        found.setdefault(match[1].decode().lower(), html.unescape(value.decode("utf-8", "replace")))
    return found


def _parts(page: bytes, marks: Marks, kind: int) -> Iterator[bytes]:
    for mark, begin, end in marks:
        if mark == kind:
            yield page[begin:end]


def page_title(page: bytes, marks: Marks) -> str:
    """Text of the first title element; may be empty."""
    title = next(_parts(page, marks, TITLE), b"")
    return html.unescape(title[:4000].decode("utf-8", "replace"))


def page_language(page: bytes, marks: Marks) -> str | None:
    """Primary subtag, in lower case, of the language that the root element declares."""
    attributes = tag_attributes(next(_parts(page, marks, ROOT_TAG), b""))
    match = _LANGUAGE.match(attributes.get("lang", attributes.get("xml:lang", "")).strip())
    return match[0].lower() if match else None


def page_date(page: bytes, marks: Marks, url: str | None = None) -> str | None:
    """Date of publication that a page tells, in ISO 8601."""
    for data in _parts(page, marks, LINKED_DATA):
        for match in _LINKED_DATE.finditer(data[: 1 << 18]):
            if found := iso_moment(match[2].decode("utf-8", "replace")):
                return found
    named: dict[str, str] = {}
    for tag in _parts(page, marks, META_DATE):
        attributes = tag_attributes(tag)
        name = attributes.get("property") or attributes.get("name") or attributes.get("itemprop") or ""
        named.setdefault(name.lower(), attributes.get("content", ""))
    for name in _META_NAMES:
        if name in named and (found := iso_moment(named[name])):
            return found
    for tag in _parts(page, marks, TIME_TAG):
        if found := iso_moment(tag_attributes(tag).get("datetime", "")):
            return found
    return url_date(url) if url else None
