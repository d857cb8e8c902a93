"""Versions: their numbers, their life and death, and which one is the latest (DESIGN 3.1, 3.5, 3.7; RULES C1 to C3)."""

from __future__ import annotations

from collections.abc import Iterator

from mlvc.fold import facts, sweeping
from mlvc.fold.look import Look, Overlay, Value, key, parts
from mlvc.format import names
from mlvc.format.ids import FactId, VersionId
from mlvc.format.operations import Delete, Link, Move, Publish, Unlink, to_wire

_PUBLISH, _LINK, _MOVE = "publish", "link", "move"


def record_publish(view: Overlay, fact: FactId, order: int, arrival: int, operation: Publish) -> None:
    """A version is published: known, numbered, and alive."""
    version = operation.version
    if view.get(key("version", version)) is None:
        view.put(key("version", version), {"collection": operation.collection, "manifest": operation.manifest})
    _add_fact(view, version, order, fact, _PUBLISH, operation.collection, operation.deletes_seen)
    view.put(key("publication", version, order), {"id": fact, **to_wire(operation)[1]})
    view.put(key("published", operation.collection, order), [fact, version])
    if operation.run is not None:
        view.put(key("made", operation.run, order), {"id": fact, "version": version, "collection": operation.collection})
    sweeping.come_back(view, operation.manifest)
    _bind_number(view, operation.collection, version, arrival)
    recompute(view, version)


def record_link(view: Overlay, fact: FactId, order: int, arrival: int, operation: Link) -> None:
    """A source version enters a registry collection and gets a number there."""
    version = operation.version
    _add_fact(view, version, order, fact, _LINK, operation.collection, operation.deletes_seen)
    view.put(key("published", operation.collection, order), [fact, version])
    if operation.run is not None:
        view.put(key("linked", operation.run, order), {"id": fact, "version": version, "collection": operation.collection})
    _bind_number(view, operation.collection, version, arrival)
    recompute(view, version)


def record_move(view: Overlay, fact: FactId, order: int, operation: Move) -> None:
    """A move onto a version is one of the facts that keep it alive."""
    if operation.version is not None:
        _add_fact(view, operation.version, order, fact, _MOVE, operation.collection, operation.deletes_seen)
        recompute(view, operation.version)


def record_delete(view: Overlay, fact: FactId, order: int, operation: Delete | Unlink) -> None:
    """A version is deleted, or unlinked from one registry collection: what the author saw is named, nothing else."""
    version, collection = deleted_version(operation)
    about = [f for f, _, where, _ in version_facts(view, version) if collection in ("", where)]
    killed = facts.kill(view, fact, operation.names, about)
    view.put(key("deleted", version, order), {"id": fact, "collection": collection, "names": killed})
    recompute(view, version)


def deleted_version(operation: Delete | Unlink) -> tuple[VersionId, str]:
    """Returns the version that a delete or unlink is about, and the registry collection, or "" for a whole version."""
    if isinstance(operation, Unlink):
        return operation.version, operation.collection
    target = operation.target[1]
    return VersionId(target if isinstance(target, bytes) else target.encode()), ""


def _add_fact(
    view: Overlay, version: VersionId, order: int, fact: FactId, kind: str, collection: str, seen: tuple[FactId, ...]
) -> None:
    view.put(key("vfact", version, order), [fact, kind, collection, list(seen)])


def _bind_number(view: Overlay, collection: str, version: VersionId, arrival: int) -> None:
    if view.get(key("numbered", version, collection)) is not None:
        return
    counts = collection_record(view, collection)
    number = counts["next"]
    view.put(_collection_key(collection), {**counts, "next": number + 1})
    view.put(key("numbered", version, collection), [number, arrival])
    view.put(key("member", collection, number), [version, False])


def _collection_key(collection: str) -> bytes:
    return key("collection", *names.split_collection(collection))


