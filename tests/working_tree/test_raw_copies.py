"""Raw copies: files that are made from shared blocks on XFS, from a plain copy where asked, and never from a bad one."""

import os
import shutil
import subprocess
import sys

import pytest
import reflink_copy

from mlvc.errors import UsageError
from mlvc.format.ids import FileDigest, digest
from mlvc.objects.source_file import regular_file
from mlvc.working_tree import raw_copies
from mlvc.working_tree.raw_copies import ALWAYS, NEVER, RawCopies
from mlvc.workspace import caretaking, configuration
from mlvc.workspace.workspace import Workspace

NOISE = os.urandom(3 << 20)


@pytest.fixture
def xfs(tmp_path):
    """A file system that shares blocks, on a file."""
    if os.getuid() != 0 or sys.platform != "linux" or not shutil.which("mkfs.xfs"):
        pytest.skip("needs root on Linux, and mkfs.xfs")
    image, disk = tmp_path / "image", tmp_path / "disk"
    disk.mkdir()
    with image.open("wb") as file:
        file.truncate(400 << 20)
    subprocess.run(["mkfs.xfs", "-q", "-m", "reflink=1", image], check=True, capture_output=True)
    done = subprocess.run(["mount", "-o", "loop", image, disk], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"this machine mounts nothing: {done.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


@pytest.fixture
def shared(xfs, tree_at):
    """The working tree of the tests, on XFS."""
    return tree_at(xfs / "work")


def copies_of(tree):
    folder = tree.workspace.repository.path / "cache" / "copies"
    return [path for path in folder.rglob("*") if path.is_file()]


def used_bytes(disk):
    os.sync()
    found = os.statvfs(disk)
    return (found.f_blocks - found.f_bfree) * found.f_bsize


def test_on_a_disk_that_shares_blocks_a_checkout_costs_no_space(shared, xfs):
    shared.version("m.bin", NOISE)
    assert len(copies_of(shared)) == 1
    (shared.root / "m.bin").unlink()
    before = used_bytes(xfs)

    shared.checkout("m.bin")
    assert shared.read("m.bin") == NOISE
    assert used_bytes(xfs) - before < len(NOISE) // 2


def test_editing_a_file_that_shares_blocks_changes_no_copy(shared):
    shared.version("m.bin", NOISE)
    shared.checkout_version("m:v0", "other.bin")
    with (shared.root / "other.bin").open("r+b") as file:
        file.write(b"edited in place")

    shared.checkout("other.bin", force=True)
    assert shared.read("other.bin") == NOISE == shared.read("m.bin")


def test_a_damaged_copy_is_dropped_and_the_file_made_from_packs(shared):
    shared.version("m.bin", NOISE)
    (copy,) = copies_of(shared)
    with copy.open("r+b") as file:
        file.write(b"damage")
    (shared.root / "m.bin").unlink()

    shared.checkout("m.bin")
    assert shared.read("m.bin") == NOISE
    assert copies_of(shared)[0].read_bytes() == NOISE, "the good file was offered again"


def test_gc_drops_the_copies_that_no_pin_needs(shared):
    shared.version("m.bin", NOISE)
    shared.version("m.bin", NOISE[::-1])
    assert len(copies_of(shared)) == 2

    assert caretaking.drop_copies(shared.workspace, dry_run=True) == len(NOISE)
    assert caretaking.drop_copies(shared.workspace, dry_run=False) == len(NOISE)
    (left,) = copies_of(shared)
    assert left.read_bytes() == NOISE[::-1]


# -- on any disk --------------------------------------------------------------------------------------------------------


@pytest.fixture
def unshared(monkeypatch):
    def refuse(_source, _target):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(reflink_copy, "reflink", refuse)


def offered(copies, folder, name, data):
    path = folder / name
    path.write_bytes(data)
    copies.offer(path, FileDigest(digest(data)), regular_file(path))
    return FileDigest(digest(data))


def test_where_no_blocks_are_shared_nothing_is_kept(tmp_path, unshared):
    copies = RawCopies(tmp_path / "copies")
    found = offered(copies, tmp_path, "a", NOISE)

    assert copies.size_bytes() == 0
    assert not copies.put_out(found, len(NOISE), str(tmp_path / "b"))
    assert not (tmp_path / "b").exists()


def test_unless_asked_for(tmp_path, unshared):
    copies = RawCopies(tmp_path / "copies", ALWAYS)
    found = offered(copies, tmp_path, "a", NOISE)

    assert copies.put_out(found, len(NOISE), str(tmp_path / "b"))
    assert (tmp_path / "b").read_bytes() == NOISE


def test_never_keeps_none(tmp_path):
    copies = RawCopies(tmp_path / "copies", NEVER)
    offered(copies, tmp_path, "a", NOISE)
    assert copies.size_bytes() == 0


def test_a_file_that_changed_since_is_not_kept(tmp_path):
    copies = RawCopies(tmp_path / "copies", ALWAYS)
    path = tmp_path / "a"
    path.write_bytes(NOISE)
    looks = regular_file(path)
    path.write_bytes(NOISE[::-1] + b"more")

    copies.offer(path, FileDigest(digest(NOISE)), looks)
    assert copies.size_bytes() == 0
    assert not [name for _, _, names in os.walk(tmp_path / "copies") for name in names], "nor is anything left behind"


def test_beyond_the_limit_what_was_used_longest_ago_goes(tmp_path):
    copies = RawCopies(tmp_path / "copies", ALWAYS, limit=2 * len(NOISE))
    found = [offered(copies, tmp_path, name, name.encode() + NOISE[1:]) for name in "abc"]
    for number, one in enumerate(found):
        os.utime(copies._path(one), ns=(number * 10**9, number * 10**9))
    assert copies.put_out(found[0], len(NOISE), str(tmp_path / "out")), "used just now"

    copies.trim()
    assert [copies._path(one).exists() for one in found] == [True, False, True]


def test_the_policy_comes_from_the_settings_and_a_wrong_one_is_refused(tree):
    configuration.put(tree.root, "copies.keep", "always")
    configuration.put(tree.root, "copies.limit_gib", 2)
    workspace = Workspace.find(tree.root)
    assert (workspace.settings.copies, workspace.settings.copies_limit) == (raw_copies.ALWAYS, 2 << 30)

    for key, wrong in (("copies.keep", "sometimes"), ("copies.limit_gib", "much"), ("copies.limit_gib", "nan")):
        with pytest.raises(UsageError, match="auto, always, never"):
            configuration.put(tree.root, key, wrong)
    configuration.put(tree.root, "copies.limit_gib", "0.5")
    workspace = Workspace.find(tree.root)
    assert (workspace.settings.copies, workspace.settings.copies_limit) == (raw_copies.ALWAYS, 1 << 29), "as it was, and texts count"

    (tree.root / "mlvc.toml").write_text('[copies]\nkeep = "sometimes"\n')
    with pytest.raises(UsageError, match="auto, always, never"):
        Workspace.find(tree.root)
