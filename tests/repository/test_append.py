"""Appending on stores that answer oddly: a taken number is a question, and never an endless one."""

import os

import pytest

from mlvc.backend.memory import MemoryBackend
from mlvc.errors import RemoteError
from mlvc.format.journal_entry import NO_PREDECESSOR
from mlvc.format.operations import Project
from mlvc.format.transaction import Transaction
from mlvc.journal.entries import Journal
from mlvc.repository import append
from mlvc.repository.append import Tail
from mlvc.repository.commit import make_envelope

BEGIN = Tail(0, NO_PREDECESSOR)


def envelope(name="p"):
    return make_envelope(Transaction(os.urandom(16), "Ada", 0, "init", (), (Project(name),)))


class Odd(MemoryBackend):
    """Answers 'it exists' a number of times, before or after it wrote."""

    def __init__(self, times, *, writes):
        super().__init__()
        self.times, self.writes = times, writes

    def create(self, key, data):
        if self.times:
            self.times -= 1
            if self.writes:
                super().create(key, data)
            return False
        return super().create(key, data)


def entries(backend):
    return [e for entry, _ in Journal(backend, b"j" * 16).iterate(0, NO_PREDECESSOR) for e in entry.envelopes]


def test_what_landed_while_the_reply_was_lost_is_there_once():
    backend, one = Odd(1, writes=True), envelope()
    assert append.append_transactions(Journal(backend, b"j" * 16), BEGIN, [one]).number == 1
    assert entries(backend) == [one]


def test_a_conflict_that_passes_is_waited_for():
    backend, one = Odd(3, writes=False), envelope()
    append.append_transactions(Journal(backend, b"j" * 16), BEGIN, [one])
    assert entries(backend) == [one]


def test_a_store_that_never_shows_what_it_says_exists_is_given_up():
    with pytest.raises(RemoteError, match="says that entry 1 exists"):
        append.append_transactions(Journal(Odd(10**6, writes=False), b"j" * 16), BEGIN, [envelope()])
