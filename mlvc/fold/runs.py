"""Runs and lineage edges in the view (RULES D2): heads merge by top-level key, in fold order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Struct, field

from mlvc.fold import facts
from mlvc.fold.look import Look, Overlay, key, parts
from mlvc.format.ids import FactId, RunId, VersionId
from mlvc.format.operations import Delete, Edge, RunHead, to_wire


class RunView(Struct, frozen=True):
    """A run as its counting heads add up.

    Attributes:
        id: 16 bytes.
        project: where it belongs.
        label: what users know as its id; not unique.
        facts: single values, JSON text or a value record's id; of several heads', the last in fold order.
        config, summary: merged by top-level key.
        tags: sorted.
        segments: the files of each head that has some, in fold order: name -> (digest, size, recipe). A run that was
            resumed has several, each with the history since the one before.
        heads: the maximal heads; two when the run was resumed on two clones.
        order: of its first head, for listing.
    """

    id: RunId
    project: str
    label: str
    facts: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    segments: tuple[dict[str, tuple[bytes, int, bytes | None]], ...] = ()
    heads: tuple[FactId, ...] = ()
    order: int = 0


def record_head(view: Overlay, fact: FactId, order: int, head: RunHead) -> None:
    """A run has a new head; the first one makes it known."""
    if view.get(key("run", head.run)) is None:
        view.put(key("run", head.run), {"project": head.project, "label": head.label, "order": order})
        view.put(key("label", head.project, head.label, head.run), head.run)
        view.put(key("runs", head.project, order), head.run)
        view.put(key("run count", head.project), count(view, head.project) + 1)
    name = head.facts.get("name")
    if isinstance(name, str):
        view.put(key("run name", head.project, name, head.run), head.run)
    view.put(key("head", head.run, order), {"id": fact, **to_wire(head)[1]})
    record_change(view, head.run, order)


def record_change(view: Overlay, run: RunId, order: int) -> None:
    """Notes that from here on a run is not what it was: for those who keep something derived of all runs."""
    view.put(key("changed run", order, run), run)


def changes(look: Look, since: int) -> Iterator[tuple[int, RunId]]:
    """Yields (position, run) of what changed at a position of fold order or after it, the last first."""
    for at, changed in look.scan(key("changed run"), reverse=True):
        order = parts(at)[1]
        assert isinstance(order, int), "the key says so"
        if facts.position_of(order) < since:
            return
        yield facts.position_of(order), RunId(changed)


def count(look: Look, project: str) -> int:
    """Returns how many runs of a project were ever known."""
    return int(look.get(key("run count", project)) or 0)


def record_edge(view: Overlay, fact: FactId, order: int, edge: Edge) -> None:
    """A run used a version."""
    view.put(
        key("edge", edge.run, order), {"id": fact, "version": edge.version, "name": edge.name, "use_as": edge.use_as}
    )
    view.put(key("used", edge.version, order), {"id": fact, "run": edge.run})


def record_delete(view: Overlay, fact: FactId, order: int, delete: Delete) -> None:
    """A run's heads are deleted: those that the author saw."""
    _, identifier = delete.target
    assert isinstance(identifier, bytes), "decoding saw to it"
    record_change(view, RunId(identifier), order)
    facts.kill(view, fact, delete.names, (head["id"] for _, head in view.scan(key("head", identifier))))


def run(look: Look, identifier: RunId) -> RunView | None:
    """Returns a run as its counting heads add up, or None when it is unknown, undone or deleted."""
    known = look.get(key("run", identifier))
    if known is None:
        return None
    heads = [head for _, head in look.scan(key("head", identifier)) if facts.counts(look, head["id"])]
    if not heads:
        return None
    if len(heads) == 1:
        return _of_one_head(identifier, known, heads[0])
    merged: dict[str, dict[str, Any]] = {"facts": {}, "config": {}, "summary": {}}
    tags: set[str] = set()
    seen: set[bytes] = set()
    by_id = {head["id"]: head for head in heads}
    for head in heads:
        for part, values in merged.items():
            values.update(head.get(part, {}))
        for removed in head.get("removed", ()):
            part, _, name = removed.partition(".")
            merged.get(part, {}).pop(name, None)
        if head.get("tags") is not None:
            before = _tags_seen(by_id, head)
            tags = (tags | (set(head["tags"]) - before)) - (before - set(head["tags"]))
        seen.update(f for f in head.get("saw", ()) if f in by_id)
    return RunView(
        identifier,
        known["project"],
        known["label"],
        merged["facts"],
        merged["config"],
        merged["summary"],
        tuple(sorted(tags)),
        tuple(_files(head) for head in heads if head.get("files")),
        tuple(FactId(head["id"]) for head in heads if head["id"] not in seen),
        known["order"],
    )


def _of_one_head(identifier: RunId, known: Any, head: Any) -> RunView:
    """Returns a run that was never resumed, as most are: nothing has to be merged."""
    values = {part: head.get(part, {}) for part in ("facts", "config", "summary")}
    for removed in head.get("removed", ()):
        part, _, name = removed.partition(".")
        values.get(part, {}).pop(name, None)
    return RunView(
        identifier,
        known["project"],
        known["label"],
        **values,
        tags=tuple(sorted(set(head.get("tags") or ()))),
        segments=(_files(head),) if head.get("files") else (),
        heads=(FactId(head["id"]),),
        order=known["order"],
    )


def _files(head: Any) -> dict[str, tuple[bytes, int, bytes | None]]:
    return {name: (digest, size, recipe) for name, (digest, size, recipe) in head["files"].items()}


def _tags_seen(by_id: dict[bytes, Any], head: Any) -> set[str]:
    """Returns the tags that a head's author saw: what it adds and takes away is the difference to them."""
    seen: set[str] = set()
    waiting, done = [f for f in head.get("saw", ()) if f in by_id], set()
    while waiting:
        fact = waiting.pop()
        if fact in done:
            continue
        done.add(fact)
        older = by_id[fact]
        if older.get("tags") is not None:
            seen |= set(older["tags"])
        else:
            waiting += [f for f in older.get("saw", ()) if f in by_id]
    return seen


def head_facts(look: Look, identifier: RunId) -> tuple[FactId, ...]:
    """Returns every counting head of a run: what a delete of it names."""
    return tuple(
        FactId(head["id"]) for _, head in look.scan(key("head", identifier)) if facts.counts(look, head["id"])
    )


class Use(Struct, frozen=True):
    """A run used a version, asked for as `name`."""

    run: RunId
    version: VersionId
    name: str
    use_as: str


def inputs(look: Look, identifier: RunId) -> list[Use]:
    """Returns what a run used, in the order it did."""
    return [
        Use(identifier, VersionId(e["version"]), e["name"], e["use_as"])
        for _, e in look.scan(key("edge", identifier))
        if facts.counts(look, e["id"])
    ]


def outputs(look: Look, identifier: RunId) -> list[VersionId]:
    """Returns the versions that a run published, each once, in order."""
    found: dict[VersionId, None] = {}
    for _, made in look.scan(key("made", identifier)):
        if facts.stands(look, made["id"]):
            found[VersionId(made["version"])] = None
    return list(found)


def users(look: Look, version: VersionId) -> list[RunId]:
    """Returns the runs that used a version, also through a link of it, each once, in order."""
    found: dict[RunId, None] = {}
    for _, used in look.scan(key("used", version)):
        if facts.counts(look, used["id"]):
            found[RunId(used["run"])] = None
    return list(found)
