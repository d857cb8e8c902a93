"""What transactions come down to, and making all of it decodable at a remote: what it lacks goes there in whole packs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress

from msgspec import Struct

from mlvc.errors import DamageError, NotFoundError, RemoteError
from mlvc.fold import facts
from mlvc.fold.questions import View
from mlvc.format import pack, transaction
from mlvc.format.ids import TransactionId
from mlvc.format.operations import Publish, RunHead
from mlvc.format.pack import PackClass, PackName
from mlvc.format.record import CHUNK_CODE
from mlvc.format.transaction import Envelope, Need, Transaction
from mlvc.objects import closure
from mlvc.objects.pack_composing import Composition, chosen_from
from mlvc.objects.store import ObjectStore, Wanted
from mlvc.progress import SILENT, Progress
from mlvc.repository.repository import Repository
from mlvc.sync.copying import copy_packs
from mlvc.sync.remote import Remote


class Sent(Struct, frozen=True):
    """How many packs, and bytes, went to a remote, and which packs are new there."""

    packs: int = 0
    size_bytes: int = 0
    names: frozenset[PackName] = frozenset()


Walk = Callable[[ObjectStore, Need], Iterator[Wanted]]
"""Yields what a need comes down to, or as much of it as somebody is to have."""


class Needs:
    """What transactions cannot do without, and whether it may be gone: because all that needed it is deleted or undone."""

    def __init__(self, repository: Repository, envelopes: Iterable[Envelope], walk: Walk = closure.everything) -> None:
        self._repository = repository
        self.walk = walk
        self._by: dict[Need, list[tuple[TransactionId, Transaction]]] = {}
        for envelope in envelopes:
            made = transaction.decode(envelope.data)
            for need in made.needs:
                self._by.setdefault(need, []).append((envelope.id, made))

    def __iter__(self) -> Iterator[Need]:
        return iter(self._by)

    def may_be_gone(self, need: Need) -> bool:
        """Tells whether nothing alive needs it, in the view of everything here."""
        with self._repository.reading() as view:
            return all(self._is_void(view, need, *one) for one in self._by[need])

    @staticmethod
    def _is_void(view: View, need: Need, identifier: TransactionId, made: Transaction) -> bool:
        if facts.transaction(view.look, identifier) is None:
            return False  # parked: needed until it can be folded
        if need.kind == "artifact":
            versions = [o.version for o in made.operations if isinstance(o, Publish) and o.manifest == need.id]
            return bool(versions) and not any(view.is_alive(version) for version in versions)
        runs = [o.run for o in made.operations if isinstance(o, RunHead)]
        return facts.is_undone(view.look, identifier) or (bool(runs) and all(view.run(run) is None for run in runs))

    def wanted(self, need: Need) -> dict[Wanted, None]:
        """Returns all that a need comes down to; nothing of what may be gone and is.

        Raises:
            NotFoundError: a record that says what is needed is nowhere within reach.
        """
        try:
            return dict.fromkeys(self.walk(self._repository.objects, need))
        except NotFoundError:
            if not self.may_be_gone(need):
                raise
        return {}


def wanted_of(repository: Repository, remote: Remote, envelopes: Iterable[Envelope]) -> dict[Wanted, None]:
    """Returns all that transactions come down to at a remote, as `Needs.wanted` does."""
    needs = Needs(repository, envelopes, remote.walk)
    wanted: dict[Wanted, None] = {}
    for need in needs:
        wanted.update(needs.wanted(need))
    return wanted


def gather(
    repository: Repository, remote: Remote, envelopes: Sequence[Envelope]
) -> tuple[list[Envelope], list[dict[Wanted, None]], int]:
    """Parts transactions into those whose needs are here or at a remote, and those that must wait for them.

    A clone without data may hold what others made and joined; only they can bring it.

    Returns:
        Those that can be appended, in order; what each comes down to; and how many wait.
    """
    needs = Needs(repository, envelopes, remote.walk)
    reachable: dict[Need, dict[Wanted, None] | None] = {}
    ready: list[Envelope] = []
    waiting: set[bytes] = set()
    wanted: list[dict[Wanted, None]] = []
    for envelope in envelopes:
        made = transaction.decode(envelope.data)
        found = []
        for need in made.needs:
            if need not in reachable:
                reachable[need] = _within_reach(repository, remote, needs, need)
            found.append(reachable[need])
        if None in found or not waiting.isdisjoint(made.after):
            waiting.add(envelope.id)
            continue
        ready.append(envelope)
        wanted.append({item: None for one in found for item in one or ()})
    return ready, wanted, len(waiting)


def together(wanted: Iterable[dict[Wanted, None]]) -> dict[Wanted, None]:
    """Returns everything of several that are wanted, each once."""
    found: dict[Wanted, None] = {}
    for one in wanted:
        found.update(one)
    return found


def with_packs(remote: Remote, envelopes: Sequence[Envelope], wanted: Sequence[dict[Wanted, None]], sent: Sent) -> list[Envelope]:
    """Returns transactions with the names of the packs that they bring to a remote, and of those that they lean on there."""
    told = []
    everything = together(wanted)
    bases = remote.index.with_bases(everything) - everything.keys()  # asked for once; whose they are does not matter
    for envelope, items in zip(envelopes, wanted, strict=True):
        packs: dict[PackName, None] = {}
        by_code: dict[int, list[bytes]] = {}
        for identifier, code in (*items, *bases):
            by_code.setdefault(code, []).append(identifier)
        bases = set()
        for code, ids in by_code.items():
            packs.update((place.pack, None) for place in remote.index.places(ids, code).values())
        brings = tuple(name for name in packs if name in sent.names)
        leans = tuple(name for name in packs if name not in sent.names)
        told.append(Envelope(envelope.data, envelope.signature, brings, leans))
    return told


def _within_reach(repository: Repository, remote: Remote, needs: Needs, need: Need) -> dict[Wanted, None] | None:
    """Returns what a need comes down to; nothing when it may be gone and is; None when some of it is neither here nor there."""
    try:
        found = needs.wanted(need)
    except NotFoundError:
        return None
    missing = repository.objects.missing(found)
    if missing and remote.index.unknown(missing):
        remote.learn(missing)
    if missing and remote.index.unknown(missing):
        remote.index.refresh()
    if not remote.index.unknown(missing):
        return found
    return {} if needs.may_be_gone(need) else None


def here_of(repository: Repository, remote: Remote, envelopes: Iterable[Envelope]) -> tuple[dict[Wanted, None], int]:
    """Returns what is here of all that transactions come down to at a remote, and how many of their needs are not all here."""
    found: dict[Wanted, None] = {}
    lacking = 0
    needs = Needs(repository, envelopes)
    with repository.objects.local_only():
        for need in needs:
            wanted = as_far_as_here(repository.objects, need, remote.walk)
            missing = set(repository.objects.missing(wanted))  # the record that breaks a walk off is the last, and among them
            lacking += bool(missing) and not needs.may_be_gone(need)
            found.update((item, None) for item in wanted if item not in missing)
    return found, lacking


def as_far_as_here(
    store: ObjectStore, need: Need, walk: Walk = closure.everything
) -> list[Wanted]:
    """Returns what a need comes down to, up to the first record that is not here, which is the last of them then."""
    found: list[Wanted] = []
    with store.local_only(), suppress(NotFoundError, DamageError):
        for item in walk(store, need):
            found.append(item)  # noqa: PERF402 - what came before a failure counts
    return found


def packs_of(repository: Repository, wanted: Iterable[Wanted]) -> list[PackName]:
    """Returns the local packs that hold pieces and what these are differences to."""
    found: dict[PackName, None] = {}
    for item in repository.objects.index.with_bases(wanted):
        place = repository.objects.is_here(*item)
        if place is not None:
            found[place.pack] = None
    return list(found)


def send(
    repository: Repository, remote: Remote, wanted: Iterable[Wanted], progress: Progress = SILENT, *, renamed: bool = False
) -> Sent:
    """Makes pieces decodable at a remote. Large packs are copied; many small ones go as one, and so do swept ones, under a new name.

    Args:
        repository: where the pieces are.
        remote: where they go, unless they are there.
        wanted: the pieces.
        progress: hears of bytes.
        renamed: sends all packs under new names: those that bore the old ones were lost or damaged there.

    Raises:
        NotFoundError: a piece is neither here nor there.
        RemoteError: what was sent did not arrive.
    """
    wanted = list(wanted)
    remote.index.refresh(read=False)
    remote.learn(wanted)
    swept = repository.view().swept(remote.require_record().id)
    remote.index.leave_out(swept)
    chosen: dict[PackName, set[Wanted]] = {}
    waiting = list(reversed(remote.index.unknown(wanted)))
    seen: set[Wanted] = set()
    while waiting:
        item = waiting.pop()
        if item in seen:
            continue
        seen.add(item)
        place = repository.objects.is_here(*item)
        if place is None:
            raise NotFoundError(f"a piece that is to be pushed is neither here nor at '{remote.name}': {item[0].hex()[:12]}")
        chosen.setdefault(place.pack, set()).add(item)
        if place.slot.base is not None and not remote.index.find(place.slot.base, CHUNK_CODE):
            waiting.append((place.slot.base, CHUNK_CODE))
    sizes = {name: repository.backend.size(name.key) or 0 for name in chosen}
    progress.start(f"push to {remote.name}", sum(sizes.values()))
    merged = list(sizes) if renamed else _to_merge(sizes, swept)
    whole = [name for name in chosen if name not in merged]
    new = set(whole)
    packs, size = copy_packs(whole, repository.backend, remote.backend, progress, pace=remote.pace)
    for name in whole:  # proven on the way, and known here: no need to ask for what was just sent
        remote.index.add(name, repository.objects.index.slots(name))
    for pack_class in PackClass:
        names = [name for name in merged if name.pack_class is pack_class]
        for group in _groups(names, sizes):
            composed = Composition(pack_class, chosen_from(repository.backend, group, {i for name in group for i in chosen[name]}))
            remote.backend.write(composed.name.key, _paced(composed.pieces(), remote))
            remote.index.add(composed.name, composed.slots)
            new.add(composed.name)
            progress.advance(sum(sizes[name] for name in group))
            packs, size = packs + 1, size + sum(slot.stored_size for slot in composed.slots)
    lacking = remote.index.unknown(wanted)
    if lacking:
        raise RemoteError(f"{len(lacking):,} pieces did not arrive at the remote '{remote.name}'", hint="push again")
    return Sent(packs, size, frozenset(new))


def _paced(pieces: Iterator[bytes], remote: Remote) -> Iterator[bytes]:
    for piece in pieces:
        remote.pace.spend(len(piece))
        yield piece


_SMALL = 8 << 20
_FEW = 4
"""So many small packs of a class are sent as they are: their names tell who pulls that they are here already."""


def _to_merge(sizes: dict[PackName, int], swept: set[PackName]) -> list[PackName]:
    found = [name for name in sizes if name in swept]
    for pack_class in PackClass:
        small = [n for n, size in sizes.items() if n.pack_class is pack_class and size < _SMALL and n not in swept]
        found += small if len(small) > _FEW else []
    return found


def _groups(names: list[PackName], sizes: dict[PackName, int]) -> Iterator[list[PackName]]:
    """Parts packs into groups of about one pack's target size."""
    group: list[PackName] = []
    total = 0
    for name in names:
        if group and total + sizes[name] > pack.TARGET_SIZE:
            yield group
            group, total = [], 0
        group.append(name)
        total += sizes[name]
    if group:
        yield group
