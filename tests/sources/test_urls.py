"""Normal form, SURT and key of URLs."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from corpusforge.sources.urls import host_of, normalize_url, surt, url_key

GOLDEN = [
    ("http://www.archive.org/", "org,archive)/"),
    ("http://archive.org/goo/?a=2&b", "org,archive)/goo?a=2&b"),
    ("http://archive.org/goo/?b&a=2", "org,archive)/goo?a=2&b"),
    ("http://archive.org:80/goo", "org,archive)/goo"),
    ("https://archive.org:443/goo", "org,archive)/goo"),
    ("http://archive.org:8080/goo", "org,archive:8080)/goo"),
    ("https://archive.org:80/goo", "org,archive:80)/goo"),
    ("http://www2.archive.org/x", "org,archive)/x"),
    ("http://bücher.ch:8080", "ch,xn--bcher-kva:8080)/"),
    ("dns:archive.org", "dns:archive.org"),
    ("mailto:foo@example.com", "mailto:foo@example.com"),
    ("http://legislation.gov.uk/a#frag", "uk,gov,legislation)/a"),
    ("http://user:pass@Example.COM/%7efoo/%2a", "com,example)/~foo/%2A"),
    ("HTTP://EXAMPLE.com./a/./b/../c//d", "com,example)/a/c/d"),
    ("http://example.com/a/../../..", "com,example)/"),
    ("http://192.168.1.1/x", "192.168.1.1)/x"),
    ("http://[2001:DB8:0::1]:80/x", "[2001:db8::1])/x"),
    ("//example.com/x", "com,example)/x"),
    ("example.com/x", "com,example)/x"),
    ("http://example.com/?utm_source=a&UTM_medium=b&gclid=1&fbclid=2&id=3", "com,example)/?id=3"),
    ("http://example.com/?utm_source=a", "com,example)/"),
    ("http://example.com/?", "com,example)/"),
    ("http://example.com/?&&a=1&", "com,example)/?a=1"),
    ("http://example.com/x;jsessionid=1A?b=1", "com,example)/x?b=1"),
    ("http://example.com/ü", "com,example)/%C3%BC"),
    ("http://example.com/a b", "com,example)/a%20b"),
    ("http://example.com/100%", "com,example)/100%25"),
    ("http://www.com/", "com,www)/"),
    (" \thttp://exa\nmple.com/ ", "com,example)/"),
    ("http:\\\\example.com", "http:%5C%5Cexample.com"),
    ("", ""),
]


@pytest.mark.parametrize(("url", "expected"), GOLDEN)
def test_surt(url: str, expected: str) -> None:
    assert surt(url) == expected


def test_normal_form() -> None:
    assert (
        normalize_url("HTTPS://User@WWW.Example.com:443/b/../%7Ea?z=1&a=2#x")
        == "https://www.example.com/~a?a=2&z=1"
    )
    assert normalize_url("example.com") == "//example.com/"
    assert normalize_url("mailto:a@b.c") == "mailto:a@b.c"


def test_host() -> None:
    assert host_of("https://user@WWW.Example.com:8080/x") == "example.com"
    assert host_of("www.com") == "www.com"
    assert host_of("mailto:a@b.c") == host_of("/path") == host_of("") == ""


def test_keys() -> None:
    same = [
        "http://example.com/a?b=1&c=2",
        "https://www.example.com:443/a/?c=2&b=1&utm_id=9#top",
        "EXAMPLE.com/a?b=1&c=2",
    ]
    assert len({url_key(url) for url in same}) == 1
    assert len(url_key("")) == 16
    assert url_key("http://example.com/a") != url_key("http://example.com/b")
    assert url_key("http://example.com/").hex() == url_key("https://www.example.com").hex()


@example("0. 0")
@given(st.text(max_size=100) | st.from_regex(r"[a-z]{1,5}://?[^\s]{0,60}"))
def test_never_raises_and_settles(url: str) -> None:
    normal = normalize_url(url)
    assert normalize_url(normal) == normal
    assert surt(normal) == surt(url)
    assert normal.isascii()
    assert len(url_key(url)) == 16
    host_of(url)


@given(st.text(st.characters(), max_size=60))
def test_lone_surrogates_are_no_error(url: str) -> None:
    assert len(url_key(url)) == len(url_key("http://" + url)) == 16
    assert isinstance(host_of("http://" + url), str)


def test_endless_urls_are_taken_as_they_are() -> None:
    url = "http://example.com/" + "a/" * 100_000
    assert surt(url) == normalize_url(url) == url
    assert url_key(url) != url_key(url + "b")


URL_PARTS = ["http://", "https://", "HTTP://", "www.", "www2.", "a", "b.c", "1.2.3.4", ".com", ".org", ".", "..", "/",
             "//", "/.", "/../", "Y", "%41", ":80", ":8080", "?a=1", "#f", ";jsessionid=1", "~", "é", "\n", " ", "@",
             "-", "_", "/a.b/", "xn--a"]  # fmt: skip


@given(st.booleans(), st.lists(st.sampled_from(URL_PARTS), max_size=8).map("".join))
def test_ordinary_addresses_are_no_special_case(complete: bool, rest: str) -> None:
    url = "https://a.com" + rest if complete else rest
    # A port that is the scheme's own is left out, and keeps the address from being an ordinary one.
    with_port = re.sub(r"^(https?)://([a-z0-9.-]+)(?=/|$)", _with_default_port, url)
    assert surt(with_port) == surt(url)


def _with_default_port(match: re.Match[str]) -> str:
    return f"{match[0]}:{443 if match[1] == 'https' else 80}"
