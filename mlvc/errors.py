"""The one error tree of mlvc. Lowest layer: imports nothing of mlvc.

::

    Error                        exit 1   anything mlvc can tell you about
    ├── UsageError               exit 2   the call or command line is wrong
    │   ├── UnsupportedError              known elsewhere, not here
    │   └── InvalidNameError              a name or path breaks the rules (also a ValueError)
    ├── CommError                         what W&B scripts catch when something asked for is not had
    │   ├── AuthenticationError           never raised
    │   ├── ConflictError        exit 3   two answers, and only a person can choose
    │   ├── ProtectedError       exit 3   who may has not signed
    │   ├── NotFoundError        exit 4   (also a LookupError)
    │   └── RemoteError          exit 5   the other side failed or refused
    ├── DamageError              exit 1   stored bytes are not what was written
    ├── NewerFormatError         exit 1   made by a newer mlvc
    └── LocalFileError           exit 1   disk full, no permission (also an OSError)

Every error is one sentence (what happened, expected, found) and, where there is a way out, a `hint`.
"""

from __future__ import annotations

import errno


class Error(Exception):
    """Root of everything mlvc raises on purpose.

    Attributes:
        message: one sentence, no trailing newline.
        hint: what to do about it, or None.
        exit_code: what the command line exits with.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message


class UsageError(Error):
    """The caller asked for something that cannot be."""

    exit_code = 2


class UnsupportedError(UsageError):
    """Known to W&B or Git users, and not offered here."""


class InvalidNameError(UsageError, ValueError):
    """A name, alias or path breaks the rules of docs/format/names.md."""


class CommError(Error):
    """What was asked for could not be had; W&B's name for it."""


class AuthenticationError(CommError):
    """Nobody has to log in here, so it is never raised; W&B's scripts catch it."""


class ConflictError(CommError):
    """Two answers are equally right; a person decides."""

    exit_code = 3


class ProtectedError(CommError):
    """A protected alias would change, and nobody who may has signed."""

    exit_code = 3


class NotFoundError(CommError, LookupError):
    """Nothing of that name or id is here."""

    exit_code = 4


class RemoteError(CommError):
    """The remote failed, refused, or holds something unusable."""

    exit_code = 5


class DamageError(Error):
    """Stored bytes differ from what was written."""


class NewerFormatError(Error):
    """A newer mlvc wrote this; this one must not guess what it means."""


class LocalFileError(Error, OSError):
    """A local disk said no: full, read-only, not permitted."""

    def __init__(self, message: str, *, hint: str | None = None, cause: OSError | None = None) -> None:
        Error.__init__(self, message, hint=hint)
        self.errno = cause.errno if cause else None


def local_file_error(error: OSError, doing: str) -> LocalFileError:
    """Returns the error to raise for a failed operation on a local file.

    Args:
        error: what the operating system said.
        doing: what was being done, as in "write the pack /x/y".
    """
    reason = (error.strerror or str(error)).lower()
    hint = None
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        hint = "free some space ('mlvc gc' drops what nothing needs) and run the command again; nothing was lost"
    elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        hint = "check who owns the file and its folder"
    return LocalFileError(f"cannot {doing}: {reason}", hint=hint, cause=error)
