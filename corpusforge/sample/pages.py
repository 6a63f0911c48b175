"""Which page has which content: a fixed schedule of kinds, every page a pure function of (seed, number).

Duplicates name their original by number and make it again instead of remembering it, so memory stays small
however many pages are written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from corpusforge.sample.draw import Draw
from corpusforge.sample.english import ENGLISH
from corpusforge.sample.french import FRENCH
from corpusforge.sample.german import GERMAN
from corpusforge.sample.html import TEMPLATES, Article
from corpusforge.sample.odd import ODD_PAGES
from corpusforge.sample.planted import (
    BLOCKED_DOMAINS,
    BLOCKED_URLS,
    Personal,
    evaluation_item,
    personal_sentences,
)
from corpusforge.sample.spanish import SPANISH
from corpusforge.sample.text import Language, Writer

LANGUAGES: Mapping[str, Language] = {
    language.code: language for language in (ENGLISH, GERMAN, FRENCH, SPANISH)
}
"""The generator's languages by ISO 639-1 code."""

SCHEDULE = (
    *("good:en", "good:en", "good:de", "good:en", "good:fr", "good:en", "boilerplate", "good:en", "good:es"),
    *(
        "exact_duplicate",
        "good:en",
        "near_duplicate",
        "pii",
        "good:en",
        "short",
        "chain:1",
        "chain:2",
        "good:de",
    ),
    *("repeated_lines", "good:en", "contaminated", "charset", "blocklisted", "good:fr", "symbols", "garbled"),
    *(
        "not_found",
        "image",
        "near_duplicate",
        "good:es",
        "good:en",
        "deeply_nested",
        "exact_duplicate",
        "redirect",
    ),
    *("long_line", "boilerplate", "pii", "charset", "garbled", "garbled"),
)
"""Kinds of 40 consecutive pages; page n has the kind ``SCHEDULE[n % 40]``, so 40 pages hold every kind."""

_ORIGINALS = (0, 1, 3, 5, 7)
"""Places of the schedule from which duplicates are made: English, and never themselves damaged."""
_CHAIN_ORIGINAL = 10

_SITES = {
    "en": ("harbour-gazette.example", "blog-portal.example", "old-town-society.example", "www.example.com"),
    "de": ("stadtblatt.example", "heimatverein.example", "www.example.org"),
    "fr": ("gazette-du-port.example", "carnet-de-voyage.example", "www.example.net"),
    "es": ("diario-del-puerto.example", "cuaderno.example", "es.example.com"),
}
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Page:
    """One page before it becomes a record.

    `kind` is what the truth file says; `of` is the number of the original of a duplicate; `text` is the main
    text (for duplicates too), `body` what the server sent, `content_type` and `charset` what it declared.
    """

    number: int
    kind: str
    url: str
    language: str | None
    text: str
    body: bytes
    content_type: str = "text/html"
    charset: str | None = "utf-8"
    status: int = 200
    of: int | None = None
    personal: tuple[Personal, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)


def _url(language: str, draw: Draw, number: int) -> tuple[str, int]:
    """URL of an article and the number of its site."""
    site = draw.below(len(_SITES[language]))
    section = draw.choice(("news", "stories", "archive/2019", "blog"))
    return f"https://{_SITES[language][site]}/{section}/{number}-{draw.bits() % 100_000:05d}.html", site


def _article(language: Language, draw: Draw) -> Article:
    """A title, an optional list, and 6 to 12 paragraphs, some under headings."""
    writer = Writer(language, draw)
    body: list[str] = []
    for number, paragraph in enumerate(writer.paragraphs(draw.between(6, 12))):
        if number and draw.below(4) == 0:
            body.append(f"# {writer.heading()}")
        body.append(paragraph)
    if draw.below(3) == 0:
        place = draw.between(1, len(body) - 1)
        body[place:place] = [f"- {writer.sentence()}" for _ in range(draw.between(3, 5))]
    related = [writer.heading() for _ in range(4)]
    return Article(writer.heading(), tuple(body), language.code, language.labels, tuple(related))


def _rendered(
    number: int, kind: str, article: Article, url: str, site: int, of: int | None = None, **more: object
) -> Page:
    html = TEMPLATES[site % len(TEMPLATES)](article)
    page = Page(number, kind, url, article.language, article.text(), html.encode("utf-8"), of=of)
    return Page(**{**vars(page), **more}) if more else page


