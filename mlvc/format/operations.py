"""The operations that transactions are made of: everything anyone can say to a journal.

Each is a frozen value. On the wire it is `[kind, {field: value}]` with fields at their default left out. An unknown
kind or field means that a newer mlvc wrote it, and reading stops there (DESIGN 3.10).

`saw`, `names` and `deletes_seen` hold `FactId`s: the operations (transaction and position) that the author knew of.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from msgspec import Struct, field

from mlvc.errors import DamageError, NewerFormatError
from mlvc.format import canonical, record
from mlvc.format.ids import (
    FACT_SIZE,
    ID_SIZE,
    RUN_ID_SIZE,
    FactId,
    FileDigest,
    ManifestId,
    RecordId,
    RunId,
    TransactionId,
    VersionId,
)
from mlvc.format.record import Kind
from mlvc.format.values import StoredValue

Facts = tuple[FactId, ...]
StoredMap = Mapping[str, StoredValue]

FOLD_RULES_VERSION = 1
"""The version of the fold's rules that this mlvc knows."""


def version_id(collection: str, manifest: ManifestId) -> VersionId:
    """Returns the id of a version: the hash of (collection as stored, manifest id) and nothing else."""
    return VersionId(record.record_id(record.frame(Kind.VERSION_NAME, canonical.encode([collection, manifest]))))


class Operation(Struct, frozen=True):
    """What all operations share."""

    kind: ClassVar[str] = ""


class Project(Operation, frozen=True):
    """Names the project that the repository belongs to."""

    kind: ClassVar[str] = "project"
    name: str


class Collection(Operation, frozen=True):
    """Makes a collection known, with its type; the first in fold order decides the type."""

    kind: ClassVar[str] = "collection"
    collection: str
    type: str


class Publish(Operation, frozen=True):
    """Says that a run (or person) published a manifest in a source collection; never which number it gets.

    Attributes:
        recipes: the recipe index, or None when every file is a single chunk.
        run: who made it, or None for a person.
        base: the version it was derived from, if known.
        metadata: key -> value; kept whole.
        step: the last step of history that its run had logged by then, or None.
    """

    kind: ClassVar[str] = "publish"
    collection: str
    manifest: ManifestId
    recipes: RecordId | None = None
    run: RunId | None = None
    metadata: StoredMap = field(default_factory=dict)
    description: str = ""
    base: VersionId | None = None
    deletes_seen: Facts = ()
    step: int | None = None

    @property
    def version(self) -> VersionId:
        """The version it publishes."""
        return version_id(self.collection, self.manifest)


class Link(Operation, frozen=True):
    """Puts a source version into a registry collection."""

    kind: ClassVar[str] = "link"
    collection: str
    version: VersionId
    run: RunId | None = None
    deletes_seen: Facts = ()


class Unlink(Operation, frozen=True):
    """Takes back the links (and moves onto them) that its author saw in a registry collection."""

    kind: ClassVar[str] = "unlink"
    collection: str
    version: VersionId
    names: Facts = ()


class Move(Operation, frozen=True):
    """Points an alias at a version, or at nothing; replaces the moves in `saw` and all that those replaced."""

    kind: ClassVar[str] = "move"
    collection: str
    alias: str
    version: VersionId | None = None
    saw: Facts = ()
    deletes_seen: Facts = ()


class TagAdd(Operation, frozen=True):
    """Tags a version, collection or run."""

    kind: ClassVar[str] = "tag_add"
    target: tuple[str, str | bytes]
    tag: str


class TagRemove(Operation, frozen=True):
    """Takes back the taggings that its author saw."""

    kind: ClassVar[str] = "tag_remove"
    target: tuple[str, str | bytes]
    tag: str
    names: Facts = ()


class Edit(Operation, frozen=True):
    """Sets and removes metadata keys, or the description, of a version or collection."""

    kind: ClassVar[str] = "edit"
    target: tuple[str, str | bytes]
    set: StoredMap = field(default_factory=dict)
    remove: tuple[str, ...] = ()
    description: str | None = None


class RunHead(Operation, frozen=True):
    """A new state of a run: what changed since the heads in `saw`.

    Attributes:
        label: what users know as the run's id; two runs may bear the same.
        facts: single values of this head, such as state, job_type, git, files; see docs/format/runs.md.
        config, summary: changed top-level keys; removed ones map to "null" in `removed`.
        removed: keys taken out, as `config.KEY` or `summary.KEY`.
        tags: all tags of the run, or None where they did not change.
        files: name -> (digest, size, recipe or None) of history, console, patch, packages.
    """

    kind: ClassVar[str] = "run_head"
    run: RunId
    project: str
    label: str
    saw: Facts = ()
    facts: StoredMap = field(default_factory=dict)
    config: StoredMap = field(default_factory=dict)
    summary: StoredMap = field(default_factory=dict)
    removed: tuple[str, ...] = ()
    tags: tuple[str, ...] | None = None
    files: Mapping[str, tuple[FileDigest, int, RecordId | None]] = field(default_factory=dict)


class Edge(Operation, frozen=True):
    """Says that a run used a version, by which name it asked, and what for."""

    kind: ClassVar[str] = "edge"
    run: RunId
    version: VersionId
    name: str = ""
    use_as: str = ""


class Delete(Operation, frozen=True):
    """Deletes a version, a collection or a run: exactly the publications, links, moves or heads in `names`."""

    kind: ClassVar[str] = "delete"
    target: tuple[str, str | bytes]
    names: Facts = ()


class Undo(Operation, frozen=True):
    """Makes a transaction count as never made."""

    kind: ClassVar[str] = "undo"
    transaction: TransactionId


