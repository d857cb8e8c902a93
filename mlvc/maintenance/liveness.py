"""The one liveness rule: what must stay decodable. Marking, checking and (later) pruning and repacking all ask here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mlvc.errors import DamageError, NotFoundError
from mlvc.fold import facts
from mlvc.fold.questions import View
from mlvc.format.ids import ManifestId, TransactionId, VersionId
from mlvc.format.operations import Delete, Publish, RunHead, Undo, Unlink
from mlvc.format.transaction import Need
from mlvc.maintenance.fresh_view import FreshView, Told
from mlvc.objects import closure
from mlvc.objects.store import ObjectStore, Wanted


def live_needs(fresh: FreshView, *, kept: Iterable[VersionId], dead_since_s: float) -> Iterator[Need]:
    """Yields what is needed: by living versions and runs, by `kept` versions, and by what died only lately.

    Args:
        fresh: folded from the truth.
        kept: versions that pins or runs under way hold, dead or alive.
        dead_since_s: what was deleted or undone before this time, by the store's clock, has had its grace.
    """
    kept = set(kept)
    recent_versions, recent_transactions = _lately_killed(fresh, dead_since_s)
    look = fresh.values
    for told in fresh.told:
        identifier = told.envelope.id
        unfolded = facts.transaction(look, identifier) is None  # parked: needed until it can be folded
        undone = not unfolded and facts.is_undone(look, identifier) and identifier not in recent_transactions
        published = {
            o.manifest: o.version for o in told.transaction.operations if isinstance(o, Publish)
        }
        runs = [o.run for o in told.transaction.operations if isinstance(o, RunHead)]
        for need in told.transaction.needs:
            if unfolded:
                yield need
            elif need.kind == "artifact" and (version := published.get(ManifestId(need.id))) is not None:
                if version in kept or version in recent_versions or fresh.view.is_alive(version):
                    yield need
            elif undone:
                continue
            elif need.kind == "value" or not runs or any(fresh.view.run(run) is not None for run in runs):
                yield need


def _lately_killed(fresh: FreshView, since_s: float) -> tuple[set[VersionId], set[TransactionId]]:
    by_id = {told.envelope.id: told for told in fresh.told}
    versions: set[VersionId] = set()
    transactions: set[TransactionId] = set()
    for told in fresh.told:
        if told.written_s <= since_s:
            continue
        for operation in told.transaction.operations:
            if isinstance(operation, Delete) and operation.target[0] == "version":
                versions.add(VersionId(operation.target[1]))  # type: ignore[arg-type]
            elif isinstance(operation, Unlink):
                versions.add(operation.version)
            elif isinstance(operation, Undo):
                transactions.add(operation.transaction)
                versions |= _published_by(by_id.get(operation.transaction))
    return versions, transactions


def _published_by(told: Told | None) -> set[VersionId]:
    return {o.version for o in told.transaction.operations if isinstance(o, Publish)} if told else set()


def wanted(store: ObjectStore, needs: Iterable[Need]) -> tuple[set[Wanted], list[Need]]:
    """Returns everything that needs come down to, and the needs that cannot be followed to their end from here.

    A chunk that is kept as a difference only needs its base, and that one's, down to what is stored by itself.
    """
    found, broken = wanted_for_itself(store, needs)
    return store.index.with_bases(found), broken


def damaged(view: View, broken: Iterable[Need]) -> list[Need]:
    """Returns those broken needs that are damage: an undo after a sweep brings back versions whose data is known to be gone."""
    return [need for need in broken if not view.is_gone(need.id)]


def wanted_for_itself(store: ObjectStore, needs: Iterable[Need]) -> tuple[set[Wanted], list[Need]]:
    """Returns what needs come down to, as `wanted` does, without the bases that only serve to decode.

    What is known of a broken one, the piece that could not be read included, is among the wanted.
    """
    found: set[Wanted] = set()
    broken: list[Need] = []
    for need in dict.fromkeys(needs):
        try:
            for item in closure.everything(store, need):
                found.add(item)
        except (NotFoundError, DamageError):
            broken.append(need)
    return found, broken
