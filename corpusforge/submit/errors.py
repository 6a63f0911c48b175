"""What the client of a cloud raises, in three kinds: passing trouble, the user's to mend, and refusals for good."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from corpusforge.errors import CorpusforgeError, MissingExtraError, RunFailedError, UsageError

REGION = re.compile(r"[a-z]+-[a-z]+\d{1,2}")
"""How Google Cloud names regions: ``europe-west4``, ``us-central1``, ``northamerica-northeast2``."""

SCOPE = "https://www.googleapis.com/auth/cloud-platform"

CREDENTIALS_HELP = (
    "They come from Google's default chain: `gcloud auth application-default login`, the variable "
    "GOOGLE_APPLICATION_CREDENTIALS, or the service account of this machine."
)


class ConnectionLostError(CorpusforgeError):
    """The cloud did not answer for too long. The job goes on; the message says how to follow it again."""

    exit_status = 75


def check_region(region: str) -> None:
    """Raise `UsageError` for what is no region: a wrong one is a host that does not exist, found out late."""
    if REGION.fullmatch(region):
        return
    hint = "a region looks like europe-west4"
    if REGION.fullmatch(region.rpartition("-")[0]):
        hint = f"that is a zone, its region is {region.rpartition('-')[0]}"
    raise UsageError(f"--region {region!r}: {hint}")


def require_credentials(what: str) -> None:
    """Raise `UsageError` where Google's default chain finds no credentials; none are kept."""
    try:
        import google.auth
        from google.auth.exceptions import GoogleAuthError
    except ImportError as error:
        raise MissingExtraError(what, "cloud") from error
    try:
        google.auth.default(scopes=[SCOPE])
    except GoogleAuthError as error:
        raise UsageError(f"no usable Google credentials: {error}\n{CREDENTIALS_HELP}") from error


def is_passing(error: BaseException) -> bool:
    """Whether the same call may well succeed a little later."""
    from google.api_core import exceptions
    from google.auth.exceptions import GoogleAuthError, TransportError

    passing = (
        exceptions.ServiceUnavailable,
        exceptions.DeadlineExceeded,
        exceptions.InternalServerError,
        exceptions.BadGateway,
        exceptions.Unknown,  # what gRPC makes of a stream that a proxy cut
        exceptions.Aborted,
        exceptions.RetryError,
        TransportError,
        ConnectionError,
    )
    if isinstance(error, GoogleAuthError) and error.retryable:  # the server of tokens has trouble of its own
        return True
    return isinstance(error, passing) or is_too_fast(error)


def is_too_fast(error: BaseException) -> bool:
    """Whether calls come too fast: a quota by the minute, which comes back by itself, unlike one of processors."""
    from google.api_core import exceptions

    return isinstance(error, exceptions.TooManyRequests) and error.reason == "RATE_LIMIT_EXCEEDED"


def is_rate_limit(error: BaseException) -> bool:
    """Whether calls come too fast, or a quota is used up."""
    from google.api_core import exceptions

    return isinstance(error, exceptions.TooManyRequests)


def is_missing(error: BaseException) -> bool:
    """Whether what was asked for is not there."""
    from google.api_core import exceptions

    return isinstance(error, exceptions.NotFound)


def is_over(error: BaseException) -> bool:
    """Whether what was to be ended has ended, or its operation is forgotten."""
    from google.api_core import exceptions

    return isinstance(error, exceptions.FailedPrecondition | exceptions.NotFound)


def is_repeated(error: BaseException) -> bool:
    """Whether what was to be made is there already."""
    from google.api_core import exceptions

    return isinstance(error, exceptions.AlreadyExists)


@contextmanager
def explained() -> Iterator[None]:
    """Turn the client's exceptions into one message for the user. Nothing of a credential is in them."""
    from google.api_core import exceptions
    from google.auth.exceptions import GoogleAuthError

    try:
        yield
    except GoogleAuthError as error:
        raise UsageError(f"no usable Google credentials: {error}\n{CREDENTIALS_HELP}") from error
    except (exceptions.Unauthenticated, exceptions.Forbidden) as error:
        raise UsageError(f"Dataproc refused: {error.message}") from error
    except (exceptions.NotFound, exceptions.InvalidArgument, exceptions.FailedPrecondition) as error:
        raise UsageError(f"Dataproc does not accept this: {error.message}") from error
    except exceptions.TooManyRequests as error:
        raise RunFailedError(
            f"a quota of the project is used up, nothing was started: {error.message}"
        ) from error
    except exceptions.ServiceUnavailable as error:
        hint = ""
        if "DNS" in error.message or "name resolution" in error.message:
            hint = " (every region has a host of its own: is --region right, and is there a network?)"
        raise RunFailedError(f"Dataproc does not answer: {error.message}{hint}") from error
    except exceptions.GoogleAPICallError as error:
        raise RunFailedError(f"Dataproc: {error.message}") from error
