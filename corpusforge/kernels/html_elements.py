"""HTML's elements by what they do to a parser's stack of open elements (HTML standard, sections 13.1.2 and 13.2.4)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpusforge.kernels.html_tokens import name_hash

VOID = 1
FORMATTING = 2
SPECIAL = 4
BARRIER = 8
MARKER = 16
RAW = 32
CELL = 64
ROW = 128
ITEM = 256
LOOSE = 512
CLOSES_PARAGRAPH = 1024
FOREIGN = 2048
INTEGRATION = 4096
BREAKOUT = 8192
TABLE = 16384
NEVER = 32768
HEADING = 65536
OPTION = 131072
SELF_SCOPED = 262144
PARAGRAPH = 524288
SCRIPT = 1 << 20
PLAINTEXT = 1 << 21
SECTION = 1 << 22
BUTTON = 1 << 23
TEMPLATE = 1 << 24
FORM = 1 << 25
MATHEMATICAL = 1 << 26
MATH_INTEGRATION = 1 << 27
FOREIGN_ONLY = 1 << 28
LINK = 1 << 29
ENDS = 1 << 30
LIST = 1 << 31
NAMED = 1 << 32

_GROUPS = {
    VOID: "area base br col embed hr img input link meta source track wbr param keygen frame basefont bgsound image",
    FORMATTING: "a b big code em font i nobr s small strike strong tt u",
    SPECIAL: "address applet area article aside base basefont bgsound blockquote body br button caption center col "
    "colgroup dd details dir div dl dt embed fieldset figcaption figure footer form frame frameset h1 h2 h3 h4 h5 "
    "h6 head header hgroup hr html iframe img input keygen li link listing main marquee menu meta nav noembed "
    "noframes noscript object ol p param plaintext pre script search section select source style summary table "
    "tbody td template textarea tfoot th thead title tr track ul wbr xmp "
    "mi mo mn ms mtext annotation-xml foreignobject desc",
    BARRIER: "applet caption html table td th marquee object template mi mo mn ms mtext annotation-xml "
    "foreignobject desc title select",
    MARKER: "applet caption td th marquee object template",
    RAW: "script style textarea title xmp iframe noembed noframes",
    CELL: "td th caption",
    ROW: "tr tbody thead tfoot colgroup",
    SECTION: "tbody thead tfoot colgroup caption",
    ITEM: "li dd dt",
    LOOSE: "address div p",
    CLOSES_PARAGRAPH: "address article aside blockquote center details dialog dir div dl fieldset figcaption figure "
    "footer header hgroup main menu nav ol p search section summary ul h1 h2 h3 h4 h5 h6 pre listing form li dd dt "
    "plaintext xmp",
    FOREIGN: "svg math",
    INTEGRATION: "foreignobject desc title",
    MATH_INTEGRATION: "mi mo mn ms mtext",
    FOREIGN_ONLY: "mi mo mn ms mtext annotation-xml foreignobject desc",
    BREAKOUT: "b big blockquote body br center code dd div dl dt em embed h1 h2 h3 h4 h5 h6 head hr i img li listing "
    "menu meta nobr ol p pre ruby s small span strong strike sub sup table tt u ul var",
    TABLE: "table",
    NEVER: "html head body",
    HEADING: "h1 h2 h3 h4 h5 h6",
    OPTION: "option",
    SELF_SCOPED: "a nobr",
    PARAGRAPH: "p",
    SCRIPT: "script",
    PLAINTEXT: "plaintext",
    BUTTON: "button",
    TEMPLATE: "template",
    FORM: "form",
    LINK: "a",
    ENDS: "address applet article aside blockquote button center dd details dialog dir div dl dt fieldset figcaption "
    "figure footer form h1 h2 h3 h4 h5 h6 header hgroup li listing main marquee menu nav object ol p pre search "
    "section select summary template ul",
    LIST: "ul ol",
    MATHEMATICAL: "math",
    NAMED: "time video audio canvas map datalist legend option optgroup label",
}
"""Names of the HTML standard by what they do to the stack of open elements."""

_SAME = {**{f"h{level}": "h1" for level in range(2, 7)}, "dt": "dd"}
"""Elements that close one another."""


def _table() -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64], npt.NDArray[np.uint64]]:
    classes: dict[str, int] = {}
    for bit, names in _GROUPS.items():
        for name in names.split():
            classes[name] = classes.get(name, 0) | bit
    ordered = sorted(classes, key=name_hash)
    return (
        np.array([name_hash(name) for name in ordered], np.uint64),
        np.array([classes[name] for name in ordered], np.int64),
        np.array([name_hash(_SAME.get(name, name)) for name in ordered], np.uint64),
    )


HASHES, CLASSES, CANONICAL = _table()


def signed(name: str) -> int:
    """Hash of a name as the stack holds it: the same 64 bits, signed."""
    return int(np.uint64(name_hash(name)).astype(np.int64))
