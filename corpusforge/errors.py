"""Errors that a user sees, each with its own exit status."""

from __future__ import annotations


class CorpusforgeError(Exception):
    """Base of all errors that are reported without a traceback."""

    exit_status = 1


class UsageError(CorpusforgeError):
    """The command, recipe or inputs are wrong; nothing was started."""

    exit_status = 2


class MissingExtraError(UsageError):
    """A step needs an optional dependency group that is not installed."""

    def __init__(self, step: str, extra: str) -> None:
        super().__init__(f'step {step!r} needs the extra {extra!r}: pip install "corpusforge[{extra}]"')


class MissingModelError(UsageError):
    """A model file is not there; the message names the command that gets it."""


class RunFailedError(CorpusforgeError):
    """A task failed for good, or the error budget is spent."""

    exit_status = 3


class StepContractError(RunFailedError):
    """A step returned what its contract does not allow: a fault of the step, not of a document."""


class StorageError(CorpusforgeError):
    """A store failed for good: the message names the location, the attempts and the last answer.

    It is no `OSError` on purpose: what reads a damaged file may go on without it, what reads from a store that
    fails must not take the rest of a file for damaged.
    """

    exit_status = 3


class LedgerOpenError(CorpusforgeError):
    """The ledger does not close: documents, bytes or tokens are unaccounted for."""

    exit_status = 4
