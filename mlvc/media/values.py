"""What all media share: a type name, files that hold it, and a small JSON entry that says the rest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Protocol

from mlvc.errors import UsageError
from mlvc.media import content
from mlvc.media.content import Content, Spool

Keep = Callable[[str, Content], None]
"""Keeps a file of a value under a relative path."""

Json = dict[str, Any]

EXTRA = "pip install 'mlvc[media]'"


class StoredFiles(Protocol):
    """Where a stored value's files are."""

    def open(self, path: str) -> BinaryIO:
        """Opens a file for reading at any place; KeyError when there is none."""

    def content(self, path: str) -> Content:
        """Returns a file's bytes, or what reads them when someone asks; KeyError when there is none."""

    def get(self, name: str) -> Any:
        """Returns the media value stored under a name, or None."""

    def paths_below(self, folder: str) -> list[str]:
        """Returns the paths of all files in a folder, sorted."""


class Media:
    """A value that artifacts and histories can hold.

    Attributes:
        log_type: what its entry bears as `_type`, and its file name before `.json`.
    """

    __slots__ = ()
    _log_type: ClassVar[str] = ""

    @classmethod
    def with_suffix(cls, name: str, filetype: str = "json") -> str:
        """Returns the path that a value added as `name` has in an artifact."""
        suffix = f"{cls._log_type}.{filetype}"
        return name if name.endswith(f".{suffix}") else f"{name}.{suffix}"

    def _entry(self, name: str, keep: Keep) -> Json:
        """Keeps its files, the larger ones named after `name`, and returns its entry."""
        raise NotImplementedError

    @classmethod
    def _from_entry(cls, entry: Json, files: StoredFiles) -> Media:
        raise NotImplementedError

    def to_data_array(self) -> Any:
        """Returns the value as plain Python lists, where it has such a form."""
        raise TypeError(f"a {type(self).__name__} has no form as an array")


class FileMedia(Media):
    """A value that is one file: `content` of a kind told by `suffix`, and a caption."""

    __slots__ = ("_caption", "_content", "_suffix")
    _folder: ClassVar[str] = "media"

    _content: Content
    _suffix: str
    _caption: str | None

    def _path(self) -> str:
        return f"{self._folder}/{content.sha256(self._content)[:20]}.{self._suffix}"

    def _details(self) -> Json:
        """Returns what its entry says beside path, size and checksum."""
        return {} if self._caption is None else {"caption": self._caption}

    def _entry(self, name: str, keep: Keep) -> Json:
        path = self._path()
        keep(path, self._content)
        return {
            "_type": self._log_type,
            "sha256": content.sha256(self._content),
            "size": content.size(self._content),
            "path": path,
            **self._details(),
        }

    @classmethod
    def _from_entry(cls, entry: Json, files: StoredFiles) -> FileMedia:
        path = entry["path"]
        value = cls.__new__(cls)
        value._content, value._suffix = files.content(path), path.rsplit("/", 1)[-1].partition(".")[2]
        value._caption = entry.get("caption")
        value._restore(entry)
        return value

    def _restore(self, entry: Json) -> None:
        """Takes the details of a kind out of a stored entry."""

    def _spool(self, spool: Spool) -> None:
        """Moves bytes out of memory."""
        if isinstance(self._content, bytes):
            self._content = spool.put(self._content)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, type(self)):
            return False
        return self._details() == other._details() and content.read(self._content) == content.read(other._content)

    def __hash__(self) -> int:
        return id(self)


def existing_file(path: Any) -> Path:
    """Returns a path that a user gave for a media file; ValueError when there is no such file."""
    found = Path(path).absolute()
    if not found.is_file():
        raise ValueError(f"there is no file {str(path)!r}")
    return found


def needs(package: str, what: str) -> UsageError:
    """Returns the error for a package that is not installed."""
    return UsageError(f"{what} need {package}, which is not installed", hint=EXTRA)
