"""A repository on a local disk: content, journal, pending transactions, the cached view, and how a commit is written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlvc import atomic_file
from mlvc.backend.local import LocalBackend
from mlvc.errors import NotFoundError
from mlvc.fold.questions import View
from mlvc.format.ids import NONCE_SIZE, TransactionId
from mlvc.format.journal_entry import GENESIS, NO_PREDECESSOR, Control
from mlvc.format.transaction import Envelope
from mlvc.journal import entries
from mlvc.journal.cached_view import CachedView, Standing
from mlvc.journal.entries import Journal
from mlvc.journal.pending import PendingFolder
from mlvc.objects.store import ObjectStore
from mlvc.progress import SILENT, Progress
from mlvc.repository import append, store_record
from mlvc.repository.append import Tail
from mlvc.repository.commit import Commit, Committed, Signing, check_understood, joining, make_envelope
from mlvc.repository.locks import StoreLocks

_DERIVED = "cache"
_LOCKS = "locks"
_FOLDERS = ("journal", "packs", "packs/data", "packs/meta", "pending")


class Repository:
    """One store on a local disk.

    Attributes:
        path: the store's folder.
        id: the store's random id, 16 bytes.
        objects: content by id.
        pending: transactions that no journal holds yet; also the inbox that others may leave some in.
        starts_journals: whether the first commit may begin a journal here; False where another store, known from
            mlvc.toml, is the authority and has not been asked yet.
    """

    def __init__(self, path: Path) -> None:
        """Opens a store.

        Raises:
            NotFoundError: there is none at `path`.
            NewerFormatError: its format is newer than this mlvc's.
        """
        self.path = path
        self.backend = LocalBackend(path)
        found = store_record.read(self.backend)
        if found is None:
            raise NotFoundError(f"{path} is no mlvc store", hint="'mlvc init' makes one")
        self.id = found.id
        self.starts_journals = True
        self.locks = StoreLocks(path / _LOCKS)
        self.objects = ObjectStore(self.backend, path / _DERIVED / "packs.sqlite")
        self.pending = PendingFolder(self.backend)
        self._view = CachedView(path / _DERIVED / "view.sqlite")

    @staticmethod
    def create(path: Path) -> Repository:
        """Makes a store, or opens the one that is there."""
        for folder in (path, *(path / name for name in _FOLDERS)):
            atomic_file.make_folder(folder)
        # Also where they were there: a process killed while making them may have left names that no one made durable.
        for folder in (path / "packs", path, path.parent):
            atomic_file.sync_folder(folder)
        store_record.create(LocalBackend(path))
        return Repository(path)

    # -- reading ----------------------------------------------------------------------------------------------------

    def journal(self) -> Journal | None:
        """Returns the journal, or None before the first commit or pull."""
        return entries.find(self.backend)

    def refresh(self) -> Standing:
        """Folds what came in since the last time, and returns where the view stands."""
        self._view.refresh(self.journal(), self.pending)
        return self._view.standing()

    def view(self) -> View:
        """Returns the view of everything here, up to date."""
        self.refresh()
        return self._view.view()

    @contextmanager
    def reading(self) -> Iterator[View]:
        """One consistent view for several questions."""
        self.refresh()
        with self._view.reading() as view:
            yield view

    @property
    def cached_view(self) -> CachedView:
        """The view's cache, for checking it and for asking which entry confirmed what."""
        return self._view

    def is_authority(self, standing: Standing) -> bool:
        """Tells whether this store takes new entries itself; false where a remote does."""
        if standing.authority is None:
            return self.starts_journals
        return standing.authority[0] == self.id

    # -- committing -------------------------------------------------------------------------------------------------

    @contextmanager
    def committing(
        self, who: str, command: str, progress: Progress = SILENT, signing: Signing | None = None
    ) -> Iterator[Commit]:
        """Collects content and operations, and writes them as one transaction when the block ends well.

        Atomic: after a crash, or an exception in the block, all of it is there or none. Concurrent commits of other
        processes are fine.

        Raises:
            NewerFormatError: the repository holds what this mlvc does not understand.
            LocalFileError: the disk refused; nothing changed.
            ProtectedError: it would change what a protected alias answers, and `signing` has no key that may.
        """
        from mlvc.objects.ingest import Ingest  # the chunker and thread pools load only for those who write

        with self.locks.committing():
            check_understood(self.refresh().stopped)
            self.objects.index.leave_out(self._view.view().swept(self.id))
            ingest = Ingest(self.objects, progress)
            commit = Commit(ingest, who, command, signing)
            try:
                yield commit
                if commit.is_empty:
                    return
                ingest.finish()
                self._join_heads(who)
                self.refresh()
                with self._view.reading() as view:
                    envelope = commit.envelope(view)
                self.record([envelope])
                commit.written = Committed(envelope.id, ingest.new_bytes)
            finally:
                ingest.discard()

    def _join_heads(self, who: str) -> None:
        while (joined := joining(self.view(), who)) is not None:
            self.record([make_envelope(joined)])

    def record(self, envelopes: list[Envelope]) -> None:
        """Makes transactions true: appended where this store is the authority, pending elsewhere. Durable on return."""
        with self.locks.appending():
            while not self._record(envelopes):
                continue
        self.refresh()

    def _record(self, envelopes: list[Envelope]) -> bool:
        """Returns False when, in spite of the lock, the journal's authority may have changed meanwhile."""
        standing = self.refresh()
        check_understood(standing.stopped)
        if not self.is_authority(standing):
            for envelope in envelopes:
                self.pending.add(envelope)
            return True
        try:
            self._append(standing, envelopes)
        except append.ControlActError:
            return False
        return True

    def _append(self, standing: Standing, envelopes: list[Envelope]) -> None:
        """Appends to this store's own journal; the caller holds the append lock and has refreshed."""
        journal = self.journal()
        tail = Tail(standing.number, standing.hash)
        if journal is None:
            journal = Journal(self.backend, os.urandom(NONCE_SIZE))
            tail = self._begin(journal)
        append.append_transactions(journal, tail, envelopes)

    def _begin(self, journal: Journal) -> Tail:
        """Writes the genesis entry, which names this store as the authority."""
        return append.append_control(journal, Tail(0, NO_PREDECESSOR), Control(GENESIS, self.id))

    def take_in_inbox(self) -> int:
        """Appends what others left in the inbox of an authority, and clears away what is confirmed.

        Returns:
            How many transactions were appended.
        """
        if not self.pending.ids():
            return 0
        with self.locks.committing(), self.locks.appending():
            standing = self.refresh()
            if standing.stopped is not None:
                return 0
            self.pending.drop_stripped()
            waiting = self.pending.in_order()
            fresh = [e for e in waiting if self._view.entry_of(e.id) is None]
            appends = bool(fresh) and self.is_authority(standing)
            if appends:
                try:
                    self._append(standing, fresh)
                except append.ControlActError:
                    appends = False  # it is in the inbox still, for whoever looks next
                self.refresh()
            journal = self.journal()
            if journal is not None:  # the entry's name must be durable, whoever wrote it, before the pending file goes
                atomic_file.sync_folder(self.backend.path(f"journal/{journal.id.hex()}"))
            for envelope in waiting:
                if self._view.entry_of(envelope.id) is not None:
                    self.pending.remove(envelope.id)
        self.refresh()
        return len(fresh) if appends else 0

    def envelope_of(self, identifier: TransactionId) -> Envelope | None:
        """Returns a folded transaction as journal or pending folder hold it, or None."""
        number, journal = self._view.entry_of(identifier), self.journal()
        if number is None or journal is None:
            return self.pending.read(identifier)
        for _, entry, _ in journal.whole():
            for envelope in entry.envelopes:
                if envelope.id == identifier:
                    return envelope
        return None

    def close(self) -> None:
        """Closes the caches."""
        self.objects.close()
        self._view.close()

