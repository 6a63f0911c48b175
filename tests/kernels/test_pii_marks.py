from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.kernels.pii_marks import (
    ASSIGNMENT,
    CREDENTIALS,
    GROUPED,
    IDENTIFIER,
    KEY_BLOCK,
    MAC,
    TOKEN,
    find_marks,
)
from corpusforge.texts import Texts

Span = tuple[int, int]


def found(texts: list[str], kind: int) -> list[list[Span]]:
    view = Texts.from_strings(texts)
    rows, starts, ends = find_marks(view.data, view.offsets, kind)
    spans: list[list[Span]] = [[] for _ in texts]
    for row, start, end in zip(rows.tolist(), starts.tolist(), ends.tolist()):
        base = int(view.offsets[row])
        spans[row].append((start - base, end - base))
    return spans


def slow_mac(text: str) -> list[Span]:
    pair = rb"[0-9A-Fa-f]{2}"
    return [run.span() for run in re.finditer(rb"%s([:-])(?:%s\1){4}%s" % (pair, pair, pair), text.encode())]


def slow_credentials(text: str) -> list[Span]:
    runs = re.finditer(rb"[0-9A-Za-z]{0,16}://[^\0-\x20/@]{0,253}@", text.encode())
    return [run.span() for run in runs]


def slow_assignment(text: str) -> list[Span]:
    data = text.encode()
    names = rb"(?:key|ret|ken|ord|swd|pwd|ass|uth|ial)"
    spans = []
    at = 0
    while (sign := re.compile(rb"[=:]").search(data, at)) is not None:
        at = sign.start()
        # Bit 5 set: @ is a grave accent, and capitals are small.
        if re.search(rb"(?i:%s)[ \"']{0,3}\Z" % names, data[:at]):
            first = max(data.rfind(b"\n", 0, at) + 1, at - 64)
            line = data.find(b"\n", at + 1)
            at = min(line if line >= 0 else len(data), at + 257)
            spans.append((first, at))
        else:
            at += 1
    return spans


def slow_key_block(text: str) -> list[Span]:
    data, spans, at = text.encode(), [], 0
    while (begin := data.find(b"-----BEGIN"[:8], at)) >= 0 and begin + 10 <= len(data):
        end = data.find(b"-----END", begin + 10, min(len(data), begin + 16_384))
        last = min(len(data), begin + 16_384) if end < 0 else end + 8
        if end >= 0:
            line = data.find(b"\n", last, min(len(data), begin + 16_384))
            last = line if line >= 0 else min(len(data), begin + 16_384)
        spans.append((begin, last))
        at = last
    return spans


def slow_token(text: str) -> list[Span]:
    runs = re.finditer(rb"[0-9A-Za-z_-]+", text.encode())
    return [
        run.span()
        for run in runs
        if 20 <= len(run.group()) <= 4096
        and re.search(rb"[0-9]", run.group())
        and re.search(rb"[A-Za-z]", run.group())
    ]


def slow_identifier(text: str) -> list[Span]:
    runs = re.finditer(rb"[0-9A-Za-z]+", text.encode())
    return [
        run.span()
        for run in runs
        if 8 <= len(run.group()) <= 16
        and len(re.findall(rb"[0-9]", run.group())) >= 4
        and re.search(rb"[A-Za-z]", run.group())
    ]


def slow_grouped(text: str) -> list[Span]:
    data, spans, begin, at = text.encode(), [], 0, 0
    while digit := re.compile(rb"[0-9]").search(data, at):
        here = digit.start()
        before = re.search(rb"(?:[0-9A-Z]|(?<=[0-9A-Z])[ .-])*\Z", data[max(begin, here - 16) : here])
        after = re.match(rb"(?:[0-9A-Z]|[ .-](?=[0-9A-Z]))*", data[here : here + 32])
        assert before is not None
        assert after is not None
        run = before.group() + after.group()
        at = here + after.end()
        long = len(re.findall(rb"[0-9]", run)) >= 4 and len(re.findall(rb"[0-9A-Z]", run)) >= 8
        if long and re.search(rb"[A-Z]", run) and re.search(rb"[ .-]", run):
            spans.append((at - len(run), at))
            begin = at
    return spans


PIECES = st.sampled_from(
    [
        "-----BEGIN",
        "-----END",
        "-----",
        "-",
        "\n",
        " ",
        "=",
        ":",
        '"',
        "key",
        "Token",
        "PWD",
        "passwd",
        "é",
        "x",
    ]
)
CASES = [
    (MAC, slow_mac, st.lists(st.sampled_from(["0a", "F", ":", "-", "1f:", "g"]), max_size=40).map("".join)),
    (CREDENTIALS, slow_credentials, st.text("a:/@ é", max_size=60)),
    (ASSIGNMENT, slow_assignment, st.lists(PIECES, max_size=30).map("".join)),
    (KEY_BLOCK, slow_key_block, st.lists(PIECES, max_size=30).map("".join)),
    (TOKEN, slow_token, st.text("a1_- é", max_size=120)),
    (IDENTIFIER, slow_identifier, st.text("ab12cd34 é", max_size=80)),
    (GROUPED, slow_grouped, st.text("AB12C34 .-xé", max_size=90)),
]


@pytest.mark.parametrize(("kind", "slow", "texts"), CASES)
def test_scans_find_what_the_slow_twins_find(kind, slow, texts) -> None:  # type: ignore[no-untyped-def]
    @given(st.lists(texts, max_size=4))
    def check(documents: list[str]) -> None:
        assert found(documents, kind) == [slow(document) for document in documents]

    check()


def test_a_key_block_is_whole() -> None:
    block = "-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----"
    [[(start, end)]] = found([f"text {block}\nmore"], KEY_BLOCK)
    assert f"text {block}\nmore"[start:end] == block


def test_hostile_runs_give_bounded_candidates() -> None:
    cases = [
        (KEY_BLOCK, "-----BEGIN" * 10_000),
        (CREDENTIALS, "://a" * 50_000 + "@"),
        (ASSIGNMENT, "key=" * 50_000),
        (TOKEN, "a1" * 100_000),
        (MAC, "0a:" * 100_000),
        (GROUPED, "A1 " * 100_000),
    ]
    for kind, text in cases:
        [spans] = found([text], kind)
        assert all(end - start <= 16_384 + 8 for start, end in spans)


def test_no_texts() -> None:
    rows, _, _ = find_marks(np.zeros(0, np.uint8), np.zeros(1, np.int64), TOKEN)
    assert len(rows) == 0
