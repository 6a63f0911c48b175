"""The extract step: payloads of records to text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from corpusforge.extract.blocks import block_model, extract_blocks
from corpusforge.extract.html import (
    Limits,
    Options,
    PageLimitError,
    clean_text,
    clean_title,
    html_to_text,
    measure_page,
    trafilatura_extractor,
    walk_page,
)
from corpusforge.kernels.html_scan import CAPACITY
from corpusforge.sources.charset import decode_to_utf8
from corpusforge.step import LiveRows, MapStep, Measured, Rule, RunContext, Signal, StepParameters

HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})


class Parameters(StepParameters):
    """Parameters of `Extract`."""

    extractor: Literal["blocks", "resiliparse", "trafilatura"] = "resiliparse"
    """`blocks`: this package's own, in one pass without a tree; see `corpusforge.extract.blocks`."""
    main_content: bool = True
    """Keep the main content only; trafilatura: favour precision."""
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
    min_characters: int | None = 1
    """Documents with fewer characters of text are dropped."""


@dataclass
class _Page:
    text: str = ""
    title: str | None = None
    published: str | None = None
    language: str | None = None
    html_bytes: int = 0
    nodes: int = 0
    depth: int = 0
    replacement_characters: int = 0


class Extract(MapStep):
    """Makes text of payloads: HTML by an extractor, plain text by decoding."""

    name = "extract"
    summary = "Extract text from HTML (blocks, Resiliparse or Trafilatura) or decode plain text"
    Parameters = Parameters
    signals: ClassVar[Sequence[Signal]] = (
        Signal("html_bytes", description="bytes of the payload"),
        Signal("node_count", description="elements, as the scan before parsing estimates them"),
        Signal("depth", description="deepest nesting, as the scan before parsing estimates it"),
        Signal("replacement_characters", description="U+FFFD after decoding"),
        Signal("characters", description="code points of the extracted text"),
        Signal("title", scale=0, type=pa.string(), description="the page's title"),
        Signal(
            "published", scale=0, type=pa.string(), description="ISO 8601, as the page tells; blocks only"
        ),
        Signal(
            "html_language",
            scale=0,
            type=pa.string(),
            description="language that the page declares; blocks only",
        ),
    )
    rules: ClassVar[Sequence[Rule]] = (Rule("min_characters", "characters", "below"),)
    reads: ClassVar[str] = "none"
    materializes: ClassVar[bool] = True

    def check(self) -> None:
        """Raise `MissingExtraError` when Trafilatura is asked for and not installed."""
        self._extractor()

    def open(self, context: RunContext) -> None:
        """Prepare the extractor."""
        parameters: Parameters = self.parameters
        self._limits = Limits(
            parameters.max_bytes,
            parameters.max_nodes,
            parameters.max_depth,
            parameters.max_attributes,
            parameters.max_path_steps,
            parameters.max_options,
        )
        self._heartbeat = context.heartbeat
        self._by_blocks = parameters.extractor == "blocks"
        if self._by_blocks:
            block_model()
        self._extract = self._extractor()

    def _extractor(self) -> Callable[[str], tuple[str, str]]:
        parameters: Parameters = self.parameters
        options = Options(
            main_content=parameters.main_content,
            preserve_formatting=parameters.preserve_formatting,
            list_bullets=parameters.list_bullets,
            alt_texts=parameters.alt_texts,
            links=parameters.links,
            form_fields=parameters.form_fields,
            noscript=parameters.noscript,
            comments=parameters.comments,
            post_meta=parameters.post_meta,
            hidden_elements=parameters.hidden_elements,
            skip_elements=tuple(parameters.skip_elements),
        )
        if parameters.extractor == "trafilatura":
            return trafilatura_extractor(self.name, options)
        return lambda html: html_to_text(html, options)

    def measure(self, rows: LiveRows) -> Measured:
        """Extract every payload; a page that is over a limit or that the extractor refuses is a failure."""
        pages: list[_Page] = []
        failures: dict[int, str] = {}
        columns = (rows.column(name) for name in ("payload", "content_type", "charset", "locator", "url"))
        for row, (payload, content_type, charset, locator, url) in enumerate(zip(*columns)):
            page = _Page()
            self._heartbeat.begin(locator.as_py() or "")
            try:
                declared = content_type.as_py() or "", charset.as_py()
                page = self._page(payload.as_py() or b"", *declared, url.as_py())
            except PageLimitError as error:
                failures[row] = f"{error.kind}: {error}"
            except Exception as error:
                # Extractors raise anything on hostile pages; it costs the page and is told.
                failures[row] = f"extract_error: {type(error).__name__}: {error}"[:1000]
            finally:
                self._heartbeat.done()
            pages.append(page)
        return Measured(
            signals={
                "html_bytes": np.array([page.html_bytes for page in pages], np.int64),
                "node_count": np.array([page.nodes for page in pages], np.int64),
                "depth": np.array([page.depth for page in pages], np.int64),
                "replacement_characters": np.array([page.replacement_characters for page in pages], np.int64),
                "characters": np.array([len(page.text) for page in pages], np.int64),
                "title": pa.array([page.title for page in pages], pa.string()),
                "published": pa.array([page.published for page in pages], pa.string()),
                "html_language": pa.array([page.language for page in pages], pa.string()),
            },
            columns={"text": pa.array([page.text for page in pages], pa.large_string())},
            failures=failures,
        )

    def _page(self, payload: bytes, content_type: str, charset: str | None, url: str | None) -> _Page:
        is_html = content_type in HTML_TYPES
        if len(payload) > self._limits.max_bytes:
            raise PageLimitError(
                "page_too_large", f"a payload of {len(payload)} bytes, more than {self._limits.max_bytes}"
            )
        html, replaced = decode_to_utf8(payload, charset, is_html)
        page = _Page(html_bytes=len(payload), replacement_characters=replaced)
        if not is_html:
            # The white space of a program is its author's.
            page.text = (
                html.decode("utf-8") if content_type == "text/x-source" else clean_text(html.decode("utf-8"))
            )
            return page
        if self._by_blocks:
            self._fill_by_blocks(page, html, url)
            return page
        shape = measure_page(html, self._limits)
        page.nodes, page.depth = shape.nodes, shape.depth
        title, text = self._extract(html.decode("utf-8"))
        page.text = clean_text(text)
        page.title = clean_title(title) or None
        return page

    def _fill_by_blocks(self, page: _Page, html: bytes, url: str | None) -> None:
        parameters: Parameters = self.parameters
        walked = walk_page(html, self._limits)
        page.nodes, page.depth = walked.shape.nodes, walked.shape.depth
        extracted = extract_blocks(html, walked, parameters.main_content, parameters.list_bullets, url)
        page.text = extracted.text
        page.title = clean_title(extracted.title) or None
        page.published = extracted.published
        page.language = extracted.language
