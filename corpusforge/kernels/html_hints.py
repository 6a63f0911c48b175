"""What publishers call the parts of their pages: words in class, id, role and itemprop, and the tags themselves.

The words are found in one pass by the automaton of Aho and Corasick ("Efficient string matching", CACM 1975). They
are facts of the web's common templates: WordPress, schema.org, Bootstrap, news sites.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.html_elements import HASHES
from corpusforge.kernels.html_tokens import is_letter, is_space, name_hash
from corpusforge.kernels.loading import kernel, types

_BYTES = types.Array(types.uint8, 1, "C", readonly=True)
_I = types.int64

# "-" stands for anything but a letter, also for the value's beginning and end.
WORDS: dict[str, str] = {
    "comment": "comment disqus reply replies discussion respond- livefyre kommentar",
    "navigation": "nav menu breadcrumb pagination pager toolbar tabs pagenav paging skip-",
    "side": "sidebar aside widget rail- -rail -right-col rightcol leftcol -secondary",
    "foot": "footer copyright legal -foot- colophon bottom",
    "head": "header masthead topbar -top-",
    "related": "related recommend -more- popular trending latest -also- suggest outbrain taboola promo teaser -next "
    "-prev readmore read-more mostread most-read similar more-from moreon morein headlines -list -cards -card- "
    "carousel recirc",
    "share": "share sharing social follow- twitter facebook newsletter subscri signup sign-up whatsapp addtoany "
    "pinterest linkedin instagram",
    "advert": "-ad- -ads- advert sponsor adsense dfp- banner -promo",
    "meta": "author byline -date meta- -meta tags -tag- category timestamp dateline kicker published publish- "
    "updated infos- -info- -time- posted rating",
    "content": "article content- -content -post- entry story -text -body- main blog",
    "body": "articlebody article-body entry-content post-content story-body articletext article-text "
    "article-content articlecontent post-body body-text bodytext body-copy bodycopy storycontent story-content "
    "story-text storytext post-text article-main content-body page-content td-post-content maincontent main-content "
    "richtext rich-text -prose- -wysiwyg",
    "caption": "caption credit figure gallery photo- image slideshow lightbox thumb video-",
    "form": "form- login cookie consent gdpr modal popup overlay paywall captcha register checkout cart",
    "hidden": "display-none hidden sr-only screen-reader noprint no-print offscreen invisible",
    "title": "title headline",
    "lead": "summary lead- intro standfirst abstract -dek- subtitle subhead excerpt teaser-text description",
    "person": "-bio- biography about- profile -vcard",
    "code": "-code highlight syntax language- -pre-",
    "dated": "date -time published pubtime issued created",
}
"""Words by what they hint at."""

_TAGS = {
    "nav": "nav menu",
    "aside": "aside",
    "footer": "footer",
    "header": "header",
    "form": "form button fieldset select",
    "figure": "figure figcaption",
    "article": "article",
    "main": "main",
    "section": "section",
    "table": "table",
    "list": "ul ol dl",
    "item": "li dd dt",
    "quote": "blockquote",
    "paragraph": "p",
    "heading": "h1 h2 h3 h4 h5 h6",
    "preformatted": "pre listing xmp",
    "cell": "td th",
}

HINTS: tuple[str, ...] = (*WORDS, *(f"<{name}>" for name in _TAGS))
"""Names of the hints; hint k is bit k of a mask."""


def bit(hint: str) -> int:
    """Mask of one hint."""
    return 1 << HINTS.index(hint)


DATED, HIDDEN = bit("dated"), bit("hidden")

_BOUNDARY = 26


def _symbols() -> npt.NDArray[np.uint8]:
    table = np.full(256, _BOUNDARY, np.uint8)
    for letter in range(26):
        table[65 + letter] = table[97 + letter] = letter
    return table


_SYMBOLS = _symbols()


def _automaton() -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int64]]:
    """Next state by state and symbol, and the hints whose words end in a state."""
    rows: list[list[int]] = [[-1] * 27]
    found = [0]
    for hint, words in WORDS.items():
        for word in words.split():
            state = 0
            for character in word:
                symbol = int(_SYMBOLS[ord(character)])
                if rows[state][symbol] < 0:
                    rows[state][symbol] = len(rows)
                    rows.append([-1] * 27)
                    found.append(0)
                state = rows[state][symbol]
            found[state] |= bit(hint)
    failure = [0] * len(rows)
    queue = [0]
    for state in queue:
        for symbol in range(27):
            after = rows[failure[state]][symbol] if state else 0
            target = rows[state][symbol]
            if target < 0:
                rows[state][symbol] = max(after, 0)
            else:
                failure[target] = after if state else 0
                found[target] |= found[failure[target]]
                queue.append(target)
    return np.array(rows, np.int16), np.array(found, np.int64)


_NEXT, _FOUND = _automaton()


def _tag_masks() -> npt.NDArray[np.int64]:
    masks = {name_hash(tag): bit(f"<{hint}>") for hint, tags in _TAGS.items() for tag in tags.split()}
    return np.array([masks.get(int(value), 0) for value in HASHES], np.int64)


TAG_MASKS = _tag_masks()
"""Hints of the elements of `HASHES`, by their numbers."""


@kernel(_I(_BYTES, _I, _I))
def words_mask(data: npt.NDArray[np.uint8], start: int, end: int) -> int:
    """Hints of the words in `data[start:end]`."""
    state = np.int64(_NEXT[0, _BOUNDARY])
    mask = _FOUND[state]
    for k in range(start, end):
        state = np.int64(_NEXT[state, _SYMBOLS[data[k]]])
        mask |= _FOUND[state]
    return int(mask | _FOUND[_NEXT[state, _BOUNDARY]])


@kernel(_I(_BYTES, _I, _I), inline="always")
def _is_hinting(data: npt.NDArray[np.uint8], start: int, end: int) -> int:
    """Tell what an attribute's name is: 1 its value hints, 2 the attribute itself does, else 0."""
    length = end - start
    first = data[start] | 32
    if length == 2:
        return int(first == 105 and data[start + 1] | 32 == 100)  # id
    if length == 4:
        return int(first == 114 and data[start + 1] | 32 == 111 and data[start + 3] | 32 == 101)  # role
    if length == 5:
        # class, style
        return int(
            (first == 99 and data[start + 1] | 32 == 108) or (first == 115 and data[start + 2] | 32 == 121)
        )
    if length == 6:
        return (
            2 if first == 104 and data[start + 1] | 32 == 105 and data[start + 5] | 32 == 110 else 0
        )  # hidden
    return int(length == 8 and first == 105 and data[start + 1] | 32 == 116)  # itemprop


