"""What can go wrong, in two vocabularies.

A failure of the *job* is an exception; the command line turns it into an exit code in one place:

    HwrBatchError
    ├── ConfigError       2   wrong usage, an option out of range, a cluster that cannot hold one actor
    ├── ManifestError     4   the manifest cannot be read, or names a line twice
    ├── ModelError        5   the model is missing, damaged, or not what its card says
    ├── StorageError      6   storage failed after every retry; running again resumes
    │   └── DamagedPartError  a part of the results is cut short, altered, or no part at all
    ├── PlanMismatchError 7   OUTPUT belongs to another plan
    └── IncompleteError   1   the accounting identity does not hold (a bug: please report it)

A failure of one *line* is a `Status` on that line's row. `LineError` carries it from the room that
found it to the one place where it becomes a row (`hwr_batch.pipeline`); it never ends a job.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum


class ExitCode(IntEnum):
    """Exit codes of every command (130 and 143 follow the shell's 128 + signal number)."""

    COMPLETE = 0
    BUG = 1
    USAGE = 2
    OVER_ERROR_BUDGET = 3
    BAD_MANIFEST = 4
    BAD_MODEL = 5
    STORAGE_FAILED = 6
    OTHER_PLAN = 7
    INTERRUPTED = 130
    TERMINATED = 143


class Status(StrEnum):
    """The closed list of what can have become of a line."""

    OK = "ok"
    IMAGE_MISSING = "image_missing"
    IMAGE_UNREADABLE = "image_unreadable"
    IMAGE_TOO_LARGE = "image_too_large"
    REGION_INVALID = "region_invalid"
    LINE_TOO_WIDE = "line_too_wide"
    TIMED_OUT = "timed_out"
    WORKER_CRASHED = "worker_crashed"
    ACCESS_DENIED = "access_denied"


class HwrBatchError(Exception):
    """Base of every error a user can meet. The message says what happened and what to do."""

    exit_code: ExitCode = ExitCode.BUG


class ConfigError(HwrBatchError):
    """An option, or a combination of options, that cannot work."""

    exit_code = ExitCode.USAGE


class ManifestError(HwrBatchError):
    """The manifest as a whole cannot be used."""

    exit_code = ExitCode.BAD_MANIFEST


class ModelError(HwrBatchError):
    """The model is missing, damaged, or contradicts its card."""

    exit_code = ExitCode.BAD_MODEL


class StorageError(HwrBatchError):
    """A store failed after every retry."""

    exit_code = ExitCode.STORAGE_FAILED


class DamagedPartError(StorageError):
    """A file under a part's name cannot be read as a part. Made again once it is removed."""


class PlanMismatchError(HwrBatchError):
    """OUTPUT was begun with another manifest, model or option."""

    exit_code = ExitCode.OTHER_PLAN


class IncompleteError(HwrBatchError):
    """The result rows are not exactly the manifest rows."""

    exit_code = ExitCode.BUG


class LineError(Exception):
    """One line cannot be read: `status` (never `ok`) and one sentence, free of document text."""

    def __init__(self, status: Status, sentence: str) -> None:
        super().__init__(status, sentence)  # both, so that it survives pickling
        self.status = status
        self.sentence = sentence

    def __str__(self) -> str:
        return self.sentence
