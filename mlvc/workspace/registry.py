"""Names and their meaning: aliases, links, tags, edits, deletes. Each is one transaction, undoable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from mlvc.errors import ConflictError, UsageError
from mlvc.fold.questions import Member, Side, View
from mlvc.format import names
from mlvc.format.ids import RunId, VersionId
from mlvc.format.operations import Collection, Delete, Edit, Link, Move, Operation, TagAdd, TagRemove, Ttl, Unlink
from mlvc.format.reference import parse_version
from mlvc.workspace import resolving
from mlvc.workspace.publishing import Extra
from mlvc.workspace.workspace import Workspace


def _check_movable(alias: str) -> str:
    names.check_alias(alias)
    if alias == names.LATEST:
        raise UsageError("'latest' always means the version published last and cannot be set or removed", hint="choose another alias")
    return alias


def set_aliases(workspace: Workspace, reference: str, aliases: Sequence[str], command: str) -> Member:
    """Points aliases at a version; also how a conflict is decided."""
    checked = [_check_movable(alias) for alias in aliases]
    with workspace.repository.reading() as view:
        member = resolving.version(workspace, view, reference)
    _say(workspace, command, lambda view: moves_onto(view, member, checked))
    return member


def decide(workspace: Workspace, reference: str, command: str, *, ours: bool) -> Side:
    """Decides a conflict of an alias, written as NAME:ALIAS, for the side that this user said, or for the other.

    Raises:
        UsageError: it is no alias, or not in conflict.
        ConflictError: which side is whose cannot be told.
    """
    wanted = parse_version(reference)
    alias = wanted.selector
    if not alias:
        raise UsageError(f"'{reference}' names no alias", hint="write NAME:ALIAS")
    with workspace.repository.reading() as view:
        collection = resolving.existing_collection(workspace, view, wanted)
        sides = view.alias_sides(collection, alias)
    if len(sides) < 2:
        raise UsageError(f"{reference} is not in conflict", hint="'mlvc status' lists what is")
    chosen = [side for side in sides if (side.who == workspace.who) == ours]
    if len(chosen) != 1:
        whose = "you" if ours else "others"
        raise ConflictError(
            f"{len(chosen)} of the {len(sides)} sides of {reference} are by {whose}", hint=f"'mlvc alias set REF {alias}' decides for any"
        )
    version = chosen[0].version

    def build(view: View) -> list[Operation]:
        deletes = view.deletes_to_name(version) if version is not None else ()
        return [Move(collection, alias, version, view.moves_to_name(collection, alias), deletes)]

    _say(workspace, command, build)
    return chosen[0]


def moves_onto(view: View, member: Member, aliases: Sequence[str]) -> list[Operation]:
    """Returns the operations that point aliases at a version of a collection."""
    deletes = view.deletes_to_name(member.version)
    return [
        Move(member.collection, alias, member.version, view.moves_to_name(member.collection, alias), deletes)
        for alias in aliases
    ]


def remove_aliases(workspace: Workspace, collection: str, aliases: Sequence[str], command: str) -> None:
    """Makes aliases of a stored collection point at nothing; NotFoundError for one that does already."""
    for alias in aliases:
        _check_movable(alias)

    def build(view: View) -> list[Operation]:
        known = view.aliases(collection)
        shown = names.display_collection(collection, workspace.project)
        said: list[Operation] = []
        for alias in aliases:
            if alias not in known:
                resolving.version(workspace, view, f"{shown}:{alias}")  # says what there is
            said.append(Move(collection, alias, None, view.moves_to_name(collection, alias)))
        return said

    _say(workspace, command, build)


def link(
    workspace: Workspace,
    version: VersionId,
    target: str,
    aliases: Sequence[str],
    command: str,
    *,
    run: RunId | None = None,
    before: Extra | None = None,
) -> Member:
    """Links a source version into a registry collection, and points aliases of that collection at it.

    Args:
        workspace: where.
        version: its id; a link's id is its source's.
        target: the stored registry collection, made known if need be.
        aliases: of the registry collection; `latest` is accepted and ignored.
        command: for the operation log.
        run: who links, or None for a person.
        before: operations that go first.

    Raises:
        ConflictError: the registered model holds another type.
    """
    if not names.is_registry(target):
        raise UsageError(
            f"'{names.display_collection(target)}' is no registered model", hint="link into registry/NAME"
        )
    checked = [names.check_alias(a) for a in dict.fromkeys(aliases) if a != names.LATEST]
    with workspace.committing(command) as commit:

        def build(view: View) -> list[Operation]:
            source = view.source_collection(version)
            held = view.collection(source) if source else None
            kind = held.type if held else "model"
            there = view.collection(target)
            if there is not None and there.types and there.type != kind:
                raise ConflictError(
                    f"{names.display_collection(target)} holds artifacts of type '{there.type}', this one is a '{kind}'"
                )
            shown = names.display_collection(target)
            if view.collection(shown) is not None:
                raise ConflictError(f"{shown} holds versions of its own, so nothing can be linked there", hint="link into another name")
            deletes = view.deletes_to_name(version)
            said: list[Operation] = [*workspace.first_words(view), *(before(commit, view) if before else ())]
            if there is None:
                said.append(Collection(target, kind))
            said.append(Link(target, version, run, deletes))
            said += [Move(target, alias, version, view.moves_to_name(target, alias), deletes) for alias in checked]
            return said

        commit.say_with(build)
    member = workspace.repository.view().member(target, version)
    assert member is not None, "it was linked a moment ago"
    return member


def unlink(workspace: Workspace, member: Member, command: str) -> None:
    """Takes a version out of a registry collection, with the aliases it has there."""
    if not names.is_registry(member.collection):
        raise UsageError(
            f"{resolving.display(workspace, member)} is the source itself, not a link", hint="'mlvc delete' deletes it"
        )
    _say(
        workspace,
        command,
        lambda view: [Unlink(member.collection, member.version, view.facts_to_delete(member.version, member.collection))],
    )


class DeletePlan(Struct, frozen=True):
    """What deleting a version takes with it: aliases and links, as `registry/name:alias` to print."""

    member: Member
    aliases: tuple[str, ...]
    links: tuple[str, ...]


def plan_delete(workspace: Workspace, view: View, member: Member) -> DeletePlan:
    """Returns what deleting a version takes with it."""
    aliases: list[str] = []
    links: list[str] = []
    for collection in view.collections_of(member.version):
        shown = names.display_collection(collection, workspace.project)
        if names.is_registry(collection):
            links.append(shown)
        aliases += [f"{shown}:{a}" for a in view.aliases_of(collection, member.version) if a != names.LATEST]
    return DeletePlan(member, tuple(aliases), tuple(links))


def delete_version(workspace: Workspace, member: Member, command: str, *, with_names: bool) -> None:
    """Deletes a version: everything its author saw of it. The bytes go later, with `gc`; until then `undo` brings it back.

    Raises:
        ConflictError: it has aliases or links, and `with_names` is False.
    """
    planned = plan_delete(workspace, workspace.repository.view(), member)
    if (planned.aliases or planned.links) and not with_names:
        held = ", ".join((*planned.aliases, *planned.links))
        raise ConflictError(
            f"{resolving.display(workspace, member)} has aliases or links: {held}", hint="'--force' deletes them with it"
        )
    target = ("version", member.version)
    _say(workspace, command, lambda view: [Delete(target, view.facts_to_delete(member.version))])


def delete_collection(workspace: Workspace, collection: str, command: str) -> int:
    """Deletes all versions of a collection (a registry's links) and its name.

    Returns:
        How many versions were deleted. A large one takes several transactions.
    """
    members = list(workspace.repository.view().members(collection))
    batch = 64
    for start in range(0, max(1, len(members)), batch):
        some = members[start : start + batch]
        is_last = start + batch >= len(members)

        def build(view: View, some: list[Member] = some, is_last: bool = is_last) -> list[Operation]:
            said: list[Operation] = []
            for member in some:
                if names.is_registry(collection):
                    facts = view.facts_to_delete(member.version, collection)
                    said.append(Unlink(collection, member.version, facts))
                else:
                    said.append(Delete(("version", member.version), view.facts_to_delete(member.version)))
            if is_last:
                said.append(Delete(("collection", collection), view.collection_facts_to_delete(collection)))
            return said

        _say(workspace, command, build)
    return len(members)


def delete_run(workspace: Workspace, run: RunId, command: str) -> None:
    """Deletes a run; what it made stays."""
    _say(workspace, command, lambda view: [Delete(("run", run), view.run_facts_to_delete(run))])


def edit_version(
    workspace: Workspace,
    version: VersionId,
    command: str,
    *,
    metadata: dict[str, Any] | None = None,
    description: str | None = None,
    tags: Sequence[str] | None = None,
    ttl_ms: int | bool | None = False,
) -> None:
    """Makes a version's metadata, description and tags be the given ones; what is None stays.

    Args:
        workspace: where.
        version: its id.
        command: for the operation log.
        metadata: the whole map as it is to be.
        description: the whole text.
        tags: all tags.
        ttl_ms: milliseconds, None for ever, False to leave it.
    """
    target = ("version", version)
    view = workspace.repository.view()
    before, said_before = view.metadata(version)
    old = workspace.value_map(before)
    given = old if metadata is None else metadata
    changed = {k: v for k, v in given.items() if k not in old or old[k] != v}
    removed = tuple(k for k in old if k not in given)
    describe = description if description is not None and description != said_before else None
    with workspace.committing(command) as commit:
        stored = commit.store_map(changed)

        def build(view: View) -> list[Operation]:
            said: list[Operation] = []
            if stored or removed or describe is not None:
                said.append(Edit(target, stored, removed, describe))
            if tags is not None:
                have = set(view.tags(version))
                said += [TagAdd(target, names.check_tag(t)) for t in dict.fromkeys(tags) if t not in have]
                said += [
                    TagRemove(target, t, view.taggings_to_remove(target, t)) for t in sorted(have - set(tags))
                ]
            if ttl_ms is not False:
                said.append(Ttl(version, None if ttl_ms is None else int(ttl_ms)))
            return said

        if commit_is_needed(build, workspace.repository.view()):
            commit.say_with(build)


def edit_collection(
    workspace: Workspace, collection: str, command: str, *, description: str | None = None, tags: Sequence[str] | None = None
) -> None:
    """Makes a collection's description and tags be the given ones; what is None stays."""
    target = ("collection", collection)

    def build(view: View) -> list[Operation]:
        said_before, have = view.collection_details(collection)
        said: list[Operation] = []
        if description is not None and description != said_before:
            said.append(Edit(target, description=description))
        if tags is not None:
            said += [TagAdd(target, names.check_tag(t)) for t in dict.fromkeys(tags) if t not in have]
            said += [TagRemove(target, t, view.taggings_to_remove(target, t)) for t in sorted(set(have) - set(tags))]
        return said

    if build(workspace.repository.view()):
        _say(workspace, command, build)


def actions(workspace: Workspace, view: View, collection: str) -> list[dict[str, Any]]:
    """Returns what was done to a collection, the last first, as JSON values."""
    return [
        {
            "action": action.kind,
            "alias": action.alias,
            "version": None if action.version is None else resolving.display_version(workspace, view, action.version),
            "who": action.who,
            "when_ms": action.when_ms,
            "command": action.command,
            "signer": action.signer,
            "problem": action.problem,
            "undone": action.is_undone,
        }
        for action in view.actions(collection)
    ]


def commit_is_needed(build: Any, view: View) -> bool:
    """Tells whether a builder has anything to say."""
    return bool(build(view))


def set_version_aliases(workspace: Workspace, member: Member, aliases: Sequence[str], command: str) -> None:
    """Makes exactly these aliases (and `latest` where it is) point at a version of a collection."""
    wanted = [a for a in dict.fromkeys(aliases) if a != names.LATEST]
    for alias in wanted:
        names.check_alias(alias)

    def build(view: View) -> list[Operation]:
        have = [a for a in view.aliases_of(member.collection, member.version) if a != names.LATEST]
        said = moves_onto(view, member, [a for a in wanted if a not in have])
        said += [
            Move(member.collection, a, None, view.moves_to_name(member.collection, a)) for a in have if a not in wanted
        ]
        return said

    if build(workspace.repository.view()):
        _say(workspace, command, build)


def _say(workspace: Workspace, command: str, build: Any) -> None:
    with workspace.committing(command) as commit:
        commit.say_with(lambda view: [*workspace.first_words(view), *build(view)])
