"""The stat cache: what it may say of a file without reading it."""

import os

import pytest

from mlvc.format.ids import FileDigest
from mlvc.objects.source_file import regular_file
from mlvc.working_tree.stat_cache import StatCache

DIGEST = FileDigest(b"d" * 32)
LONG_NS = 10**9


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"content")
    return path


@pytest.fixture
def cache(tmp_path):
    made = StatCache(tmp_path / "cache.sqlite")
    yield made
    made.close()


def changed_ns(path):
    found = path.stat()
    return max(found.st_mtime_ns, found.st_ctime_ns)


def test_a_file_that_looks_as_it_did_need_not_be_read(file, cache):
    cache.remember([(file, regular_file(file), DIGEST)], changed_ns(file) + LONG_NS)

    assert cache.find(file, regular_file(file)) == DIGEST


def test_many_files_are_looked_up_in_one_go_as_one_by_one(file, cache):
    others = {}
    for number in range(200):
        other = file.with_name(f"other{number}")
        other.write_bytes(b"x" * number)
        others[str(other)] = regular_file(other)
    later_ns = max(looks.newest_ns for looks in others.values()) + LONG_NS
    cache.remember([(path, looks, DIGEST) for path, looks in list(others.items())[:150]], later_ns)

    found = cache.find_all(others)
    assert len(found) == 150
    assert found == {path: DIGEST for path, looks in others.items() if cache.find(path, looks)}


@pytest.mark.parametrize("later_ns", [-LONG_NS, 0, 10_000_000])
def test_a_racily_clean_file_is_read_again(file, cache, later_ns):
    """It was read so soon after it was written that a later change could bear the same time."""
    cache.remember([(file, regular_file(file), DIGEST)], changed_ns(file) + later_ns)

    assert cache.find(file, regular_file(file)) is None


def test_another_file_of_equal_size_and_time_is_told_apart(file, cache):
    cache.remember([(file, regular_file(file), DIGEST)], changed_ns(file) + LONG_NS)
    before = file.stat()
    other = file.with_name("other")
    other.write_bytes(b"CONTENT")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(file)

    assert cache.find(file, regular_file(file)) is None
