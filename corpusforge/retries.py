"""Trying again: which answers of a store are worth it, how often, and how long to wait in between."""

from __future__ import annotations

import errno
import logging
import os
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from corpusforge.errors import CorpusforgeError, StorageError
from corpusforge.redaction import redacted

log = logging.getLogger("corpusforge.storage")

DELAYS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds before the second attempt, the third, …: doubling, and always the same, so that a test of a failing
store takes the same way each time. Workers do not fail in step: each is at another place of another shard."""

STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
"""HTTP: time ran out, too early, too many requests, and what is the store's own trouble."""

CODES = frozenset(
    {
        *(
            "SlowDown",
            "InternalError",
            "ServiceUnavailable",
            "RequestTimeout",
            "Throttling",
            "ThrottlingException",
        ),
        *("RequestLimitExceeded", "TooManyRequests", "OperationAborted", "BadDigest", "IncompleteBody"),
        *("XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch", "ConditionalRequestConflict"),
    }
)
"""Error codes of S3 that come with other statuses: slow down, another request is at this object, the body that
arrived is not the one that was sent (docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html)."""

_FINAL: dict[type[OSError], int] = {
    FileNotFoundError: errno.ENOENT,
    PermissionError: errno.EACCES,
    FileExistsError: errno.EEXIST,
    IsADirectoryError: errno.EISDIR,
    NotADirectoryError: errno.ENOTDIR,
}
"""What no further attempt can change."""

_TRANSPORT = frozenset(
    {
        ("aiohttp", "ClientError"),
        ("botocore", "HTTPClientError"),
        ("botocore", "IncompleteReadError"),
        ("botocore", "ResponseParserError"),
        ("botocore", "FlexibleChecksumError"),
        ("fsspec", "FSTimeoutError"),
        ("gcsfs", "ChecksumError"),
        ("requests", "ConnectionError"),
        ("requests", "Timeout"),
        ("requests", "ChunkedEncodingError"),
        ("urllib3", "HTTPError"),
        ("google", "TransportError"),
    }
)
"""(package, class) of what clients raise when no whole answer came. By name, so that no client is imported here."""

Result = TypeVar("Result")

sleep = time.sleep
"""How to wait; tests put a clock of their own here."""


class ShortAnswerError(Exception):
    """Fewer bytes came than were asked for, or other bytes are stored than were sent."""


def run(what: str, location: str, attempt: Callable[[], Result]) -> Result:
    """Call `attempt` until it succeeds, at most once more than there are `DELAYS`.

    `what` is the verb of the message ("read", "write", …). Passes on what no further attempt can change: missing
    and forbidden things, and errors of our own. Raises `StorageError` for everything else, at once for what is
    not worth another attempt, else after the last one.
    """
    for number, delay in enumerate((*DELAYS, None), 1):
        try:
            return attempt()
        except CorpusforgeError:
            raise
        except tuple(_FINAL) as error:
            raise _named(error, location) from error
        except Exception as error:
            if _is_forbidden(error):
                raise _named(PermissionError(str(error)), location) from error
            if delay is None or not is_transient(error):
                times = "1 attempt" if number == 1 else f"{number} attempts"
                raise StorageError(
                    f"cannot {what} {redacted(location)}: gave up after {times}; "
                    f"the last answer was {describe(error)}"
                ) from error
            log.info("%s %s: %s; again in %s s", what, redacted(location), describe(error), delay)
            sleep(delay)
    raise AssertionError  # the loop ends by return or raise


def is_transient(error: BaseException) -> bool:
    """Whether another attempt may succeed where this error came: the outermost cause that can tell decides."""
    for one in _chain(error):
        if isinstance(one, tuple(_FINAL)):
            return False
        status = status_of(one)
        if status is not None:
            return status in STATUSES or _code_of(one) in CODES
        if isinstance(one, (ShortAnswerError, ConnectionError, TimeoutError, EOFError)) or _is_transport(one):
            return True
    return False


def describe(error: BaseException) -> str:
    """The store's answer in one line: status where there is one, kind and message, without secrets."""
    message = " ".join(str(error).split())[:300]
    status = _answered(error)
    number = f"{status} " if status is not None and str(status) not in message else ""
    name = type(error).__name__
    return redacted(f"{number}{name}: {message}" if message else f"{number}{name}")


def _answered(error: BaseException) -> int | None:
    """The status that the store answered with, where an answer came."""
    for one in _chain(error):
        status = status_of(one)
        if status is not None or _is_transport(one):
            return status
    return None


def _is_forbidden(error: BaseException) -> bool:
    return _answered(error) in (401, 403) or str(error).startswith("Forbidden: ")  # the latter: gcsfs


def status_of(error: BaseException) -> int | None:
    """The HTTP status behind an error of botocore, aiohttp, gcsfs or requests; None where there is none."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        found = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    else:
        found = getattr(response, "status_code", None)
    for name in ("status", "code"):
        found = getattr(error, name, None) if found is None else found
    try:
        number = int(found) if isinstance(found, (int, str)) else 0
    except ValueError:
        return None
    return number if 100 <= number <= 599 else None


def _code_of(error: BaseException) -> str:
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""


def _is_transport(error: BaseException) -> bool:
    return any(
        (kind.__module__.partition(".")[0], kind.__name__) in _TRANSPORT for kind in type(error).__mro__
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what it came from."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)


def _named(error: OSError, location: str) -> OSError:
    """The same kind of error with the location in it, as errors of local files have."""
    kind = next(kind for kind in _FINAL if isinstance(error, kind))
    words = os.strerror(_FINAL[kind])
    answer = "" if kind is FileNotFoundError else f" ({describe(error)})"
    return kind(_FINAL[kind], words + answer, redacted(location))
