"""Title, date and language that pages tell."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.extract.metadata import (
    iso_moment,
    page_date,
    page_language,
    page_title,
    tag_attributes,
    url_date,
)
from corpusforge.kernels.html_blocks import walk_html


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2019-11-19", "2019-11-19"),
        ("20191119", "2019-11-19"),
        ("2019-11-19T09:20:50Z", "2019-11-19T09:20:50+00:00"),
        ("2019-11-19 09:20", "2019-11-19T09:20:00"),
        ("2019-11-19T09:20:50.123+0530", "2019-11-19T09:20:50+05:30"),
        ("2019-02-30", None),
        ("2019-11-19T25:00:00Z", None),
        ("1850-01-01", None),
        ("19 Nov 2019", None),
        ("", None),
    ],
)
def test_moments(value: str, expected: str | None) -> None:
    assert iso_moment(value) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://a.example/2019/11/19/title", "2019-11-19"),
        ("https://a.example/news/2019-1-5-title", "2019-01-05"),
        ("https://a.example/2019/13/19/title", None),
        ("https://a.example/20191119", None),
    ],
)
def test_dates_of_urls(url: str, expected: str | None) -> None:
    assert url_date(url) == expected


def told(page: str, url: str | None = None) -> tuple[str, str | None, str | None]:
    data = page.encode()
    marks = walk_html(np.frombuffer(data, np.uint8), 1000, 10**6, 10**8).marks
    return page_title(data, marks), page_date(data, marks, url), page_language(data, marks)


def test_order_of_dates() -> None:
    linked = '<script type="application/ld+json">{"datePublished": "2001-01-01"}</script>'
    meta = "<meta content='2002-02-02' property='article:published_time'><meta name=date content=2003-03-03>"
    time = "<time datetime=2004-04-04>4 April</time>"
    url = "http://a.example/2005/05/05/"
    assert told(time + meta + linked, url)[1] == "2001-01-01"
    assert told(time + meta, url)[1] == "2002-02-02"
    assert told(time, url)[1] == "2004-04-04"
    assert told("", url)[1] == "2005-05-05"
    assert told("<meta property=article:modified_time content=2002-02-02>")[1] is None


def test_title_and_language() -> None:
    assert told("<html lang='pt-BR'><title>A &amp; B</title><svg><title>no</title></svg>") == (
        "A & B",
        None,
        "pt",
    )
    assert told("<html xml:lang=de_AT>")[2] == "de"
    assert told("<html lang=''>") == ("", None, None)
    assert told("<html lang='english'>")[2] is None


def test_attributes() -> None:
    assert tag_attributes(b"meta NAME=\"a\" content='b &lt;' x=y name=z>") == {
        "name": "a",
        "content": "b <",
        "x": "y",
    }


@given(st.text(max_size=80))
def test_any_text_is_read(text: str) -> None:
    for moment in (iso_moment(text), url_date(text)):
        assert moment is None or re.match(r"\d{4}-\d\d-\d\d", str(moment))
    assert all(isinstance(value, str) for value in tag_attributes(text.encode()).values())
