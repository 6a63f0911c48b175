"""The extract step: payloads of records to text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpusforge.extract.blocks import block_model, extract_blocks
from corpusforge.extract.charset import decode_to_utf8
from corpusforge.extract.html import (
    Limits,
    Options,
    Page,
    PageLimitError,
    clean_text,
    clean_title,
    html_to_text,
    measure_page,
    trafilatura_extractor,
    walk_page,
)
from corpusforge.extract.plain import plain_texts
from corpusforge.step import LiveRows, MapStep, Measured, Rule, RunContext, Signal

HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})
SOURCE_TYPE = "text/x-source"
"""Programs: their white space stays as it is."""

Int64 = npt.NDArray[np.int64]


class Parameters(Limits, Options):
    """Parameters of `Extract`."""

    min_characters: int | None = 1
    """Documents with fewer characters of text are dropped."""


@dataclass
class _Document:
    text: str = ""
    title: str | None = None
    published: str | None = None
    language: str | None = None
    html_bytes: int = 0
    nodes: int = 0
    depth: int = 0
    replacement_characters: int = 0
    fell_back: bool = False


class Extract(MapStep):
    """Makes text of payloads: HTML by an extractor, plain text by decoding."""

    name = "extract"
    version: ClassVar[int] = 3
    summary = "Extract text from HTML (blocks, Resiliparse, both or Trafilatura) or decode plain text"
    Parameters = Parameters
    signals: ClassVar[Sequence[Signal]] = (
        Signal("html_bytes", description="bytes of the payload"),
        Signal("node_count", description="elements, as the scan before parsing estimates them"),
        Signal("depth", description="deepest nesting, as the scan before parsing estimates it"),
        Signal("replacement_characters", description="U+FFFD after decoding"),
        Signal("characters", description="code points of the extracted text"),
        Signal("fell_back", description="1: the main content was empty, and this is the whole page"),
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
        self._heartbeat = context.heartbeat
        self._loaded = False
        self._by_blocks = self.parameters.extractor in ("blocks", "union")
        if self._by_blocks:
            block_model()
        self._extract = self._extractor()

    def _extractor(self) -> Callable[[str], Page]:
        parameters: Parameters = self.parameters
        if parameters.extractor == "trafilatura":
            return trafilatura_extractor(self.name, parameters)
        if parameters.extractor == "union":
            # Its lines are compared with blocks: nothing is added to them, and no page stands in for an article.
            plain = {"preserve_formatting": True, "whole_page_fallback": False, "links": False}
            parameters = parameters.model_copy(update=plain)
        return lambda html: html_to_text(html, parameters)

    def measure(self, rows: LiveRows) -> Measured:
        """Extract every payload; a page that is over a limit or that the extractor refuses is a failure."""
        plain = plain_texts(rows, HTML_TYPES | {SOURCE_TYPE}, self.parameters.max_bytes)
        others = np.setdiff1d(np.arange(len(rows)), plain.rows, assume_unique=True)
        pages, failures = self._pages(rows, others)
        signals: dict[str, npt.NDArray[np.int64] | pa.Array] = {
            "html_bytes": _placed(len(rows), others, [page.html_bytes for page in pages]),
            "node_count": _placed(len(rows), others, [page.nodes for page in pages]),
            "depth": _placed(len(rows), others, [page.depth for page in pages]),
            "replacement_characters": _placed(
                len(rows), others, [page.replacement_characters for page in pages]
            ),
            "characters": _placed(len(rows), others, [len(page.text) for page in pages]),
            "fell_back": _placed(len(rows), others, [page.fell_back for page in pages]),
        }
        for name, values in (("html_bytes", plain.payload_bytes), ("characters", plain.characters)):
            signals[name][plain.rows] = values
        # Rows of `others` come first, then the plain ones; missing strings are null.
        order = np.argsort(np.concatenate([others, plain.rows]), kind="stable")
        texts = pa.array([page.text for page in pages], pa.large_string())
        missing = pa.nulls(len(plain.rows), pa.string())
        for name, strings in (
            ("title", [page.title for page in pages]),
            ("published", [page.published for page in pages]),
            ("html_language", [page.language for page in pages]),
        ):
            signals[name] = _ordered(pa.array(strings, pa.string()), missing, order)
        return Measured(signals, {"text": _ordered(texts, plain.texts, order)}, failures=failures)

    def _pages(self, rows: LiveRows, numbers: Int64) -> tuple[list[_Document], dict[int, str]]:
        """Make documents of the rows of these numbers one by one; row number to error of those that failed."""
        pages: list[_Document] = []
        failures: dict[int, str] = {}
        names = ("payload", "content_type", "charset", "locator", "url")
        columns = {name: rows.column(name) for name in names}
        if len(numbers) < len(rows):
            chosen = pa.array(numbers)
            columns = {name: column.take(chosen) for name, column in columns.items()}
        if not self._loaded and not HTML_TYPES.isdisjoint(pc.unique(columns["content_type"]).to_pylist()):
            # Kernels load, or compile, when they are first called: not on the time of the first page. What the
            # extractor raises here, it raises for that page, too.
            with suppress(Exception):
                self._page(b"<p>A page.</p>", "text/html", None, None)
            self._loaded = True
        for row, payload, content_type, charset, locator, url in zip(numbers.tolist(), *columns.values()):
            page = _Document()
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
        return pages, failures

    def _page(self, payload: bytes, content_type: str, charset: str | None, url: str | None) -> _Document:
        is_html = content_type in HTML_TYPES
        limit = self.parameters.max_bytes
        if len(payload) > limit:
            raise PageLimitError("page_too_large", f"a payload of {len(payload)} bytes, more than {limit}")
        html, replaced = decode_to_utf8(payload, charset, is_html)
        page = _Document(html_bytes=len(payload), replacement_characters=replaced)
        if not is_html:
            # The white space of a program is its author's.
            page.text = (
                html.decode("utf-8") if content_type == SOURCE_TYPE else clean_text(html.decode("utf-8"))
            )
            return page
        if self._by_blocks:
            self._fill_by_blocks(page, html, url)
            return page
        shape = measure_page(html, self.parameters)
        page.nodes, page.depth = shape.nodes, shape.depth
        extracted = self._extract(html.decode("utf-8"))
        page.text = clean_text(extracted.text)
        page.title = clean_title(extracted.title) or None
        page.fell_back = extracted.fell_back
        return page

    def _fill_by_blocks(self, page: _Document, html: bytes, url: str | None) -> None:
        parameters: Parameters = self.parameters
        walked = walk_page(html, self.parameters)
        page.nodes, page.depth = walked.shape.nodes, walked.shape.depth
        others = ""
        if parameters.extractor == "union" and parameters.main_content:
            others = self._extract(html.decode("utf-8")).text
        extracted = extract_blocks(
            html, walked, parameters.main_content, parameters.list_bullets, url, others
        )
        if parameters.main_content and parameters.whole_page_fallback and not extracted.text:
            extracted = extract_blocks(html, walked, False, parameters.list_bullets, url)
            page.fell_back = bool(extracted.text)
        page.text = extracted.text
        page.title = clean_title(extracted.title) or None
        page.published = extracted.published
        page.language = extracted.language


def _placed(count: int, rows: Int64, values: Sequence[int]) -> Int64:
    """Values int64[count] with those given at `rows`, else 0."""
    placed = np.zeros(count, np.int64)
    placed[rows] = np.array(values, np.int64)
    return placed


def _ordered(one: pa.Array, other: pa.Array, order: Int64) -> pa.Array:
    """Both arrays in a row, in the given order; no copy where one of them is empty."""
    if len(one) == 0 or len(other) == 0:
        return other if len(one) == 0 else one
    return pa.concat_arrays([one, other]).take(pa.array(order))
