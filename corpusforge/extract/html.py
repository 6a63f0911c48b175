"""HTML to text, behind limits that make every page end.

Resiliparse (Bevendorff et al., "Elastic ChatNoir", ECIR 2018) parses by the HTML standard and keeps the main
content; its cost is linear for sane pages, and quadratic in depth, attributes and options, so hostile pages are
refused by a scan beforehand (`corpusforge.kernels.html_scan`). Trafilatura (Barbaresi, ACL 2021) is slower by an
order of magnitude and may be chosen instead. The package's own extractor is in `corpusforge.extract.blocks`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

from corpusforge.errors import MissingExtraError
from corpusforge.kernels.html_blocks import Walked, walk_html
from corpusforge.kernels.html_scan import PageShape, scan_html

_LINE_ENDS = re.compile("\r\n?|[\x0b\x0c\x85]")
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f]+")
_UNCLEAN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_BLANK_LINES = re.compile(r"\n{4,}")


class PageLimitError(Exception):
    """A page is over one of the limits; `kind` is the short name that is counted."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Limits:
    """Most that one page may ask for; see `corpusforge.extract.step.Parameters`."""

    max_bytes: int
    max_nodes: int
    max_depth: int
    max_attributes: int
    max_path_steps: int
    max_options: int


@dataclass(frozen=True, slots=True)
class Options:
    """What is kept of a page; see `corpusforge.extract.step.Parameters`."""

    main_content: bool = True
    preserve_formatting: bool | Literal["minimal_html"] = True
    list_bullets: bool = True
    alt_texts: bool = False
    links: bool = False
    form_fields: bool = False
    noscript: bool = False
    comments: bool = True
    post_meta: bool = True
    hidden_elements: bool = False
    skip_elements: tuple[str, ...] = ()


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


def html_to_text(html: str, options: Options) -> tuple[str, str]:
    """Extract with Resiliparse; gives title and text as they come. Raises what the parser raises."""
    tree = HTMLTree.parse(html)
    text = extract_plain_text(
        tree,
        preserve_formatting=options.preserve_formatting,
        main_content=options.main_content,
        list_bullets=options.list_bullets,
        alt_texts=options.alt_texts,
        links=options.links,
        form_fields=options.form_fields,
        noscript=options.noscript,
        comments=options.comments,
        post_meta=options.post_meta,
        hidden_elements=options.hidden_elements,
        skip_elements=list(options.skip_elements) or None,
    )
    return str(tree.title or ""), str(text)


def trafilatura_extractor(step: str, options: Options) -> Callable[[str], tuple[str, str]]:
    """Give a function from HTML to (title, text) by Trafilatura. Raises `MissingExtraError` without it."""
    try:
        import trafilatura
    except ImportError as error:
        raise MissingExtraError(step, "sources") from error

    def extract(html: str) -> tuple[str, str]:
        document = trafilatura.bare_extraction(
            html,
            include_comments=options.comments,
            include_links=options.links,
            favor_precision=options.main_content,
            with_metadata=False,
        )
        if document is None:
            return "", ""
        return str(document.title or ""), str(document.text or "")

    return extract


def clean_text(text: str) -> str:
    r"""Normalize white space: no control characters but "\n" and "\t", at most two blank lines, nothing trailing.

    Unicode is not normalized: what the page says is kept.
    """
    if _UNCLEAN.search(text):
        text = _CONTROLS.sub("", _LINE_ENDS.sub("\n", text))
    text = "\n".join(line.rstrip(" \t\u00a0") for line in text.split("\n"))
    return _BLANK_LINES.sub("\n\n\n", text).strip(" \n\t\u00a0")


def clean_title(title: str) -> str:
    """Join a title's words with single spaces; at most 1000 characters."""
    return " ".join(_CONTROLS.sub(" ", title).split())[:1000]
