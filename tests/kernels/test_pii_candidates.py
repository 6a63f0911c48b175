from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.kernels.pii_candidates import (
    CRYPTO,
    EMAIL,
    IBAN,
    IPV4,
    IPV6,
    NUMBER,
    find_candidates,
)
from corpusforge.texts import Texts

Span = tuple[int, int]


def found(texts: list[str], kind: int) -> list[list[Span]]:
    view = Texts.from_strings(texts)
    rows, starts, ends = find_candidates(view.data, view.offsets, kind)
    spans: list[list[Span]] = [[] for _ in texts]
    for row, start, end in zip(rows.tolist(), starts.tolist(), ends.tolist()):
        base = int(view.offsets[row])
        spans[row].append((start - base, end - base))
    return spans


def slow_ipv4(text: str) -> list[Span]:
    runs = re.finditer(rb"[0-9][0-9.]*", text.encode())
    return [run.span() for run in runs if len(re.findall(rb"(?<=[0-9])\.(?=[0-9])", run.group())) >= 3]


def slow_crypto(text: str) -> list[Span]:
    runs = re.finditer(rb"[0-9A-Za-z]+", text.encode())
    return [run.span() for run in runs if 26 <= len(run.group()) <= 128]


def slow_iban(text: str) -> list[Span]:
    capitals = rb"[A-Z]{2}[0-9]{2}(?:[ -]?[A-Z0-9]){0,30}"
    small = rb"[a-z]{2}[0-9]{2}[a-z0-9]{0,30}"
    runs = re.finditer(rb"(?<![A-Za-z0-9])(?:%s|%s)" % (capitals, small), text.encode())
    return [run.span() for run in runs if len(re.sub(rb"[ -]", b"", run.group())) >= 15]


def slow_number(text: str) -> list[Span]:
    wide = r"\u00a0\u00ad\u200b-\u2015\u202f\u2060\u2212\u3000\u30fc\uff08\uff09\uff0b\uff0d-\uff0f"
    separator = rf"[-. /()\[\]~+x{wide}]"
    digit = r"[0-9\u0660-\u0669\u06f0-\u06f9\uff10-\uff19]"
    spans = []
    for run in re.finditer(rf"{digit}(?:{separator}{{0,4}}{digit})*", text):
        if len(re.findall(digit, run.group())) >= 7:
            spans.append((len(text[: run.start()].encode()), len(text[: run.end()].encode())))
    return spans


def slow_email(text: str) -> list[Span]:
    data, spans, at = text.encode(), [], 0
    while sign := re.compile(b"@|\xef\xbc\xa0").search(data, at):
        at = sign.start()
        first, last = at, at + 1
        while first > 0 and data[first - 1] > 32:
            first -= 1
        while last < len(data) and data[last] > 32:
            last += 1
        spans.append((first, last))
        at = last
    return spans


def slow_ipv6(text: str) -> list[Span]:
    spans = []
    for run in re.finditer(rb"(?=[0-9A-Fa-f:.]*:)[0-9A-Fa-f:.]+", text.encode()):
        # Only the four hexadecimal digits before the first colon belong to the address.
        start = run.start() + run.group().index(b":")
        first = start
        while (
            first > run.start()
            and start - first < 4
            and chr(text.encode()[first - 1]) in "0123456789abcdefABCDEF"
        ):
            first -= 1
        kept = text.encode()[first : run.end()]
        if re.search(rb"[0-9]", kept) and (b"::" in kept or kept.count(b":") >= 6):
            spans.append((first, run.end()))
    return spans


CASES = [
    (EMAIL, slow_email, "ab@. \n\té\uff20\uff21"),
    (IPV4, slow_ipv4, "12.a é"),
    (IPV6, slow_ipv6, "1fF:.g é"),
    (IBAN, slow_iban, "AZ09 -aé"),
    (IBAN, slow_iban, "AZaz019"),
    (CRYPTO, slow_crypto, "1bZ é"),
    (NUMBER, slow_number, "0123456789 -x٣５(+\u2013\u200e\u3000\u30fca\n"),
]


@pytest.mark.parametrize(("kind", "slow", "alphabet"), CASES)
def test_scans_find_what_the_slow_twins_find(kind, slow, alphabet) -> None:  # type: ignore[no-untyped-def]
    lengths = st.integers(0, 60)

    @given(st.lists(lengths.flatmap(lambda n: st.text(alphabet, min_size=n, max_size=n)), max_size=5))
    def check(texts: list[str]) -> None:
        assert found(texts, kind) == [slow(text) for text in texts]

    check()


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (EMAIL, "Write to <ann.b@example.com>, please.", "<ann.b@example.com>,"),
        (NUMBER, "Call (212) 555-0147 now", "212) 555-0147"),
        (NUMBER, "card 4111 1111 1111 1111.", "4111 1111 1111 1111"),
        (IPV4, "from 192.0.2.17 at", "192.0.2.17"),
        (IPV6, "at 2001:db8::1 and", "2001:db8::1"),
        (IBAN, "to GB82 WEST 1234 5698 7654 32 today", "GB82 WEST 1234 5698 7654 32"),
        (CRYPTO, "to 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa.", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"),
    ],
)
def test_examples(kind: int, text: str, value: str) -> None:
    [[(start, end)]] = found([text], kind)
    assert text[start:end] == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (EMAIL, "no sign at all"),
        (NUMBER, "in 1999 and 2004"),
        (IPV4, "version 1.2.3"),
        (IPV6, "std::vector at 12:30:45"),
        (IBAN, "AB12 is short"),
        (CRYPTO, "a" * 25),
        (CRYPTO, "a" * 129),
    ],
)
def test_what_is_no_candidate(kind: int, text: str) -> None:
    assert found([text], kind) == [[]]


def test_hostile_runs_give_bounded_candidates() -> None:
    for kind, text in [(EMAIL, "a@" * 100_000), (NUMBER, "1 " * 200_000), (IBAN, "AB12" * 50_000)]:
        [spans] = found([text], kind)
        assert all(end - start <= 1100 for start, end in spans)


def test_no_texts() -> None:
    rows, _, _ = find_candidates(np.zeros(0, np.uint8), np.zeros(1, np.int64), EMAIL)
    assert len(rows) == 0
