"""HTML to text, behind limits that make every page end.

Resiliparse (Bevendorff et al., "Elastic ChatNoir", ECIR 2018) parses by the HTML standard and keeps the main
content; its cost is linear for sane pages, and quadratic in depth, attributes and options, so hostile pages are
refused by a scan beforehand (`corpusforge.kernels.html_scan`). Trafilatura (Barbaresi, ACL 2021) is slower by an
order of magnitude and may be chosen instead. The package's own extractor is in `corpusforge.extract.blocks`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
from pydantic import Field
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

from corpusforge.errors import MissingExtraError
from corpusforge.kernels.html_blocks import Walked, walk_html
from corpusforge.kernels.html_scan import CAPACITY, PageShape, scan_html
from corpusforge.step import StepParameters

_LINE_ENDS = re.compile("\r\n?|[\x0b\x0c\x85]")
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f]+")
_UNCLEAN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_BLANK_LINES = re.compile(r"\n{4,}")
_TRAILING = (" \n", "\t\n", "\u00a0\n")


class PageLimitError(Exception):
    """A page is over one of the limits; `kind` is the short name that is counted."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Page(NamedTuple):
    """What an extractor takes of a page, not cleaned; `fell_back`: the whole page stands in for the main content."""

    title: str
    text: str
    fell_back: bool = False


class Options(StepParameters):
    """Which extractor takes what of a page."""

    extractor: Literal["blocks", "resiliparse", "trafilatura", "union"] = "resiliparse"
    """`blocks`: this package's own, in one pass without a tree; see `corpusforge.extract.blocks`. `union`: its blocks,
    and those that Resiliparse takes for main content too."""
    main_content: bool = True
    """Keep the main content only; trafilatura: favour precision."""
    whole_page_fallback: bool = True
    """Take the whole page's text where the main content comes out empty; see `fell_back`. (Blocks, Resiliparse)"""
    preserve_formatting: bool | Literal["minimal_html"] = True
    """Keep paragraphs, lists and headings as lines, or as reduced HTML. (Resiliparse)"""
    list_bullets: bool = True
    """Keep bullets and numbers of lists. (Blocks, Resiliparse)"""
    alt_texts: bool = False
    """Keep alternative texts of images. (Resiliparse)"""
    links: bool = False
    """Keep targets of links. (Resiliparse, Trafilatura)"""
    form_fields: bool = False
    """Keep form fields and their values. (Resiliparse)"""
    noscript: bool = False
    """Keep what stands in noscript elements. (Resiliparse)"""
    comments: bool = True
    """Treat readers' comments as content. (Resiliparse, Trafilatura; blocks takes them for boilerplate)"""
    post_meta: bool = True
    """Keep dates, authors and such of posts. (Resiliparse)"""
    hidden_elements: bool = False
    """Keep elements that are hidden by class names. (Resiliparse)"""
    skip_elements: list[str] = Field(default=[])
    """CSS selectors of elements to leave out. (Resiliparse)"""


class Limits(StepParameters):
    """Most that one page may ask for."""

    max_bytes: int = Field(default=10 << 20, gt=0)
    """Longest page in bytes of UTF-8."""
    max_nodes: int = Field(default=1_000_000, gt=0)
    """Most elements of a page: start tags, with those that the parser repeats."""
    max_depth: int = Field(default=1000, gt=0, lt=CAPACITY)
    """Deepest nesting of elements. (Chromium's parser stops nesting at 512.)"""
    max_attributes: int = Field(default=2000, gt=0)
    """Most attributes of one tag: the parser's cost is quadratic in them."""
    max_path_steps: int = Field(default=100_000_000, gt=0)
    """Greatest sum of depths over all elements: the extractor walks from every element to the root."""
    max_options: int = Field(default=10_000, gt=0)
    """Most option elements: the parser's cost is quadratic in those of one select."""