@kernel(_I(_BYTES, _I, _I))
def attributes_mask(data: npt.NDArray[np.uint8], start: int, end: int) -> int:
    """Hints of a tag's attributes, which stand in `data[start:end]`; `end` is the offset of the tag's ">"."""
    mask = 0
    i = start
    while i < end:
        while i < end and (is_space(data[i]) or data[i] == 47):
            i += 1
        begin = i
        i += 1
        while i < end and not (is_space(data[i]) or data[i] == 47 or data[i] == 61):
            i += 1
        name_end = min(i, end)
        if begin >= end:
            break
        hinting = _is_hinting(data, begin, name_end) if is_letter(data[begin]) else 0
        if hinting == 2:
            mask |= HIDDEN
        while i < end and is_space(data[i]):
            i += 1
        if i >= end or data[i] != 61:
            continue
        i += 1
        while i < end and is_space(data[i]):
            i += 1
        value = i
        if i < end and (data[i] == 34 or data[i] == 39):
            quote = data[i]
            value = i + 1
            i += 1
            while i < end and data[i] != quote:
                i += 1
            if hinting == 1:
                mask |= words_mask(data, value, min(i, end))
            i += 1
        else:
            while i < end and not is_space(data[i]):
                i += 1
            if hinting == 1:
                mask |= words_mask(data, value, i)
    return mask