class Redirect(Operation, frozen=True):
    """Makes a new name of an old collection, which keeps its name, ids and numbers in what is stored."""

    kind: ClassVar[str] = "redirect"
    name: str
    to: str


class Ttl(Operation, frozen=True):
    """Says how long a version is worth keeping, in milliseconds from its publication; None for ever."""

    kind: ClassVar[str] = "ttl"
    version: VersionId
    ttl_ms: int | None = None


class Protect(Operation, frozen=True):
    """Says which public keys may change what an alias answers; None lifts the protection."""

    kind: ClassVar[str] = "protect"
    collection: str
    alias: str
    keys: tuple[str, ...] | None = None


class FoldRules(Operation, frozen=True):
    """Raises the version of the fold's rules; an mlvc that knows only older ones stops here."""

    kind: ClassVar[str] = "fold_rules"
    version: int


def _optional_parts(kind: type[Operation]) -> dict[str, Any]:
    """Returns the parts that are left out when they are what they would be anyway, with that."""
    defaults = kind.__struct_defaults__
    named = zip(kind.__struct_fields__[-len(defaults) :], defaults, strict=True) if defaults else ()
    return {name: default.factory() if hasattr(default, "factory") else default for name, default in named}


_KNOWN: dict[str, type[Operation]] = {kind.kind: kind for kind in Operation.__subclasses__()}
_OPTIONAL = {kind.kind: _optional_parts(kind) for kind in Operation.__subclasses__()}


def to_wire(operation: Operation) -> list[Any]:
    """Returns the operation as canonical MessagePack can hold it."""
    optional = _OPTIONAL[operation.kind]
    values: dict[str, Any] = {}
    for name in operation.__struct_fields__:
        value = getattr(operation, name)
        if name not in optional or value != optional[name]:
            values[name] = value
    return [operation.kind, values]


def _is_id(value: Any) -> bool:
    return isinstance(value, bytes) and len(value) == ID_SIZE


def _is_optional_id(value: Any) -> bool:
    return value is None or _is_id(value)


def _is_run(value: Any) -> bool:
    return isinstance(value, bytes) and len(value) == RUN_ID_SIZE


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _are_facts(value: Any) -> bool:
    return isinstance(value, tuple) and all(isinstance(f, bytes) and len(f) == FACT_SIZE for f in value)


def _are_texts(value: Any) -> bool:
    return isinstance(value, tuple) and all(isinstance(text, str) for text in value)


def _is_map(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(name, str) and (isinstance(item, str) or _is_id(item)) for name, item in value.items()
    )


def _is_target(value: Any) -> bool:
    if not isinstance(value, tuple) or len(value) != 2:
        return False
    kind, what = value
    return (kind == "version" and _is_id(what)) or (kind == "collection" and _is_text(what)) or (kind == "run" and _is_run(what))


def _are_files(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(name, str)
        and isinstance(file, tuple)
        and len(file) == 3
        and _is_id(file[0])
        and isinstance(file[1], int)
        and file[1] >= 0
        and _is_optional_id(file[2])
        for name, file in value.items()
    )


_CHECKS: dict[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("name", "collection", "type", "description", "alias", "tag", "project", "label"), _is_text),
    **dict.fromkeys(("use_as", "to"), _is_text),
    **dict.fromkeys(("manifest", "transaction"), _is_id),
    **dict.fromkeys(("recipes", "base"), _is_optional_id),
    **dict.fromkeys(("saw", "names", "deletes_seen"), _are_facts),
    **dict.fromkeys(("metadata", "set", "facts", "config", "summary"), _is_map),
    **dict.fromkeys(("remove", "removed"), _are_texts),
    "target": _is_target,
    "files": _are_files,
    "tags": lambda value: value is None or _are_texts(value),
    "keys": lambda value: value is None or _are_texts(value),
    "step": lambda value: value is None or (isinstance(value, int) and not isinstance(value, bool)),
    "ttl_ms": lambda value: value is None or (isinstance(value, int) and not isinstance(value, bool)),
    "run": lambda value: value is None or _is_run(value),
    "version": _is_optional_id,
}


def _is_well_formed(known: type[Operation], name: str, value: Any) -> bool:
    """Tells whether a part is of the shape that the fold relies on: journals come from strangers too."""
    if known is FoldRules:
        return isinstance(value, int) and not isinstance(value, bool)
    if known is Edit and name == "description" and value is None:
        return True
    if value is None and ((name == "run" and known in (Edge, RunHead)) or (name == "version" and known is not Move)):
        return False
    return _CHECKS[name](value)


def from_wire(wire: Any) -> Operation:
    """Returns the operation; DamageError when malformed, NewerFormatError for an unknown kind or field."""
    try:
        kind, values = wire
        known = _KNOWN.get(kind)
        if known is None:
            raise NewerFormatError(f"the operation '{kind}' is not known to this mlvc", hint="install a newer mlvc")
        unknown = sorted(set(values) - set(known.__struct_fields__))
        if unknown:
            raise NewerFormatError(
                f"the operation '{kind}' has a part '{unknown[0]}' that this mlvc does not know", hint="install a newer mlvc"
            )
        frozen = {name: _frozen(value) for name, value in values.items()}
        for name, value in frozen.items():
            if not _is_well_formed(known, name, value):
                raise DamageError(f"the operation '{kind}' is malformed: its '{name}' is {value!r:.60}")
        return known(**frozen)
    except (AttributeError, TypeError, ValueError) as error:
        raise DamageError(f"an operation is malformed: {error}") from error


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else (
        {key: _frozen(item) for key, item in value.items()} if isinstance(value, dict) else value
    )