def good_page(seed: int, number: int, language: str) -> Page:
    """An article that every filter should keep, in the language of that code."""
    draw = Draw(seed, "page", number)
    url, site = _url(language, draw, number)
    return _rendered(number, "good", _article(LANGUAGES[language], draw), url, site)


def _good_article(seed: int, number: int) -> tuple[Article, int]:
    """The article of an English good page again, and its site."""
    draw = Draw(seed, "page", number)
    _, site = _url("en", draw, number)
    return _article(ENGLISH, draw), site


def _original(draw: Draw, number: int) -> int:
    """Number of a good English page of this or an earlier block of the schedule, less than `number`."""
    candidates = [place for place in _ORIGINALS if place < number]
    block = draw.below(number // len(SCHEDULE) + 1)
    return block * len(SCHEDULE) + draw.choice(candidates)


def changed(article: Article, draw: Draw, every: int, phase: int) -> Article:
    """The article with about one word in `every` replaced, at places that differ between phases 0 and 1.

    Places are spread evenly: each change breaks the word 5-grams that cover it and no change shares one, so
    the Jaccard similarity of 5-gram sets is about (every - 5) / (every + 5).
    """
    seen = 0

    def replace(match: re.Match[str]) -> str:
        nonlocal seen
        seen += 1
        if seen % every == (every // 3 if phase == 0 else 2 * every // 3):
            return draw.choice(
                ("perhaps", "seldom", "rather", "gladly", "almost", "twice", "hardly", "again")
            )
        return match.group()

    body = tuple(line[:2] + _WORD.sub(replace, line[2:]) for line in article.body)
    return Article(article.title, body, article.language, article.labels, article.related)


def _duplicate(seed: int, number: int, kind: str) -> Page:
    draw = Draw(seed, "page", number)
    of = _original(draw, number)
    article, site = _good_article(seed, of)
    if kind == "exact_duplicate":
        return _rendered(
            number, kind, article, f"https://mirror{draw.below(9)}.example.net/copy/{number}", site, of
        )
    article = changed(article, draw, draw.between(20, 100), 0)
    url, site = _url("en", draw, number)
    return _rendered(number, kind, article, url, site, of)


def _chain(seed: int, number: int, step: int) -> Page:
    """Step 1 changes the original, step 2 changes step 1 elsewhere: neighbours are alike, ends are not."""
    of = number - number % len(SCHEDULE) + _CHAIN_ORIGINAL
    article, site = _good_article(seed, of)
    article = changed(article, Draw(seed, "chain", of, 1), 62, 0)
    if step == 2:
        article = changed(article, Draw(seed, "chain", of, 2), 62, 1)
    url, _ = _url("en", Draw(seed, "page", number), number)
    before = of if step == 1 else number - 1
    return _rendered(number, "near_duplicate_chain", article, url, site, before)


def _garbled(seed: int, number: int) -> Page:
    """A page of English words in no order, as bad translation or spun text has: only a language model minds."""
    draw = Draw(seed, "page", number)
    url, site = _url("en", draw, number)
    article = _article(ENGLISH, draw)
    body = tuple(
        line[:2] + scrambled(line[2:], draw) if line[0] in "#-" else scrambled(line, draw)
        for line in article.body
    )
    article = Article(article.title, body, "en", article.labels, article.related)
    return _rendered(number, "garbled", article, url, site)


def scrambled(text: str, draw: Draw) -> str:
    """The sentences of a text, each with its words in a drawn order."""
    sentences = [sentence.rstrip(".!?").split() for sentence in re.split(r"(?<=[.!?]) ", text)]
    return " ".join(" ".join(draw.shuffled(words)).capitalize() + "." for words in sentences if words)


def _with_paragraphs(seed: int, number: int, kind: str) -> Page:
    """A good English article with planted paragraphs: personal data or an evaluation text."""
    draw = Draw(seed, "page", number)
    url, site = _url("en", draw, number)
    article = _article(ENGLISH, draw)
    personal: list[Personal] = []
    if kind == "pii":
        planted = personal_sentences(draw)[: draw.between(2, 5)]
        added = [sentence for sentence, _ in planted]
        personal = [value for _, values in planted for value in values]
    else:
        added = [evaluation_item(number // len(SCHEDULE))]
    body = (*article.body[:2], *added, *article.body[2:])
    article = Article(article.title, body, "en", article.labels, article.related)
    return _rendered(number, kind, article, url, site, personal=tuple(personal))


def page_with_personal_data(seed: int, number: int) -> Page:
    """A good English article in which personal data are planted."""
    return _with_paragraphs(seed, number, "pii")


def furnished_text(page: Page) -> str:
    """The main text between lines of navigation and footer, as the plain text of a whole page has them."""
    labels = LANGUAGES[page.language or "en"].labels
    before = [labels[name] for name in ("home", "news", "about", "contact")]
    return "\n".join([*before, page.text, labels["rights"], labels["privacy"]]) + "\n"


def _blocklisted(seed: int, number: int) -> Page:
    draw = Draw(seed, "page", number)
    article, site = _article(ENGLISH, draw), draw.below(3)
    hosts = [host for category in sorted(BLOCKED_DOMAINS) for host in BLOCKED_DOMAINS[category]]
    prefixes = [prefix for category in sorted(BLOCKED_URLS) for prefix in BLOCKED_URLS[category]]
    url = f"https://www.{draw.choice(hosts)}/games/{number}"
    if draw.below(3) == 0:
        url = f"http://{draw.choice(prefixes)}/{number}"
    return _rendered(number, "blocklisted", article, url, site)


_CHARSETS = (
    ("de", "windows-1252", "cp1252", b""),
    ("en", "utf-16", "utf-16-le", b"\xff\xfe"),
    ("fr", "iso-8859-1", "latin-1", b""),
    ("es", "utf-8", "utf-8", b"\xef\xbb\xbf"),
)


def _charset(seed: int, number: int) -> Page:
    """Charsets in turn; every second page declares its own only in its markup, not in the HTTP header."""
    draw = Draw(seed, "page", number)
    turn = number // len(SCHEDULE) * 2 + (number % len(SCHEDULE) > 30)
    if turn % 5 == 4:
        return _odd(seed, number, "shift_jis")
    language, charset, codec, mark = _CHARSETS[turn % 5]
    url, site = _url(language, draw, number)
    made = _article(LANGUAGES[language], draw)
    article = Article(made.title, made.body, language, made.labels, made.related, charset)
    text = TEMPLATES[site % len(TEMPLATES)](article)
    declared = charset if turn % 2 == 0 or codec == "utf-16-le" else None
    body = mark + text.encode(codec, "xmlcharrefreplace")
    return Page(number, "charset", url, language, article.text(), body, charset=declared)


def _odd(seed: int, number: int, kind: str) -> Page:
    draw = Draw(seed, "page", number)
    url, _ = _url("en", draw, number)
    return Page(number=number, url=url, **ODD_PAGES[kind](draw))


def page(seed: int, number: int) -> Page:
    """Make page `number` of the sample `seed`."""
    kind, _, detail = SCHEDULE[number % len(SCHEDULE)].partition(":")
    makers: dict[str, Callable[[], Page]] = {
        "good": lambda: good_page(seed, number, detail),
        "exact_duplicate": lambda: _duplicate(seed, number, kind),
        "near_duplicate": lambda: _duplicate(seed, number, kind),
        "chain": lambda: _chain(seed, number, int(detail)),
        "garbled": lambda: _garbled(seed, number),
        "pii": lambda: _with_paragraphs(seed, number, kind),
        "contaminated": lambda: _with_paragraphs(seed, number, kind),
        "blocklisted": lambda: _blocklisted(seed, number),
        "charset": lambda: _charset(seed, number),
    }
    maker = makers.get(kind)
    return maker() if maker else _odd(seed, number, kind)


def word_five_grams(text: str) -> set[tuple[str, ...]]:
    r"""Set of 5-grams of lower-cased ``\w+`` words (all words at once when there are fewer than five)."""
    words = _WORD.findall(text.lower())
    return {tuple(words[start : start + 5]) for start in range(max(1, len(words) - 4))}


def similarity(seed: int, first: Page, second: int) -> float:
    """Exact Jaccard similarity of the word 5-grams of two pages' main texts."""
    one, other = word_five_grams(first.text), word_five_grams(page(seed, second).text)
    return len(one & other) / len(one | other)