def measure_page(html: bytes, limits: Limits) -> PageShape:
    """Scan a page's UTF-8 bytes. Raises `PageLimitError` when it is over a limit."""
    _check_size(html, limits)
    shape = scan_html(np.frombuffer(html, np.uint8), limits.max_depth)
    _check_shape(shape, limits)
    return shape


def walk_page(html: bytes, limits: Limits) -> Walked:
    """Walk over a page's UTF-8 bytes. Raises `PageLimitError` when it is over a limit."""
    _check_size(html, limits)
    walked = walk_html(
        np.frombuffer(html, np.uint8), limits.max_depth, limits.max_nodes, limits.max_path_steps
    )
    _check_shape(walked.shape, limits)
    return walked


def _check_size(html: bytes, limits: Limits) -> None:
    if len(html) > limits.max_bytes:
        raise PageLimitError("page_too_large", f"{len(html)} bytes of HTML, more than {limits.max_bytes}")


def _check_shape(shape: PageShape, limits: Limits) -> None:
    for kind, value, limit in (
        ("too_many_nodes", shape.nodes, limits.max_nodes),
        ("too_deep", shape.depth, limits.max_depth),
        ("too_many_attributes", shape.attributes, limits.max_attributes),
        ("too_much_nesting", shape.path_steps, limits.max_path_steps),
        ("too_many_options", shape.options, limits.max_options),
    ):
        if value > limit:
            raise PageLimitError(kind, f"{value} is more than {limit}")


def html_to_text(html: str, options: Options) -> Page:
    """Extract with Resiliparse; gives title and text as they come. Raises what the parser raises.

    The whole page, where it stands in for an empty main content, is read off the same tree: a second walk that
    the limits on the tree bound as they do the first.
    """
    tree = HTMLTree.parse(html)
    text = _plain_text(tree, options, options.main_content)
    fell_back = options.main_content and options.whole_page_fallback and not text.strip()
    if fell_back:
        text = _plain_text(tree, options, False)
    return Page(str(tree.title or ""), text, fell_back and bool(text.strip()))


def _plain_text(tree: HTMLTree, options: Options, main_content: bool) -> str:
    text = extract_plain_text(
        tree,
        preserve_formatting=options.preserve_formatting,
        main_content=main_content,
        list_bullets=options.list_bullets,
        alt_texts=options.alt_texts,
        links=options.links,
        form_fields=options.form_fields,
        noscript=options.noscript,
        comments=options.comments,
        post_meta=options.post_meta,
        hidden_elements=options.hidden_elements,
        skip_elements=options.skip_elements or None,
    )
    return str(text)


def trafilatura_extractor(step: str, options: Options) -> Callable[[str], Page]:
    """Give a function from HTML to a page by Trafilatura. Raises `MissingExtraError` without it."""
    try:
        import trafilatura
    except ImportError as error:
        raise MissingExtraError(step, "sources") from error

    def extract(html: str) -> Page:
        document = trafilatura.bare_extraction(
            html,
            include_comments=options.comments,
            include_links=options.links,
            favor_precision=options.main_content,
            with_metadata=False,
        )
        if document is None:
            return Page("", "")
        return Page(str(document.title or ""), str(document.text or ""))

    return extract


def clean_text(text: str) -> str:
    r"""Normalize white space: no control characters but "\n" and "\t", at most two blank lines, nothing trailing.

    Unicode is not normalized: what the page says is kept.
    """
    if _UNCLEAN.search(text):
        text = _CONTROLS.sub("", _LINE_ENDS.sub("\n", text))
    # Most texts need neither: looking for what is to be changed is several times as fast as making them anew.
    if any(end in text for end in _TRAILING):
        text = "\n".join(line.rstrip(" \t\u00a0") for line in text.split("\n"))
    if "\n\n\n\n" in text:
        text = _BLANK_LINES.sub("\n\n\n", text)
    return text.strip(" \n\t\u00a0")


def clean_title(title: str) -> str:
    """Join a title's words with single spaces; at most 1000 characters."""
    return " ".join(_CONTROLS.sub(" ", title).split())[:1000]
