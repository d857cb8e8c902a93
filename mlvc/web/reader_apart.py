"""Reads strangers' files with libraries that a damaged one can crash, or make swallow memory: in a process apart, which may end without harm.

One for this process, made when it is first needed; it has bounds on memory and on time, and another takes its place when it ended.
"""

from __future__ import annotations

import multiprocessing
import resource
import signal
import threading
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from mlvc.errors import Error
from mlvc.format.ids import ManifestId, RecordId
from mlvc.web.table_pages import NotATableError, Table
from mlvc.workspace import contents
from mlvc.workspace.contents import Contents
from mlvc.workspace.workspace import Workspace

_MOST_MEMORY = 3 << 30
"""Bytes of address space: the library itself takes one GiB of it, and some 100 MB of memory."""

_LONGEST_S = 20

_alone = threading.Lock()
_child: tuple[Any, Connection] | None = None


def parquet_page(workspace: Workspace, held: Contents, path: str, page: int) -> Table:
    """Returns a page of a Parquet file.

    Raises:
        NotATableError: it is damaged, too large to be looked at, or nothing is installed that reads it.
    """
    found: Table = _ask(workspace, held, path, "page", page)
    return found


def parquet_rows(workspace: Workspace, held: Contents, path: str, most: int) -> tuple[tuple[str, ...], list[tuple[str, ...]]] | None:
    """Returns the columns and the first rows of a Parquet file as texts; None when it cannot be read as one."""
    try:
        found: tuple[tuple[str, ...], list[tuple[str, ...]]] | None = _ask(workspace, held, path, "rows", most)
    except NotATableError:
        return None
    return found


def _ask(workspace: Workspace, held: Contents, path: str, what: str, number: int) -> Any:
    global _child
    with _alone:
        if _child is None or not _child[0].is_alive():
            _child = _begin()
        process, connection = _child
        try:
            connection.send((str(workspace.root), bytes(held.manifest.id), held.recipes.id, path, what, number))
            if not connection.poll(_LONGEST_S):
                raise EOFError
            is_good, found = connection.recv()
        except (EOFError, OSError) as error:
            process.kill()
            process.join()
            connection.close()
            _child = None
            raise NotATableError("this table cannot be read: it took its reader down, or too long") from error
    if not is_good:
        raise NotATableError(str(found))
    return found


def _begin() -> tuple[Any, Connection]:
    context = multiprocessing.get_context("spawn")  # a fork would copy the server's threads and locks
    mine, its = context.Pipe()
    process = context.Process(target=_serve, args=(its,), daemon=True, name="mlvc table reader")
    process.start()
    its.close()
    return process, mine


def _serve(connection: Connection) -> None:
    """Answers until the other side is gone."""
    from mlvc.web import parquet_tables

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server ends it
    with suppress(ValueError, OSError):  # macOS knows no bound on address space; there time alone is bounded
        resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    workspaces: dict[str, Workspace] = {}
    while True:
        try:
            root, manifest, recipes, path, what, number = connection.recv()
        except EOFError:
            return
        try:
            if root not in workspaces:
                workspaces[root] = Workspace.find(Path(root))
            workspace = workspaces[root]
            objects = workspace.repository.objects
            held = Contents(objects.manifest(ManifestId(manifest)), objects.recipe_index(None if recipes is None else RecordId(recipes)))
            with contents.open_entry(workspace, held, path) as file:
                found: Any = parquet_tables.page_of(file, number) if what == "page" else parquet_tables.rows_of(file, number)
            connection.send((True, found))
        except MemoryError:
            connection.send((False, "this table takes too much memory to be looked at"))
        except Error as error:
            connection.send((False, error.message))
