"""Tables made of tables: two joined by a key, or the parts in a folder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from mlvc.media.tables import Table, entry_text
from mlvc.media.values import Json, Keep, Media, StoredFiles

_SUFFIX = ".table.json"


class PartitionedTable(Media):
    """The tables in a folder of an artifact, read one after the other.

    Args:
        parts_path: the folder.
    """

    __slots__ = ("_files", "parts_path")
    _log_type: ClassVar[str] = "partitioned-table"

    def __init__(self, parts_path: str) -> None:
        self.parts_path = parts_path
        self._files: StoredFiles | None = None

    def iterrows(self) -> Iterator[tuple[int, list[Any]]]:
        """Yields number and cells of each row; ValueError when the parts have different columns."""
        columns = None
        number = 0
        for path in self._files.paths_below(self.parts_path) if self._files is not None else ():
            part = self._files.get(path) if self._files is not None and path.endswith(_SUFFIX) else None
            if not isinstance(part, Table):
                continue
            if columns not in (None, part.columns):
                raise ValueError(f"Table parts have non-matching columns. {columns} != {part.columns}")
            columns = part.columns
            for _, row in part.iterrows():
                yield number, row
                number += 1

    def _entry(self, name: str, keep: Keep) -> Json:
        return {"_type": self._log_type, "parts_path": self.parts_path}

    @classmethod
    def _from_entry(cls, entry: Json, files: StoredFiles) -> PartitionedTable:
        found = cls(entry["parts_path"])
        found._files = files
        return found

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PartitionedTable) and other.parts_path == self.parts_path

    def __hash__(self) -> int:
        return id(self)


class JoinedTable(Media):
    """Two tables and the column, or pair of columns, that joins them.

    Args:
        table1, table2: a table, or the path of one in the same artifact.
        join_key: a column of both, or [column of the first, column of the second].
    """

    __slots__ = ("_join_key", "_table1", "_table2")
    _log_type: ClassVar[str] = "joined-table"

    def __init__(self, table1: Any, table2: Any, join_key: str | list[str]) -> None:
        if not isinstance(join_key, str) and not (isinstance(join_key, list) and len(join_key) == 2):
            raise ValueError("JoinedTable join_key should be a string or a list of two strings")
        for which, table in (("table1", table1), ("table2", table2)):
            if not (isinstance(table, (Table, PartitionedTable)) or (isinstance(table, str) and table.endswith(_SUFFIX))):
                raise ValueError(f"JoinedTable {which} should be an artifact path to a table or wandb.Table object")
        self._table1, self._table2, self._join_key = table1, table2, join_key

    def _entry(self, name: str, keep: Keep) -> Json:
        paths = {}
        for which, table in (("table1", self._table1), ("table2", self._table2)):
            path = table
            if isinstance(table, Media):
                path = table.with_suffix(f"{name.split('.', maxsplit=1)[0]}.{which}")
                keep(path, entry_text(table._entry(path, keep)))
            paths[which] = path
        return {"_type": self._log_type, **paths, "join_key": self._join_key}

    @classmethod
    def _from_entry(cls, entry: Json, files: StoredFiles) -> JoinedTable:
        first, second = (files.get(entry[which]) or entry[which] for which in ("table1", "table2"))
        return cls(first, second, entry["join_key"])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, JoinedTable) and (other._table1, other._table2, other._join_key) == (
            self._table1,
            self._table2,
            self._join_key,
        )

    def __hash__(self) -> int:
        return id(self)
