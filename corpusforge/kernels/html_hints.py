"""What publishers call the parts of their pages: words in class, id, role and itemprop, and the tags themselves.

The words are found in one pass by the automaton of Aho and Corasick ("Efficient string matching", CACM 1975). They
are facts of the web's common templates: WordPress, schema.org, Bootstrap, news sites.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.html_elements import HASHES
from corpusforge.kernels.html_search import find_byte
from corpusforge.kernels.html_tokens import ENDS_NAME, is_letter, is_space, name_hash
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


def _automaton() -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.int64]]:
    """Next state by state and symbol, and the hints whose words end in a state.

    A state is the offset of its row, `_ROW` long; rows come in the order of their words' lengths, so that those that
    nearly every byte leads to lie together in the cache.
    """
    children: list[dict[int, int]] = [{}]
    found = [0]
    spelled = [
        ([int(_SYMBOLS[ord(c)]) for c in word], bit(hint))
        for hint, words in WORDS.items()
        for word in words.split()
    ]
    at = [0] * len(spelled)
    for length in range(max(len(symbols) for symbols, _ in spelled)):
        for number, (symbols, hints) in enumerate(spelled):
            if length < len(symbols):
                state = children[at[number]].setdefault(symbols[length], len(children))
                if state == len(children):
                    children.append({})
                    found.append(0)
                at[number] = state
                if length + 1 == len(symbols):
                    found[state] |= hints
    rows = [[0] * _ROW for _ in children]
    failure = [0] * len(children)
    for state, own in enumerate(children):
        for symbol in range(_BOUNDARY + 1):
            after = rows[failure[state]][symbol] if state else 0
            target = own.get(symbol, -1)
            rows[state][symbol] = target if target >= 0 else after
            if target >= 0:
                failure[target] = after
                found[target] |= found[after]
    return np.array(rows, np.uint16).ravel() * np.uint16(_ROW), np.array(found, np.int64)


_ROW = 32
_NEXT, _FOUND = _automaton()


def _tag_masks() -> npt.NDArray[np.int64]:
    masks = {name_hash(tag): bit(f"<{hint}>") for hint, tags in _TAGS.items() for tag in tags.split()}
    return np.array([masks.get(int(value), 0) for value in HASHES], np.int64)


TAG_MASKS = _tag_masks()
"""Hints of the elements of `HASHES`, by their numbers."""


@kernel(_I(_BYTES, _I, _I), _nrt=False)
def words_mask(data: npt.NDArray[np.uint8], start: int, end: int) -> int:
    """Hints of the words in `data[start:end]`."""
    state = np.uint64(_NEXT[_BOUNDARY])
    mask = np.int64(0)
    for k in range(start, end):
        state = np.uint64(_NEXT[state | np.uint64(_SYMBOLS[data[np.uint64(k)]])])
        mask |= _FOUND[state // np.uint64(_ROW)]
    state = np.uint64(_NEXT[state | np.uint64(_BOUNDARY)])
    return int(mask | _FOUND[state // np.uint64(_ROW)])


@kernel(_I(_BYTES, _I, _I), inline="always", _nrt=False)
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


@kernel(types.UniTuple(_I, 4)(_BYTES, _I, types.boolean), _nrt=False)
def read_attributes(data: npt.NDArray[np.uint8], position: int, hinting: bool) -> tuple[int, int, int, int]:
    """Read the rest of a tag whose name ends at `position`: where the tag ends, its attributes, 1 if it closes itself.

    The fourth number is the mask of its attributes' hints, if `hinting`, else 0. A tag without an end reaches the end
    of the data and counts as -1 in the first place.
    """
    n = len(data)
    i = position
    attributes = 0
    self_closing = 0
    mask = 0
    while True:
        while i < n and (is_space(data[np.uint64(i)]) or data[np.uint64(i)] == 47):
            self_closing = 1 if data[np.uint64(i)] == 47 else 0
            i += 1
        if i >= n:
            return -1, attributes, 0, 0
        if data[np.uint64(i)] == 62:
            return i + 1, attributes, self_closing, mask
        attributes += 1
        self_closing = 0
        begin = i
        i += 1  # an attribute's name may begin with "="
        while i < n and not (ENDS_NAME[data[np.uint64(i)]] or data[np.uint64(i)] == 61):
            i += 1
        named = _is_hinting(data, begin, i) if hinting and is_letter(data[begin]) else 0
        if named == 2:
            mask |= HIDDEN
        after = i
        while after < n and is_space(data[np.uint64(after)]):
            after += 1
        if after >= n or data[np.uint64(after)] != 61:
            continue
        i = after + 1
        while i < n and is_space(data[np.uint64(i)]):
            i += 1
        if i < n and (data[np.uint64(i)] == 34 or data[np.uint64(i)] == 39):
            begin = i + 1
            end = find_byte(data, np.int64(data[np.uint64(i)]), begin, n)
            i = end + 1
        else:
            begin = i
            while i < n and not (is_space(data[np.uint64(i)]) or data[np.uint64(i)] == 62):
                i += 1
            end = i
        if named == 1:
            mask |= words_mask(data, begin, end)
