"""The files of a version: a folder at a time, and a look into each without running anything of it."""

from __future__ import annotations

import json
from pathlib import PurePosixPath

from msgspec import Struct

from mlvc.fold.questions import Member, View
from mlvc.format.manifest import Entry, FileEntry, ReferenceEntry
from mlvc.web import file_kinds, markdown, tables, texts
from mlvc.web.table_pages import NotATableError, Table
from mlvc.workspace import contents
from mlvc.workspace.contents import Contents
from mlvc.workspace.workspace import Workspace

PER_FOLDER = 500
_JSON_BYTES = 2 << 20


class Item(Struct, frozen=True):
    """A file or folder of a listing: its name, path, size in bytes, files within (0 for a file), and whether it is an image."""

    name: str
    path: str
    size: int
    count: int
    is_image: bool = False
    uri: str = ""


class Listing(Struct, frozen=True):
    """A page of what is in a folder: the way down to it as (name, path), items, and whether there are more."""

    folder: str
    way: tuple[tuple[str, str], ...]
    items: tuple[Item, ...]
    start: int
    total: int

    @property
    def has_more(self) -> bool:
        """Whether a page follows."""
        return (self.start + 1) * PER_FOLDER < self.total


def folder(workspace: Workspace, view: View, member: Member, path: str, page: int) -> Listing:
    """Returns a page of what a version holds in a folder, folders first."""
    path = path.strip("/")
    prefix = f"{path}/" if path else ""
    folders: dict[str, list[int]] = {}
    files: list[Item] = []
    for entry in contents.of(workspace, view, member.version).manifest:
        if not entry.path.startswith(prefix):
            continue
        first, slash, _ = entry.path[len(prefix) :].partition("/")
        if slash:
            found = folders.setdefault(first, [0, 0])
            found[0] += 1
            found[1] += entry.size
        else:
            files.append(_item(entry, first))
    items = [*(Item(name, f"{prefix}{name}", size, count) for name, (count, size) in sorted(folders.items())), *files]
    parts = PurePosixPath(path).parts
    way = tuple((part, "/".join(parts[: place + 1])) for place, part in enumerate(parts))
    return Listing(path, way, tuple(items[page * PER_FOLDER : (page + 1) * PER_FOLDER]), page, len(items))


def _item(entry: Entry, name: str) -> Item:
    is_image = PurePosixPath(name).suffix.lower() in file_kinds.IMAGES and isinstance(entry, FileEntry)
    return Item(name, entry.path, entry.size, 0, is_image, entry.uri if isinstance(entry, ReferenceEntry) else "")


class Preview(Struct, frozen=True):
    """A look into a file.

    Attributes:
        kind: image, sound, film, page, table, json, markdown, text, bytes or reference.
        text: of a text, or what is to be said.
        table: a page of one.
        is_cut: whether more of the text follows.
    """

    kind: str
    text: str = ""
    table: Table | None = None
    is_cut: bool = False


def preview(workspace: Workspace, held: Contents, path: str, page: int) -> Preview:
    """Returns a look into a file; NotFoundError when the version has none, or its bytes are nowhere within reach."""
    entry = held.manifest[path]
    if isinstance(entry, ReferenceEntry):
        return Preview("reference", entry.uri)
    suffix = PurePosixPath(path).suffix.lower()
    for kind, known in (("image", file_kinds.IMAGES), ("sound", file_kinds.SOUNDS), ("film", file_kinds.FILMS), ("page", file_kinds.PAGES)):
        if suffix in known:
            return Preview(kind)
    if suffix in tables.ENDINGS:
        try:
            return Preview("table", table=tables.page(workspace, held, path, page))
        except NotATableError as error:
            return Preview("text", error.message)
    with contents.open_entry(workspace, held, path) as file:
        head = file.read(_JSON_BYTES if suffix in (".json", ".ipynb") and entry.size <= _JSON_BYTES else texts.MOST_BYTES)
    if suffix == ".json" and entry.size == len(head):
        try:
            shown, is_cut = texts.pretty(json.loads(head))
            return Preview("json", texts.cut_lines(shown), is_cut=is_cut)
        except (ValueError, RecursionError):
            pass  # it is shown as the text that it is
    text = texts.as_text(head, is_whole=entry.size == len(head))
    if text is None:
        return Preview("bytes", texts.hex_dump(head[:512]), is_cut=entry.size > 512)
    if suffix in file_kinds.MARKDOWN and entry.size == len(head) and len(text) <= markdown.MOST:
        return Preview("markdown", text)
    return Preview("text", texts.cut_lines(text), is_cut=entry.size > len(head))


