"""A remote as push and pull see it: a backend, what store is there, and which of its packs hold what."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from mlvc.backend.interface import Backend
from mlvc.backend.local import LocalBackend
from mlvc.backend.piped import PipedBackend
from mlvc.backend.remote_folder import failing_as_remote
from mlvc.errors import RemoteError
from mlvc.format.transaction import Need
from mlvc.journal import entries
from mlvc.journal.entries import Journal
from mlvc.objects import closure
from mlvc.objects.pack_index import PackIndexCache
from mlvc.objects.store import ObjectStore, Wanted
from mlvc.pacing import UNLIMITED, Pace
from mlvc.repository import store_record
from mlvc.repository.locks import StoreLocks
from mlvc.repository.repository import Repository
from mlvc.repository.store_record import StoreRecord
from mlvc.sync.locating import Locators


class Remote:
    """A store somewhere else.

    Attributes:
        name: what the user calls it.
        backend: where it is.
        url: as stored in entries and shown, without secrets.
        journal_here: returns the journal of the repository whose remote this is, which says what lies at the remote.
        pace: of what goes there and comes from there.
        takes_conditions: whether it honours conditional writes; else it can only carry.
        may_lead: whether a first push makes it the authority: the upstream, if it takes conditions.
        holds_data: whether data is pushed there, or only what says what there is.
        wants_caches: whether reading there is far, so that clones are glad of bundles and locators.
    """

    def __init__(
        self,
        name: str,
        backend: Backend,
        cache_folder: Path,
        *,
        is_upstream: bool = True,
        takes_conditions: bool = True,
        holds_data: bool = True,
        wants_caches: bool = True,
        journal_here: Callable[[], Journal | None] = lambda: None,
        pace: Pace = UNLIMITED,
    ) -> None:
        self.name = name
        self.backend = backend
        self.url = backend.url
        self.takes_conditions = takes_conditions
        self.journal_here = journal_here
        self.pace = pace
        self.may_lead = is_upstream and takes_conditions
        self.holds_data = holds_data
        self.wants_caches = wants_caches
        self._cache_folder = cache_folder
        self._index: PackIndexCache | None = None
        self._record: StoreRecord | None = None
        self._journal: Journal | None = None
        self._locators: Locators | None = None

    def walk(self, store: ObjectStore, need: Need) -> Iterator[Wanted]:
        """Yields what of a need belongs there: all that it comes down to, or only the records that say what there is."""
        return closure.everything(store, need) if self.holds_data else closure.names(store, need)

    def record(self) -> StoreRecord | None:
        """Returns what the store says of itself, or None while nothing was pushed to it. It never changes: read once."""
        if self._record is None:
            self._record = store_record.read(self.backend)
        return self._record

    def require_record(self) -> StoreRecord:
        """Returns what the store says of itself; RemoteError when there is none."""
        found = self.record()
        if found is None:
            raise RemoteError(
                f"the remote '{self.name}' at {self.url} holds no mlvc store", hint="check the URL, or push to it first"
            )
        return found

    def journal(self) -> Journal | None:
        """Returns the remote's journal, or None while it has none; looked for until there is one."""
        if self._journal is None:
            self._journal = entries.find(self.backend)
        return self._journal

    def forget_journal(self) -> None:
        """Makes the next `journal` look again which one is in force."""
        self._journal = None

    def entry_of(self, journal: bytes, number: int) -> bytes | None:
        """Returns an entry of the journal that this remote had when last heard of; None when it is not there now."""
        known = Journal(self.backend, journal)
        found = known.read_bytes(number)
        if found is not None:
            self._journal = known
        return found

    @contextmanager
    def committing(self) -> Iterator[None]:
        """Keeps the remote's own gc from deleting while this process adds to it, where the remote is a folder."""
        with self._held("committing"):
            yield

    @contextmanager
    def deleting(self) -> Iterator[None]:
        """Keeps the remote's own commits, and pushes into it, away while this process deletes, where the remote is a folder."""
        with self._held("deleting"):
            yield

    @contextmanager
    def beginning(self) -> Iterator[None]:
        """Held by a first push, so that two at once do not begin two histories in one folder."""
        with self._held("appending"):
            yield

    @contextmanager
    def _held(self, lock: str) -> Iterator[None]:
        with ExitStack() as held:
            if isinstance(self.backend, LocalBackend):
                with failing_as_remote():
                    held.enter_context(store_locks(self.backend)[lock]())
            elif isinstance(self.backend, PipedBackend):
                held.enter_context(self.backend.held(lock))
            yield
            with self.backend.together():
                pass  # what was kept back goes now

    @property
    def index(self) -> PackIndexCache:
        """Which pack of the remote holds what; cached here by the remote store's id."""
        if self._index is None:
            identifier = self.require_record().id.hex()
            self._index = PackIndexCache(self.backend, self._cache_folder / f"remote-{identifier}.sqlite")
        return self._index

    def learn(self, wanted: Iterable[Wanted]) -> None:
        """Puts into the index where pieces lie, as far as that can be told without reading the footers of all packs."""
        journal = self.journal_here()
        if journal is None:
            self.index.refresh()
            return
        if self._locators is None:
            self._locators = Locators(self.backend, self.index)
        self._locators.learn(journal, wanted)

    def close(self) -> None:
        """Closes the cached index, and the line to another machine."""
        if self._index is not None:
            self._index.close()
        self.backend.close()


def leads(repository: Repository, remote: Remote) -> bool:
    """Tells whether a remote is the authority of the history that is here; False where nothing says who is, or no store is there."""
    authority, record = repository.refresh().authority, remote.record()
    return authority is not None and record is not None and authority[0] == record.id


def store_locks(backend: LocalBackend) -> dict[str, Callable[[], AbstractContextManager[None]]]:
    """Returns the locks of a store's folder, by name."""
    locks = StoreLocks(backend.root / "locks")
    return {"committing": locks.committing, "deleting": locks.deleting, "appending": locks.appending}
