"""Rules for code: every threshold from both sides, and languages they do not concern."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest

from corpusforge import recipe
from corpusforge.filters.code import CodeQuality, Parameters
from corpusforge.rulesets import thresholds
from corpusforge.step import RATIO, LiveRows
from corpusforge.texts import Texts
from corpusforge.verdicts import drops


def measured(
    texts: list[str], language: str | None = "Python", path: str = "a.py", **parameters: object
) -> dict:
    meta = [None if language is None else json.dumps({"language": language, "path": path})] * len(texts)
    rows = LiveRows(Texts.from_strings(texts), {"meta": pa.array(meta, pa.string())})
    return dict(CodeQuality(Parameters(**parameters)).measure(rows).signals)


def verdicts(text: str, language: str, section: str, path: str = "a") -> set[str]:
    signals = measured([text], language, path)
    limits = thresholds(section, "code_quality")
    found = set()
    for rule in CodeQuality.rules:
        (signal,) = (item for item in CodeQuality.signals if item.name == rule.signal)
        values = pa.array(signals[rule.signal], pa.int64())
        if drops(rule, signal, values, limits.get(rule.name))[0]:
            found.add(rule.name)
    return found


GOOD = "# adds\ndef add(first, second):\n    return first + second\n"


@pytest.mark.parametrize(
    ("text", "language", "rules"),
    [
        (GOOD, "Python", set()),
        ("x" * 1000 + "\n" * 20 + GOOD, "Python", set()),
        ("x" * 1001 + "\n" * 20 + GOOD, "Python", {"max_line_length"}),
        ("x" * 100, "Text", set()),
        ("x" * 101, "Text", {"max_mean_line_length"}),
        ("x" + "." * 3, "Text", set()),
        ("x" + "." * 4, "Text", {"min_alphanumeric_ratio"}),
    ],
)
def test_redpajama(text, language, rules):
    assert verdicts(text, language, "code@redpajama") == rules


@pytest.mark.parametrize(
    ("text", "language", "rules"),
    [
        (GOOD, "Python", set()),
        ("x = 1\n" * 10, "Python", {"min_comment_ratio"}),
        ("# only\n" * 10, "Python", {"max_comment_ratio"}),
        ("x = 1\n" * 10, "Ruby", set()),
        ('<?xml version="1.0"?>\n<a>text</a>\n', "XML", {"drop_xml"}),
        ('{"abcd": 1}\n', "JSON", {"min_data_characters"}),
        ("a: 1\n" * 10, "YAML", set()),
        ("a: 1\n" * 1001, "YAML", {"max_data_characters"}),
        ("<p>" + "word\n" * 30 + "</p>", "HTML", set()),
        ("<p>" + "word\n" * 19 + "</p>", "HTML", {"min_visible_characters"}),
        ("<i class=a>x</i>\n" * 20, "HTML", {"min_visible_ratio", "min_visible_characters"}),
    ],
)
def test_starcoder(text, language, rules):
    assert verdicts(text, language, "code@starcoder") == rules


def test_style_sheets_and_files_of_no_language():
    text = '<?xml version="1.0"?>\n<xsl:stylesheet/>\n'
    assert "drop_xml" not in verdicts(text, "XML", "code@starcoder", "a/b.xslt")
    signals = measured([text], None)
    assert signals["comment_ratio"].null_count == 1
    assert signals["visible_ratio"].null_count == 1


def test_signals():
    signals = measured(["", "ab\n\nc", "é\n"])
    assert signals["lines"].tolist() == [0, 3, 1]
    assert signals["mean_line_length"].tolist() == [0, RATIO, RATIO]
    assert signals["alphanumeric_ratio"].tolist() == [0, 3 * RATIO // 5, RATIO // 2]


def test_the_default_section_is_known():
    step = recipe.make_step("code_quality")
    assert step.parameters.max_line_length == 1000
