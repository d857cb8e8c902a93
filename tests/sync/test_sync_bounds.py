"""What a hostile remote claims is bounded before it is believed: nothing here is filled or read without end."""

from __future__ import annotations

import pytest
from clones import clone, history, publish

from mlvc.errors import NotFoundError, RemoteError
from mlvc.format import pack
from mlvc.format.ids import digest
from mlvc.workspace import exchanging


def grow(path, size):
    """Makes a file look huge without writing it."""
    with path.open("r+b") as file:
        file.truncate(size)


def test_an_entry_a_record_or_an_inbox_item_without_end_is_not_read(tmp_path, origin, remote):
    there = clone(remote, tmp_path / "there")
    publish(origin, {"w.bin": b"two"})
    exchanging.push(origin)
    entry = sorted((remote / "journal").glob("*/*"))[-1]
    data = entry.read_bytes()
    grow(entry, 1 << 40)
    with pytest.raises(RemoteError, match="at most"):
        exchanging.pull(there)
    assert list(history(there)) == ["v0"]
    entry.write_bytes(data)
    assert exchanging.pull(there).transactions == 1
    exchanging.add_remote(origin, "stick", str(tmp_path / "stick"))
    publish(origin, {"w.bin": b"three"})
    exchanging.push(origin, "stick")
    exchanging.add_remote(there, "stick", str(tmp_path / "stick"))
    (item,) = (tmp_path / "stick/pending").iterdir()
    grow(item, 1 << 40)
    with pytest.raises(RemoteError, match="at most"):
        exchanging.pull(there, "stick")


def test_a_pack_of_records_without_end_is_not_copied(tmp_path, origin, remote):
    for path in (remote / "packs/meta").iterdir():
        grow(path, 1 << 43)
    there = clone(remote, tmp_path / "there")
    assert sum(size for _, size in there.repository.backend.keys("packs/")) < 1 << 20


def test_an_index_without_end_is_not_read(tmp_path, origin, remote):
    for path in (remote / "packs/data").iterdir():
        data = path.read_bytes()
        trailer = pack.TRAILER.pack(1 << 40, digest(b""), digest(b""), data[-5:])
        with path.open("r+b") as file:
            file.truncate(1 << 41)
            file.seek(0, 2)
            file.write(trailer)
    there = clone(remote, tmp_path / "there")
    with pytest.raises(NotFoundError):  # a pack whose index cannot be read holds nothing
        exchanging.fetch(there, ["model:v0"])


@pytest.mark.parametrize("name", ["../../../etc/cron.d/x", "..", "a/b", "\x00", "x" * 300])
def test_odd_names_at_a_remote_reach_no_other_file(tmp_path, origin, remote, name):
    """Names come from listings; each is parsed into a number, an id or a nonce before it is used."""
    for folder in ("pending", "packs/data", "packs/meta"):
        try:
            (remote / folder / name.replace("/", "%2f").replace("\x00", "0")).write_bytes(b"hostile")
        except OSError:
            continue
    there = clone(remote, tmp_path / "there")
    exchanging.fetch(there, ["model:v0"])
    assert list(history(there)) == ["v0"]
    assert not [p for p in tmp_path.rglob("*") if p.is_file() and p.read_bytes()[:7] == b"hostile" and remote not in p.parents]
