"""Rules for source code: those of LLaMA's GitHub set, and those of The Stack and StarCoder.

LLaMA (arXiv:2302.13971, section 2.1) names "heuristics based on the line length or proportion of alphanumeric
characters"; RedPajama-v1 (``data_prep/github``) gives the numbers. Its last rule, alphabetic characters per token of a
tokenizer, is not measured here: the tokenizer comes behind the filters. StarCoder (arXiv:2305.06161, section 3) and
SantaCoder (arXiv:2301.03988) add rules by language.

What a file's language is comes from its source (`meta`: language, path); without it only the general rules apply. A
signal that is not of a file's language is null, and null drops nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field

from corpusforge.kernels.code import (
    NO_COMMENTS,
    PYTHON,
    SLASHES,
    count_comments,
    count_visible,
    measure_lines,
)
from corpusforge.step import RATIO, LiveRows, MapStep, Measured, Rule, Signal, StepParameters, fixed_ratio

Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

_XML_HEADER = b"<?xml version="
_XML_SEARCHED = 100
_HTML = frozenset({"HTML", "HTML+ERB", "HTML+EEX"})
_DATA = frozenset({"JSON", "YAML"})
_SLASHES = "C,C++,C#,CSS,Dart,Go,Java,JavaScript,Kotlin,Objective-C,Rust,Scala,Swift,TypeScript"
_STYLES = dict.fromkeys(_SLASHES.split(","), SLASHES) | dict.fromkeys(
    ("Python", "Cython", "Starlark"), PYTHON
)


class Parameters(StepParameters):
    """Thresholds (None: rule off) and, below them, what changes the measurements."""

    rules: str = "code@redpajama"
    max_line_length: int | None = None
    max_mean_line_length: float | None = None
    min_alphanumeric_ratio: float | None = None
    drop_xml: bool | None = None
    min_visible_ratio: float | None = None
    min_visible_characters: int | None = None
    min_data_characters: int | None = None
    max_data_characters: int | None = None
    min_comment_ratio: float | None = None
    max_comment_ratio: float | None = None

    comment_languages: list[str] = Field(["Python", "Java", "JavaScript"])
    """Measurement: languages whose comments are measured: those of Python, or with // and /* */."""


class CodeQuality(MapStep):
    """Measures lines, alphanumeric characters, XML headers, visible HTML, sizes of data files, comments."""

    name = "code_quality"
    summary = "Rules for source code of LLaMA/RedPajama and The Stack/StarCoder"
    Parameters = Parameters
    signals: ClassVar[Sequence[Signal]] = (
        Signal("characters", description="code points"),
        Signal("lines", description="lines"),
        Signal("line_length", description="code points of the longest line"),
        Signal("mean_line_length", RATIO, description="code points without line feeds, per line"),
        Signal("alphanumeric_ratio", RATIO, description="share of letters, digits and numbers"),
        Signal("xml_header", description="1: an XML declaration in the first 100 bytes; null for XSLT"),
        Signal("visible_ratio", RATIO, description="HTML only: share of text that a browser shows"),
        Signal("visible_characters", description="HTML only: code points that a browser shows"),
        Signal("data_characters", description="JSON and YAML only: code points"),
        Signal("comment_ratio", RATIO, description="share of bytes in comments, of the languages chosen"),
    )
    rules: ClassVar[Sequence[Rule]] = (
        Rule("max_line_length", "line_length", "above"),
        Rule("max_mean_line_length", "mean_line_length", "above"),
        Rule("min_alphanumeric_ratio", "alphanumeric_ratio", "below"),
        Rule("drop_xml", "xml_header", "is_true"),
        Rule("min_visible_ratio", "visible_ratio", "at_most"),
        Rule("min_visible_characters", "visible_characters", "at_most"),
        Rule("min_data_characters", "data_characters", "below"),
        Rule("max_data_characters", "data_characters", "above"),
        Rule("min_comment_ratio", "comment_ratio", "below"),
        Rule("max_comment_ratio", "comment_ratio", "above"),
    )

    def measure(self, rows: LiveRows) -> Measured:
        """Measure the live rows."""
        texts = rows.texts
        facts = [_facts(value) for value in rows.column("meta").to_pylist()]
        languages = [language for language, _ in facts]
        characters, alphanumeric, lines, longest = measure_lines(texts.data, texts.offsets)
        line_feeds = np.array([texts.bytes_of(row).count(b"\n") for row in range(len(texts))], np.int64)
        is_html = np.array([language in _HTML for language in languages], np.bool_)
        is_data = np.array([language in _DATA for language in languages], np.bool_)
        is_style_sheet = np.array([path.endswith((".xsl", ".xslt")) for _, path in facts], np.bool_)
        headers = [_XML_HEADER in texts.bytes_of(row)[:_XML_SEARCHED] for row in range(len(texts))]
        visible = count_visible(texts.data, texts.offsets, is_html.astype(np.uint8))
        styles = np.array([self._style(language) for language in languages], np.uint8)
        comments = count_comments(texts.data, texts.offsets, styles)
        return Measured(
            signals={
                "characters": characters,
                "lines": lines,
                "line_length": longest,
                "mean_line_length": fixed_ratio(characters - line_feeds, lines),
                "alphanumeric_ratio": fixed_ratio(alphanumeric, characters),
                "xml_header": _where(~is_style_sheet, np.array(headers, np.int64)),
                "visible_ratio": _where(is_html, fixed_ratio(visible, characters)),
                "visible_characters": _where(is_html, visible),
                "data_characters": _where(is_data, characters),
                "comment_ratio": _where(styles != NO_COMMENTS, fixed_ratio(comments, texts.sizes)),
            }
        )

    def _style(self, language: str) -> int:
        return (
            _STYLES.get(language, NO_COMMENTS)
            if language in self.parameters.comment_languages
            else NO_COMMENTS
        )


def _facts(meta: str | None) -> tuple[str, str]:
    """Language and path of a file, "" where its source names none."""
    found = json.loads(meta) if meta else {}
    language, path = found.get("language"), found.get("path")
    return language if isinstance(language, str) else "", path if isinstance(path, str) else ""


def _where(measured: Bool, values: Int64) -> pa.Array:
    """Values where they were measured, null elsewhere."""
    return pa.array(values, pa.int64(), mask=~measured)
