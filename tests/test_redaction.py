"""Redaction: secrets go, and nothing else does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.redaction import redacted

SECRET = "hunter2"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        (f"ftp://me:{SECRET}@host/a/b", "ftp://***@host/a/b"),
        (f"sftp://{SECRET}@host:22/a", "sftp://***@host:22/a"),
        (f"zip://x.txt::https://u:{SECRET}@h/y.zip", "zip://x.txt::https://***@h/y.zip"),
        (
            f"https://b.s3.amazonaws.com/k?X-Amz-Algorithm=A&X-Amz-Credential={SECRET}%2Fx&X-Amz-Signature={SECRET}",
            "https://b.s3.amazonaws.com/k?X-Amz-Algorithm=***&X-Amz-Credential=***&X-Amz-Signature=***",
        ),
        (
            f"https://storage.googleapis.com/b/k?GoogleAccessId=me&Expires=1&Signature={SECRET}",
            "https://storage.googleapis.com/b/k?GoogleAccessId=***&Expires=1&Signature=***",
        ),
        (
            f"https://a.blob.core.windows.net/c/k?sv=1&sig={SECRET}",
            "https://a.blob.core.windows.net/c/k?sv=1&sig=***",
        ),
        (f"https://h/?page=3&access_token={SECRET}#part", "https://h/?page=3&access_token=***#part"),
        (f"https://h/x?api_key={SECRET};client_secret={SECRET}", "https://h/x?api_key=***;client_secret=***"),
    ],
)
def test_passwords_and_signatures_go(address, shown):
    assert redacted(address) == shown
    assert redacted(f"cannot read {address!r}: no") == f"cannot read {shown!r}: no"
    assert SECRET not in redacted(f"GET {address}\n{address}")


@pytest.mark.parametrize(
    "text",
    [
        "s3://bucket/run/documents/00000.parquet",
        "gs://bucket/a@b/c?x=1",
        "https://example.com/?page=2&id=7",
        "mail me@example.com: monkey=1&key=2",
        "/local/path?key=1",
        "",
    ],
)
def test_the_rest_stays(text):
    assert redacted(text) == text


@given(st.text(), st.text(alphabet="abc:/@?&=. '\"", max_size=60))
def test_twice_is_once(text, address):
    once = redacted(f"{text}://{address}")
    assert redacted(once) == once
