"""Manifests as blocks: a path is found as in a dictionary, and two that differ a little share nearly everything."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlvc.errors import DamageError, NotFoundError
from mlvc.format import manifest as manifests
from mlvc.format import sorted_blocks
from mlvc.format.ids import digest
from mlvc.format.manifest import FileEntry, Manifest, ReferenceEntry

paths = st.lists(st.from_regex(r"[a-z]{1,3}(/[a-z0-9]{1,6}){0,2}\.x", fullmatch=True), unique=True, max_size=60)


def entry(path: str, content: bytes = b"") -> FileEntry:
    return FileEntry(path, len(path), digest(path.encode() + content))


def build(entries):
    built = manifests.build(entries)
    records = dict(built.records)
    return Manifest(built.id, records.__getitem__), records


@given(paths, paths)
def test_a_path_is_found_as_in_a_dictionary(present, asked):
    expected = {path: entry(path) for path in present}
    manifest, _ = build(expected.values())
    assert list(manifest) == [expected[p] for p in sorted(expected, key=str.encode)]
    assert (manifest.count, manifest.size_bytes) == (len(expected), sum(map(len, expected)))
    for path in (*present, *asked):
        assert manifest.get(path) == expected.get(path)


@given(paths, st.randoms(use_true_random=False))
def test_the_id_does_not_depend_on_the_order_of_adding(given_paths, rng):
    entries = [entry(path) for path in given_paths]
    shuffled = list(entries)
    rng.shuffle(shuffled)
    assert manifests.build(entries) == manifests.build(shuffled)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 4999), st.sampled_from(["changed", "removed", "added"]))
def test_two_manifests_that_differ_in_one_path_share_all_blocks_but_one(place, how):
    entries = {f"images/{n:05}.png": entry(f"images/{n:05}.png") for n in range(5000)}
    _, before = build(entries.values())
    path = f"images/{place:05}.png"
    if how == "removed":
        del entries[path]
    elif how == "added":
        entries[f"{path}.more"] = entry("more")
    else:
        entries[path] = entry(path, b"changed")
    manifest, after = build(entries.values())
    assert len(after) > 10
    assert len(after.keys() - before.keys()) <= 3, "the index, the block, and at most one that it was split from"
    assert manifest.get(path) == entries.get(path)


def test_no_block_is_larger_than_allowed():
    _, records = build([entry(f"{n}") for n in range(6000)])
    index = sorted_blocks.parse_index(manifests.TABLE, list(records.values())[-1])
    assert max(block.count for block in index.blocks) <= sorted_blocks.MAX_BLOCK_ENTRIES


def test_references_come_back_as_they_were():
    reference = ReferenceEntry("far.bin", 7, "s3://bucket/far.bin", "etag", {"etag": "e"})
    manifest, _ = build([reference, entry("near")])
    assert manifest["far.bin"] == reference
    with pytest.raises(NotFoundError, match="no file 'nowhere'"):
        manifest["nowhere"]


@pytest.mark.parametrize(
    "path", ["../x", "/etc/passwd", ".git/hooks/x", "a/../../x", ".GIT/config", "a//b", "", "git~1/config", ".mlvc/store"]
)
def test_a_hostile_path_is_refused_when_it_is_read(path):
    table = sorted_blocks.build(manifests.TABLE, [(path.encode(), [1, digest(b"x")])], 1)
    manifest = Manifest(table.id, dict(table.records).__getitem__)
    with pytest.raises(DamageError, match="unusable"):
        list(manifest)
    with pytest.raises(DamageError, match="unusable"):
        manifest.get(path)


def test_a_block_that_is_not_what_its_index_says_is_refused():
    manifest, records = build([entry(f"{n}") for n in range(3000)])
    blocks = manifest.block_ids
    swapped = dict(records)
    swapped[blocks[0]], swapped[blocks[1]] = records[blocks[1]], records[blocks[0]]
    with pytest.raises(DamageError, match="does not hold what its index says"):
        list(Manifest(manifest.id, swapped.__getitem__))