def collection_record(look: Look, collection: str) -> Value:
    """Returns {"next": the next number, "count": versions shown} of a collection, also of one not yet known."""
    return look.get(_collection_key(collection)) or {"next": 0, "count": 0}


def touch_collection(view: Overlay, collection: str) -> None:
    """Makes a collection known."""
    view.put(_collection_key(collection), collection_record(view, collection))


def version_facts(look: Look, version: VersionId) -> Iterator[tuple[FactId, str, str, list[FactId]]]:
    """Yields (fact, kind, collection, deletes seen) of the publications, links and moves of a version, in fold order."""
    for _, (fact, kind, collection, seen) in look.scan(key("vfact", version)):
        yield FactId(fact), kind, collection, seen


def recompute(view: Overlay, version: VersionId) -> None:
    """Derives whether a version is alive, in which collections it is shown, and whether its deletion is contested."""
    found = list(version_facts(view, version))
    published = any(kind == _PUBLISH and facts.stands(view, fact) for fact, kind, _, _ in found)
    counting = [(fact, kind, collection) for fact, kind, collection, _ in found if facts.counts(view, fact)]
    alive = published and bool(counting)
    for at, (number, _) in view.scan(key("numbered", version)):
        collection = str(parts(at)[2])
        shown = alive
        if names.is_registry(collection):
            linked = any(k == _LINK and c == collection and facts.stands(view, f) for f, k, c, _ in found)
            shown = alive and linked and any(c == collection for _, _, c in counting)
        _show(view, collection, number, version, shown)
    view.put(key("contested delete", version), 1 if alive and _is_contested(view, version) else None)


def _show(view: Overlay, collection: str, number: int, version: VersionId, shown: bool) -> None:
    before = view.get(key("member", collection, number))
    if before == [version, shown]:
        return
    was_shown = bool(before and before[1])
    view.put(key("member", collection, number), [version, shown])
    if shown != was_shown:
        record = collection_record(view, collection)
        view.put(_collection_key(collection), {**record, "count": record["count"] + (1 if shown else -1)})


def _is_contested(look: Look, version: VersionId) -> bool:
    """Tells whether a standing delete and a counting fact were made apart, and nobody who saw the delete kept it since."""
    counting = [(f, c, seen) for f, _, c, seen in version_facts(look, version) if facts.counts(look, f)]
    for _, delete in look.scan(key("deleted", version)):
        if not facts.stands(look, delete["id"]):
            continue
        concerned = [(f, seen) for f, c, seen in counting if delete["collection"] in ("", c)]
        if concerned and not any(delete["id"] in seen for _, seen in concerned):
            return True
    return False


def deletes_seen(look: Look, version: VersionId) -> tuple[FactId, ...]:
    """Returns the standing deletes of a version: what a new publication, link or move of it names."""
    return tuple(FactId(d["id"]) for _, d in look.scan(key("deleted", version)) if facts.stands(look, d["id"]))


def number_of(look: Look, collection: str, version: VersionId) -> tuple[int, int] | None:
    """Returns the number of a version in a collection and the arrival that bound it, or None."""
    found = look.get(key("numbered", version, collection))
    return None if found is None else (found[0], found[1])


def is_shown(look: Look, collection: str, version: VersionId) -> bool:
    """Tells whether a version is alive in a collection."""
    number = number_of(look, collection, version)
    if number is None:
        return False
    member = look.get(key("member", collection, number[0]))
    return bool(member and member[1])


def is_alive(look: Look, version: VersionId) -> bool:
    """Tells whether a version is alive in its source collection."""
    found = look.get(key("version", version))
    return found is not None and is_shown(look, found["collection"], version)


def latest(look: Look, collection: str) -> VersionId | None:
    """Returns the shown version whose last standing publication (in a registry: link) is last in fold order."""
    for _, (fact, version) in look.scan(key("published", collection), reverse=True):
        if facts.stands(look, fact) and is_shown(look, collection, version):
            return VersionId(version)
    return None
