"""Which version numbers change when entries come in: pending ones, and in a join also confirmed ones."""

from __future__ import annotations

from msgspec import Struct

from mlvc.fold import facts
from mlvc.fold.questions import View
from mlvc.format.ids import VersionId
from mlvc.repository.repository import Repository


class Renumbered(Struct, frozen=True):
    """A version whose number became, or will become, another one."""

    collection: str
    version: VersionId
    before: int
    after: int


Numbers = dict[tuple[str, VersionId], int]


def provisional(repository: Repository) -> Numbers:
    """Returns the numbers here that may still change."""
    found = {}
    with repository.reading() as view:
        for identifier in repository.cached_view.unconfirmed():
            for collection, version in published_by(view, identifier):
                member = view.member(collection, version)
                if member is not None and member.is_provisional:
                    found[collection, version] = member.number
    return found


def published_by(view: View, identifier: bytes) -> list[tuple[str, VersionId]]:
    """Returns the (collection, version) pairs that a folded transaction published or linked."""
    record = facts.transaction(view.look, identifier) or {"touches": []}
    versions = [VersionId(what[0]) for kind, *what in record["touches"] if kind == "version"]
    return [(c, v) for v in dict.fromkeys(versions) for c in view.collections_of(v)]


def changed(repository: Repository, before: Numbers) -> tuple[Renumbered, ...]:
    """Returns which of the versions have another number now."""
    found = []
    with repository.reading() as view:
        for (collection, version), number in before.items():
            member = view.member(collection, version)
            if member is not None and member.number != number:
                found.append(Renumbered(collection, version, number, member.number))
    return tuple(found)
