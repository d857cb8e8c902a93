"""What is said about things: types, tags, edits, times to live, redirects, and the project's name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mlvc.fold import facts, versions
from mlvc.fold.look import Look, Overlay, key
from mlvc.format.ids import FactId, VersionId
from mlvc.format.operations import Collection, Delete, Edit, Project, Redirect, TagAdd, TagRemove, Ttl

Target = tuple[str, str | bytes]
_MAX_REDIRECTS = 32


def record_project(view: Overlay, fact: FactId, order: int, operation: Project) -> None:
    """The repository's project is named; the first in fold order counts."""
    view.put(key("project", order), {"id": fact, "name": operation.name})


def project(look: Look) -> str | None:
    """Returns the project that the journal names, or None."""
    return next((v["name"] for _, v in look.scan(key("project")) if facts.counts(look, v["id"])), None)


def record_collection(view: Overlay, fact: FactId, order: int, operation: Collection) -> None:
    """A collection is known, with a type."""
    versions.touch_collection(view, operation.collection)
    view.put(key("type", operation.collection, order), {"id": fact, "type": operation.type})


def types(look: Look, collection: str) -> list[str]:
    """Returns the types given to a collection, the one in force first; more than one is a clash."""
    found: dict[str, None] = {}
    for _, value in look.scan(key("type", collection)):
        if facts.counts(look, value["id"]):
            found[value["type"]] = None
    return list(found)


def type_facts(look: Look, collection: str) -> tuple[FactId, ...]:
    """Returns the facts that make a collection known: what a delete of it names."""
    return tuple(
        FactId(v["id"]) for _, v in look.scan(key("type", collection)) if facts.counts(look, v["id"])
    )


def record_tag(view: Overlay, fact: FactId, order: int, operation: TagAdd) -> None:
    """Something is tagged."""
    view.put(key("tag", *operation.target, operation.tag, order), {"id": fact, "tag": operation.tag})


def record_untag(view: Overlay, fact: FactId, operation: TagRemove) -> None:
    """The taggings that the author saw are taken back."""
    about = (v["id"] for _, v in view.scan(key("tag", *operation.target, operation.tag)))
    facts.kill(view, fact, operation.names, about)


def record_delete_collection(view: Overlay, fact: FactId, operation: Delete) -> None:
    """A collection is no longer named: what made it known is taken back. Its versions are deleted one by one."""
    about = (v["id"] for _, v in view.scan(key("type", operation.target[1])))
    facts.kill(view, fact, operation.names, about)


def tag_facts(look: Look, target: Target, tag: str) -> tuple[FactId, ...]:
    """Returns the counting taggings with one tag: what a removal names."""
    return tuple(FactId(v["id"]) for _, v in look.scan(key("tag", *target, tag)) if facts.counts(look, v["id"]))


def tags(look: Look, target: Target) -> tuple[str, ...]:
    """Returns the tags of a version, collection or run, sorted."""
    return tuple(sorted({v["tag"] for _, v in look.scan(key("tag", *target)) if facts.counts(look, v["id"])}))


def record_edit(view: Overlay, fact: FactId, order: int, operation: Edit) -> None:
    """Metadata or description are edited."""
    view.put(
        key("edit", *operation.target, order),
        {
            "id": fact,
            "set": dict(operation.set),
            "remove": list(operation.remove),
            "description": operation.description,
        },
    )


def edits(look: Look, target: Target) -> Iterator[Any]:
    """Yields the counting edits of a target in fold order."""
    return (v for _, v in look.scan(key("edit", *target)) if facts.counts(look, v["id"]))


def record_ttl(view: Overlay, fact: FactId, order: int, operation: Ttl) -> None:
    """A version is given a time to live."""
    view.put(key("ttl", operation.version, order), {"id": fact, "ttl_ms": operation.ttl_ms})


def ttl_ms(look: Look, version: VersionId) -> int | None:
    """Returns a version's time to live in milliseconds, the last in fold order, or None for ever."""
    for _, value in look.scan(key("ttl", version), reverse=True):
        if facts.counts(look, value["id"]):
            return None if value["ttl_ms"] is None else int(value["ttl_ms"])
    return None


def record_redirect(view: Overlay, fact: FactId, order: int, operation: Redirect) -> None:
    """A new name of an old collection."""
    view.put(key("redirect", operation.name, order), {"id": fact, "to": operation.to})


def resolve_redirects(look: Look, collection: str) -> str:
    """Returns the collection that a stored name means.

    A name with versions of its own, and a loop, resolve to themselves: a conflict, shown as such.
    """
    found, seen = collection, {collection}
    for _ in range(_MAX_REDIRECTS):
        if versions.collection_record(look, found)["next"]:
            return found
        target = next((v["to"] for _, v in look.scan(key("redirect", found)) if facts.counts(look, v["id"])), None)
        if target is None:
            return found
        if target in seen:
            return collection
        seen.add(target)
        found = target
    return collection
