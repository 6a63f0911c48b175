"""How the kernels for blocks lay out their tables, and what each tag means to the text around it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.html_elements import HASHES
from corpusforge.kernels.html_tokens import name_hash

# Columns of the table of elements: the parent's row (-1: none), the tag's code, hints, nesting, inherited properties,
# nesting of lists, number of items so far.
PARENT, TAG, MASK, DEPTH, INHERITED, LISTS, ITEMS = 0, 1, 2, 3, 4, 5, 6
ELEMENT_COLUMNS = 7

# Columns of the table of blocks: range in the text, the element it stands in, code points, those within links (white
# space aside), words (white space between them), punctuation that ends clauses, digits, upper-case letters, the item's
# bullet (0: none, -1: a bullet, else a number), 1 if its white space is kept, line breaks inside, elements opened since
# the block before, links.
(
    BEGIN,
    END,
    ELEMENT,
    CHARACTERS,
    LINKED,
    WORDS,
    CLAUSES,
    DIGITS,
    UPPER,
    BULLET,
    PREFORMATTED,
    LINES,
    OPENED,
    LINKS,
) = range(14)
BLOCK_COLUMNS = 14

# Inherited properties.
SKIPPED, PREFORMATTED_TEXT = 1, 2

# Tag codes.
(
    OTHER,
    PARAGRAPH,
    DIVISION,
    ITEM,
    CELL_TAG,
    HEADING_1,
    HEADING_2,
    HEADING_3,
    HEADING_4,
    QUOTE,
    PRE,
    CAPTION,
    SECTION,
    ARTICLE,
    TERM,
    LIST,
    ORDERED,
    TABLE,
    ROW,
    LANDMARK,
    LABEL,
) = range(21)

_CODES = {
    PARAGRAPH: "p",
    DIVISION: "div center",
    ITEM: "li",
    CELL_TAG: "td th",
    HEADING_1: "h1",
    HEADING_2: "h2",
    HEADING_3: "h3",
    HEADING_4: "h4 h5 h6",
    QUOTE: "blockquote",
    PRE: "pre listing xmp",
    CAPTION: "figcaption caption",
    SECTION: "section",
    ARTICLE: "article main",
    TERM: "dt dd",
    LIST: "ul menu dl dir",
    ORDERED: "ol",
    TABLE: "table tbody thead tfoot",
    ROW: "tr",
    LANDMARK: "nav aside footer header form address figure details dialog fieldset hgroup search",
    LABEL: "summary legend option button select label optgroup",
}
_BREAKING = (
    "p div center li td th h1 h2 h3 h4 h5 h6 blockquote pre listing xmp figcaption caption section article main dt dd "
    "ul menu dl dir ol table tbody thead tfoot tr nav aside footer header form address figure details dialog fieldset "
    "hgroup search summary hr option button select body textarea iframe object noscript marquee plaintext"
)
_SKIPPING = "noscript svg template select object video audio canvas button noframes noembed map datalist"

BREAKS = 1
SKIPS = 2
KEEPS_SPACE = 4
IS_CELL = 8
IS_BREAK = 16
TELLS_META = 32
IS_ROOT = 64
TELLS_TIME = 128


def _by_name(groups: dict[int, str], combine: bool) -> npt.NDArray[np.int64]:
    table: dict[int, int] = {}
    for value, names in groups.items():
        for name in names.split():
            key = name_hash(name)
            table[key] = table.get(key, 0) | value if combine else value
    return np.array([table.get(int(value), 0) for value in HASHES], np.int64)


TAG_CODES = _by_name(_CODES, False)
BEHAVIOUR = _by_name(
    {
        BREAKS: _BREAKING,
        SKIPS: _SKIPPING,
        KEEPS_SPACE: "pre listing xmp",
        IS_CELL: "td th",
        IS_BREAK: "br",
        TELLS_META: "meta",
        IS_ROOT: "html",
        TELLS_TIME: "time",
    },
    True,
)


def _classes_of_bytes() -> npt.NDArray[np.uint8]:
    """1 white space, 2 ends a clause, 4 digit, 8 upper case, 16 needs a closer look."""
    table = np.zeros(256, np.uint8)
    table[:32] = 16
    for byte in b" \t\n\r\x0b\x0c":
        table[byte] = 1
    for byte in b".,;:!?":
        table[byte] = 2
    table[48:58] = 4
    table[65:91] = 8
    for byte in (38, 0x7F, 0xC2, 0xE3, 0xEF):
        table[byte] = 16
    return table


BYTE_CLASS = _classes_of_bytes()

# Marks: what else is told of a page.
TITLE, META_DATE, LINKED_DATA, TIME_TAG, ROOT_TAG = 1, 2, 3, 4, 5
MOST_MARKS = 48

# Numbers of the walk's state.
(
    OUT,
    BEGUN,
    PENDING,
    BLOCK_COUNT,
    ELEMENT_COUNT,
    IN_LINK,
    LINK_HEIGHT,
    NEXT_BULLET,
    MARK_COUNT,
    ELEMENTS_BEFORE,
) = range(10)
WALK_NUMBERS = 10
# What stands between the last character and the next: nothing, a space, a line break, a tab.
NOTHING, SPACE, LINE_BREAK, TAB = 0, 1, 2, 3
