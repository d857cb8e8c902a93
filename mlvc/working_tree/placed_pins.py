"""Which pins the files of a working tree were last brought in line with: what Git's index is to HEAD.

Git moves `mlvc.lock` at every checkout, the files follow. Between the two, this record says what the files are: that is what may be
overwritten or removed, because it is saved, and what tells `status` that files are behind rather than changed. It belongs to one
working tree and is never shared. Lost, it makes mlvc more careful: what it does not know, it does not touch.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from mlvc import atomic_file
from mlvc.errors import Error, local_file_error
from mlvc.working_tree import lock_file
from mlvc.working_tree.lock_file import Pins

FILE_NAME = "mlvc-placed"
_HEADER = "# mlvc placed 1 "


def fingerprint(lock: bytes) -> str:
    """Returns what tells one content of `mlvc.lock` from another; line ends do not count."""
    return hashlib.blake2b(lock.replace(b"\r\n", b"\n"), digest_size=16).hexdigest()


def is_followed(lock: Path, record: Path) -> bool:
    """Tells, fast, whether the files were already brought in line with `mlvc.lock` as it is, as far as that could be done."""
    try:
        with record.open("rb") as found:
            first = found.readline(200)
    except FileNotFoundError:
        return not lock.exists()
    except OSError:
        return False  # whoever goes on says what is wrong
    try:
        now = lock.read_bytes()
    except FileNotFoundError:
        now = b""
    except OSError:
        return False
    return first == f"{_HEADER}{fingerprint(now)}\n".encode()


def read(record: Path) -> Pins:
    """Returns the pins that the files were last brought in line with; none where the record is missing or damaged."""
    try:
        text = record.read_text(encoding="utf-8")
        return lock_file.parse(text, str(record))
    except FileNotFoundError:
        return {}
    except (Error, UnicodeDecodeError):
        return {}
    except OSError as error:
        raise local_file_error(error, f"read {record}") from error


def write(record: Path, pins: Pins, followed: str) -> None:
    """Writes the record, atomically.

    Args:
        record: where.
        pins: what the files hold.
        followed: the fingerprint of the lock file that they were brought in line with; "" for none.
    """
    atomic_file.make_folder(record.parent)
    atomic_file.replace(record, f"{_HEADER}{followed}\n{lock_file.render(pins)}".encode())


def followed(record: Path) -> str:
    """Returns the fingerprint that the record was last written with, or ""."""
    try:
        with record.open("rb") as found:
            first = found.readline(200)
    except OSError:
        return ""
    return first.decode(errors="replace").removeprefix(_HEADER).strip()
