"""Retries: which errors are worth another attempt, in what rhythm, and what is said in the end."""

from __future__ import annotations

import pytest

from corpusforge import retries
from corpusforge.errors import StorageError, UsageError


class AnswerError(Exception):
    """Like botocore's: the answer is in `response`."""

    def __init__(self, status: int, code: str = "") -> None:
        super().__init__(f"An error occurred ({code})")
        self.response = {"ResponseMetadata": {"HTTPStatusCode": status}, "Error": {"Code": code}}


class StatusError(Exception):
    """Like aiohttp's and gcsfs's: the status is an attribute, there of numbers and here of text too."""

    def __init__(self, **values: object) -> None:
        super().__init__("no")
        vars(self).update(values)


def wrapped(outer: Exception, inner: Exception) -> Exception:
    outer.__cause__ = inner
    return outer


@pytest.fixture
def waits(monkeypatch) -> list[float]:
    found: list[float] = []
    monkeypatch.setattr(retries, "sleep", found.append)
    return found


def failing(*errors: Exception):
    left = list(errors)

    def attempt() -> str:
        if left:
            raise left.pop(0)
        return "done"

    return attempt


@pytest.mark.parametrize(
    "error",
    [
        AnswerError(503, "SlowDown"),
        AnswerError(429),
        AnswerError(400, "RequestTimeout"),
        AnswerError(409, "OperationAborted"),
        StatusError(status=500),
        StatusError(code="502"),
        wrapped(OSError(16, "Slow down"), AnswerError(503)),
        ConnectionResetError(),
        TimeoutError(),
        retries.ShortAnswerError("3 of 7 bytes"),
        EOFError(),
    ],
)
def test_what_is_worth_another_attempt(error, waits):
    assert retries.run("read", "s3://b/k", failing(error)) == "done"
    assert waits == [0.25]


@pytest.mark.parametrize(
    "error",
    [
        AnswerError(400, "InvalidArgument"),
        AnswerError(409, "BucketNotEmpty"),
        StatusError(status=412),
        StatusError(code="text"),
        OSError(22, "Invalid argument"),
        ValueError("no"),
    ],
)
def test_what_is_not(error, waits):
    with pytest.raises(StorageError, match="after 1 attempt; the last answer was"):
        retries.run("read", "s3://b/k", failing(error))
    assert waits == []


@pytest.mark.parametrize("kind", [FileNotFoundError, PermissionError, FileExistsError, IsADirectoryError])
def test_what_a_caller_can_tell_apart_stays_what_it_is(kind, waits):
    with pytest.raises(kind) as caught:
        retries.run("read", "ftp://u:secret@h/k", failing(kind("no")))
    assert caught.value.filename == "ftp://***@h/k"
    assert waits == []


@pytest.mark.parametrize("error", [AnswerError(403), StatusError(status=401), OSError("Forbidden: b/x")])
def test_what_is_forbidden_is_so_for_every_client(error, waits):
    with pytest.raises(PermissionError):
        retries.run("read", "s3://b/k", failing(error))
    assert waits == []


def test_errors_of_our_own_pass(waits):
    with pytest.raises(UsageError, match="mine"):
        retries.run("read", "s3://b/k", failing(UsageError("mine")))
    assert waits == []


def test_the_rhythm_doubles_and_ends(waits):
    errors = [AnswerError(503)] * 7
    assert retries.run("read", "s3://b/k", failing(*errors)) == "done"
    assert waits == [0.25, 0.5, 1, 2, 4, 8, 16]
    message = r"cannot write s3://b/k: gave up after 8 attempts; the last answer was 429 AnswerError: .*\(Throttled\)"
    with pytest.raises(StorageError, match=message):
        retries.run("write", "s3://b/k", failing(*errors, AnswerError(429, "Throttled")))
    assert len(waits) == 14


def test_no_secret_is_said_or_logged(waits, caplog):
    caplog.set_level("DEBUG", "corpusforge.storage")
    signed = "https://h/k?X-Amz-Signature=hunter2"
    error = ConnectionError(f"cannot connect to {signed}")
    with pytest.raises(StorageError) as caught:
        retries.run("read", signed, failing(*[error] * 9))
    assert "X-Amz-Signature=***" in str(caught.value)
    assert "hunter2" not in str(caught.value) + caplog.text
    assert len(caplog.records) == 7
